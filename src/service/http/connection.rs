//! One connection: its requests, one after the other or side by side, and what becomes of each.

use std::convert::Infallible;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CONNECTION, HOST, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::listener::HttpLimits;
use super::whole::{Whole, read_whole};

/// A request that has been read whole.
#[derive(Debug)]
pub(crate) struct Arrived {
    /// Its method, target and headers.
    pub head: Request<()>,
    /// How long its body was, in bytes.
    pub body_bytes: u64,
    /// Its body, where the limits say that bodies are kept.
    pub body: Vec<u8>,
    /// How many requests had come over the same connection before.
    pub earlier: u64,
}

/// What becomes of a request that has been read whole.
#[derive(Debug)]
pub(crate) enum Treatment {
    /// It is answered.
    Answer(Response<String>),
    /// It is answered, and after this time its connection is closed as soon as it is idle.
    AnswerAndClose(Response<String>, Duration),
    /// Its connection is dropped, with everything else on it. Nothing is answered.
    Drop,
    /// It is never answered. The connection stays open until the client gives up.
    Silence,
}

/// Why a request was refused before anybody could decide on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// HTTP does not allow it.
    Malformed,
    /// Its head or its body is too large.
    TooLarge,
    /// Its body did not come in time.
    TooSlow,
    /// Its sender left before its end.
    Unfinished,
}

/// Decides what becomes of requests. Called for each, from many connections at a time.
pub(crate) trait Treats: Send + Sync + 'static {
    /// Called once a request has been read whole. Dropped when the client leaves before it is over.
    fn treat(&self, arrived: Arrived) -> impl Future<Output = Treatment> + Send;

    /// Called when a request was refused instead.
    fn refused(&self, why: Refused);
}

/// What the requests of a connection share.
struct ConnectionState<T> {
    treats: Arc<T>,
    limits: HttpLimits,
    requests: AtomicU64,
    dropped: CancellationToken,
    /// How long until the connection is to be closed, in milliseconds, once somebody is notified.
    closes_after_ms: AtomicU64,
    closes: Notify,
}

/// Serves a connection until one of the two sides ends it.
pub(super) async fn serve<T: Treats>(stream: TcpStream, treats: Arc<T>, limits: HttpLimits) {
    // A small message must not wait for the acknowledgement of the one before. Without the option it is merely slower.
    let _ = stream.set_nodelay(true);
    // Who connects and says nothing does not keep a place for ever.
    if !matches!(tokio::time::timeout(limits.patience, stream.peek(&mut [0])).await, Ok(Ok(1))) {
        return;
    }
    let shared = Arc::new(ConnectionState {
        treats: Arc::clone(&treats),
        limits,
        requests: AtomicU64::new(0),
        dropped: CancellationToken::new(),
        closes_after_ms: AtomicU64::new(0),
        closes: Notify::new(),
    });
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(limits.idle).max_buf_size(limits.head_bytes);
    let head_bytes = u32::try_from(limits.head_bytes).unwrap_or(u32::MAX);
    http.http2().max_header_list_size(head_bytes).max_concurrent_streams(limits.streams);
    let answering = Arc::clone(&shared);
    let service = service_fn(move |request| answer(Arc::clone(&answering), request));
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let closing = async {
        shared.closes.notified().await;
        tokio::time::sleep(Duration::from_millis(shared.closes_after_ms.load(Ordering::Relaxed))).await;
    };
    let ended = tokio::select! {
        biased;
        () = shared.dropped.cancelled() => return,
        ended = &mut connection => ended,
        () = closing => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                () = shared.dropped.cancelled() => return,
                ended = &mut connection => ended,
            }
        }
    };
    // hyper has answered 400 or 431 by itself. How a connection ended otherwise is its client's concern, who sees it too.
    let error = ended.err().and_then(|error| error.downcast::<hyper::Error>().ok());
    if let Some(error) = error.filter(|error| error.is_parse()) {
        treats.refused(if error.is_parse_too_large() { Refused::TooLarge } else { Refused::Malformed });
    }
}

async fn answer<T: Treats>(
    shared: Arc<ConnectionState<T>>,
    request: Request<Incoming>,
) -> Result<Response<String>, Infallible> {
    let earlier = shared.requests.fetch_add(1, Ordering::Relaxed);
    let (head, body) = request.into_parts();
    let head = Request::from_parts(head, ());
    let read = if is_addressed(&head) { read_whole(body, &shared.limits).await } else { Err(Refused::Malformed) };
    let Whole { bytes: body_bytes, kept: body } = match read {
        Ok(whole) => whole,
        Err(why) => {
            shared.treats.refused(why);
            return Ok(refusal(why, head.version()));
        }
    };
    match shared.treats.treat(Arrived { head, body_bytes, body, earlier }).await {
        Treatment::Answer(answer) => Ok(answer),
        Treatment::AnswerAndClose(answer, after) => {
            shared.closes_after_ms.store(u64::try_from(after.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
            shared.closes.notify_one();
            Ok(answer)
        }
        Treatment::Drop => {
            shared.dropped.cancel();
            pending().await
        }
        Treatment::Silence => pending().await,
    }
}

/// An HTTP/1.1 request names its host once (RFC 9112, section 3.2). hyper does not look.
fn is_addressed(head: &Request<()>) -> bool {
    let hosts = head.headers().get_all(HOST).iter().count();
    hosts == 1 || hosts == 0 && head.version() != Version::HTTP_11
}

fn refusal(why: Refused, version: Version) -> Response<String> {
    let status = why.status();
    let mut answer = Response::new(format!("{status}\n"));
    *answer.status_mut() = status;
    // What is left of the body is not read. HTTP/2 has no such header (RFC 9113, section 8.2.2).
    if version <= Version::HTTP_11 {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}
