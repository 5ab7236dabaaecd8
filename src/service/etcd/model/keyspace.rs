//! Keys, their values and their revisions; puts and deletions.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::{LockService, Refusal};
use crate::terms::LeaseId;

/// A key as it is read: with its value and where it stands in the order of changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyValue {
    pub key: Vec<u8>,
    pub value: Vec<u8>,
    /// The revision that created the key. A key that was deleted and put again is a new one.
    pub create_revision: i64,
    /// The revision of its last put.
    pub mod_revision: i64,
    /// How often it was put since it was created.
    pub version: i64,
    /// The lease that it is attached to.
    pub lease: Option<LeaseId>,
}

/// A single key or a range of them, in etcd's own encoding.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct KeyRange {
    pub start: Vec<u8>,
    /// Empty: only `start`. One zero byte: `start` and everything after it. Else the first key beyond the range.
    pub end: Vec<u8>,
}

impl KeyRange {
    /// Only this key.
    pub fn key(key: impl Into<Vec<u8>>) -> Self {
        KeyRange { start: key.into(), end: Vec::new() }
    }

    /// Every key that begins with this prefix.
    pub fn prefix(prefix: impl Into<Vec<u8>>) -> Self {
        let start = prefix.into();
        let mut end = start.clone();
        while end.pop_if(|byte| *byte == u8::MAX).is_some() {}
        match end.last_mut() {
            Some(byte) => *byte += 1,
            None => end.push(0),
        }
        KeyRange { start, end }
    }

    /// Whether the key lies in the range.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        match self.end.as_slice() {
            [] => key == self.start,
            [0] => *key >= *self.start,
            end => *key >= *self.start && key < end,
        }
    }
}

/// A put, before it is made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Put {
    pub key: Vec<u8>,
    /// Nothing: the value stays as it is.
    pub value: Option<Vec<u8>>,
    pub lease: Attach,
}

/// What a put does to the lease of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Attach {
    /// The key is attached to this lease, or to none, and detached from the one it was attached to.
    To(Option<LeaseId>),
    /// The key stays attached to what it is attached to.
    Keep,
}

impl Put {
    /// A put of a value without a lease.
    pub fn new(key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        Put { key: key.into(), value: Some(value.into()), lease: Attach::To(None) }
    }

    /// The same put with the key attached to a lease.
    #[must_use]
    pub fn with_lease(self, lease: LeaseId) -> Self {
        Put { lease: Attach::To(Some(lease)), ..self }
    }
}

/// What a put did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutResult {
    pub revision: i64,
    /// The key as it was before.
    pub previous: Option<KeyValue>,
}

/// What a deletion did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteResult {
    pub revision: i64,
    /// The keys as they were before.
    pub deleted: Vec<KeyValue>,
}

/// All that is known of a key besides its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Record {
    pub(super) value: Vec<u8>,
    pub(super) create_revision: i64,
    pub(super) mod_revision: i64,
    pub(super) version: i64,
    pub(super) lease: Option<LeaseId>,
}

impl Record {
    pub(super) fn into_key_value(self, key: Vec<u8>) -> KeyValue {
        let Record { value, create_revision, mod_revision, version, lease } = self;
        KeyValue { key, value, create_revision, mod_revision, version, lease }
    }
}

/// The newest revision of every key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Keyspace {
    pub(super) revision: i64,
    pub(super) records: BTreeMap<Vec<u8>, Record>,
}

impl Default for Keyspace {
    fn default() -> Self {
        Keyspace { revision: 1, records: BTreeMap::new() }
    }
}

impl Keyspace {
    /// The keys of a range, in the order of their names.
    pub(super) fn range<'a>(&'a self, keys: &'a KeyRange) -> impl Iterator<Item = (&'a Vec<u8>, &'a Record)> {
        let from = keys.start.as_slice();
        // BTreeMap panics over a range that ends before it begins; to etcd it is merely empty.
        let upto = match keys.end.as_slice() {
            [] => Bound::Included(from),
            [0] => Bound::Unbounded,
            end => Bound::Excluded(end.max(from)),
        };
        self.records.range::<[u8], _>((Bound::Included(from), upto))
    }
}

impl LockService {
    /// Puts one key.
    ///
    /// # Errors
    /// [`Refusal::EmptyKey`], [`Refusal::LeaseNotFound`], or [`Refusal::KeyNotFound`] if there is nothing to keep.
    pub fn put(&mut self, put: Put) -> Result<PutResult, Refusal> {
        self.check_put(&put)?;
        let revision = self.revision() + 1;
        let previous = self.put_at(revision, put);
        self.keyspace.revision = revision;
        Ok(PutResult { revision, previous })
    }

    /// Deletes the keys of a range. If there are none, nothing changes and the revision stays.
    ///
    /// # Errors
    /// [`Refusal::EmptyKey`]
    pub fn delete_range(&mut self, keys: &KeyRange) -> Result<DeleteResult, Refusal> {
        check_key(&keys.start)?;
        let deleted = self.delete(keys);
        self.keyspace.revision += i64::from(!deleted.is_empty());
        Ok(DeleteResult { revision: self.revision(), deleted })
    }

    pub(super) fn check_put(&self, put: &Put) -> Result<(), Refusal> {
        check_key(&put.key)?;
        if let Attach::To(Some(lease)) = put.lease {
            self.leases.get(lease).ok_or(Refusal::LeaseNotFound)?;
        }
        if (put.value.is_none() || put.lease == Attach::Keep) && !self.keyspace.records.contains_key(&put.key) {
            return Err(Refusal::KeyNotFound);
        }
        Ok(())
    }

    /// Puts a key that was checked, at a revision that the caller then makes the newest.
    pub(super) fn put_at(&mut self, revision: i64, put: Put) -> Option<KeyValue> {
        let Put { key, value, lease } = put;
        let previous = self.keyspace.records.remove(&key);
        let attached = previous.as_ref().and_then(|record| record.lease);
        let lease = match lease {
            Attach::To(lease) => lease,
            Attach::Keep => attached,
        };
        if lease != attached {
            self.leases.detach(attached, &key);
            self.leases.attach(lease, &key);
        }
        let record = Record {
            value: value.or_else(|| previous.as_ref().map(|record| record.value.clone())).unwrap_or_default(),
            create_revision: previous.as_ref().map_or(revision, |record| record.create_revision),
            mod_revision: revision,
            version: previous.as_ref().map_or(1, |record| record.version + 1),
            lease,
        };
        self.keyspace.records.insert(key.clone(), record);
        previous.map(|record| record.into_key_value(key))
    }

    /// Deletes without a new revision, which is the caller's affair.
    pub(super) fn delete(&mut self, keys: &KeyRange) -> Vec<KeyValue> {
        let names: Vec<Vec<u8>> = self.keyspace.range(keys).map(|(key, _)| key.clone()).collect();
        let remove = |key: Vec<u8>| {
            let record = self.keyspace.records.remove(&key)?;
            self.leases.detach(record.lease, &key);
            Some(record.into_key_value(key))
        };
        names.into_iter().filter_map(remove).collect()
    }
}

pub(super) fn check_key(key: &[u8]) -> Result<(), Refusal> {
    if key.is_empty() { Err(Refusal::EmptyKey) } else { Ok(()) }
}
