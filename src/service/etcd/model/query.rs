//! Reads of a range of keys: filtered, sorted, cut off.

use std::cmp::Ordering;

use super::keyspace::check_key;
use super::{KeyRange, KeyValue, LockService, Refusal};

/// What a read is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SortBy {
    Key,
    Version,
    CreateRevision,
    ModRevision,
    Value,
}

/// A read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Query {
    pub keys: KeyRange,
    /// The revision to read at; 0 for the newest.
    pub revision: i64,
    /// At most so many keys; 0 for all.
    pub limit: usize,
    /// Nothing: by key, ascending.
    pub sort_by: Option<SortBy>,
    pub descending: bool,
    /// Bounds on the revisions, inclusive; 0 for none.
    pub min_mod_revision: i64,
    pub max_mod_revision: i64,
    pub min_create_revision: i64,
    pub max_create_revision: i64,
    /// Leave the values out.
    pub keys_only: bool,
    /// Leave the keys out, too.
    pub count_only: bool,
}

impl Query {
    /// A read of everything in a range.
    #[must_use]
    pub fn of(keys: KeyRange) -> Self {
        Query { keys, ..Query::default() }
    }

    fn admits(&self, mod_revision: i64, create_revision: i64) -> bool {
        let within = |revision, min, max| revision >= min && (max == 0 || revision <= max);
        within(mod_revision, self.min_mod_revision, self.max_mod_revision)
            && within(create_revision, self.min_create_revision, self.max_create_revision)
    }

    fn compare(&self, a: &KeyValue, b: &KeyValue) -> Ordering {
        let ascending = match self.sort_by.unwrap_or(SortBy::Key) {
            SortBy::Key => a.key.cmp(&b.key),
            SortBy::Version => a.version.cmp(&b.version),
            SortBy::CreateRevision => a.create_revision.cmp(&b.create_revision),
            SortBy::ModRevision => a.mod_revision.cmp(&b.mod_revision),
            SortBy::Value => a.value.cmp(&b.value),
        };
        if self.descending { ascending.reverse() } else { ascending }
    }
}

/// What a read found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeResult {
    pub revision: i64,
    pub found: Vec<KeyValue>,
    /// How many keys the range holds, whatever was filtered out or cut off.
    pub count: usize,
    /// Whether the limit cut something off.
    pub more: bool,
}

impl LockService {
    /// Reads a range of keys.
    ///
    /// # Errors
    /// [`Refusal::EmptyKey`], and [`Refusal::Compacted`] or [`Refusal::FutureRevision`] for any revision but the newest.
    pub fn range(&self, query: &Query) -> Result<RangeResult, Refusal> {
        self.check_query(query)?;
        Ok(self.read(query, self.revision()))
    }

    pub(super) fn check_query(&self, query: &Query) -> Result<(), Refusal> {
        check_key(&query.keys.start)?;
        match query.revision.cmp(&self.revision()) {
            Ordering::Greater => Err(Refusal::FutureRevision),
            Ordering::Less if query.revision > 0 => Err(Refusal::Compacted),
            _ => Ok(()),
        }
    }

    /// Reads for a query that was checked.
    pub(super) fn read(&self, query: &Query, revision: i64) -> RangeResult {
        let count = self.keyspace.range(&query.keys).count();
        if query.count_only {
            return RangeResult { revision, found: Vec::new(), count, more: false };
        }
        let admitted = self
            .keyspace
            .range(&query.keys)
            .filter(|(_, record)| query.admits(record.mod_revision, record.create_revision));
        let mut found: Vec<KeyValue> =
            admitted.map(|(key, record)| record.clone().into_key_value(key.clone())).collect();
        found.sort_by(|a, b| query.compare(a, b));
        let more = query.limit > 0 && found.len() > query.limit;
        if more {
            found.truncate(query.limit);
        }
        if query.keys_only {
            found.iter_mut().for_each(|key_value| key_value.value.clear());
        }
        RangeResult { revision, found, count, more }
    }
}
