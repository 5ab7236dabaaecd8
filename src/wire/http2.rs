//! Where calls begin and end in HTTP/2 (RFC 9113, sections 3.4, 4.1 and 6).

use super::{Framer, Part, Piece, invalid, take};

/// What a client says first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The length of a frame's header.
const HEADER: usize = 9;

/// Types of frames.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const PUSH_PROMISE: u8 = 5;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

/// A flag of DATA and HEADERS: the sender says no more on this stream.
const END_STREAM: u8 = 1;

/// A flag of HEADERS and CONTINUATION: no CONTINUATION follows.
const END_HEADERS: u8 = 4;

/// What a client sends. A call begins with the headers of a new stream.
#[derive(Debug, Default)]
pub(super) struct Http2Client {
    has_begun: bool,
    /// The newest stream. Their numbers grow.
    newest: u32,
    block: Block,
}

impl Framer for Http2Client {
    fn next(&mut self, received: &mut Vec<u8>) -> std::io::Result<Option<Piece>> {
        if !self.has_begun {
            // It is not waited for the rest of what is something else.
            let there = received.len().min(PREFACE.len());
            if received[..there] != PREFACE[..there] {
                return Err(invalid("a client does not speak HTTP/2"));
            }
            let Some(bytes) = take(received, PREFACE.len())? else { return Ok(None) };
            self.has_begun = true;
            return Ok(Some(Piece::of(bytes)));
        }
        let Some(frame) = frame(received)? else { return Ok(None) };
        let begins = frame.kind == HEADERS && frame.stream > self.newest;
        if begins {
            if frame.stream.is_multiple_of(2) {
                return Err(invalid("a client opens a stream with an even number"));
            }
            self.newest = frame.stream;
        }
        let ends = self.block.follow(&frame)?;
        let part = Part { begins, ends, ..frame.part() };
        // All of it: even a window for a stream that the server does not know would end the connection.
        Ok(Some(Piece { part: (frame.stream != 0).then_some(part), ..Piece::of(frame.bytes) }))
    }
}

/// What a server sends.
#[derive(Debug, Default)]
pub(super) struct Http2Server {
    block: Block,
}

impl Framer for Http2Server {
    fn next(&mut self, received: &mut Vec<u8>) -> std::io::Result<Option<Piece>> {
        let Some(frame) = frame(received)? else { return Ok(None) };
        let part = Part { ends: self.block.follow(&frame)?, ..frame.part() };
        // A window is not about the answer, but lets the client send the rest of its request.
        let is_part = matches!(frame.kind, DATA | HEADERS | CONTINUATION | RST_STREAM);
        Ok(Some(Piece { part: is_part.then_some(part), ..Piece::of(frame.bytes) }))
    }
}

/// The window that whoever sent this part waits for before it sends more, if nobody else will grant it.
pub(super) fn credit(part: Part) -> Vec<u8> {
    if part.flow == 0 {
        return Vec::new();
    }
    let update = |stream: u32| {
        let header = [0, 0, 4, WINDOW_UPDATE, 0];
        [&header[..], &stream.to_be_bytes(), &part.flow.to_be_bytes()].concat()
    };
    [update(0), update(part.call)].concat()
}

/// A block of headers of which more will come, its stream, and whether that ends with it.
#[derive(Debug, Default)]
struct Block(Option<(u32, bool)>);

impl Block {
    /// Whether a stream ends with this frame.
    fn follow(&mut self, frame: &Frame) -> std::io::Result<bool> {
        let ends = frame.flags & END_STREAM != 0;
        let is_whole = frame.flags & END_HEADERS != 0;
        match (self.0, frame.kind) {
            (None, DATA | HEADERS | RST_STREAM | PUSH_PROMISE) if frame.stream == 0 => {
                Err(invalid("a part of a call has no stream"))
            }
            (None, HEADERS) if !is_whole => {
                self.0 = Some((frame.stream, ends));
                Ok(false)
            }
            (None, PUSH_PROMISE) if !is_whole => {
                self.0 = Some((frame.stream, false));
                Ok(false)
            }
            (None, DATA | HEADERS) => Ok(ends),
            (None, RST_STREAM) => Ok(true),
            (Some((stream, ends)), CONTINUATION) if frame.stream == stream => {
                if is_whole {
                    self.0 = None;
                }
                Ok(is_whole && ends)
            }
            (Some(_), _) | (None, CONTINUATION) => Err(invalid("headers are not continued where they were begun")),
            (None, _) => Ok(false),
        }
    }
}

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    /// How long its body is.
    length: u32,
    bytes: Vec<u8>,
}

