//! A server that is down for the moment.

use crate::service::{AnyOp, BackendError, Connection, Outcome, Pending};
use crate::terms::{Delivery, Failure};

/// No connection: the server does not answer, and nothing is sent.
pub(super) struct Unreachable;

impl Connection for Unreachable {
    fn execute(&mut self, _: AnyOp, _: Delivery) -> Pending<'_, Result<Outcome, BackendError>> {
        Box::pin(std::future::ready(Ok(Outcome::Failed(Failure::Unavailable))))
    }
}
