//! The shapes that effects have.

/// What an effect of a strategy changes, and so what the ledger says of it. All effects of a strategy have one shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Shape {
    /// An amount is added to an account. Each entry has the balance after it, which is the one before it plus the amount.
    #[default]
    Account,
    /// An entry in the ledger is all that there is: an event, a job, a mail.
    Entry,
    /// A value under a key is set or deleted, whatever it was: the account is the key, its balance the value, and 0 is none. The
    /// ledger is the journal of who set it. To set the same value once more is no second effect.
    Register,
}
