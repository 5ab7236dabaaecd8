//! What a step touches: two steps of different lanes that touch nothing in common can change places, and nobody will know.
//!
//! A touch depends only on what the step's own lane has done before, so that it stays the same when others change places. What it is,
//! each service says; no two services have anything in common.

use crate::service::AnyPast;
use crate::service::touched::Touched;
use crate::strategy::by_role;
use crate::terms::ByRole;
use crate::world::Acts;

use super::bound::Bound;
use super::schedule::Fate;
use super::state_graph::{State, StateGraph, Transition};

/// What a step reads and writes of each service, and whether it is a fault: two faults share the bound's budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Touch {
    services: ByRole<Touched>,
    is_fault: bool,
    /// The lane of the delivery that it is of, or works beside.
    host: u8,
    /// What works beside the delivery begins or ends with it, or the lane whose request was in its batch goes on.
    bounds_actors: bool,
}

impl Touch {
    /// Whether the order of two steps of different lanes can matter.
    pub fn conflicts_with(self, other: Touch) -> bool {
        let services = self.services.0.into_iter().zip(other.services.0);
        services.into_iter().any(|(one, other)| one.conflicts_with(other))
            || self.is_fault && other.is_fault
            || self.host == other.host && (self.bounds_actors || other.bounds_actors)
    }
}

/// What a lane has done in its present attempt, with each service.
type Pasts = ByRole<Option<AnyPast>>;

/// Why there is a past with a service.
const NEEDED: &str = "an attempt asks only the services that its strategy needs";

impl StateGraph<'_> {
    /// What a step from a state touches.
    pub(super) fn touch(&self, state: &State, way: &Transition) -> Touch {
        let lane = state.lanes[usize::from(way.step.lane)];
        let profile = self.bound.store;
        let is_in_batch = self.bound.has_batch() && way.step.lane == Bound::IN_BATCH;
        let host = if is_in_batch { 0 } else { self.bound.host_of(way.step.lane) };
        let mut touch = Touch { is_fault: way.step.fate.is_fault(), host, ..Touch::default() };
        if way.step.fate == Fate::Lands {
            let flight = self.memo.flights(state.at.flights).iter().find(|flight| flight.lane == way.step.lane);
            let role = flight.expect("what lands was in flight").op.role;
            touch.services[role] = self.no_past()[role].expect(NEEDED).later();
            return touch;
        }
        let pasts = self.pasts(lane.node);
        let op = self.tree.op(lane.node).expect("whoever makes a step has something to do");
        let past = pasts[op.role].expect(NEEDED);
        match way.step.fate {
            Fate::Expires => {
                // Whatever has a timer may have been the one.
                let every = pasts.iter().filter_map(|(role, past)| Some((role, (*past)?)));
                every.for_each(|(role, past)| touch.services[role] = past.expiry(op.of));
            }
            Fate::Crashes => {}
            Fate::RequestLost | Fate::TimesOut => touch.services[op.role] = AnyPast::unmade(op.of),
            Fate::Arrives | Fate::ReplyLost | Fate::Lands | Fate::Queues => {
                touch.services[op.role] = past.touch(op.of, profile);
            }
        }
        let after = way.to.lanes[usize::from(way.step.lane)];
        let is_over = after.attempt != lane.attempt || after.is_ended();
        let disconnects = match way.step.fate {
            Fate::RequestLost | Fate::ReplyLost | Fate::Crashes | Fate::Lands | Fate::Queues => true,
            Fate::Arrives | Fate::Expires | Fate::TimesOut => false,
        };
        let is_host = touch.host == way.step.lane;
        touch.bounds_actors = self.bound.actors > 0 && is_host && (is_over || op.acts().any(Acts::LEASES))
            || is_over && self.bound.carries_batch(way.step.lane, lane.attempt);
        for (role, past) in pasts.iter().filter_map(|(role, past)| Some((role, (*past)?))) {
            let mut also = Touched::NOTHING;
            if is_over || disconnects && role == op.role {
                also = also.and(past.cut(profile));
            }
            if is_over {
                also = also.and(past.over());
            }
            touch.services[role] = touch.services[role].and(also);
        }
        touch
    }

    fn no_past(&self) -> Pasts {
        ByRole(by_role(self.executor.strategy.needs()).0.map(|service| service.map(|service| service.past())))
    }

    fn pasts(&self, node: u16) -> Pasts {
        let Some((before, learned)) = self.tree.before(node) else { return self.no_past() };
        let mut pasts = self.pasts(before);
        let op = self.tree.op(before).expect("only an operation leads on");
        pasts[op.role] = pasts[op.role].map(|past| past.follow(op.of, learned));
        pasts
    }
}
