//! The words that a strategy has for a lock service.

use super::EtcdService;
use super::op::{LockOp, LockResponse};
use crate::service::contract::{Asked, Carries, CarriesAll};
#[cfg(doc)]
use crate::terms::Failure;
use crate::terms::{AccountId, Answer, LeaseId, LockKey, Request, Role, Token, Trouble};

/// A lock that is held, as far as its holder knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lock {
    pub key: LockKey,
    pub token: Token,
}

/// A lock service, as a strategy asks it.
pub struct LockClient<'w, C> {
    pub(super) carrier: &'w mut C,
    pub(super) role: Role,
}

/// Declares a method that makes one operation and gives one kind of response.
macro_rules! operation {
    ($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty)?) -> $gives:ty, $op:expr) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// [`Trouble::Failed`] if it was certainly not done, [`Trouble::Unknown`] if nobody can tell.
        #[inline]
        pub fn $name(self $(, $arg: $type)?) -> Asked<C::Call, LockResponse, $gives> {
            Asked::by(self.carrier.carry(self.role, $op))
        }
    };
}

impl<'w, C: Carries<'w, EtcdService>> LockClient<'w, C> {
    operation! {
        /// A new lease of the lock service, as long as the experiment says.
        grant_lease() -> LeaseId, LockOp::GrantLease
    }
    operation! {
        /// Waits for the lock on an account, and gives its fencing token.
        acquire(key: LockKey) -> Token, LockOp::acquire(key)
    }
    operation! {
        /// Deletes the lock's key.
        release(key: LockKey) -> (), LockOp::release(key)
    }
    operation! {
        /// Ends a lease, and deletes the keys attached to it.
        revoke(lease: LeaseId) -> (), LockOp::Revoke(lease)
    }
    operation! {
        /// Lets a lease live as long again as when it was granted. Fails with [`Failure::LeaseExpired`] if it is gone.
        keep_alive(lease: LeaseId) -> (), LockOp::KeepAlive(lease)
    }
    operation! {
        /// In one transaction of etcd's: if the key of the message's id was never created (its create revision is 0), puts the key with
        /// the answer, and an entry of the ledger; else reads the answer that the key has.
        record_once(request: &Request) -> Answer, LockOp::record_once(request)
    }
    operation! {
        /// Puts an entry of the ledger, whatever there is already.
        record(request: &Request) -> Answer, LockOp::record(request)
    }
}

impl<C: CarriesAll<EtcdService>> LockClient<'_, C> {
    fn again(&mut self) -> LockClient<'_, C> {
        LockClient { carrier: self.carrier, role: self.role }
    }

    /// Enters the critical section of an account: `grant lease; acquire`. If the lock cannot be had, the lease is
    /// revoked, as far as that is possible, so that what was queued does not stand in the way of others.
    ///
    /// # Errors
    /// The trouble of the operation that did not succeed.
    pub async fn enter(mut self, account: AccountId) -> Result<Lock, Trouble> {
        let lease = self.again().grant_lease().await?;
        let key = LockKey { account, lease };
        match self.again().acquire(key).await {
            Ok(token) => Ok(Lock { key, token }),
            Err(trouble) => {
                let _ = self.again().revoke(lease).await;
                Err(trouble)
            }
        }
    }

    /// Leaves the critical section: `release; revoke`. Trouble is ignored: what was done inside is done, and a lease
    /// that could not be revoked expires.
    pub async fn leave(mut self, lock: Lock) {
        let _ = self.again().release(lock.key).await;
        let _ = self.again().revoke(lock.key.lease).await;
    }
}
