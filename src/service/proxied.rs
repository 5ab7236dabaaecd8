//! What drivers of replays say when something is wrong with the proxies before their servers.

use std::time::Duration;

use super::{BackendError, Outcome};
use crate::wire::{Address, Wire};

/// No proxy could be put before a server.
pub(super) fn no_proxy(to: &Address, error: &std::io::Error) -> BackendError {
    BackendError {
        backend: "wire",
        what: format!("no proxy could be put before {to}: {error}"),
        remedy: Some("check that 127.0.0.1 is up".to_owned()),
    }
}

/// Whether a request met the fault that its wire was armed with: false if the driver made none, and so none was lost.
///
/// # Errors
/// If its sender heard of it all the same: then the fault was none.
pub(super) fn has_met(
    wire: &Wire,
    backend: &'static str,
    outcome: Result<Outcome, BackendError>,
) -> Result<bool, BackendError> {
    match (wire.disarm(), outcome?) {
        (true, _) => Ok(false),
        (false, Outcome::Unknown) => Ok(true),
        (false, heard) => Err(BackendError {
            backend,
            what: format!("an operation that was to be lost on the wire came back with {heard:?}"),
            remedy: Some("report it: the proxy did not follow the protocol".to_owned()),
        }),
    }
}

/// Something goes on for too long, and waits for nobody.
pub(super) fn stuck(backend: &'static str, what: &str, after: Duration) -> BackendError {
    BackendError {
        backend,
        what: format!("{what} has not answered for {} s, and waits for no other", after.as_secs()),
        remedy: Some("see the server's log".to_owned()),
    }
}
