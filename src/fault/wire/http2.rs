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
const CONTINUATION: u8 = 9;

/// A flag of DATA and HEADERS: the sender says no more on this stream.
const END_STREAM: u8 = 1;

/// What a client sends. A call begins with the headers of a new stream.
#[derive(Debug, Default)]
pub(super) struct Client {
    has_begun: bool,
    /// The newest stream. Their numbers grow.
    newest: u32,
}

impl Framer for Client {
    fn next(&mut self, received: &mut Vec<u8>) -> std::io::Result<Option<Piece>> {
        if !self.has_begun {
            let Some(bytes) = take(received, PREFACE.len())? else { return Ok(None) };
            if bytes != PREFACE {
                return Err(invalid("a client does not speak HTTP/2"));
            }
            self.has_begun = true;
            return Ok(Some(Piece { bytes, part: None }));
        }
        let Some(frame) = frame(received)? else { return Ok(None) };
        let begins = frame.kind == HEADERS && frame.stream > self.newest;
        if begins {
            self.newest = frame.stream;
        }
        Ok(Some(frame.piece(begins)))
    }
}

/// What a server sends.
pub(super) struct Server;

impl Framer for Server {
    fn next(&mut self, received: &mut Vec<u8>) -> std::io::Result<Option<Piece>> {
        Ok(frame(received)?.map(|frame| frame.piece(false)))
    }
}

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    bytes: Vec<u8>,
}

impl Frame {
    fn piece(self, begins: bool) -> Piece {
        let fails = self.kind == RST_STREAM;
        let part = Part {
            call: self.stream,
            begins,
            ends: fails || matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0,
            fails,
        };
        // Everything else on a stream (windows, priorities) is about the connection, and is missed by nobody.
        let is_part = self.stream != 0 && matches!(self.kind, DATA | HEADERS | CONTINUATION | RST_STREAM);
        Piece { bytes: self.bytes, part: is_part.then_some(part) }
    }
}

fn frame(received: &mut Vec<u8>) -> std::io::Result<Option<Frame>> {
    let Some(&[a, b, c, kind, flags, w, x, y, z]) = received.get(..HEADER) else { return Ok(None) };
    let length = u32::from_be_bytes([0, a, b, c]) as usize;
    // The first bit is reserved.
    let stream = u32::from_be_bytes([w, x, y, z]) & (u32::MAX >> 1);
    Ok(take(received, HEADER + length)?.map(|bytes| Frame { kind, flags, stream, bytes }))
}

#[cfg(test)]
mod tests {
    use super::super::testing::pieces;
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), body].concat()
    }

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
        let all = pieces(Client::default(), &stream, stream.len());
        let parts: Vec<Option<(u32, bool, bool)>> =
            all.iter().map(|piece| piece.part.map(|part| (part.call, part.begins, part.ends))).collect();
        let expected = [None, None, Some((1, true, false)), Some((1, false, true)), Some((3, true, true))];
        assert_eq!(parts, expected);
        assert_eq!(pieces(Client::default(), &stream, 1), all, "however it arrives");
    }

    #[test]
    fn an_answer_ends_with_its_trailers_or_its_reset() {
        let stream = [
            frame(HEADERS, 4, 1, b"h"),
            frame(DATA, 0, 1, b"d"),
            frame(HEADERS, 4 | END_STREAM, 1, b"t"),
            frame(RST_STREAM, 0, 3, &[0; 4]),
        ];
        let all = pieces(Server, &stream.concat(), 5);
        let parts: Vec<(u32, bool, bool)> =
            all.iter().map(|p| p.part.unwrap()).map(|p| (p.call, p.ends, p.fails)).collect();
        assert_eq!(parts, [(1, false, false), (1, false, false), (1, true, false), (3, true, true)]);
    }

    #[test]
    fn refuses_what_is_not_http2() {
        assert!(Client::default().next(&mut b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()).is_err());
    }
}
