//! What cannot go yet: operations that begin and wait, that wait for timers, and that give way when nothing else can move.

use super::{Blocked, QUEUED, Rules, StepEffect};
use crate::explore::environment::Environment;
use crate::explore::schedule::Fate;
use crate::service::contract::asker_of;
use crate::service::modelled::{Asker, Timer};
use crate::terms::{Failure, Session};
use crate::world::{Op, Outcome};

impl<S: Environment> Rules<'_, S> {
    /// Begins an operation that must wait for others.
    pub(super) fn queue(&mut self, lane: u8, local: Op) -> Result<StepEffect, Blocked> {
        let me = self.lanes[usize::from(lane)];
        let may_be = self.bound.kinds.contains(Fate::Queues) && !me.has(QUEUED);
        let by = self.asker(local.role, lane, me.attempt, 0);
        if !may_be || !self.environment.queue(Session(lane), self.globally(lane, local), by) {
            return Err(Blocked::Disabled);
        }
        self.lanes[usize::from(lane)].set(QUEUED, true);
        Ok(StepEffect::Queued)
    }

    pub(super) fn wait_for_timers(&mut self, on: Session, by: Asker, op: Op) -> Result<Outcome, Blocked> {
        let ahead = self.environment.timers_ahead(op);
        if !ahead.iter().all(|timer| self.is_orphaned(*timer)) {
            return Err(Blocked::Waits);
        }
        self.environment.time_passes(true);
        ahead.into_iter().for_each(|timer| self.environment.fire(op.role, timer));
        self.environment.call(on, &op, by).map_err(|_| Blocked::Waits)
    }

    /// Whether nobody keeps a timer from running out any more: the attempt that asked for it is over.
    fn is_orphaned(&self, Timer(id): Timer) -> bool {
        let (lane, attempt, _) = asker_of(id);
        let of = self.lanes.get(usize::from(lane)).filter(|_| lane < self.bound.lanes);
        of.is_none_or(|of| of.attempt != attempt || of.is_ended())
    }

    /// When nothing else can move: the wait of this lane comes to an end all the same. A waiter gives up the lock, and a transaction
    /// becomes the victim of a deadlock. A request in flight that waits for another one is such a victim too.
    pub fn give_way(&mut self, lane: u8, pending: Option<Op>) -> Option<StepEffect> {
        if let Some(op) = pending {
            self.lanes[usize::from(lane)].set(QUEUED, false);
            return Some(StepEffect::Made { learns: self.environment.victim(op.role, Session(lane)) });
        }
        let at = self.environment.flights().iter().position(|flight| flight.lane == lane)?;
        let flight = self.environment.flights()[at];
        self.environment.cut(flight.op.role, flight.session);
        self.environment.remove_flight(at);
        Some(StepEffect::Landed(Box::new((flight, Outcome::Failed(Failure::Deadlock)))))
    }
}
