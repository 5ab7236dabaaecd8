//! The hop between client and handler, in an execution.

use super::{Execution, Grounds};
use crate::explore::ExploreError;
use crate::explore::attempt::{LaneWork, Next};
use crate::history::What;
use crate::world::{Acts, Op, Outcome};

impl<S: Grounds> Execution<'_, S> {
    /// Writes down that a request has reached a handler, if that is what an operation was for.
    pub(super) fn note_arrival(&mut self, lane: u8, op: Op, outcome: Outcome) {
        if op.acts().any(Acts::ARRIVES) && outcome != Outcome::Unknown {
            self.note(lane, self.lanes[usize::from(lane)].attempt, What::Arrived);
        }
    }

    /// A handler begins with a request that landed after its client had gone.
    #[cold]
    pub(super) fn begin_unheard(&mut self, lane: u8, learns: Outcome) -> Result<(), ExploreError> {
        let place = usize::from(lane);
        let request = &self.of.requests[usize::from(self.of.bound.request_of(lane))];
        let attempt = self.attempts[place].as_mut().expect("what landed was sent in an attempt");
        attempt.begin_another(self.of.strategy, LaneWork::Delivery(request))?;
        match attempt.go_on(self.of.strategy, learns)? {
            Next::Asks(op) => self.pending[place] = Some(op),
            Next::Replies(reply) => self.end_attempt(lane, Some(reply))?,
        }
        Ok(())
    }
}
