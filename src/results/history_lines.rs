//! Requests, the ledger's entries and the accounts' last balances, as lines of a history.

use serde::{Deserialize, Serialize};

use super::text::parse_delivery;
use crate::terms::{AccountId, ClientId, Effect, Entry, MessageId, Request, Token};

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
}

/// The balance of an account in the end.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BalanceLine {
    pub balance_of: u32,
    pub is: i64,
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
        }
    }
}

impl EntryLine {
    /// What the line says; none if it names no delivery.
    pub fn entry(&self) -> Option<Entry> {
        Some(Entry {
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
