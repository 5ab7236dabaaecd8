//! A batch in an execution: two deliveries that one lane carries.

use super::{Execution, Grounds};
use crate::explore::ExploreError;
use crate::explore::attempt::Next;
use crate::explore::bound::Bound;
use crate::explore::environment::Flight;
use crate::history::What;
use crate::service::{IdKind, first_id};
use crate::world::{Op, Outcome};

impl<S: Grounds> Execution<'_, S> {
    /// What a lane does next, or its end.
    #[inline]
    pub(super) fn go_on(&mut self, lane: u8, next: Next) -> Result<(), ExploreError> {
        match next {
            Next::Asks(op) => self.pending[usize::from(lane)] = Some(op),
            Next::Replies(reply) => self.end_attempt(lane, Some(reply))?,
            Next::RepliesBoth([first, second]) => {
                self.end_attempt(lane, Some(first))?;
                self.end_attempt(Bound::IN_BATCH, Some(second))?;
            }
            Next::IsCarried => {}
        }
        Ok(())
    }

    /// Writes down something that happens to a lane's delivery; of a batch, to both of its deliveries.
    pub(super) fn note_for_all(&mut self, lane: u8, attempt: u8, what: What) {
        self.note(lane, attempt, what);
        if self.of.bound.carries_batch(lane, attempt) {
            self.note(Bound::IN_BATCH, attempt, what);
        }
    }

    /// Writes down what became of an operation of a lane; of one that does the work of two, for each of the two deliveries.
    #[inline]
    pub(super) fn note_call(
        &mut self,
        (lane, attempt): (u8, u8),
        op: Op,
        outcome: Outcome,
        what: impl Fn(Op, Option<Outcome>) -> What,
    ) {
        let Some([first, second]) = op.of.parts() else {
            let about = first_id(op.of, IdKind::Message);
            let other = self.of.bound.message_of(self.of.bound.request_of(Bound::IN_BATCH));
            let is_for_other = self.of.bound.carries_batch(lane, attempt) && about == Some(i64::from(other.0));
            return self.note(if is_for_other { Bound::IN_BATCH } else { lane }, attempt, what(op, Some(outcome)));
        };
        let [one, other] = match outcome {
            Outcome::Ok(response) => response.parts().map(Outcome::Ok),
            Outcome::Failed(_) | Outcome::Unknown => [outcome; 2],
        };
        self.note(lane, attempt, what(Op { of: first, ..op }, Some(one)));
        self.note(Bound::IN_BATCH, attempt, what(Op { of: second, ..op }, Some(other)));
    }

    /// Writes down that a request has landed late.
    pub(super) fn note_landing(&mut self, flight: Flight, outcome: Outcome) {
        self.note_call((flight.lane, flight.attempt), flight.op, outcome, |op, outcome| What::Landed { op, outcome });
    }
}