impl Frame {
    fn part(&self) -> Part {
        let flow = if self.kind == DATA { self.length } else { 0 };
        Part { fails: self.kind == RST_STREAM, flow, ..Part::of(self.stream) }
    }
}

fn frame(received: &mut Vec<u8>) -> std::io::Result<Option<Frame>> {
    let Some(&[a, b, c, kind, flags, w, x, y, z]) = received.get(..HEADER) else { return Ok(None) };
    let length = u32::from_be_bytes([0, a, b, c]);
    // The first bit is reserved.
    let stream = u32::from_be_bytes([w, x, y, z]) & (u32::MAX >> 1);
    Ok(take(received, HEADER + length as usize)?.map(|bytes| Frame { kind, flags, stream, length, bytes }))
}

#[cfg(test)]
pub(super) mod testing {
    pub(in super::super) const DATA: u8 = super::DATA;
    pub(in super::super) const HEADERS: u8 = super::HEADERS;
    pub(in super::super) const RST_STREAM: u8 = super::RST_STREAM;
    pub(in super::super) const WINDOW_UPDATE: u8 = super::WINDOW_UPDATE;
    pub(in super::super) const CONTINUATION: u8 = super::CONTINUATION;
    pub(in super::super) const END_STREAM: u8 = super::END_STREAM;
    pub(in super::super) const END_HEADERS: u8 = super::END_HEADERS;
    pub(in super::super) const PREFACE: &[u8] = super::PREFACE;

    pub(in super::super) fn frame(kind: u8, flags: u8, stream: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), body].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::pieces;
    use super::testing::frame;
    use super::{
        CONTINUATION, DATA, END_HEADERS, END_STREAM, Framer, HEADERS, Http2Client, Http2Server, PREFACE, RST_STREAM,
    };

    #[test]
    fn a_call_is_a_stream_from_its_headers_to_its_end() {
        const SETTINGS: u8 = 4;
        let stream = [
            PREFACE.to_vec(),
            frame(SETTINGS, 0, 0, b"abcdef"),
            frame(HEADERS, 4, 1, b"one"),
            frame(DATA, END_STREAM, 1, b"body"),
            frame(HEADERS, 4 | END_STREAM, 3, b"two"),
        ]
        .concat();
        let all = pieces(Http2Client::default(), &stream, stream.len());
        let parts: Vec<Option<(u32, bool, bool)>> =
            all.iter().map(|piece| piece.part.map(|part| (part.call, part.begins, part.ends))).collect();
        let expected = [None, None, Some((1, true, false)), Some((1, false, true)), Some((3, true, true))];
        assert_eq!(parts, expected);
        assert_eq!(pieces(Http2Client::default(), &stream, 1), all, "however it arrives");
    }

    #[test]
    fn an_answer_ends_with_its_trailers_or_its_reset() {
        let stream = [
            frame(HEADERS, 4, 1, b"h"),
            frame(DATA, 0, 1, b"d"),
            frame(HEADERS, 4 | END_STREAM, 1, b"t"),
            frame(RST_STREAM, 0, 3, &[0; 4]),
        ];
        let all = pieces(Http2Server::default(), &stream.concat(), 5);
        let parts: Vec<(u32, bool, bool)> =
            all.iter().map(|p| p.part.unwrap()).map(|p| (p.call, p.ends, p.fails)).collect();
        assert_eq!(parts, [(1, false, false), (1, false, false), (1, true, false), (3, true, true)]);
    }

    #[test]
    fn a_stream_ends_with_the_last_of_its_headers() {
        let stream = [
            frame(HEADERS, END_STREAM, 1, b"one"),
            frame(CONTINUATION, 0, 1, b"more"),
            frame(CONTINUATION, END_HEADERS, 1, b"last"),
        ]
        .concat();
        let all = pieces(Http2Client { has_begun: true, ..Http2Client::default() }, &stream, 1);
        let ends: Vec<bool> = all.iter().map(|piece| piece.part.unwrap().ends).collect();
        assert_eq!(ends, [false, false, true]);
    }

    #[test]
    fn refuses_what_is_not_http2() {
        let refused = |has_begun, bytes: &[u8]| {
            let mut client = Http2Client { has_begun, ..Http2Client::default() };
            client.next(&mut bytes.to_vec()).is_err_and(|error| error.kind() == std::io::ErrorKind::InvalidData)
        };
        assert!(refused(false, b"GET /"));
        assert!(refused(true, &frame(HEADERS, END_HEADERS, 2, b"even")));
        assert!(refused(true, &frame(DATA, 0, 0, b"nowhere")));
        assert!(refused(true, &frame(CONTINUATION, END_HEADERS, 1, b"of nothing")));
    }
}
