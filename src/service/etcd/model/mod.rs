//! The lock service: etcd's key-value store, leases and lock queue, as a pure state machine.
//!
//! It is handed calls and the time, and answers what etcd would. Waiting is a state, not a blocked thread: a call of
//! [`LockService::lock`] that must queue leaves its [`Ticket`] behind, and [`LockService::take_settled`] hands out the
//! tickets whose turn has come. The embedded lock server is a shell around it, and the explorer clones it by the million;
//! so both ask the same code, and `conform` holds that code against a real etcd.
//!
//! Source: etcd 3.5, `server/etcdserver/apply.go`, `server/lease/lessor.go`, `server/etcdserver/api/v3lock/lock.go` and
//! `client/v3/concurrency/mutex.go`.
//!
//! What is left out: history. A read of an older revision is answered as if everything but the newest revision had been
//! compacted, there is no watch, and a transaction within a transaction is refused.

mod called;
mod exploring;
mod keyspace;
mod lease;
mod lock;
mod query;
mod refusal;
mod txn;
mod views;

#[cfg(test)]
mod tests;

pub use keyspace::{Attach, DeleteResult, KeyRange, KeyValue, Put, PutResult};
pub use lease::{Granted, MIN_TTL_S, TimeToLive};
pub use lock::{Held, Locking, SESSION_TTL_S, Settled, Ticket, lock_key};
pub use query::{Query, RangeResult, SortBy};
pub use refusal::Refusal;
pub use txn::{MAX_TXN_OPS, Txn, TxnCompare, TxnOp, TxnOpResult, TxnRelation, TxnResult, TxnTarget};

use std::collections::BTreeMap;

use keyspace::Keyspace;
use lease::Leases;
use lock::Waiter;

/// A deliberate mistake, so that a test can show that it is caught.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LockModelFlaw {
    /// A lock is granted though another holds it.
    GrantsTwice,
    /// A waiter whose lease ended while it queued is told that it holds the lock: what etcd itself did before it looked
    /// whether the key is still there (etcd#11456; Debian's 3.4.23 still does).
    GrantsDeadWaiters,
    /// A lock is free whose holder is out of sight.
    ForgetsHolders,
    /// Every comparison of a transaction holds.
    ComparesNothing,
}

/// The state of an etcd as far as locks need it. Equal states answer equally, whatever led to them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LockService {
    keyspace: Keyspace,
    leases: Leases,
    waiters: BTreeMap<Ticket, Waiter>,
    now_ms: u64,
    flaw: Option<LockModelFlaw>,
    /// The answers to calls that have waited for their turn, and have not been told.
    turns: Vec<Settled>,
}

impl Default for LockService {
    fn default() -> Self {
        Self::new(MIN_TTL_S)
    }
}

impl LockService {
    /// An empty service at revision 1 and time 0, where no lease is granted for less than `min_ttl_s` seconds.
    #[must_use]
    pub fn new(min_ttl_s: i64) -> Self {
        LockService {
            keyspace: Keyspace::default(),
            leases: Leases::new(min_ttl_s),
            waiters: BTreeMap::new(),
            now_ms: 0,
            flaw: None,
            turns: Vec::new(),
        }
    }

    /// The same service with a mistake in it.
    #[must_use]
    pub fn with_flaw(mut self, flaw: LockModelFlaw) -> Self {
        self.flaw = Some(flaw);
        self
    }

    /// The revision of the last change. A call that changes anything raises it by one, however much it changes.
    #[must_use]
    pub fn revision(&self) -> i64 {
        self.keyspace.revision
    }

    /// The time of the last [`advance`](Self::advance).
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Lets time pass, and ends the leases that expire by then: the one that expires first goes first, and each takes its
    /// keys along in a revision of its own. Time never runs backwards: an earlier time is no time at all.
    ///
    /// etcd looks for expired leases twice a second; here they end on the millisecond.
    pub fn advance(&mut self, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
        for lease in self.leases.expired(self.now_ms) {
            self.end_lease(lease);
        }
    }
}
