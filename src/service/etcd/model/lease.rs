//! Leases: granted for a time, kept alive, revoked or expired; their keys go with them.

use std::collections::{BTreeMap, BTreeSet};

use super::exploring::rename_key;
use super::{LockService, Refusal};
use crate::terms::LeaseId;

/// The least that etcd grants with its default settings: one and a half election timeouts of 1 s, rounded up.
pub const MIN_TTL_S: i64 = 2;

/// The most that etcd grants.
const MAX_TTL_S: i64 = 9_000_000_000;

/// A lease that was granted, which may be for longer than was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Granted {
    pub id: LeaseId,
    pub ttl_s: i64,
}

/// How much longer a lease lives.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TimeToLive {
    pub granted_ttl_s: i64,
    /// Rounded down, as etcd does.
    pub remaining_s: i64,
    /// The keys that are attached to it, in the order of their names.
    pub keys: Vec<Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Lease {
    ttl_s: i64,
    expires_at_ms: u64,
    keys: BTreeSet<Vec<u8>>,
}

impl Lease {
    fn refresh(&mut self, now_ms: u64) {
        self.expires_at_ms = now_ms.saturating_add(self.ttl_s.unsigned_abs().saturating_mul(1000));
    }
}

/// The leases that are alive.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Leases {
    alive: BTreeMap<LeaseId, Lease>,
    /// The last id that was given out; ids are not given out again.
    last_id: i64,
    min_ttl_s: i64,
}

impl Leases {
    pub(super) fn new(min_ttl_s: i64) -> Self {
        Leases { alive: BTreeMap::new(), last_id: 0, min_ttl_s }
    }

    pub(super) fn get(&self, id: LeaseId) -> Option<&Lease> {
        self.alive.get(&id)
    }

    /// The leases that have expired by now, the first to expire first.
    pub(super) fn expired(&self, now_ms: u64) -> Vec<LeaseId> {
        let due = self.alive.iter().filter(|(_, lease)| lease.expires_at_ms <= now_ms);
        let mut due: Vec<_> = due.map(|(id, lease)| (lease.expires_at_ms, *id)).collect();
        due.sort_unstable();
        due.into_iter().map(|(_, id)| id).collect()
    }

    pub(super) fn attach(&mut self, id: Option<LeaseId>, key: &[u8]) {
        if let Some(lease) = id.and_then(|id| self.alive.get_mut(&id)) {
            lease.keys.insert(key.to_vec());
        }
    }

    /// Whether anything is attached to a lease.
    pub(super) fn has_keys(&self, id: LeaseId) -> bool {
        self.alive.get(&id).is_some_and(|lease| !lease.keys.is_empty())
    }

    /// Forgets a lease to which nothing is attached.
    pub(super) fn drop_lease(&mut self, id: LeaseId) {
        self.alive.remove(&id);
    }

    /// Takes a lease over as others have it.
    pub(super) fn take_over(&mut self, id: LeaseId, from: &Leases) {
        self.alive.extend(from.alive.get(&id).map(|lease| (id, lease.clone())));
    }

    /// Gives every lease another id, and its keys the names that go with it.
    pub(super) fn rename(&mut self, to: &mut impl FnMut(LeaseId) -> LeaseId) {
        let rename = |(id, mut lease): (LeaseId, Lease)| {
            lease.keys = lease.keys.iter().map(|key| rename_key(key, id, to(id))).collect();
            (to(id), lease)
        };
        self.alive = std::mem::take(&mut self.alive).into_iter().map(rename).collect();
    }

    pub(super) fn detach(&mut self, id: Option<LeaseId>, key: &[u8]) {
        if let Some(lease) = id.and_then(|id| self.alive.get_mut(&id)) {
            lease.keys.remove(key);
        }
    }
}

impl LockService {
    /// Grants a lease from now on, for at least the least that the service grants. Without an id it is given one.
    ///
    /// # Errors
    /// [`Refusal::LeaseExists`], [`Refusal::LeaseTtlTooLarge`]
    pub fn grant(&mut self, id: Option<LeaseId>, ttl_s: i64) -> Result<Granted, Refusal> {
        if ttl_s > MAX_TTL_S {
            return Err(Refusal::LeaseTtlTooLarge);
        }
        let id = id.unwrap_or_else(|| {
            self.leases.last_id += 1;
            while self.leases.alive.contains_key(&LeaseId(self.leases.last_id)) {
                self.leases.last_id += 1;
            }
            LeaseId(self.leases.last_id)
        });
        if self.leases.alive.contains_key(&id) {
            return Err(Refusal::LeaseExists);
        }
        let ttl_s = ttl_s.max(self.leases.min_ttl_s);
        let mut lease = Lease { ttl_s, expires_at_ms: 0, keys: BTreeSet::new() };
        lease.refresh(self.now_ms);
        self.leases.alive.insert(id, lease);
        Ok(Granted { id, ttl_s })
    }

    /// Ends a lease, and deletes its keys in one revision.
    ///
    /// # Errors
    /// [`Refusal::LeaseNotFound`]
    pub fn revoke(&mut self, id: LeaseId) -> Result<(), Refusal> {
        if self.end_lease(id) { Ok(()) } else { Err(Refusal::LeaseNotFound) }
    }

    /// Lets a lease live for its whole time again from now on, and gives that time in seconds; nothing if the lease is
    /// not alive.
    pub fn keep_alive(&mut self, id: LeaseId) -> Option<i64> {
        let lease = self.leases.alive.get_mut(&id)?;
        lease.refresh(self.now_ms);
        Some(lease.ttl_s)
    }

    /// How much longer a lease lives; nothing if it is not alive.
    #[must_use]
    pub fn time_to_live(&self, id: LeaseId) -> Option<TimeToLive> {
        let lease = self.leases.get(id)?;
        // Bounded by the most that is granted, so it always fits.
        let remaining_s = (lease.expires_at_ms.saturating_sub(self.now_ms) / 1000) as i64;
        Some(TimeToLive { granted_ttl_s: lease.ttl_s, remaining_s, keys: lease.keys.iter().cloned().collect() })
    }

    /// The leases that are alive, by id.
    pub fn leases(&self) -> impl Iterator<Item = LeaseId> {
        self.leases.alive.keys().copied()
    }

    /// When the next lease expires unless it is kept alive.
    #[must_use]
    pub fn next_expiry(&self) -> Option<u64> {
        self.leases.alive.values().map(|lease| lease.expires_at_ms).min()
    }

    /// Revocation and expiry are the same transition.
    pub(super) fn end_lease(&mut self, id: LeaseId) -> bool {
        let Some(lease) = self.leases.alive.remove(&id) else { return false };
        for key in &lease.keys {
            self.keyspace.records.remove(key);
        }
        self.keyspace.revision += i64::from(!lease.keys.is_empty());
        true
    }
}
