//! The ledger's entries, as they are read back.

use crate::world::{AccountId, Delivery, MessageId, Token};

/// One effect, as the store recorded it in the same transaction that applied it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entry {
    /// The place in the ledger: effects on one account are numbered in the order in which they were applied.
    pub number: u64,
    pub message: MessageId,
    pub account: AccountId,
    pub amount: i32,
    /// The account's balance right after the effect.
    pub balance: i64,
    /// The fencing token under which it was accepted.
    pub token: Option<Token>,
    /// The delivery that applied it.
    pub by: Delivery,
}
