//! What a step touches: two steps of different lanes that touch nothing in common can change places, and nobody will know.
//!
//! A touch depends only on what the step's own lane has done before, so that it stays the same when others change places. What it is,
//! each service says; no two services have anything in common.

use crate::service::etcd::LockPast;
use crate::service::store::StorePast;
use crate::service::touched::Touched;
use crate::terms::Leg;

use super::schedule::Fate;
use super::state_graph::{State, StateGraph, Transition};

/// What a step reads and writes of each service, and whether it is a fault: two faults share the bound's budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Touch {
    store: Touched,
    lock: Touched,
    is_fault: bool,
}

impl Touch {
    /// Whether the order of two steps of different lanes can matter.
    pub fn conflicts_with(self, other: Touch) -> bool {
        self.store.conflicts_with(other.store)
            || self.lock.conflicts_with(other.lock)
            || self.is_fault && other.is_fault
    }
}

/// What a lane has done in its present attempt.
#[derive(Debug, Clone, Copy, Default)]
struct Past {
    store: StorePast,
    lock: LockPast,
}

impl StateGraph<'_> {
    /// What a step from a state touches.
    pub(super) fn touch(&self, state: &State, way: &Transition) -> Touch {
        let lane = state.lanes[usize::from(way.step.lane)];
        let mut touch = Touch { is_fault: way.step.fate.is_fault(), ..Touch::default() };
        if way.step.fate == Fate::Lands {
            let flight = self.memo.flights(state.at.flights).iter().find(|flight| flight.lane == way.step.lane);
            match flight.expect("what lands was in flight").op.leg() {
                Leg::Lock => touch.lock = LockPast::landing(),
                Leg::Store | Leg::Client => touch.store = StorePast::landing(),
            }
            return touch;
        }
        let past = self.past(lane.node);
        let op = self.tree.op(lane.node).expect("whoever makes a step has something to do");
        match (way.step.fate, op.leg()) {
            (Fate::Expires, _) => touch.lock = LockPast::landing(),
            (Fate::Crashes, _) => {}
            (Fate::RequestLost | Fate::TimesOut, Leg::Lock) => touch.lock = LockPast::unmade(op),
            (Fate::RequestLost | Fate::TimesOut, Leg::Store | Leg::Client) => {}
            (Fate::Arrives | Fate::ReplyLost | Fate::Lands | Fate::Queues, Leg::Lock) => {
                touch.lock = past.lock.touch(op);
            }
            (Fate::Arrives | Fate::ReplyLost | Fate::Lands | Fate::Queues, Leg::Store | Leg::Client) => {
                touch.store = past.store.touch(op, self.bound.store);
            }
        }
        let after = way.to.lanes[usize::from(way.step.lane)];
        let is_over = after.attempt != lane.attempt || after.is_ended();
        let disconnects = match way.step.fate {
            Fate::RequestLost | Fate::ReplyLost | Fate::Crashes | Fate::Lands | Fate::Queues => true,
            Fate::Arrives | Fate::Expires | Fate::TimesOut => false,
        };
        if is_over || disconnects && op.leg() == Leg::Store {
            touch.store = touch.store.and(past.store.cut(self.bound.store));
        }
        if is_over {
            touch.lock = touch.lock.and(past.lock.over());
        }
        touch
    }

    fn past(&self, node: u16) -> Past {
        let Some((before, learned)) = self.tree.before(node) else { return Past::default() };
        let past = self.past(before);
        let op = self.tree.op(before).expect("only an operation leads on");
        match op.leg() {
            Leg::Lock => Past { lock: past.lock.follow(op, learned), ..past },
            Leg::Store | Leg::Client => Past { store: past.store.follow(op, learned), ..past },
        }
    }
}
