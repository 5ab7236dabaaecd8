//! Where requests and answers begin and end in HTTP/1.1 (RFC 9112, section 6: Content-Length, chunked, or until the connection closes).
//!
//! One answer follows each request, in their order, so that both sides are numbered by it. A proxy that took a message for shorter or
//! longer than its reader does would hand on a part of it as another message. So whatever RFC 9112 leaves open is refused. Requests
//! whose answers end otherwise than they say (HEAD, CONNECT), and a change of the protocol, are refused too.

use super::{Framer, LONGEST, Part, Piece, invalid, take};

/// The longest head, or line of a chunk, in bytes.
const LONGEST_HEAD: usize = 64 << 10;

/// What ends a line.
const NEW_LINE: &[u8] = b"\r\n";

/// Where one side is in its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum MessagePlace {
    /// Before a head.
    #[default]
    Head,
    /// In a body or a chunk, of which so many bytes are left.
    Body { left: u64, then: After },
    /// Before the line that begins a chunk.
    ChunkLine,
    /// Before the end of the line that a chunk is on.
    ChunkEnd,
    /// After the last chunk, where fields may follow.
    Trailer,
    /// The body is whatever comes until the connection closes.
    UntilClose,
}

/// What comes after bytes that were counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Head,
    ChunkEnd,
}

/// What a client sends.
#[derive(Debug, Default)]
pub(super) struct Http1Client(Messages);

/// What a server sends.
#[derive(Debug, Default)]
pub(super) struct Http1Server(Messages);

/// The messages of one side.
#[derive(Debug, Default)]
struct Messages {
    place: MessagePlace,
    call: u32,
    /// Whether the message that is under way says that its call has failed.
    fails: bool,
}

/// What a head says of its message.
struct Head {
    /// Where the message is after it.
    place: MessagePlace,
    /// Whether a message follows that belongs to the same call.
    is_interim: bool,
    fails: bool,
}

impl Framer for Http1Client {
    fn next(&mut self, received: &mut Vec<u8>) -> std::io::Result<Option<Piece>> {
        self.0.next(received, |start, fields| {
            let mut words = start.split(' ');
            let (Some(method), Some(_target), Some(version), None) =
                (words.next(), words.next(), words.next(), words.next())
            else {
                return Err(invalid("a request's first line has no method, target and version"));
            };
            require_version(version)?;
            if ["HEAD", "CONNECT"].contains(&method) {
                return Err(invalid("the answer to HEAD or CONNECT does not end where it says: it cannot be followed"));
            }
            if fields.upgrades {
                return Err(invalid("a client asks for another protocol, which cannot be followed"));
            }
            let place = fields.body()?.unwrap_or(MessagePlace::Head);
            Ok(Head { place, is_interim: false, fails: false })
        })
    }
}

impl Framer for Http1Server {
    fn next(&mut self, received: &mut Vec<u8>) -> std::io::Result<Option<Piece>> {
        self.0.next(received, |start, fields| {
            let mut words = start.splitn(3, ' ');
            let (Some(version), Some(status)) = (words.next(), words.next()) else {
                return Err(invalid("an answer's first line has no version and status"));
            };
            require_version(version)?;
            if status.len() != 3 || !status.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(invalid("an answer's status is not a number of three digits"));
            }
            let has_said = fields.body()?;
            match status.as_bytes() {
                b"101" => Err(invalid("a server changes the protocol, which cannot be followed")),
                [b'1', ..] => Ok(Head { place: MessagePlace::Head, is_interim: true, fails: false }),
                b"204" | b"304" => Ok(Head { place: MessagePlace::Head, is_interim: false, fails: false }),
                [class, ..] => {
                    let place = has_said.unwrap_or(MessagePlace::UntilClose);
                    Ok(Head { place, is_interim: false, fails: *class == b'5' })
                }
                [] => Err(invalid("an answer has no status")),
            }
        })
    }
}

fn require_version(version: &str) -> std::io::Result<()> {
    if ["HTTP/1.1", "HTTP/1.0"].contains(&version) { Ok(()) } else { Err(invalid("this is not HTTP/1.1")) }
}

