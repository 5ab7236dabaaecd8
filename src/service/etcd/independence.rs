//! What a step touches of a lock service. It depends only on what the step's own lane has done before, so that it stays the same
//! when others change places.

use crate::service::touched::Touched;
use crate::service::{Acts, Item, Op, Outcome};

/// Every lock's queue.
const QUEUES: u64 = 0b1111;

fn bit(item: &Item) -> u64 {
    match item {
        Item::LockQueue(account) => 1 << (account.0 % 4),
        // A lease is its lane's own.
        Item::AllLockQueues | Item::Lease(_) | Item::LeaseCounter => 0,
        Item::Mark(_) | Item::Claim(_) | Item::StoredAnswer(_) | Item::Account(_) | Item::Ledger(_) => 0,
        Item::Fence(_) | Item::Owner(_) | Item::Transaction | Item::Store => 0,
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

impl LockPast {
    /// After another operation, and what came of it.
    #[must_use]
    pub fn follow(mut self, op: Op, outcome: Outcome) -> Self {
        let (acts, is_unknown) = (op.acts(), outcome == Outcome::Unknown);
        if acts.any(Acts::LEASES) {
            self.leased |= matches!(outcome, Outcome::Ok(_));
        }
        if acts.any(Acts::ENTERS) {
            self.may_hold_key |= !matches!(outcome, Outcome::Failed(_));
        }
        // After an unknown one there may still be something on its way that puts the key back.
        if acts.any(Acts::LEAVES) && !is_unknown {
            self.may_hold_key &= self.unknown;
        }
        self.unknown |= is_unknown;
        self
    }

    /// What an operation touches.
    #[must_use]
    pub fn touch(self, op: Op) -> Touched {
        let footprint = op.footprint();
        let bits = |items: &[Item]| items.iter().map(bit).fold(0, |a, b| a | b);
        let touched = Touched { reads: bits(&footprint.reads), writes: bits(&footprint.writes) };
        // What ends a lease takes its keys out of every queue.
        let ends_lease = footprint.writes.contains(&Item::AllLockQueues);
        if ends_lease && self.may_hold_key { touched.and(Touched::writes(QUEUES)) } else { touched }
    }

    /// What an operation touches whose request is lost or late: whoever asks to leave has left.
    #[must_use]
    pub fn unmade(op: Op) -> Touched {
        let leaves = op.acts().any(Acts::LEAVES);
        let queue = op.account().map_or(0, |account| bit(&Item::LockQueue(account)));
        if leaves { Touched::writes(queue) } else { Touched::NOTHING }
    }

    /// What the end of the attempt touches: nobody keeps its lease alive any more.
    #[must_use]
    pub fn over(self) -> Touched {
        if self.leased { Touched::writes(QUEUES) } else { Touched::NOTHING }
    }

    /// What a request that lands late touches, and what a timer that runs out does.
    #[must_use]
    pub fn landing() -> Touched {
        Touched::writes(QUEUES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Response;
    use crate::terms::{AccountId, LeaseId, LockKey};

    const DONE: Outcome = Outcome::Ok(Response::Done);
    const KEY: LockKey = LockKey { account: AccountId(0), lease: LeaseId(1) };

    /// Whether the end of the lease can matter to whoever waits for the lock.
    fn ends_a_wait(past: LockPast) -> bool {
        let acquire = LockPast::default().touch(Op::Acquire(KEY));
        past.touch(Op::Revoke(KEY.lease)).conflicts_with(acquire)
    }

    #[test]
    fn a_lease_matters_to_others_while_a_key_may_be_there_under_it() {
        let granted = LockPast::default().follow(Op::GrantLease, Outcome::Ok(Response::Granted(KEY.lease)));
        assert!(!ends_a_wait(granted));
        let held = granted.follow(Op::Acquire(KEY), Outcome::Unknown);
        assert!(ends_a_wait(held));
        assert!(ends_a_wait(held.follow(Op::Release(KEY), DONE)), "what is on its way may put the key back");
        let certain = granted.follow(Op::Acquire(KEY), DONE);
        assert!(ends_a_wait(certain) && !ends_a_wait(certain.follow(Op::Release(KEY), DONE)));
        assert!(ends_a_wait(certain.follow(Op::Release(KEY), Outcome::Unknown)));
        assert_eq!(LockPast::default().over(), Touched::NOTHING);
        assert_ne!(granted.over(), Touched::NOTHING, "nobody keeps it alive any more");
    }

    #[test]
    fn whoever_asks_to_leave_has_left_whatever_becomes_of_the_request() {
        let acquire = LockPast::default().touch(Op::Acquire(KEY));
        assert!(LockPast::unmade(Op::Release(KEY)).conflicts_with(acquire));
        assert_eq!(LockPast::unmade(Op::Acquire(KEY)), Touched::NOTHING);
    }
}
