//! What a step touches of a lock service. It depends only on what the step's own lane has done before, so that it stays the same
//! when others change places.

use super::op::{EVERY_QUEUE, LEDGER, MARK, QUEUE};
use super::{LockOp, LockResponse};
use crate::service::contract::Operation;
use crate::service::modelled::Past;
use crate::service::touched::Touched;
use crate::service::{Acts, Item, Whose};
use crate::terms::{OutcomeOf, Profile};

/// Every lock's queue.
const QUEUES: u64 = 0b1111;

/// Whether leases live, for those who ask about a lease beside its owner. What ends a lease *reads* this and what asks *writes* it:
/// so the two conflict, and two ends of different leases do not.
const LIVES: u64 = 1 << 4;

/// The keys of messages, and the order of the ledger.
const MARKS: u64 = 0b11_1111 << 8;
const ENTRIES: u64 = 1 << 5;

/// What the end of a lease touches, however it ends.
const ENDS_A_LEASE: Touched = Touched { reads: LIVES, writes: QUEUES };

fn bit(item: &Item) -> u64 {
    match item.which {
        Whose::Account(account) if item.place == QUEUE => 1 << (account.0 % 4),
        Whose::Message(message) if item.place == MARK => 1 << (8 + message.0.min(5)),
        Whose::Message(_) if item.place == LEDGER => ENTRIES,
        // But for those who ask beside it, a lease is its lane's own.
        Whose::Account(_) | Whose::Message(_) | Whose::Client(_) | Whose::Asked(_) | Whose::Any => 0,
    }
}

/// What a lane has done in its present attempt, as far as its next step depends on it.
#[derive(Debug, Clone, Copy, Default)]
pub struct LockPast {
    /// A key of a lock may be there under the lane's lease.
    may_hold_key: bool,
    /// A lease was granted.
    leased: bool,
    /// Nobody knows what came of an operation: it may still be on its way.
    unknown: bool,
}

impl Past for LockPast {
    type Op = LockOp;
    type Response = LockResponse;

    fn follow(mut self, op: LockOp, outcome: OutcomeOf<LockResponse>) -> Self {
        let (acts, is_unknown) = (op.acts(), outcome == OutcomeOf::Unknown);
        if acts.any(Acts::LEASES) {
            self.leased |= matches!(outcome, OutcomeOf::Ok(_));
        }
        if acts.any(Acts::ENTERS) {
            self.may_hold_key |= !matches!(outcome, OutcomeOf::Failed(_));
        }
        // After an unknown one there may still be something on its way that puts the key back.
        if acts.any(Acts::LEAVES) && !is_unknown {
            self.may_hold_key &= self.unknown;
        }
        self.unknown |= is_unknown;
        self
    }

    fn touch(self, op: LockOp, _: Profile) -> Touched {
        let footprint = op.footprint();
        let bits = |items: &[Item]| items.iter().map(bit).fold(0, |a, b| a | b);
        let touched = Touched { reads: bits(&footprint.reads), writes: bits(&footprint.writes) };
        // What ends a lease takes its keys out of every queue.
        let ends_lease = footprint.writes.contains(&EVERY_QUEUE);
        let queues = if ends_lease && self.may_hold_key { Touched::writes(QUEUES) } else { Touched::NOTHING };
        let lives = match op {
            LockOp::KeepAlive(_) => Touched::writes(LIVES),
            LockOp::Revoke(_) => Touched::reads(LIVES),
            LockOp::GrantLease
            | LockOp::Acquire(..)
            | LockOp::Release(..)
            | LockOp::RecordOnce(..)
            | LockOp::Record(..) => Touched::NOTHING,
        };
        touched.and(queues).and(lives)
    }

    /// Whoever asks to leave has left.
    fn unmade(op: LockOp) -> Touched {
        let leaves = op.acts().any(Acts::LEAVES);
        let queue = |account| bit(&Item { place: QUEUE, which: Whose::Account(account) });
        let queue = op.account().map_or(0, queue);
        if leaves { Touched::writes(queue) } else { Touched::NOTHING }
    }

    fn later() -> Touched {
        ENDS_A_LEASE.and(Touched::writes(MARKS | ENTRIES))
    }

    fn expiry(self, _: Option<LockOp>) -> Touched {
        ENDS_A_LEASE
    }

    /// Nobody keeps its lease alive any more.
    fn over(self) -> Touched {
        if self.leased { Touched::writes(QUEUES) } else { Touched::NOTHING }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::{AccountId, LeaseId, LockKey};

    const DONE: OutcomeOf<LockResponse> = OutcomeOf::Ok(LockResponse::Done);
    const KEY: LockKey = LockKey { account: AccountId(0), lease: LeaseId(1) };

    /// Whether the end of the lease can matter to whoever waits for the lock.
    fn ends_a_wait(past: LockPast) -> bool {
        let acquire = LockPast::default().touch(LockOp::acquire(KEY), Profile::Postgres);
        past.touch(LockOp::Revoke(KEY.lease), Profile::Postgres).conflicts_with(acquire)
    }

    #[test]
    fn a_lease_matters_to_others_while_a_key_may_be_there_under_it() {
        let granted = LockPast::default().follow(LockOp::GrantLease, OutcomeOf::Ok(LockResponse::Granted(KEY.lease)));
        assert!(!ends_a_wait(granted));
        let held = granted.follow(LockOp::acquire(KEY), OutcomeOf::Unknown);
        assert!(ends_a_wait(held));
        assert!(ends_a_wait(held.follow(LockOp::release(KEY), DONE)), "what is on its way may put the key back");
        let certain = granted.follow(LockOp::acquire(KEY), DONE);
        assert!(ends_a_wait(certain) && !ends_a_wait(certain.follow(LockOp::release(KEY), DONE)));
        assert!(ends_a_wait(certain.follow(LockOp::release(KEY), OutcomeOf::Unknown)));
        assert_eq!(LockPast::default().over(), Touched::NOTHING);
        assert_ne!(granted.over(), Touched::NOTHING, "nobody keeps it alive any more");
    }

    #[test]
    fn whoever_asks_to_leave_has_left_whatever_becomes_of_the_request() {
        let acquire = LockPast::default().touch(LockOp::acquire(KEY), Profile::Postgres);
        assert!(LockPast::unmade(LockOp::release(KEY)).conflicts_with(acquire));
        assert_eq!(LockPast::unmade(LockOp::acquire(KEY)), Touched::NOTHING);
    }
}
