//! Where requests and answers begin and end in PostgreSQL's protocol
//! (<https://www.postgresql.org/docs/current/protocol-message-formats.html>).
//!
//! Requests may follow each other without waiting. The server answers each synchronisation of the client's with one
//! `ReadyForQuery`, in their order, so that both sides are numbered by it: what opens the connection has number 0. The one
//! exception is a COPY by way of Parse and Execute, during which the server ignores Sync; a COPY in a simple Query is followed.

use super::{Framer, LONGEST, Part, Piece, invalid, take};

/// The length of a message's length, which counts itself.
const LENGTH: usize = 4;

/// Requests of a connection that is not open yet, by the code that stands for their version.
const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;

/// What a server says that does not encrypt.
const NO_ENCRYPTION: u8 = b'N';

/// What a client sends. A piece is a batch of messages up to the one that makes the server answer.
#[derive(Debug, Default)]
pub(super) struct PostgresClient {
    is_open: bool,
    batch: Vec<u8>,
    /// Whether something in the batch is carried out, and not merely prepared or described: a driver prepares a statement on
    /// its first use, and that is no request of its own.
    executes: bool,
    /// Whether a part of this request was flushed already.
    has_begun: bool,
    /// Which answer this batch will get.
    call: u32,
}

impl Framer for PostgresClient {
    fn next(&mut self, received: &mut Vec<u8>) -> std::io::Result<Option<Piece>> {
        if !self.is_open {
            return self.opening(received);
        }
        while let Some(message) = message(received)? {
            let kind = message[0];
            if self.batch.len() + message.len() > LONGEST {
                return Err(invalid("a batch of messages is too long to be carried"));
            }
            self.batch.extend_from_slice(&message);
            match kind {
                // Parse, Bind, Describe, Close: the server answers later.
                b'P' | b'B' | b'D' | b'C' => {}
                b'E' => self.executes = true,
                // Flush, what is copied, passwords, Terminate: the server may answer, but is not ready for another request.
                b'H' | b'd' | b'c' | b'f' | b'p' | b'X' => return Ok(Some(self.piece(false))),
                // Query and FunctionCall are carried out and synchronise.
                b'Q' | b'F' => {
                    self.executes = true;
                    return Ok(Some(self.piece(true)));
                }
                b'S' => return Ok(Some(self.piece(true))),
                _ => return Err(invalid("a client sends a message that PostgreSQL does not know")),
            }
        }
        Ok(None)
    }
}

impl PostgresClient {
    /// What has been gathered.
    fn piece(&mut self, ends: bool) -> Piece {
        let part = Part { begins: !self.has_begun, ends, ..Part::of(self.call) };
        let part = self.executes.then_some(part);
        self.has_begun = self.executes && !ends;
        if ends {
            self.executes = false;
            self.call = self.call.wrapping_add(1);
        }
        Piece { part, ..Piece::of(std::mem::take(&mut self.batch)) }
    }

    /// The messages before a connection is open have no type.
    fn opening(&mut self, received: &mut Vec<u8>) -> std::io::Result<Option<Piece>> {
        let Some(length) = number(received, 0) else { return Ok(None) };
        if (length as usize) < 2 * LENGTH {
            return Err(invalid("what opens a connection to PostgreSQL is longer"));
        }
        let Some(bytes) = take(received, length as usize)? else { return Ok(None) };
        match number(&bytes, LENGTH) {
            // The proxy could not follow what is encrypted. A driver that does not insist goes on without.
            Some(SSL_REQUEST | GSS_REQUEST) => {
                return Ok(Some(Piece { answer: Some(NO_ENCRYPTION), ..Piece::of(Vec::new()) }));
            }
            Some(CANCEL_REQUEST) => {}
            _version => {
                self.is_open = true;
                self.call = 1;
            }
        }
        Ok(Some(Piece::of(bytes)))
    }
}

/// What a server sends. A piece is a message; an answer ends when the server is ready for the next request.
#[derive(Debug, Default)]
pub(super) struct PostgresServer {
    /// Which answer this is.
    call: u32,
}

impl Framer for PostgresServer {
    fn next(&mut self, received: &mut Vec<u8>) -> std::io::Result<Option<Piece>> {
        let Some(bytes) = message(received)? else { return Ok(None) };
        let part = Part { ends: bytes[0] == b'Z', fails: bytes[0] == b'E', ..Part::of(self.call) };
        if part.ends {
            self.call = self.call.wrapping_add(1);
        }
        Ok(Some(Piece { part: Some(part), ..Piece::of(bytes) }))
    }
}

/// A message with its type and length.
fn message(received: &mut Vec<u8>) -> std::io::Result<Option<Vec<u8>>> {
    let Some(length) = number(received, 1) else { return Ok(None) };
    if (length as usize) < LENGTH {
        return Err(invalid("a message of PostgreSQL's is shorter than its length"));
    }
    take(received, (length as usize).saturating_add(1))
}

