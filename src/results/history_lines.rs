//! Requests, the ledger's entries and the accounts' last balances, as lines of a history.

use serde::{Deserialize, Serialize};

use super::text::parse_delivery;
use crate::terms::{AccountId, ClientId, Effect, Entry, MessageId, Request, Role, Token};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestLine {
    pub request: u32,
    client: u32,
    seq: u32,
    account: u32,
    amount: i32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntryLine {
    entry: u64,
    m: u32,
    account: u32,
    amount: i64,
    balance: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<std::num::NonZeroI64>,
    d: String,
    /// The role of the store in whose ledger it stands; none is the first store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<String>,
}

/// The balance of an account in the end.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BalanceLine {
    balance_of: u32,
    is: i64,
    /// As in an entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<String>,
}

/// How a line names a store: the first one needs no name.
fn named(role: Role) -> Option<String> {
    (role != Role::STORE).then(|| role.name().to_owned())
}

/// The store that a line names; none if there is no such role.
fn role_of(at: Option<&str>) -> Option<Role> {
    at.map_or(Some(Role::STORE), Role::from_name)
}

impl BalanceLine {
    /// The line of an account's balance at the store in a role.
    pub fn new(role: Role, (account, balance): (AccountId, i64)) -> Self {
        BalanceLine { balance_of: account.0, is: balance, at: named(role) }
    }

    /// What the line says; none if it names no role.
    pub fn balance(&self) -> Option<(Role, (AccountId, i64))> {
        Some((role_of(self.at.as_deref())?, (AccountId(self.balance_of), self.is)))
    }
}

impl From<&Entry> for EntryLine {
    fn from(entry: &Entry) -> Self {
        EntryLine {
            entry: entry.number,
            m: entry.message.0,
            account: entry.account.0,
            amount: entry.amount,
            balance: entry.balance,
            token: entry.token.map(|token| token.0),
            d: entry.by.to_string(),
            at: named(entry.role),
        }
    }
}

impl EntryLine {
    /// What the line says; none if it names no delivery or no role.
    pub fn entry(&self) -> Option<Entry> {
        Some(Entry {
            role: role_of(self.at.as_deref())?,
            number: self.entry,
            message: MessageId(self.m),
            account: AccountId(self.account),
            amount: self.amount,
            balance: self.balance,
            token: self.token.map(Token),
            by: parse_delivery(&self.d)?,
        })
    }
}

impl From<&Request> for RequestLine {
    fn from(request: &Request) -> Self {
        let Request { id, client, sequence, effect } = *request;
        RequestLine { request: id.0, client: client.0, seq: sequence, account: effect.account.0, amount: effect.amount }
    }
}

impl From<RequestLine> for Request {
    fn from(line: RequestLine) -> Self {
        Request {
            id: MessageId(line.request),
            client: ClientId(line.client),
            sequence: line.seq,
            effect: Effect { account: AccountId(line.account), amount: line.amount },
        }
    }
}
