//! Faults on the wire: a proxy for one session, which knows where a request and its answer begin and end.

mod address;
mod connection;
mod http1;
mod http2;
mod kafka;
mod postgres;
mod proxy;
mod resp;
#[cfg(test)]
mod tests;

pub(crate) use address::{Incoming, Listener, Outgoing, SOCKET};

// Open to the tests and the benches, which are crates of their own.
pub use address::Address;
pub use connection::Landing;
pub use proxy::Wire;

/// What is spoken on a wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// PostgreSQL's frontend/backend protocol, version 3.
    Postgres,
    /// Redis's protocol, RESP2.
    Resp,
    /// Kafka's protocol.
    Kafka,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, as gRPC uses it: one stream, one call.
    Http2,
}

/// What happens to one request on a wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireFault {
    /// Nothing of it reaches the server; the connection is cut.
    LoseRequest,
    /// The server's answer is read to its end, nothing of it reaches the client, and the connection is cut. A client that
    /// cancels or closes in the meantime does not keep the server from finishing.
    LoseReply,
    /// It is read to its end and kept, and the client's side is cut; [`Wire::release`] lets it land. In HTTP/2 it must fit
    /// into the window that the server grants before it has seen anything of it (64 KiB, if it says nothing else).
    Hold,
}

/// The longest message that is carried, in bytes. What is longer ends the connection.
const LONGEST: usize = 16 << 20;

/// Bytes that belong together, and what they are part of.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    bytes: Vec<u8>,
    part: Option<Part>,
    /// What the proxy itself says to it, in the server's place.
    answer: Option<u8>,
}

impl Piece {
    /// Bytes that pass, and are part of nothing.
    fn of(bytes: Vec<u8>) -> Self {
        Piece { bytes, part: None, answer: None }
    }
}

/// A part of a request or of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    /// Which of the calls on this connection: HTTP/2's stream; for PostgreSQL the number of the answer. They grow.
    call: u32,
    begins: bool,
    ends: bool,
    /// Whether it says that the call has failed.
    fails: bool,
    /// How much of HTTP/2's window it takes, in bytes.
    flow: u32,
}

impl Part {
    /// Something in the middle of a call.
    fn of(call: u32) -> Self {
        Part { call, begins: false, ends: false, fails: false, flow: 0 }
    }
}

/// Cuts what one side sends into pieces.
trait Framer: Send {
    /// Takes the next piece from the front of what has been received, if it is all there.
    ///
    /// # Errors
    /// If it is not what this side may send.
    fn next(&mut self, received: &mut Vec<u8>) -> std::io::Result<Option<Piece>>;
}

impl Protocol {
    /// What cuts both sides of a connection into pieces, the client's and the server's. The proxy listens at this address.
    fn framers(self, at: &Address) -> (Box<dyn Framer>, Box<dyn Framer>) {
        match self {
            Protocol::Postgres => {
                (Box::new(postgres::PostgresClient::default()), Box::new(postgres::PostgresServer::default()))
            }
            Protocol::Resp => (Box::new(resp::RespClient::default()), Box::new(resp::RespServer::default())),
            Protocol::Kafka => {
                let (requests, answers) = kafka::framers(at);
                (Box::new(requests), Box::new(answers))
            }
            Protocol::Http1 => (Box::new(http1::Http1Client::default()), Box::new(http1::Http1Server::default())),
            Protocol::Http2 => (Box::new(http2::Http2Client::default()), Box::new(http2::Http2Server::default())),
        }
    }
}

/// What must be said to whoever sent a part that is not passed on, so that the rest of it comes.
fn credit(protocol: Protocol, part: Part) -> Vec<u8> {
    match protocol {
        Protocol::Postgres | Protocol::Resp | Protocol::Kafka | Protocol::Http1 => Vec::new(),
        Protocol::Http2 => http2::credit(part),
    }
}

fn invalid(what: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned())
}

/// Splits off the front of what has been received, if so much is there.
fn take(received: &mut Vec<u8>, length: usize) -> std::io::Result<Option<Vec<u8>>> {
    if length > LONGEST {
        return Err(invalid("a message is too long to be carried"));
    }
    if received.len() < length {
        return Ok(None);
    }
    let rest = received.split_off(length);
    Ok(Some(std::mem::replace(received, rest)))
}

#[cfg(test)]
mod testing {
    use super::{Framer, Piece};

    /// The pieces of a stream that arrives so many bytes at a time.
    pub(super) fn pieces(mut framer: impl Framer, stream: &[u8], at_a_time: usize) -> Vec<Piece> {
        let (mut received, mut pieces) = (Vec::new(), Vec::new());
        for chunk in stream.chunks(at_a_time) {
            received.extend_from_slice(chunk);
            while let Some(piece) = framer.next(&mut received).unwrap() {
                pieces.push(piece);
            }
        }
        assert!(received.is_empty(), "every byte belongs to a piece");
        pieces
    }
}
