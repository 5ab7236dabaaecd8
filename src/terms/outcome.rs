//! The three outcomes of an operation.

/// What a strategy can know of an operation that it made. Three outcomes, never two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutcomeOf<R> {
    /// It was done, and this is what came back.
    Ok(R),
    /// It was certainly not done, and never will be.
    Failed(Failure),
    /// Timed out or cut: it may have been done, or may be done later.
    Unknown,
}

impl<R> OutcomeOf<R> {
    /// The same with another response.
    #[inline]
    pub fn map<T>(self, response: impl FnOnce(R) -> T) -> OutcomeOf<T> {
        match self {
            OutcomeOf::Ok(it) => OutcomeOf::Ok(response(it)),
            OutcomeOf::Failed(failure) => OutcomeOf::Failed(failure),
            OutcomeOf::Unknown => OutcomeOf::Unknown,
        }
    }
}

/// Why an operation was certainly not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// The store could not order this transaction among the others (SQLSTATE 40001).
    SerializationFailure,
    /// The transaction was the victim of a deadlock (SQLSTATE 40P01).
    Deadlock,
    /// The store was busy with another writer for too long (`SQLITE_BUSY`).
    Busy,
    /// The operation belongs to a transaction, and none is open (SQLSTATE 25P01), or it has failed (25P02).
    NoTransaction,
    /// The store has seen a higher fencing token for this account.
    StaleToken,
    /// The store has seen another lease first for this account.
    OtherLease,
    /// The lock service no longer knows the lease: the session is expired.
    LeaseExpired,
    /// The broker no longer takes what comes in this session of a producer: another one has begun, or its numbers have a gap.
    SessionOver,
    /// The backend cannot be reached; nothing was sent.
    Unavailable,
    /// There is no such account.
    NoAccount,
}

impl Failure {
    /// Every failure with the name that it has in files.
    pub const NAMES: [(Failure, &'static str); 10] = [
        (Failure::SerializationFailure, "serialization_failure"),
        (Failure::Deadlock, "deadlock"),
        (Failure::Busy, "busy"),
        (Failure::NoTransaction, "no_transaction"),
        (Failure::StaleToken, "stale_token"),
        (Failure::OtherLease, "other_lease"),
        (Failure::LeaseExpired, "lease_expired"),
        (Failure::SessionOver, "session_over"),
        (Failure::Unavailable, "unavailable"),
        (Failure::NoAccount, "no_account"),
    ];

    /// The name of this failure in files and tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        let named = Self::NAMES.iter().find(|(failure, _)| *failure == self);
        named.expect("every failure has a name").1
    }

    /// The failure with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Failure> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(failure, _)| *failure)
    }
}

/// Why a handler has no answer for its client.
///
/// The trouble of an operation goes on to the client with `?`. A strategy may also look at it:
///
/// ```
/// use oncelab::terms::{Failure, Trouble};
///
/// /// Whether the operation may have been done all the same.
/// fn may_be_done(trouble: Trouble) -> bool {
///     match trouble {
///         Trouble::Unknown => true,
///         Trouble::Failed(_) | Trouble::InProgress | Trouble::Refused => false,
///     }
/// }
/// assert!(may_be_done(Trouble::Unknown));
/// assert!(!may_be_done(Trouble::Failed(Failure::Deadlock)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// An operation was certainly not done.
    Failed(Failure),
    /// An operation may or may not have been done.
    Unknown,
    /// Another delivery of the request holds a claim on it (HTTP 409): ask again later.
    InProgress,
    /// The request is refused for good, whatever the client does (HTTP 412, 422).
    Refused,
}

impl Trouble {
    /// Whether this is the last word on a request: no retry of it can succeed.
    #[must_use]
    pub fn is_final(self) -> bool {
        self == Trouble::Refused
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::Failed(failure) => write!(f, "failed: {failure}"),
            Trouble::Unknown => f.write_str("unknown"),
            Trouble::InProgress => f.write_str("in_progress"),
            Trouble::Refused => f.write_str("refused"),
        }
    }
}
