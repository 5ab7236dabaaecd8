//! What both sides say when something is wrong with the ways to them.

use std::time::Duration;

use crate::backend::BackendError;

/// No proxy could be put before a server.
pub(super) fn no_proxy(host: &str, port: u16, error: &std::io::Error) -> BackendError {
    BackendError {
        backend: "wire",
        what: format!("no proxy could be put before {host}:{port}: {error}"),
        remedy: Some("check that 127.0.0.1 is up".to_owned()),
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
