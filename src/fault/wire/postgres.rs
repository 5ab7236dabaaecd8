//! Where requests and answers begin and end in PostgreSQL's protocol
//! (<https://www.postgresql.org/docs/current/protocol-message-formats.html>).

use super::{Framer, Part, Piece, invalid, take};

/// The length of a message's length, which counts itself.
const LENGTH: usize = 4;

/// Requests of a connection that is not open yet, by the code that stands for their version.
const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;

const REQUEST: Part = Part { call: 0, begins: true, ends: true, fails: false };

/// What a client sends. A piece is a batch of messages up to the one that makes the server answer.
#[derive(Debug, Default)]
pub(super) struct Client {
    is_open: bool,
    batch: Vec<u8>,
    /// Whether something in the batch is carried out, and not merely prepared or described: a driver prepares a statement on
    /// its first use, and that is no request of its own.
    executes: bool,
}

impl Framer for Client {
    fn next(&mut self, received: &mut Vec<u8>) -> std::io::Result<Option<Piece>> {
        if !self.is_open {
            return self.opening(received);
        }
        while let Some(message) = message(received)? {
            let kind = message[0];
            self.batch.extend_from_slice(&message);
            match kind {
                // Parse, Bind, Describe, Close: the server answers later.
                b'P' | b'B' | b'D' | b'C' => {}
                b'E' => self.executes = true,
                _ => {
                    // Query; or whatever makes the server answer what has been gathered: Sync, Flush and others.
                    let is_request = self.executes || kind == b'Q';
                    self.executes = false;
                    let bytes = std::mem::take(&mut self.batch);
                    return Ok(Some(Piece { bytes, part: is_request.then_some(REQUEST) }));
                }
            }
        }
        Ok(None)
    }
}

impl Client {
    /// The messages before a connection is open have no type.
    fn opening(&mut self, received: &mut Vec<u8>) -> std::io::Result<Option<Piece>> {
        let Some(length) = number(received, 0) else { return Ok(None) };
        let Some(bytes) = take(received, length as usize)? else { return Ok(None) };
        match number(&bytes, LENGTH) {
            // The answer is a single byte of no type, so that the proxy could not follow it; and the lab encrypts nothing.
            Some(SSL_REQUEST | GSS_REQUEST) => {
                Err(invalid("an encrypted connection cannot be proxied: use sslmode=disable"))
            }
            Some(CANCEL_REQUEST) | None => Ok(Some(Piece { bytes, part: None })),
            Some(_version) => {
                self.is_open = true;
                Ok(Some(Piece { bytes, part: None }))
            }
        }
    }
}

/// What a server sends. A piece is a message; an answer ends when the server is ready for the next request.
pub(super) struct Server;

impl Framer for Server {
    fn next(&mut self, received: &mut Vec<u8>) -> std::io::Result<Option<Piece>> {
        Ok(message(received)?.map(|bytes| {
            let part = Part { call: 0, begins: false, ends: bytes[0] == b'Z', fails: bytes[0] == b'E' };
            Piece { bytes, part: Some(part) }
        }))
    }
}

/// A message with its type and length.
fn message(received: &mut Vec<u8>) -> std::io::Result<Option<Vec<u8>>> {
    let Some(length) = number(received, 1) else { return Ok(None) };
    if (length as usize) < LENGTH {
        return Err(invalid("a message of PostgreSQL's is shorter than its length"));
    }
    take(received, 1 + length as usize)
}

/// The number in network order that stands at a place.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + LENGTH)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::Framer;
    use super::super::testing::pieces;
    use super::{Client, Server};

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind], length.as_slice(), body].concat()
    }

    fn startup() -> Vec<u8> {
        let body = [&196_608_u32.to_be_bytes(), b"user\0me\0\0".as_slice()].concat();
        [&u32::try_from(body.len() + 4).unwrap().to_be_bytes(), body.as_slice()].concat()
    }

    #[test]
    fn preparing_a_statement_is_no_request_and_executing_it_is() {
        let prepare = [message(b'P', b"s"), message(b'D', b"s"), message(b'S', b"")].concat();
        let execute = [message(b'B', b"s"), message(b'E', b"s"), message(b'S', b"")].concat();
        let query = message(b'Q', b"COMMIT\0");
        let stream = [startup(), message(b'p', b"secret\0"), prepare.clone(), execute.clone(), query, execute].concat();
        let all = pieces(Client::default(), &stream, stream.len());
        let requests: Vec<bool> = all.iter().map(|piece| piece.part.is_some()).collect();
        assert_eq!(requests, [false, false, false, true, true, true]);
        assert_eq!(all[2].bytes, prepare);
        assert_eq!(pieces(Client::default(), &stream, 1), all, "however it arrives");
    }

    #[test]
    fn an_answer_ends_when_the_server_is_ready() {
        let stream = [message(b'2', b""), message(b'E', b"no"), message(b'Z', b"I")].concat();
        let all = pieces(Server, &stream, 2);
        let parts: Vec<(bool, bool)> = all.iter().map(|p| p.part.unwrap()).map(|p| (p.fails, p.ends)).collect();
        assert_eq!(parts, [(false, false), (true, false), (false, true)]);
    }

    #[test]
    fn refuses_what_it_cannot_follow() {
        let ssl = [8_u32.to_be_bytes(), 80_877_103_u32.to_be_bytes()].concat();
        assert!(Client::default().next(&mut ssl.clone()).is_err());
        assert!(Server.next(&mut vec![b'D', 0, 0, 0, 1]).is_err());
        assert!(Server.next(&mut vec![b'D', 255, 255, 255, 255, 0]).is_err());
    }
}
