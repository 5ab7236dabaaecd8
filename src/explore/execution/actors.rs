//! Actors in an execution: they begin when their delivery is given a lease.

use super::{Execution, Grounds};
use crate::explore::ExploreError;
use crate::explore::attempt::{Attempt, LaneWork};
use crate::explore::rules::FINAL_ATTEMPT;
use crate::terms::LeaseId;
use crate::world::{Acts, Outcome};

impl<'e, S: Grounds> Execution<'e, S> {
    /// A delivery that was given a lease has its actors begin their work for it.
    #[cold]
    pub(super) fn wake_actors(&mut self, lane: u8, learned: Outcome) -> Result<(), ExploreError> {
        let host = self.lanes[usize::from(lane)];
        let is_lease = self.pending[usize::from(lane)].is_some_and(|op| op.acts().any(Acts::LEASES));
        let Outcome::Ok(response) = learned else { return Ok(()) };
        if !is_lease || host.attempt == FINAL_ATTEMPT {
            return Ok(());
        }
        let lease = LeaseId(response.asked().expect("a lease was granted"));
        for (actor, its) in self.of.strategy.actors().iter().zip(self.of.bound.actors_of(lane)) {
            let place = usize::from(its);
            self.lanes[place].wake(host.attempt, 0);
            let work = LaneWork::Beside(*actor, lease);
            let next = match &mut self.attempts[place] {
                Some(attempt) => attempt.begin_another(self.of.strategy, work)?,
                none => {
                    let (begun, next) = Attempt::begin(self.of.strategy, work, S::IS_REAL)?;
                    *none = Some(begun);
                    next
                }
            };
            self.go_on(its, next)?;
        }
        Ok(())
    }

    /// What a lane begins its attempt with.
    pub(super) fn work_of(&self, lane: u8) -> LaneWork<'e> {
        let of = self.of;
        let request = &of.requests[usize::from(of.bound.request_of(lane))];
        if of.bound.is_resident(lane) {
            return LaneWork::Turn(of.residents[usize::from(of.bound.resident_of(lane))], request);
        }
        match &of.batch {
            Some(batch) if of.bound.carries_batch(lane, self.lanes[usize::from(lane)].attempt) => {
                LaneWork::Batch(batch)
            }
            Some(_) | None => LaneWork::Delivery(request),
        }
    }
}
