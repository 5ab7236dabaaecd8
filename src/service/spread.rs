//! A backend of several servers that know nothing of each other: a connection is one to each of them.

use std::sync::Arc;

use super::{AnyOp, Backend, BackendError, Connection, Outcome, Pending};
use crate::terms::Delivery;
use crate::wire::Wire;

/// The place of what can be asked in schedules only.
pub(super) const NO_MEMBER: usize = usize::MAX;

/// A connection to each member of a backend.
struct SpreadSession {
    backend: Arc<dyn Backend>,
    members: Vec<Box<dyn Connection>>,
}

/// Opens a connection to each of these members of a backend, or to what stands before them.
///
/// # Errors
/// [`BackendError`] if one of them cannot be opened.
pub(super) async fn connect(
    backend: Arc<dyn Backend>,
    members: Vec<Arc<dyn Backend>>,
) -> Result<Box<dyn Connection>, BackendError> {
    let mut open = Vec::with_capacity(members.len());
    for member in members {
        open.push(member.connect().await?);
    }
    Ok(Box::new(SpreadSession { backend, members: open }))
}

impl SpreadSession {
    /// # Errors
    /// [`BackendError`] if there is no such member.
    fn of(&mut self, op: AnyOp) -> Result<&mut dyn Connection, BackendError> {
        let place = self.backend.member_of(op);
        match self.members.get_mut(place) {
            Some(member) => Ok(member.as_mut()),
            None if place == NO_MEMBER => Err(BackendError {
                backend: "spread",
                what: format!("`{op}` can be asked in schedules only"),
                remedy: Some("leave the reaper out of the fault level".to_owned()),
            }),
            None => Err(BackendError {
                backend: "spread",
                what: format!("`{op}` is for server {}, and there is none", place + 1),
                remedy: Some("name so many servers, or let the lab start them".to_owned()),
            }),
        }
    }
}

impl Connection for SpreadSession {
    fn execute(&mut self, op: AnyOp, by: Delivery) -> Pending<'_, Result<Outcome, BackendError>> {
        match self.of(op) {
            Ok(member) => member.execute(op, by),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    fn stand_still(&mut self, still: bool) {
        self.members.iter_mut().for_each(|member| member.stand_still(still));
    }

    fn wire(&self, op: AnyOp) -> Option<Arc<Wire>> {
        self.members.get(self.backend.member_of(op)).and_then(|member| member.wire(op))
    }
}
