//! Transactions: if all comparisons hold, these operations, else those; in one revision.

use std::cmp::Ordering;

use super::keyspace::check_key;
use super::{DeleteResult, KeyRange, LockModelFlaw, LockService, Put, PutResult, Query, RangeResult, Refusal};
use crate::terms::LeaseId;

/// As many comparisons, and as many operations in either branch, as etcd takes by default (`--max-txn-ops`).
pub const MAX_TXN_OPS: usize = 128;

/// How the two sides of a comparison must stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TxnRelation {
    Equal,
    NotEqual,
    Greater,
    Less,
}

/// Which property of a key is compared, and with what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TxnTarget {
    Value(Vec<u8>),
    Version(i64),
    CreateRevision(i64),
    ModRevision(i64),
    /// The id of the lease that the key is attached to; 0 for none.
    Lease(LeaseId),
}

/// A comparison. Over a range it holds if it holds for every key. A key that does not exist has version 0 and revisions
/// 0, and no value: no comparison of its value holds, not even that it differs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TxnCompare {
    pub keys: KeyRange,
    pub relation: TxnRelation,
    pub target: TxnTarget,
}

/// One operation of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TxnOp {
    Put(Put),
    Delete(KeyRange),
    Range(Query),
}

/// A transaction.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Txn {
    pub compare: Vec<TxnCompare>,
    pub success: Vec<TxnOp>,
    pub failure: Vec<TxnOp>,
}

/// What one operation of a transaction did. It sees what the operations before it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TxnOpResult {
    Put(PutResult),
    Delete(DeleteResult),
    Range(RangeResult),
}

/// What a transaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TxnResult {
    pub revision: i64,
    /// Whether all comparisons held.
    pub succeeded: bool,
    /// The results of the branch that was taken, in its order.
    pub results: Vec<TxnOpResult>,
}

impl LockService {
    /// Carries out a transaction: all of the branch that was taken, or nothing.
    ///
    /// # Errors
    /// [`Refusal::TooManyOps`], [`Refusal::DuplicateKey`] and [`Refusal::EmptyKey`] for either branch; whatever an
    /// operation of the branch taken is refused with.
    pub fn txn(&mut self, txn: Txn) -> Result<TxnResult, Refusal> {
        if txn.compare.len().max(txn.success.len()).max(txn.failure.len()) > MAX_TXN_OPS {
            return Err(Refusal::TooManyOps);
        }
        txn.compare.iter().try_for_each(|compare| check_key(&compare.keys.start))?;
        check_branch(&txn.success)?;
        check_branch(&txn.failure)?;

        let succeeded = txn.compare.iter().all(|compare| self.holds(compare));
        let branch = if succeeded { txn.success } else { txn.failure };
        for op in &branch {
            match op {
                TxnOp::Put(put) => self.check_put(put)?,
                TxnOp::Range(query) => self.check_query(query)?,
                TxnOp::Delete(_) => {}
            }
        }

        let begun_at = self.revision();
        let mut revision = begun_at;
        let mut results = Vec::with_capacity(branch.len());
        for op in branch {
            results.push(match op {
                TxnOp::Put(put) => {
                    revision = begun_at + 1;
                    TxnOpResult::Put(PutResult { revision, previous: self.put_at(revision, put) })
                }
                TxnOp::Delete(keys) => {
                    let deleted = self.delete(&keys);
                    if !deleted.is_empty() {
                        revision = begun_at + 1;
                    }
                    TxnOpResult::Delete(DeleteResult { revision, deleted })
                }
                TxnOp::Range(query) => TxnOpResult::Range(self.read(&query, revision)),
            });
        }
        self.keyspace.revision = revision;
        Ok(TxnResult { revision, succeeded, results })
    }

    fn holds(&self, compare: &TxnCompare) -> bool {
        if self.flaw == Some(LockModelFlaw::ComparesNothing) {
            return true;
        }
        let satisfied = |ordering| match compare.relation {
            TxnRelation::Equal => ordering == Ordering::Equal,
            TxnRelation::NotEqual => ordering != Ordering::Equal,
            TxnRelation::Greater => ordering == Ordering::Greater,
            TxnRelation::Less => ordering == Ordering::Less,
        };
        let mut keys = self.keyspace.range(&compare.keys).map(|(_, record)| record).peekable();
        if keys.peek().is_none() {
            return match &compare.target {
                TxnTarget::Value(_) => false,
                TxnTarget::Version(other)
                | TxnTarget::CreateRevision(other)
                | TxnTarget::ModRevision(other)
                | TxnTarget::Lease(LeaseId(other)) => satisfied(0.cmp(other)),
            };
        }
        keys.all(|record| {
            satisfied(match &compare.target {
                TxnTarget::Value(value) => record.value.cmp(value),
                TxnTarget::Version(version) => record.version.cmp(version),
                TxnTarget::CreateRevision(revision) => record.create_revision.cmp(revision),
                TxnTarget::ModRevision(revision) => record.mod_revision.cmp(revision),
                TxnTarget::Lease(lease) => record.lease.unwrap_or(LeaseId(0)).cmp(lease),
            })
        })
    }
}

/// No key may be put twice in a branch, nor put and deleted. To delete it twice is fine.
fn check_branch(branch: &[TxnOp]) -> Result<(), Refusal> {
    for (index, op) in branch.iter().enumerate() {
        match op {
            TxnOp::Range(query) => check_key(&query.keys.start)?,
            TxnOp::Delete(keys) => check_key(&keys.start)?,
            TxnOp::Put(put) => {
                check_key(&put.key)?;
                let clashes = branch.iter().enumerate().any(|(other, op)| match op {
                    TxnOp::Put(second) => other != index && second.key == put.key,
                    TxnOp::Delete(keys) => keys.contains(&put.key),
                    TxnOp::Range(_) => false,
                });
                if clashes {
                    return Err(Refusal::DuplicateKey);
                }
            }
        }
    }
    Ok(())
}
