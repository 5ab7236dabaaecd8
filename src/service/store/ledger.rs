//! The ledger's entries and the accounts' balances, as they are read back.

/// Which accounts and messages are meant, each from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    pub accounts: (i64, i64),
    pub messages: (i64, i64),
}

impl Scope {
    /// All of them.
    pub const EVERYTHING: Scope = Scope { accounts: (i64::MIN, i64::MAX), messages: (i64::MIN, i64::MAX) };
}

/// A number of a row as an id. What no id of the lab can be becomes the greatest, which no client ever sends.
pub(super) fn id(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A number of a row as a part of a delivery; the greatest if it cannot be one.
pub(super) fn small(number: i64) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}
