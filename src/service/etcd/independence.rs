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
