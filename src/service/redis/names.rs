//! What keys are called, and what an entry of the ledger says.

use super::keyspace::RedisValue;
use super::vote::Master;
use crate::service::written;
use crate::terms::{AccountId, Delivery, Effect, Entry, MessageId, Role};

/// The names of keys behind a prefix.
#[derive(Debug, Clone)]
pub(super) struct KeyNames(pub String);

impl KeyNames {
    pub fn lock(&self, account: AccountId) -> String {
        format!("{}/lock/{}", self.0, account.0)
    }

    pub fn counter(&self, account: AccountId) -> String {
        format!("{}/counter/{}", self.0, account.0)
    }

    pub fn id(&self, message: MessageId) -> String {
        format!("{}/id/{}", self.0, message.0)
    }

    pub fn balance(&self, account: AccountId) -> String {
        format!("{}/{}", self.balances(), account.0)
    }

    pub fn ledger(&self) -> String {
        format!("{}/ledger", self.0)
    }

    /// What the names of balances begin with.
    pub fn balances(&self) -> String {
        format!("{}/balance", self.0)
    }

    /// The lock at one of several masters.
    pub fn vote(&self, at: Master, account: AccountId) -> String {
        format!("{}/vote/{at}/{}", self.0, account.0)
    }

    /// What is written to see whether a replica gets it.
    pub fn written(&self) -> String {
        format!("{}/written", self.0)
    }

    /// Every key behind the prefix, as SCAN takes it.
    pub fn every(&self) -> String {
        format!("{}/*", self.0)
    }
}

/// The text of a value.
pub(super) fn text_of(value: RedisValue) -> String {
    match value {
        RedisValue::Claimed => "claimed".to_owned(),
        RedisValue::Number(number) => number.to_string(),
    }
}

/// The value of a text; nothing if the lab has not written it.
pub(super) fn value_of(text: &[u8]) -> Option<RedisValue> {
    match text {
        b"claimed" => Some(RedisValue::Claimed),
        number => std::str::from_utf8(number).ok()?.parse().ok().map(RedisValue::Number),
    }
}

/// The name of a delivery: positive, and no other has it.
pub(super) fn name_of(message: MessageId, by: Delivery) -> i64 {
    1 + (i64::from(message.0) << 16 | i64::from(by.attempt) << 8 | i64::from(by.copy))
}

/// An entry of the ledger but for its balance, which the server appends.
pub(super) fn entry(message: MessageId, effect: Effect, by: Delivery) -> String {
    written::record(message, effect, by) + " ="
}

/// Reads an entry, the so many-th; nothing if it is none.
pub(super) fn read_entry(text: &str, number: u64, role: Role) -> Option<Entry> {
    let (record, balance) = text.split_once(" = ")?;
    Some(Entry { number, balance: balance.parse().ok()?, ..written::read_record(record, role)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_back_as_it_was_written() {
        let (effect, by) = (Effect { account: AccountId(3), amount: -5 }, Delivery { attempt: 1, copy: 2 });
        let written = entry(MessageId(7), effect, by) + " 42";
        let read = read_entry(&written, 9, Role::CACHE).unwrap();
        assert_eq!((read.number, read.message, read.account), (9, MessageId(7), AccountId(3)));
        assert_eq!((read.amount, read.balance, read.by, read.role), (-5, 42, by, Role::CACHE));
        assert_eq!(read_entry("m7 -5 to 3 by 1.2", 1, Role::CACHE), None);
    }

    #[test]
    fn a_value_reads_back_as_it_was_written() {
        for value in [RedisValue::Claimed, RedisValue::Number(-3)] {
            assert_eq!(value_of(text_of(value).as_bytes()), Some(value));
        }
        assert_eq!(value_of(b"what"), None);
    }
}