impl Messages {
    /// The next piece: a head, a part of a body, or what stands between chunks.
    fn next(
        &mut self,
        received: &mut Vec<u8>,
        read: impl FnOnce(&str, &Fields) -> std::io::Result<Head>,
    ) -> std::io::Result<Option<Piece>> {
        match self.place {
            MessagePlace::Head => {
                let Some(bytes) = take_until(received, b"\r\n\r\n")? else { return Ok(None) };
                let (start, fields) = parsed(&bytes)?;
                let Head { place, is_interim, fails } = read(start, &fields)?;
                (self.place, self.fails) = (place, fails);
                Ok(Some(self.piece(bytes, true, is_interim)))
            }
            MessagePlace::Body { .. } | MessagePlace::UntilClose if received.is_empty() => Ok(None),
            MessagePlace::UntilClose => Ok(Some(self.piece(std::mem::take(received), false, false))),
            MessagePlace::Body { left, then } => {
                let length = usize::try_from(left).unwrap_or(usize::MAX).min(received.len());
                let Some(bytes) = take(received, length.min(LONGEST))? else { return Ok(None) };
                self.place = match (left - bytes.len() as u64, then) {
                    (0, After::Head) => MessagePlace::Head,
                    (0, After::ChunkEnd) => MessagePlace::ChunkEnd,
                    (left, then) => MessagePlace::Body { left, then },
                };
                Ok(Some(self.piece(bytes, false, false)))
            }
            MessagePlace::ChunkEnd => {
                let Some(bytes) = take(received, NEW_LINE.len())? else { return Ok(None) };
                if bytes != NEW_LINE {
                    return Err(invalid("a chunk is longer than it says"));
                }
                self.place = MessagePlace::ChunkLine;
                Ok(Some(self.piece(bytes, false, false)))
            }
            MessagePlace::ChunkLine => {
                let Some(bytes) = take_until(received, NEW_LINE)? else { return Ok(None) };
                self.place = match size_of_chunk(&bytes)? {
                    0 => MessagePlace::Trailer,
                    left => MessagePlace::Body { left, then: After::ChunkEnd },
                };
                Ok(Some(self.piece(bytes, false, false)))
            }
            MessagePlace::Trailer => {
                let Some(bytes) = take_until(received, NEW_LINE)? else { return Ok(None) };
                if bytes == NEW_LINE {
                    self.place = MessagePlace::Head;
                }
                Ok(Some(self.piece(bytes, false, false)))
            }
        }
    }

    /// Bytes of the message under way, which ends with them if a head comes next.
    fn piece(&mut self, bytes: Vec<u8>, begins: bool, is_interim: bool) -> Piece {
        let ends = self.place == MessagePlace::Head && !is_interim;
        let part = Part { begins, ends, fails: self.fails, ..Part::of(self.call) };
        if ends {
            self.call = self.call.wrapping_add(1);
        }
        Piece { part: Some(part), ..Piece::of(bytes) }
    }
}

/// Splits off everything up to and with these bytes, if they are there.
fn take_until(received: &mut Vec<u8>, end: &[u8]) -> std::io::Result<Option<Vec<u8>>> {
    match received.windows(end.len()).position(|bytes| bytes == end) {
        Some(at) if at + end.len() <= LONGEST_HEAD => take(received, at + end.len()),
        None if received.len() < LONGEST_HEAD => Ok(None),
        _ => Err(invalid("the head of a message is too long to be carried")),
    }
}

/// What fields say of the body behind them.
#[derive(Default)]
struct Fields {
    length: Option<u64>,
    is_chunked: bool,
    upgrades: bool,
}

impl Fields {
    /// Where the message is behind its head; nothing if the fields do not say that it has a body.
    fn body(&self) -> std::io::Result<Option<MessagePlace>> {
        match (self.length, self.is_chunked) {
            // Whoever follows the one, and whoever follows the other, see different messages (RFC 9112, section 6.3).
            (Some(_), true) => Err(invalid("a message has both a length and chunks")),
            (Some(0), false) => Ok(Some(MessagePlace::Head)),
            (Some(left), false) => Ok(Some(MessagePlace::Body { left, then: After::Head })),
            (None, true) => Ok(Some(MessagePlace::ChunkLine)),
            (None, false) => Ok(None),
        }
    }
}

