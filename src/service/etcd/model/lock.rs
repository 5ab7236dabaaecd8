//! The lock and its queue, as etcd's lock service builds them from keys.
//!
//! Whoever wants a lock puts a key named after the lock and its lease, and waits until no older key of that lock is left.
//! The queue is the keys themselves, in the order of their create revisions.
//!
//! Faults of etcd's that are kept, since the lab exists to show them: a waiter whose lease ends learns of it only when its
//! turn comes (etcd#19597); an unlock deletes whatever key bears the name, also that of a newer lock (etcd#22082); and at
//! its turn a waiter looks only whether a key of its name exists, not whether it is the one it queued with.

use std::collections::BTreeMap;

use super::keyspace::{DeleteResult, KeyRange, Put};
use super::{LockModelFlaw, LockService, Refusal};
use crate::terms::LeaseId;

/// What etcd grants to a call of `Lock` that comes without a lease. Nobody keeps it alive.
pub const SESSION_TTL_S: i64 = 60;

/// A call of `Lock` that waits, by a number that the caller chose.
///
/// The caller chooses it so that the service counts nothing that its answers do not depend on: the explorer merges states
/// that are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// A lock, as its holder is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Held {
    /// The key to unlock.
    pub key: Vec<u8>,
    /// The revision that created the key. etcd does not tell it to the caller of `Lock`.
    pub create_revision: i64,
    /// The service's revision when it answered, which etcd puts into the response's header. It is the create revision if
    /// the lock was free, else higher. It grows from holder to holder, since the holder before had its key deleted first.
    pub revision: i64,
}

/// What becomes of a call of `Lock` at first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Locking {
    Held(Held),
    /// It is queued; [`LockService::take_settled`] will return its ticket.
    Waiting,
}

/// A call that no longer waits, with its answer.
pub type Settled = (Ticket, Result<Held, Refusal>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Waiter {
    /// All keys of the lock.
    queue: KeyRange,
    key: Vec<u8>,
    /// The create revision of its key when it was queued. It waits for the keys before that.
    queued_at: i64,
}

/// The key of a lock that is held or waited for under a lease: `name/lease`, the lease in hexadecimal.
#[must_use]
pub fn lock_key(name: &[u8], lease: LeaseId) -> Vec<u8> {
    // Go prints a negative number in hexadecimal with a sign, Rust as its complement.
    let sign = if lease.0 < 0 { "-" } else { "" };
    [name, format!("/{sign}{:x}", lease.0.unsigned_abs()).as_bytes()].concat()
}

impl LockService {
    /// Queues for a lock. With the same lease again it is the same place in the queue, or the same lock.
    ///
    /// # Errors
    /// [`Refusal::LeaseNotFound`]
    ///
    /// # Panics
    /// If the ticket is waiting already.
    pub fn lock(&mut self, name: &[u8], lease: Option<LeaseId>, ticket: Ticket) -> Result<Locking, Refusal> {
        assert!(!self.waiters.contains_key(&ticket), "ticket {} is waiting already", ticket.0);
        let lease = match lease {
            Some(lease) => lease,
            None => self.grant(None, SESSION_TTL_S)?.id,
        };
        let key = lock_key(name, lease);
        if !self.keyspace.records.contains_key(&key) {
            self.put(Put::new(key.as_slice(), "").with_lease(lease))?;
        }
        let queued_at = self.keyspace.records[&key].create_revision;
        let queue = KeyRange::prefix([name, b"/"].concat());
        if self.oldest_in(&queue) == Some(queued_at) || self.flaw == Some(LockModelFlaw::GrantsTwice) {
            return Ok(Locking::Held(Held { key, create_revision: queued_at, revision: self.revision() }));
        }
        self.waiters.insert(ticket, Waiter { queue, key, queued_at });
        Ok(Locking::Waiting)
    }

    /// Deletes the key of a lock. If there is none, that is fine.
    ///
    /// # Errors
    /// [`Refusal::EmptyKey`]
    pub fn unlock(&mut self, key: &[u8]) -> Result<DeleteResult, Refusal> {
        self.delete_range(&KeyRange::key(key))
    }

    /// Gives up waiting, and deletes the waiter's key; false if the ticket was not waiting.
    pub fn cancel(&mut self, ticket: Ticket) -> bool {
        let Some(waiter) = self.waiters.remove(&ticket) else { return false };
        let deleted = self.delete(&KeyRange::key(waiter.key));
        self.keyspace.revision += i64::from(!deleted.is_empty());
        true
    }

    /// The calls that are waiting.
    pub fn waiting(&self) -> impl Iterator<Item = Ticket> {
        self.waiters.keys().copied()
    }

    /// Takes out the calls whose turn has come, in the order of their tickets. To be asked after every call that may
    /// have deleted something; asked again, it gives nothing.
    pub fn take_settled(&mut self) -> Vec<Settled> {
        let mut oldest = BTreeMap::new();
        let mut ready = Vec::new();
        for (ticket, waiter) in &self.waiters {
            // Many waiters of one lock are the case that hurts, so its queue is searched once and not once for each.
            let oldest = oldest.entry(&waiter.queue.start).or_insert_with(|| self.oldest_in(&waiter.queue));
            if oldest.is_none_or(|revision| revision >= waiter.queued_at) {
                ready.push(*ticket);
            }
        }
        let settle = |ticket| {
            let waiter = self.waiters.remove(&ticket)?;
            Some((ticket, self.answer(waiter)))
        };
        ready.into_iter().filter_map(settle).collect()
    }

    /// What a waiter is told when its turn has come.
    fn answer(&self, Waiter { key, queued_at, .. }: Waiter) -> Result<Held, Refusal> {
        let revision = self.revision();
        match self.keyspace.records.get(&key) {
            Some(record) => Ok(Held { key, create_revision: record.create_revision, revision }),
            None if self.flaw == Some(LockModelFlaw::GrantsDeadWaiters) => {
                Ok(Held { key, create_revision: queued_at, revision })
            }
            None => Err(Refusal::SessionExpired),
        }
    }

    fn oldest_in(&self, queue: &KeyRange) -> Option<i64> {
        self.keyspace.range(queue).map(|(_, record)| record.create_revision).min()
    }
}