/// The number in network order that stands at a place.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + LENGTH)?.try_into().ok()?))
}

#[cfg(test)]
pub(super) mod testing {
    pub(in super::super) const SSL_REQUEST: &[u8] = &[0, 0, 0, 8, 4, 210, 22, 47];

    pub(in super::super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind], length.as_slice(), body].concat()
    }

    /// Messages of these kinds.
    pub(in super::super) fn batch(kinds: &[u8]) -> Vec<u8> {
        kinds.iter().flat_map(|kind| message(*kind, b"s\0")).collect()
    }

    pub(in super::super) fn startup() -> Vec<u8> {
        let body = [&196_608_u32.to_be_bytes(), b"user\0me\0\0".as_slice()].concat();
        [&u32::try_from(body.len() + 4).unwrap().to_be_bytes(), body.as_slice()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Framer;
    use super::super::testing::pieces;
    use super::testing::{SSL_REQUEST, batch, message, startup};
    use super::{LONGEST, PostgresClient, PostgresServer};

    #[test]
    fn preparing_a_statement_is_no_request_and_executing_it_is() {
        let prepare = [message(b'P', b"s"), message(b'D', b"s"), message(b'S', b"")].concat();
        let execute = [message(b'B', b"s"), message(b'E', b"s"), message(b'S', b"")].concat();
        let query = message(b'Q', b"COMMIT\0");
        let stream = [startup(), message(b'p', b"secret\0"), prepare.clone(), execute.clone(), query, execute].concat();
        let all = pieces(PostgresClient::default(), &stream, stream.len());
        let requests: Vec<bool> = all.iter().map(|piece| piece.part.is_some()).collect();
        assert_eq!(requests, [false, false, false, true, true, true]);
        let calls: Vec<u32> = all.iter().filter_map(|piece| piece.part).map(|part| part.call).collect();
        assert_eq!(calls, [2, 3, 4], "the server answers what opens the connection, and the preparation, too");
        assert_eq!(all[2].bytes, prepare);
        assert_eq!(pieces(PostgresClient::default(), &stream, 1), all, "however it arrives");
    }

    #[test]
    fn a_flush_parts_a_request_and_does_not_end_it() {
        let stream = [startup(), batch(b"PDH"), batch(b"BEH"), batch(b"ES"), batch(b"X")].concat();
        let all = pieces(PostgresClient::default(), &stream, stream.len());
        let parts: Vec<_> = all.iter().map(|p| p.part.map(|part| (part.call, part.begins, part.ends))).collect();
        assert_eq!(parts, [None, None, Some((1, true, false)), Some((1, false, true)), None]);
        assert_eq!(pieces(PostgresClient::default(), &stream, 1), all, "however it arrives");
    }

    #[test]
    fn an_answer_ends_when_the_server_is_ready() {
        let stream = [batch(b"RZ"), batch(b"2EZ")].concat();
        let all = pieces(PostgresServer::default(), &stream, 2);
        let parts: Vec<_> = all.iter().map(|p| p.part.unwrap()).map(|p| (p.call, p.fails, p.ends)).collect();
        let second = [(1, false, false), (1, true, false), (1, false, true)];
        assert_eq!(parts, [&[(0, false, false), (0, false, true)][..], &second].concat());
        assert_eq!(pieces(PostgresServer::default(), &stream, stream.len()), all, "however it arrives");
    }

    #[test]
    fn refuses_encryption_and_goes_on() {
        let all = pieces(PostgresClient::default(), &[SSL_REQUEST, &startup(), &batch(b"Q")].concat(), 3);
        let answers: Vec<_> = all.iter().map(|piece| (piece.answer, piece.bytes.len())).collect();
        assert_eq!(answers, [(Some(b'N'), 0), (None, startup().len()), (None, batch(b"Q").len())]);
    }

    #[test]
    fn refuses_what_it_cannot_follow() {
        let refused = |mut framer: Box<dyn Framer>, bytes: &[u8]| {
            framer.next(&mut bytes.to_vec()).is_err_and(|error| error.kind() == std::io::ErrorKind::InvalidData)
        };
        let open = || Box::new(PostgresClient { is_open: true, ..PostgresClient::default() });
        assert!(refused(Box::<PostgresClient>::default(), &[0; 4]), "an opening without a version");
        assert!(refused(Box::<PostgresClient>::default(), &[255; 4]));
        assert!(refused(open(), &message(b'?', b"")));
        assert!(refused(Box::<PostgresServer>::default(), &[b'D', 0, 0, 0, 1]));
        assert!(refused(Box::<PostgresServer>::default(), &[b'D', 255, 255, 255, 255, 0]));
        let mut client = open();
        let large = message(b'B', &vec![0; LONGEST / 2]);
        assert!(matches!(client.next(&mut large.clone()), Ok(None)));
        assert!(client.next(&mut large.clone()).is_err(), "a batch that does not end");
    }
}
