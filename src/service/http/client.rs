//! One connection of a client: a request at a time, sent once. It has no pool behind it, and repeats nothing.

use std::future::poll_fn;
use std::pin::{Pin, pin};

use hyper::body::{Body, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::header::{AUTHORIZATION, HOST, HeaderValue};
use hyper::http::uri::{Authority, Scheme, Uri};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;

/// The longest answer that is read, in bytes: the lab's have some 100, and an error page of a proxy has a few hundred.
const LONGEST_ANSWER: usize = 64 << 10;

/// A version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HttpVersion {
    Http1,
    /// With prior knowledge: without TLS nothing is negotiated.
    Http2,
}

/// Whom a client asks.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// Host and port; also what the peer is called in requests.
    pub authority: Authority,
    pub version: HttpVersion,
    /// What lets the client in, if anything is asked for.
    pub credentials: Option<HeaderValue>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// Nothing was sent: there is no connection, or it was closed before.
    #[error("nothing was sent: {0}")]
    NotSent(String),
    /// It was sent, or a part of it, and nobody knows what became of it.
    #[error("no answer: {0}")]
    Unknown(String),
}

/// A connection. Dropped, it is closed, whatever is under way.
#[derive(Debug)]
pub(crate) struct HttpConnection {
    sender: Sender,
    peer: Peer,
    _driving: AbortOnDropHandle<()>,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<String>),
    Http2(http2::SendRequest<String>),
}

impl HttpConnection {
    /// Connects.
    ///
    /// # Errors
    /// [`NoAnswer::NotSent`] if nobody listens there.
    pub async fn open(peer: &Peer) -> Result<Self, NoAnswer> {
        let not_sent = |error: &dyn std::error::Error| NoAnswer::NotSent(error.to_string());
        let stream = TcpStream::connect(peer.authority.as_str()).await.map_err(|error| not_sent(&error))?;
        // Without the option it is merely slower.
        let _ = stream.set_nodelay(true);
        let stream = TokioIo::new(stream);
        // How a connection ends, whoever waits for an answer is told too.
        let (sender, driving) = match peer.version {
            HttpVersion::Http1 => {
                let (sender, connection) = http1::handshake(stream).await.map_err(|error| not_sent(&error))?;
                (Sender::Http1(sender), tokio::spawn(async { drop(connection.await) }))
            }
            HttpVersion::Http2 => {
                let shaken = http2::handshake(TokioExecutor::new(), stream).await;
                let (sender, connection) = shaken.map_err(|error| not_sent(&error))?;
                (Sender::Http2(sender), tokio::spawn(async { drop(connection.await) }))
            }
        };
        Ok(HttpConnection { sender, peer: peer.clone(), _driving: AbortOnDropHandle::new(driving) })
    }

    /// Sends a request with a path as its target, and reads the answer to its end. Dropped in the middle, or after an error, the
    /// connection is not fit for another.
    ///
    /// # Errors
    /// [`NoAnswer`] if the answer did not come to its end.
    pub async fn ask(&mut self, mut request: Request<String>) -> Result<Response<Vec<u8>>, NoAnswer> {
        self.address(&mut request);
        let answered = match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await.map_err(|error| NoAnswer::NotSent(error.to_string()))?;
                sender.send_request(request).await
            }
            Sender::Http2(sender) => {
                sender.ready().await.map_err(|error| NoAnswer::NotSent(error.to_string()))?;
                sender.send_request(request).await
            }
        };
        let (head, body) = answered.map_err(|error| told(&error))?.into_parts();
        Ok(Response::from_parts(head, read(body).await?))
    }

    /// Names the host, each version in its own way, and shows the credentials.
    fn address(&self, request: &mut Request<String>) {
        let Peer { authority, version, credentials } = &self.peer;
        match version {
            HttpVersion::Http1 => {
                // An authority has only what a header may have.
                if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
                    request.headers_mut().insert(HOST, host);
                }
            }
            HttpVersion::Http2 => {
                let mut parts = std::mem::take(request.uri_mut()).into_parts();
                (parts.scheme, parts.authority) = (Some(Scheme::HTTP), Some(authority.clone()));
                *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
            }
        }
        if let Some(credentials) = credentials {
            request.headers_mut().insert(AUTHORIZATION, credentials.clone());
        }
    }
}

/// What an error of hyper's leaves open.
fn told(error: &hyper::Error) -> NoAnswer {
    if error.is_canceled() { NoAnswer::NotSent(error.to_string()) } else { NoAnswer::Unknown(error.to_string()) }
}

async fn read(body: Incoming) -> Result<Vec<u8>, NoAnswer> {
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|error| NoAnswer::Unknown(error.to_string()))?;
        let Some(data) = frame.data_ref() else { continue };
        if bytes.len() + data.len() > LONGEST_ANSWER {
            return Err(NoAnswer::Unknown(format!("the answer has more than {} KiB", LONGEST_ANSWER >> 10)));
        }
        bytes.extend_from_slice(data);
    }
    Ok(bytes)
}
