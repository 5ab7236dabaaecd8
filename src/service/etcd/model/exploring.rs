//! What an explorer asks of the lock service beside its calls: who stands in the way, and states under other names.

use super::keyspace::KeyRange;
use super::lock::lock_key;
use super::{LockModelFlaw, LockService};
use crate::terms::LeaseId;

impl LockService {
    /// Whether a lease lives.
    #[must_use]
    pub fn is_alive(&self, lease: LeaseId) -> bool {
        self.leases.get(lease).is_some()
    }

    /// Whether it has the mistake of granting what another holds.
    #[must_use]
    pub fn grants_twice(&self) -> bool {
        self.flaw == Some(LockModelFlaw::GrantsTwice)
    }

    /// The leases whose keys a call of [`lock`](LockService::lock) under this lease would have to wait for, by age.
    #[must_use]
    pub fn leases_ahead(&self, name: &[u8], lease: LeaseId) -> Vec<LeaseId> {
        let own = self.keyspace.records.get(&lock_key(name, lease)).map(|record| record.create_revision);
        let queue = KeyRange::prefix([name, b"/"].concat());
        let older =
            self.keyspace.range(&queue).filter(|(_, record)| own.is_none_or(|own| record.create_revision < own));
        let mut ahead: Vec<_> = older.filter_map(|(_, record)| Some((record.create_revision, record.lease?))).collect();
        ahead.sort_unstable();
        ahead.into_iter().map(|(_, lease)| lease).collect()
    }

    /// Gives every lease the id that the function says, and the locks that are held under it their new names. No two may get
    /// the same.
    pub(super) fn rename_leases(&mut self, to: &mut impl FnMut(LeaseId) -> LeaseId) {
        self.leases.rename(to);
        self.keyspace.records = std::mem::take(&mut self.keyspace.records)
            .into_iter()
            .map(|(key, mut record)| {
                let Some(lease) = record.lease else { return (key, record) };
                let renamed = to(lease);
                record.lease = Some(renamed);
                (rename_key(&key, lease, renamed), record)
            })
            .collect();
    }

    /// The same state with revisions that say nothing but the order of the keys: for those who never look at a token.
    #[must_use]
    pub fn with_revisions_forgotten(mut self) -> Self {
        self.forget_revisions();
        self
    }

    pub(super) fn forget_revisions(&mut self) {
        let mut revisions: Vec<i64> = self.keyspace.records.values().map(|record| record.create_revision).collect();
        revisions.sort_unstable();
        let place = |revision| revisions.partition_point(|other| *other < revision) as i64 + 2;
        for record in self.keyspace.records.values_mut() {
            record.create_revision = place(record.create_revision);
            record.mod_revision = record.create_revision;
            record.version = 1;
        }
        self.keyspace.revision = revisions.len() as i64 + 1;
    }
}

/// A lock's key that is named after one lease, named after another.
pub(super) fn rename_key(key: &[u8], from: LeaseId, to: LeaseId) -> Vec<u8> {
    match key.strip_suffix(lock_key(b"", from).as_slice()) {
        Some(name) => lock_key(name, to),
        None => key.to_vec(),
    }
}
