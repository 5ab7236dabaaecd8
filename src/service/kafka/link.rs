//! A bare connection to a broker: one request, one answer. It neither reconnects nor repeats anything.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{RequestHeader, ResponseHeader, SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::driver::broken;
use super::url::{Broker, IS_KAFKA};
use crate::service::BackendError;
use crate::wire::Address;

/// The longest answer that is read, in bytes.
const LONGEST: usize = 64 << 20;

/// What the lab calls itself.
const CLIENT: &str = "oncelab";

/// What to do where a broker does not let the lab in.
pub(super) const LET_IN: &str =
    "give a user who may read and write topics: kafka://user:password@host:9092 (SASL PLAIN)";

/// Why a request has no answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// There was no connection: nothing was sent.
    NotSent,
    /// The connection ended: nobody can tell what became of it.
    Cut,
    /// The broker cannot be used.
    Broken(BackendError),
}

impl From<std::io::Error> for Unanswered {
    fn from(_: std::io::Error) -> Self {
        Unanswered::Cut
    }
}

/// A connection on which the lab has shown who it is.
pub(super) struct BrokerLink {
    stream: TcpStream,
    /// The number of the next request.
    number: i32,
}

impl BrokerLink {
    /// Connects within this time, through something that listens at this address.
    ///
    /// # Errors
    /// [`Unanswered::NotSent`] if nobody listens or the connection ends, [`Unanswered::Broken`] if the broker does not let the lab in.
    pub async fn open(broker: &Broker, through: &Address, within: Duration) -> Result<Self, Unanswered> {
        let opening = async {
            let Address::Port(host, port) = through else { return Err(Unanswered::NotSent) };
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            let mut link = BrokerLink { stream, number: 0 };
            if let Some((name, password)) = &broker.user {
                link.show(name, password).await?;
            }
            Ok(link)
        };
        match tokio::time::timeout(within, opening).await {
            Ok(Err(Unanswered::Cut)) | Err(_) => Err(Unanswered::NotSent),
            Ok(opened) => opened,
        }
    }

    /// Shows who asks (SASL PLAIN).
    async fn show(&mut self, name: &str, password: &str) -> Result<(), Unanswered> {
        let refused = |what: &str| Unanswered::Broken(broken(format!("it does not let the lab in: {what}"), LET_IN));
        let handshake = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str("PLAIN"));
        if self.ask(&handshake, 1).await?.error_code != 0 {
            return Err(refused("it knows no SASL PLAIN"));
        }
        let secret = Bytes::from(format!("\0{name}\0{password}"));
        let shown = self.ask(&SaslAuthenticateRequest::default().with_auth_bytes(secret), 2).await?;
        match shown.error_code {
            0 => Ok(()),
            _ => Err(refused(shown.error_message.as_deref().unwrap_or("authentication failed"))),
        }
    }

    /// Sends a request in this version, and waits for its answer.
    ///
    /// # Errors
    /// [`Unanswered::Cut`] if the connection ends, [`Unanswered::Broken`] if what comes is no answer to it.
    pub async fn ask<R: Request>(&mut self, request: &R, version: i16) -> Result<R::Response, Unanswered> {
        let number = self.number;
        self.number = number.wrapping_add(1).max(0);
        self.stream.write_all(&written(request, version, number)?).await?;
        let length = usize::try_from(self.stream.read_i32().await?).ok().filter(|length| *length <= LONGEST);
        let mut answer = vec![0; length.ok_or_else(|| odd("a length that is none"))?];
        self.stream.read_exact(&mut answer).await?;
        let mut answer = Bytes::from(answer);
        let header = ResponseHeader::decode(&mut answer, R::Response::header_version(version)).map_err(odd)?;
        if header.correlation_id != number {
            return Err(odd("the answer to another request"));
        }
        R::Response::decode(&mut answer, version).map_err(odd)
    }
}

fn odd(what: impl std::fmt::Display) -> Unanswered {
    Unanswered::Broken(broken(format!("it does not answer as a Kafka does: {what}"), IS_KAFKA))
}

/// The bytes of a request, with its length before it.
///
/// # Errors
/// [`Unanswered::Broken`] if the library cannot write it.
fn written<R: Request>(request: &R, version: i16, number: i32) -> Result<BytesMut, Unanswered> {
    let unwritten = |error: &dyn std::fmt::Display| {
        Unanswered::Broken(broken(format!("a request cannot be written: {error}"), "report it"))
    };
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(number)
        .with_client_id(Some(StrBytes::from_static_str(CLIENT)));
    let mut bytes = BytesMut::zeroed(4);
    header.encode(&mut bytes, R::header_version(version)).map_err(|error| unwritten(&error))?;
    request.encode(&mut bytes, version).map_err(|error| unwritten(&error))?;
    let length = u32::try_from(bytes.len() - 4).map_err(|error| unwritten(&error))?;
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    Ok(bytes)
}
