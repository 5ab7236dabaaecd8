//! What a store is found to hold: the ledger's entries and the accounts' balances.

use super::{AccountId, Delivery, MessageId, Token};

/// The balance of each account.
pub type Balances = Vec<(AccountId, i64)>;

/// One effect, as the store recorded it in the same transaction that applied it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entry {
    /// The place in the ledger: effects on one account are numbered in the order in which they were applied.
    pub number: u64,
    pub message: MessageId,
    pub account: AccountId,
    /// Whatever the store holds: a strategy with SQL of its own can write what no request asks for.
    pub amount: i64,
    /// The account's balance right after the effect.
    pub balance: i64,
    /// The fencing token under which it was accepted.
    pub token: Option<Token>,
    /// The delivery that applied it.
    pub by: Delivery,
}
