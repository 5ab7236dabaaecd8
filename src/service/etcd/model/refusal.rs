//! Why the lock service refuses a call, in etcd's words.

/// A refusal. Its text is what etcd sends, so that a client that looks at the text is not misled.
///
/// Source: etcd 3.5, `api/v3rpc/rpctypes/error.go`; for the session, `client/v3/concurrency/mutex.go`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// The lease was never granted, was revoked, or has expired.
    #[error("etcdserver: requested lease not found")]
    LeaseNotFound,
    /// A lease of this id is alive.
    #[error("etcdserver: lease already exists")]
    LeaseExists,
    /// More than 9,000,000,000 seconds.
    #[error("etcdserver: too large lease TTL")]
    LeaseTtlTooLarge,
    /// The waiter's turn came, and its key is gone.
    #[error("mutex: session is expired")]
    SessionExpired,
    /// The empty key.
    #[error("etcdserver: key is not provided")]
    EmptyKey,
    /// A put that keeps the value or the lease of a key that does not exist.
    #[error("etcdserver: key not found")]
    KeyNotFound,
    /// A transaction that changes a key twice.
    #[error("etcdserver: duplicate key given in txn request")]
    DuplicateKey,
    /// A transaction with more comparisons or operations than etcd takes by default.
    #[error("etcdserver: too many operations in txn request")]
    TooManyOps,
    /// A read of a revision before the newest.
    #[error("etcdserver: mvcc: required revision has been compacted")]
    Compacted,
    /// A read of a revision that is yet to come.
    #[error("etcdserver: mvcc: required revision is a future revision")]
    FutureRevision,
}
