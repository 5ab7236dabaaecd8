//! The hop between client and handler, in an execution.

use super::{Execution, Grounds};
use crate::explore::ExploreError;
use crate::explore::attempt::LaneWork;
use crate::history::What;
use crate::terms::Reply;
use crate::world::{Acts, Op, Outcome};

impl<S: Grounds> Execution<'_, S> {
    /// Writes down that a request has reached a handler, if that is what an operation was for.
    pub(super) fn note_arrival(&mut self, lane: u8, op: Op, outcome: Outcome) {
        if op.acts().any(Acts::ARRIVES) && outcome != Outcome::Unknown {
            self.note(lane, self.lanes[usize::from(lane)].attempt, What::Arrived);
        }
    }

    /// Writes down what a handler said, and what its client heard. Where the answer crosses a hop as the last operation, the two are not
    /// the same; and where the request was lost before, no handler said anything.
    pub(super) fn note_reply(&mut self, (lane, attempt): (u8, u8), asked: Option<Op>, (reply, waits): (Reply, bool)) {
        let never_came = asked.is_some_and(|op| op.acts().any(Acts::ARRIVES));
        let said = asked.and_then(Op::said);
        let heard = waits && !never_came && said.is_none_or(|said| said == reply);
        if !never_came {
            self.note(lane, attempt, What::Answered { reply: said.unwrap_or(reply), heard });
        }
        if waits {
            self.note(lane, attempt, if heard { What::Received { reply } } else { What::TimedOut });
        }
    }

    /// A handler begins with a request that landed after its client had gone.
    #[cold]
    pub(super) fn begin_unheard(&mut self, lane: u8, learns: &Outcome) -> Result<(), ExploreError> {
        let place = usize::from(lane);
        let request = &self.of.requests[usize::from(self.of.bound.request_of(lane))];
        let attempt = self.attempts[place].as_mut().expect("what landed was sent in an attempt");
        attempt.begin_another(self.of.strategy, LaneWork::Delivery(request))?;
        let next = attempt.go_on(self.of.strategy, learns)?;
        self.go_on(lane, next)
    }
}