/// The first line of a head, and what its fields say of the body.
fn parsed(head: &[u8]) -> std::io::Result<(&str, Fields)> {
    let text = std::str::from_utf8(head).map_err(|_| invalid("a head is not text"))?;
    let mut lines = text.split("\r\n");
    let start = lines.next().unwrap_or_default();
    let mut fields = Fields::default();
    for line in lines.take_while(|line| !line.is_empty()) {
        let Some((name, value)) = line.split_once(':') else { return Err(invalid("a field has no colon")) };
        // Blanks before the colon, or a line that goes on from the one before, are read differently by different readers.
        if name.is_empty() || name.contains([' ', '\t', '\r', '\n']) || value.contains(['\r', '\n', '\0']) {
            return Err(invalid("a field has blanks in its name, or is folded"));
        }
        let value = value.trim_matches([' ', '\t']);
        if name.eq_ignore_ascii_case("content-length") {
            // `take` refuses what is too long, piece by piece; that the number is one is what matters here.
            let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
            let length = value.parse().ok().filter(|_| is_number && fields.length.is_none());
            fields.length = Some(length.ok_or_else(|| invalid("a length is not a number, or stands there twice"))?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            if fields.is_chunked || !value.eq_ignore_ascii_case("chunked") {
                return Err(invalid("a message is encoded otherwise than in chunks"));
            }
            fields.is_chunked = true;
        } else if name.eq_ignore_ascii_case("upgrade") {
            fields.upgrades = true;
        }
    }
    Ok((start, fields))
}

/// The size that the line before a chunk gives, in hexadecimal digits. What stands behind a semicolon is left to the reader.
fn size_of_chunk(line: &[u8]) -> std::io::Result<u64> {
    let wrong = || invalid("the size of a chunk is not a number");
    let line = std::str::from_utf8(line).map_err(|_| wrong())?.trim_end_matches("\r\n");
    let digits = line.split(';').next().unwrap_or_default().trim_end_matches([' ', '\t']);
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    u64::from_str_radix(digits, 16).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::super::Framer;
    use super::super::testing::pieces;
    use super::{Http1Client, Http1Server, LONGEST_HEAD};

    /// The messages of a stream: their bytes, their calls, and whether they fail. However the stream arrives.
    fn messages<F: Framer + Default>(stream: &str) -> Vec<(String, u32, bool)> {
        let mut of: Option<Vec<(String, u32, bool)>> = None;
        for at_a_time in [1, 2, 7, stream.len()] {
            let (mut messages, mut bytes) = (Vec::new(), Vec::new());
            let mut begins = true;
            for piece in pieces(F::default(), stream.as_bytes(), at_a_time) {
                let part = piece.part.expect("every byte is part of a message");
                assert!(part.begins || !begins, "a message begins with its head");
                bytes.extend(piece.bytes);
                begins = part.ends;
                if part.ends {
                    let text = String::from_utf8(std::mem::take(&mut bytes)).expect("text");
                    messages.push((text, part.call, part.fails));
                }
            }
            assert!(bytes.is_empty(), "the last message ends");
            assert_eq!(of.get_or_insert_with(|| messages.clone()), &messages, "{at_a_time} bytes at a time");
        }
        of.unwrap_or_default()
    }

    fn refuses<F: Framer + Default>(stream: &str) -> String {
        let mut received = stream.as_bytes().to_vec();
        let mut framer = F::default();
        loop {
            match framer.next(&mut received) {
                Ok(Some(_)) => {}
                Ok(None) => panic!("'{}' is followed", &stream[..stream.len().min(200)]),
                Err(error) => return error.to_string(),
            }
        }
    }

    #[test]
    fn requests_end_with_their_bodies() {
        let put = "PUT /values/3 HTTP/1.1\r\nHost: a\r\ncontent-LENGTH:  5 \r\n\r\n12345";
        let delete = "DELETE /values/3 HTTP/1.1\r\nHost: a\r\n\r\n";
        let empty = "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
        let chunked =
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1;why=not\r\n\n\r\n0\r\nA: b\r\n\r\n";
        let all = [put, delete, empty, chunked, put];
        let found = messages::<Http1Client>(&all.concat());
        let expected: Vec<_> = all.iter().zip(0..).map(|(text, call)| ((*text).to_owned(), call, false)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn answers_end_with_their_bodies_and_interim_ones_belong_to_them() {
        let created = "HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}";
        let early = "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 100\r\n\r\nHTTP/1.1 503 No\r\ncontent-length: 1\r\n\r\n!";
        let nothing = "HTTP/1.1 204 No Content\r\n\r\n";
        let unchanged = "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n";
        let found = messages::<Http1Server>(&[created, early, nothing, unchanged].concat());
        let fails: Vec<_> = found.iter().map(|(text, call, fails)| (text.as_str(), *call, *fails)).collect();
        assert_eq!(fails, [(created, 0, false), (early, 1, true), (nothing, 2, false), (unchanged, 3, false)]);
    }

    #[test]
    fn an_answer_without_an_end_goes_on_until_the_connection_closes() {
        let stream = b"HTTP/1.1 200 OK\r\n\r\nand so on\r\n\r\nHTTP/1.1 200 OK";
        let all = pieces(Http1Server::default(), stream, 5);
        assert!(all.len() > 2 && all.iter().all(|piece| piece.part.is_some_and(|part| !part.ends && part.call == 0)));
    }

    #[test]
    fn what_http_does_not_allow_or_readers_may_read_differently_is_refused() {
        let request = |fields: &str| format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n");
        let wrong_fields = [
            "Content-Length: 5\r\nContent-Length: 5",
            "Content-Length: 5, 5",
            "Content-Length: +5",
            "Content-Length: -1",
            "Content-Length: 0x5",
            "Content-Length:",
            "Content-Length: 99999999999999999999",
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nContent-Length: 5",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: identity",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Content-Length : 5",
            "A: b\r\n folded",
            "no colon",
            ": nameless",
            "A: b\nContent-Length: 5",
            "Upgrade: h2c",
        ];
        for fields in wrong_fields {
            assert!(!refuses::<Http1Client>(&request(fields)).is_empty(), "{fields}");
        }
        let first_lines =
            ["", "GET /", "GET / HTTP/2.0", "GET / / HTTP/1.1", "HEAD / HTTP/1.1", "CONNECT a:1 HTTP/1.1", "\u{0}"];
        for line in first_lines {
            assert!(!refuses::<Http1Client>(&format!("{line}\r\nHost: a\r\n\r\n")).is_empty(), "{line}");
        }
        for line in ["HTTP/1.1", "HTTP/1.1 2", "HTTP/1.1 2OO OK", "HTTP/3 200 OK", "200 OK", "HTTP/1.1 101 Switching"] {
            assert!(!refuses::<Http1Server>(&format!("{line}\r\n\r\n")).is_empty(), "{line}");
        }
        for chunk in
            ["x\r\n", "\r\n", "-1\r\n", "+1\r\na\r\n", "fffffffff\r\n", "2\r\nabc\r\n", "2\r\nab\n\n", "1 1\r\n"]
        {
            let stream = request("Transfer-Encoding: chunked") + chunk;
            assert!(!refuses::<Http1Client>(&stream).is_empty(), "{chunk}");
        }
        let long = format!("GET / HTTP/1.1\r\nA: {}", "b".repeat(LONGEST_HEAD));
        assert_eq!(refuses::<Http1Client>(&long), "the head of a message is too long to be carried");
        let mut bytes = b"GET / HTTP/1.1\r\nA: \xff\r\n\r\n".to_vec();
        assert!(Http1Client::default().next(&mut bytes).is_err());
    }
}
