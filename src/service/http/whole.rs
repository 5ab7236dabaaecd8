//! The body of a request, read to its end.

use std::error::Error;
use std::future::poll_fn;
use std::pin::pin;

use hyper::StatusCode;
use hyper::body::{Body, Incoming};

use super::connection::Refused;
use super::listener::HttpLimits;

/// A body that was read to its end.
#[derive(Debug, Default)]
pub(super) struct Whole {
    /// How many bytes it had.
    pub bytes: u64,
    /// The body itself, if bodies are kept.
    pub kept: Vec<u8>,
}

/// Reads a body to its end.
///
/// # Errors
/// What is wrong with the body: it is too long, comes too slowly, is not HTTP, or does not come to its end.
pub(super) async fn read_whole(body: Incoming, limits: &HttpLimits) -> Result<Whole, Refused> {
    if body.size_hint().lower() > limits.body_bytes {
        return Err(Refused::TooLarge);
    }
    tokio::time::timeout(limits.patience, counted(body, limits)).await.unwrap_or(Err(Refused::TooSlow))
}

async fn counted(body: Incoming, limits: &HttpLimits) -> Result<Whole, Refused> {
    let mut body = pin!(body);
    let mut whole = Whole::default();
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let frame = frame.map_err(|error| trouble(&error))?;
        let Some(data) = frame.data_ref() else { continue };
        whole.bytes += data.len() as u64;
        if whole.bytes > limits.body_bytes {
            return Err(Refused::TooLarge);
        }
        if limits.keeps_bodies {
            whole.kept.extend_from_slice(data);
        }
    }
    Ok(whole)
}

/// Whether the sender left, or sent what HTTP does not allow.
fn trouble(error: &hyper::Error) -> Refused {
    let source = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    let is_invalid = source.is_some_and(|source| {
        matches!(source.kind(), std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData)
    });
    if error.is_parse() || is_invalid { Refused::Malformed } else { Refused::Unfinished }
}

impl Refused {
    /// What the sender is told (RFC 9110, section 15.5).
    pub(super) fn status(self) -> StatusCode {
        match self {
            Refused::Malformed | Refused::Unfinished => StatusCode::BAD_REQUEST,
            Refused::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Refused::TooSlow => StatusCode::REQUEST_TIMEOUT,
        }
    }
}
