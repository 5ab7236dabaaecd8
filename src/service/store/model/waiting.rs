//! Statements that have begun and wait: each has taken the snapshot of its transaction before the wait, and goes on with that one.
//!
//! Source: PostgreSQL 15, chapter 13.2.2 "Repeatable Read Isolation Level": the snapshot is that of the first statement of the
//! transaction, and the server takes it before the statement waits for a lock.

use super::{StoreModelFlaw, Tables};
use crate::service::modelled::{Asker, Called, Waits};
use crate::service::store::{Does, StoreOp, StoreOutcome, StoreResponse};
use crate::service::{HasIds, Ids};
use crate::terms::{Session, Sessions};

/// A statement that has begun, and what it has come to since.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct WaitingStatement {
    session: Session,
    op: StoreOp,
    by: Asker,
    /// Nothing while it waits.
    came: Option<StoreOutcome>,
}

impl WaitingStatement {
    pub fn is_of(&self, session: Session) -> bool {
        self.session == session
    }

    pub fn rename(&mut self, sessions: &dyn Fn(Session) -> Session, ids: &mut impl Ids) {
        self.session = sessions(self.session);
        self.op = self.op.map_ids(ids);
        self.came = self.came.map(|came| came.map(|response| response.map_ids(ids)));
    }
}

impl Tables {
    /// Begins the first statement of a transaction that looks at a snapshot, if the statement has to wait: it takes the snapshot now.
    pub(super) fn begin_waiting(&mut self, on: Session, op: StoreOp, by: &Asker) -> bool {
        let Does::Rows(program) = op.does() else { return false };
        let came = self.clone().statement(on, &op, program, by, &mut Vec::new());
        let (Err(Waits::WithSnapshot(_)), Some(at)) = (came, self.transaction(on)) else { return false };
        if !self.has_flaw(StoreModelFlaw::SnapshotsAfterWaits) {
            self.take_snapshot(at);
        }
        self.waiting.push(WaitingStatement { session: on, op, by: *by, came: None });
        true
    }

    /// What a statement has come to that had to wait.
    ///
    /// # Errors
    /// [`Waits`] if it still waits.
    pub(super) fn end_waiting(&mut self, on: Session) -> Called<StoreResponse> {
        let at = self.waiting.iter().position(|waiting| waiting.session == on && waiting.came.is_some());
        at.and_then(|at| self.waiting.remove(at).came).ok_or(Waits::For(Sessions::NONE))
    }

    /// Somebody has let go: whoever waits for it goes on, as on a server.
    #[inline]
    pub(super) fn let_go(&mut self) {
        if !self.waiting.is_empty() {
            self.serve_waiting();
        }
    }

    #[cold]
    fn serve_waiting(&mut self) {
        let mut at = 0;
        while at < self.waiting.len() {
            let WaitingStatement { session, op, by, came } = self.waiting[at].clone();
            if came.is_none()
                && let Does::Rows(program) = op.does()
                // It is in a transaction: nothing is committed yet.
                && let Ok(came) = self.statement(session, &op, program, &by, &mut Vec::new())
            {
                self.waiting[at].came = Some(came);
                // Where it fails, it has let go itself.
                at = 0;
                continue;
            }
            at += 1;
        }
    }
}
