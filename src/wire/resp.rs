//! Redis's protocol (RESP2): a request is an array of strings, and each has one answer, in their order.

use super::{Framer, Part, Piece, invalid, take};

/// What opens a connection or changes it, and asks nothing of the keys. In capitals.
const OPENING: [&[u8]; 5] = [b"AUTH", b"HELLO", b"CLIENT", b"SELECT", b"PING"];

/// As deep may arrays stand in arrays.
const DEEPEST: u8 = 8;

/// What a client sends. A piece is a command.
#[derive(Debug, Default)]
pub(super) struct RespClient {
    /// Which answer comes to the next command.
    call: u32,
}

impl Framer for RespClient {
    fn next(&mut self, received: &mut Vec<u8>) -> std::io::Result<Option<Piece>> {
        if received.first().is_some_and(|first| *first != b'*') {
            return Err(invalid("a command of Redis's is no array"));
        }
        let Some(length) = length(received, DEEPEST)? else { return Ok(None) };
        let is_opening = name(received).is_some_and(|name| OPENING.contains(&name.to_ascii_uppercase().as_slice()));
        let Some(bytes) = take(received, length)? else { return Ok(None) };
        let part = Part { begins: true, ends: true, ..Part::of(self.call) };
        self.call = self.call.wrapping_add(1);
        Ok(Some(Piece { part: (!is_opening).then_some(part), ..Piece::of(bytes) }))
    }
}

/// What a server sends. A piece is an answer.
#[derive(Debug, Default)]
pub(super) struct RespServer {
    /// Which answer this is.
    call: u32,
}

impl Framer for RespServer {
    fn next(&mut self, received: &mut Vec<u8>) -> std::io::Result<Option<Piece>> {
        let Some(length) = length(received, DEEPEST)? else { return Ok(None) };
        let Some(bytes) = take(received, length)? else { return Ok(None) };
        let part = Part { begins: true, ends: true, fails: bytes[0] == b'-', ..Part::of(self.call) };
        self.call = self.call.wrapping_add(1);
        Ok(Some(Piece { part: Some(part), ..Piece::of(bytes) }))
    }
}

/// The name of a command: the first string of its array.
fn name(command: &[u8]) -> Option<&[u8]> {
    let (_, rest) = line(command)?;
    let (head, text) = line(&command[rest..])?;
    let length: usize = std::str::from_utf8(head.strip_prefix(b"$")?).ok()?.parse().ok()?;
    command[rest..].get(text..text.checked_add(length)?)
}

/// A line without its end, and how long it is with it.
fn line(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    Some((&bytes[..end], end + 2))
}

/// How long the value at the front is, if all of it is there.
fn length(bytes: &[u8], deep: u8) -> std::io::Result<Option<usize>> {
    let Some((head, mut whole)) = line(bytes) else {
        return if bytes.len() > super::LONGEST { Err(invalid("a line of Redis's has no end")) } else { Ok(None) };
    };
    let number = || {
        let text = head.get(1..).and_then(|text| std::str::from_utf8(text).ok());
        text.and_then(|text| text.parse::<i64>().ok()).ok_or_else(|| invalid("a length of Redis's is no number"))
    };
    match head.first() {
        Some(b'+' | b'-' | b':') => Ok(Some(whole)),
        Some(b'$') => match usize::try_from(number()?) {
            // None at all.
            Err(_) => Ok(Some(whole)),
            Ok(text) if text > super::LONGEST => Err(invalid("a message is too long to be carried")),
            Ok(text) => Ok((bytes.len() >= whole + text + 2).then_some(whole + text + 2)),
        },
        Some(b'*') if deep == 0 => Err(invalid("arrays of Redis's stand too deep in each other")),
        Some(b'*') => {
            for _ in 0..number()?.max(0) {
                let Some(element) = length(&bytes[whole..], deep - 1)? else { return Ok(None) };
                whole += element;
            }
            Ok(Some(whole))
        }
        _ => Err(invalid("a message of Redis's is of no kind that RESP2 has")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Framer;
    use super::super::testing::pieces;
    use super::{RespClient, RespServer};

    const OPENING: &[u8] = b"*2\r\n$4\r\nauth\r\n$6\r\nsecret\r\n*1\r\n$4\r\nPING\r\n";
    const SET: &[u8] = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n\r\n\r\n";

    #[test]
    fn what_opens_a_connection_is_no_request_and_what_asks_for_keys_is() {
        let stream = [OPENING, SET, SET].concat();
        let all = pieces(RespClient::default(), &stream, stream.len());
        let calls: Vec<Option<u32>> = all.iter().map(|piece| piece.part.map(|part| part.call)).collect();
        assert_eq!(calls, [None, None, Some(2), Some(3)], "the server answers what opens the connection too");
        assert_eq!(all[2].bytes, SET);
        assert_eq!(pieces(RespClient::default(), &stream, 1), all, "however it arrives");
    }

    #[test]
    fn an_answer_is_one_value_however_deep() {
        let stream = b"+OK\r\n-ERR no\r\n:7\r\n$-1\r\n*-1\r\n$2\r\n\r\n\r\n*2\r\n:0\r\n*1\r\n$1\r\na\r\n";
        let all = pieces(RespServer::default(), stream, stream.len());
        let parts: Vec<_> = all.iter().map(|piece| piece.part.unwrap()).map(|part| (part.call, part.fails)).collect();
        assert_eq!(parts, [(0, false), (1, true), (2, false), (3, false), (4, false), (5, false), (6, false)]);
        assert_eq!(pieces(RespServer::default(), stream, 1), all, "however it arrives");
    }

    #[test]
    fn refuses_what_it_cannot_follow() {
        let refused = |mut framer: Box<dyn Framer>, bytes: &[u8]| {
            framer.next(&mut bytes.to_vec()).is_err_and(|error| error.kind() == std::io::ErrorKind::InvalidData)
        };
        assert!(refused(Box::<RespClient>::default(), b"PING\r\n"), "a command on a line of its own");
        assert!(refused(Box::<RespServer>::default(), b"%1\r\n"));
        assert!(refused(Box::<RespServer>::default(), b"$many\r\n"));
        assert!(refused(Box::<RespServer>::default(), b"$99999999999\r\n"));
        assert!(refused(Box::<RespServer>::default(), &b"*1\r\n".repeat(20)));
    }
}
