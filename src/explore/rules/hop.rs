//! What is different about a message between client and handler: it goes one way, and one that lands late has a handler begin.

use super::{Lane, Rules, StepEffect, UNHEARD};
use crate::explore::environment::{Environment, Flight};
use crate::explore::schedule::Fate;
use crate::terms::Session;
use crate::world::{Acts, Outcome};

impl StepEffect {
    /// What a handler learns that begins after this, with a request that has landed late.
    #[inline]
    pub fn begins(&self) -> Option<Outcome> {
        match self {
            StepEffect::Landed(landed) => {
                let (flight, outcome) = **landed;
                (flight.op.acts().any(Acts::ARRIVES) && outcome != Outcome::Unknown).then_some(outcome)
            }
            StepEffect::Made { .. } | StepEffect::Crashed | StepEffect::Expired { .. } | StepEffect::Queued => None,
        }
    }
}

impl<S: Environment> Rules<'_, S> {
    /// Whether a fault can happen to an operation, if it is one that crosses the hop. A request has no reply yet that could be lost, and
    /// no handler that could crash; an answer is lost as a reply. An answer that nobody hears meets nothing.
    #[inline]
    pub(super) fn meets_on_the_hop(&self, lane: u8, fate: Fate, acts: Acts) -> bool {
        if !acts.any(Acts::ARRIVES.and(Acts::ANSWERS)) {
            return true;
        }
        match fate {
            Fate::RequestLost | Fate::TimesOut => acts.any(Acts::ARRIVES),
            Fate::ReplyLost | Fate::Crashes => acts.any(Acts::ANSWERS) && !self.is_unheard_answer(lane, acts),
            Fate::Arrives | Fate::Lands | Fate::Expires | Fate::Queues => true,
        }
    }

    /// Whether an operation is an answer whose client has gone.
    #[inline]
    pub(super) fn is_unheard_answer(&self, lane: u8, acts: Acts) -> bool {
        acts.any(Acts::ANSWERS) && self.lanes[usize::from(lane)].has(UNHEARD)
    }

    /// A handler begins in a lane that has ended, with a request that was in flight. Its client has gone.
    #[cold]
    pub(super) fn begin_unheard(&mut self, flight: Flight) {
        let Flight { lane, attempt, op, session } = flight;
        self.environment.take_over(op.role, session, Session(lane));
        self.lanes[usize::from(lane)] = Lane { attempt, flags: UNHEARD, ..Lane::default() };
    }
}
