//! What a lock service gives: leases, locks and tokens.

use super::AccountId;

/// A lease of the lock service, by the id that the service gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub i64);

/// A fencing token: a revision of the lock service at which its holder held the lock. It grows from holder to holder.
///
/// etcd's Lock answers with the create revision of the lock's key if the lock was free, and with the revision at which
/// the key before it was deleted if it was waited for; both are higher than any token given out before.
///
/// Source: M. Kleppmann, "How to do distributed locking" (2016).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub std::num::NonZeroI64);

/// A lock on an account, by the lease that holds it. etcd names the lock's key after both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LockKey {
    pub account: AccountId,
    pub lease: LeaseId,
}

impl std::fmt::Display for LockKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{:x}", self.account.0, self.lease.0)
    }
}
