//! What a store is found to hold: the ledger's entries and the accounts' balances.

use super::{AccountId, ByRole, Delivery, MessageId, Role, Token};

/// The balance of each account of one store.
pub type Balances = Vec<(AccountId, i64)>;

/// One effect, as the store recorded it in the same transaction that applied it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entry {
    /// The role of the store whose ledger it stands in.
    pub role: Role,
    /// The place in its ledger: effects on one account are numbered in the order in which they were applied.
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

/// The ledger of the service in each role; empty where nothing keeps one.
pub type Ledgers = ByRole<Vec<Entry>>;

impl Ledgers {
    /// The entries of all of them, in the order of roles and of each ledger, each with the role of its ledger.
    #[must_use]
    pub fn joined(&self) -> Vec<Entry> {
        let all = self.iter().flat_map(|(role, ledger)| ledger.iter().map(move |entry| Entry { role, ..*entry }));
        all.collect()
    }
}

/// Effects in the order in which they were committed, in the order of roles: each ledger by itself, and numbered from 1.
#[must_use]
pub fn by_store(mut committed: Vec<Entry>) -> Vec<Entry> {
    if committed.iter().any(|entry| entry.role != Role::STORE) {
        committed.sort_by_key(|entry| entry.role);
        let mut next = ByRole([1_u64; Role::ALL.len()]);
        for entry in &mut committed {
            entry.number = next[entry.role];
            next[entry.role] += 1;
        }
    }
    committed
}
