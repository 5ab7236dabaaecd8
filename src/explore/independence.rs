//! What a step touches: two steps of different lanes that touch nothing in common can change places, and nobody will know.
//!
//! A touch depends only on what the step's own lane has done before, so that it stays the same when others change places.

use crate::terms::{Isolation, Profile};
use crate::world::{Item, Op, OpKind, Outcome, Response};

use super::environment::Flight;
use super::schedule::Fate;
use super::state_graph::{State, StateGraph, Transition};

/// What a step reads and writes, as sets of bits, and whether it is a fault: two faults share the bound's budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Touch {
    reads: u64,
    writes: u64,
    is_fault: bool,
}

impl Touch {
    /// Whether the order of two steps of different lanes can matter.
    pub fn conflicts_with(self, other: Touch) -> bool {
        self.writes & (other.reads | other.writes) != 0
            || other.writes & self.reads != 0
            || self.is_fault && other.is_fault
    }

    fn reads(&mut self, bits: u64) {
        self.reads |= bits;
    }

    fn writes(&mut self, bits: u64) {
        self.writes |= bits;
    }
}

const STORE: u64 = ((1 << 28) - 1) | OWNERS;
const OWNERS: u64 = 0b1111 << 32;
/// SQLite's place for a writer.
const WRITER: u64 = 1 << 26;
/// The watch over serializable transactions.
const WATCH: u64 = 1 << 27;
const QUEUES: u64 = 0b1111 << 28;

fn bit(item: Item) -> u64 {
    let message = |from: u32, id: u32| 1 << (from + id.min(5));
    match item {
        Item::Mark(id) => message(0, id.0),
        Item::Claim(id) => message(6, id.0),
        Item::StoredAnswer(id) => message(12, id.0),
        Item::Account(account) => 1 << (18 + account.0 % 4),
        Item::Fence(account) => 1 << (22 + account.0 % 4),
        Item::Owner(account) => 1 << (32 + account.0 % 4),
        Item::LockQueue(account) => 1 << (28 + account.0 % 4),
        // The ledger's order is the account's; leases and transactions are each lane's own.
        Item::Store => STORE,
        Item::Ledger(_) | Item::Transaction | Item::AllLockQueues | Item::Lease(_) | Item::LeaseCounter => 0,
    }
}

/// What a lane has done in its present attempt, as far as its next step depends on it.
#[derive(Debug, Clone, Copy, Default)]
struct Past {
    /// The transaction that is open, and what has been written in it.
    transaction: Option<Isolation>,
    written: u64,
    /// A key of a lock may be there under the lane's lease.
    may_hold_key: bool,
    /// A lease was granted.
    leased: bool,
}

impl StateGraph<'_> {
    /// What a step from a state touches.
    pub(super) fn touch(&self, state: &State, way: &Transition) -> Touch {
        let lane = state.lanes[usize::from(way.step.lane)];
        let mut touch = Touch { is_fault: way.step.fate.is_fault(), ..Touch::default() };
        if way.step.fate == Fate::Lands {
            let flight = self.memo.flights(state.at.flights).iter().find(|flight| flight.lane == way.step.lane);
            land(&mut touch, flight.expect("what lands was in flight"));
            return touch;
        }
        let past = self.past(lane.node);
        let op = self.tree.op(lane.node).expect("whoever makes a step has something to do");
        match way.step.fate {
            Fate::Expires => touch.writes(QUEUES),
            Fate::Crashes => {}
            Fate::RequestLost | Fate::TimesOut => {
                // Whoever asks to leave has left.
                if let Op::Release(key) = op {
                    touch.writes(bit(Item::LockQueue(key.account)));
                }
            }
            _ => self.operation(&mut touch, op, past),
        }
        let after = way.to.lanes[usize::from(way.step.lane)];
        let is_over = after.attempt != lane.attempt || after.is_ended();
        let disconnects =
            way.step.fate != Fate::Arrives && way.step.fate != Fate::Expires && way.step.fate != Fate::TimesOut;
        if past.transaction.is_some() && (is_over || disconnects && op.leg() == crate::terms::Leg::Store) {
            self.ends_transaction(&mut touch, past);
        }
        if is_over && past.leased {
            touch.writes(QUEUES);
        }
        touch
    }

    fn operation(&self, touch: &mut Touch, op: Op, past: Past) {
        let sqlite = self.bound.store == Profile::Sqlite;
        let footprint = op.footprint();
        footprint.reads.iter().for_each(|item| touch.reads(bit(*item)));
        footprint.writes.iter().for_each(|item| touch.writes(bit(*item)));
        match op.kind() {
            OpKind::Begin if sqlite => touch.writes(WRITER),
            OpKind::Commit | OpKind::Rollback if past.transaction.is_some() => self.ends_transaction(touch, past),
            OpKind::Begin
            | OpKind::Commit
            | OpKind::Rollback
            | OpKind::GrantLease
            | OpKind::Acquire
            | OpKind::Release => {}
            OpKind::Revoke => {
                if past.may_hold_key {
                    touch.writes(QUEUES);
                }
            }
            _ => match past.transaction {
                None if sqlite => touch.reads(WRITER),
                Some(Isolation::RepeatableRead) if !sqlite => touch.reads(STORE),
                Some(Isolation::Serializable) if !sqlite => {
                    touch.reads(STORE);
                    touch.writes(WATCH);
                }
                _ => {}
            },
        }
    }

    fn ends_transaction(&self, touch: &mut Touch, past: Past) {
        touch.writes(past.written);
        match (self.bound.store, past.transaction) {
            (Profile::Sqlite, _) => touch.writes(WRITER),
            (_, Some(Isolation::Serializable)) => touch.writes(WATCH),
            _ => {}
        }
    }

    fn past(&self, node: u16) -> Past {
        let Some((before, learned)) = self.tree.before(node) else { return Past::default() };
        let mut past = self.past(before);
        let op = self.tree.op(before).expect("only an operation leads on");
        let unknown = learned == Outcome::Unknown;
        match op {
            Op::Begin(isolation) if !unknown => {
                past.transaction = Some(isolation);
                past.written = 0;
            }
            Op::Commit | Op::Rollback => past.transaction = None,
            Op::GrantLease => past.leased |= matches!(learned, Outcome::Ok(Response::Granted(_))),
            Op::Acquire(_) => past.may_hold_key |= !matches!(learned, Outcome::Failed(_)),
            // After an unknown one there may still be something on its way that puts the key back.
            Op::Release(_) if !unknown => past.may_hold_key &= self.has_unknown(before),
            _ => {}
        }
        if op.leg() == crate::terms::Leg::Store {
            past.written |= op.footprint().writes.iter().map(|item| bit(*item)).fold(0, |a, b| a | b);
            if unknown {
                past.transaction = None;
            }
        }
        past
    }

    fn has_unknown(&self, node: u16) -> bool {
        self.tree.before(node).is_some_and(|(before, learned)| {
            let is_lock = self.tree.op(before).is_some_and(|op| op.leg() == crate::terms::Leg::Lock);
            is_lock && learned == Outcome::Unknown || self.has_unknown(before)
        })
    }
}

/// What was held back with its transaction can touch whatever the transaction has.
fn land(touch: &mut Touch, flight: &Flight) {
    if flight.op.leg() == crate::terms::Leg::Lock {
        touch.writes(QUEUES);
    } else {
        touch.writes(STORE);
    }
}
