//! Effects as keys of etcd: where the mark of a message is, where its entries of the ledger are, and what they say.
//!
//! A delivery's entry has a key of its own, and etcd counts how often a key was put: so no put of an entry hides another.

#[cfg(feature = "lab")]
use crate::service::written;
use crate::terms::{Answer, Effect, MessageId};
#[cfg(feature = "lab")]
use crate::terms::{Delivery, Entry, Role};

/// What the keys of the ledger's entries begin with.
#[cfg(feature = "lab")]
pub(super) const ENTRIES: &str = "ledger/";

/// The key of a message's id. Ids are written with all their digits, so that the order of keys is that of ids.
pub(super) fn mark_key(message: MessageId) -> String {
    format!("id/{:010}", message.0)
}

/// What is answered when an effect is recorded: the entry changes no account, so that it is the amount.
pub(super) fn answer(effect: Effect) -> Answer {
    Answer(effect.amount.into())
}

/// The answer in the value of a message's key.
pub(super) fn read_answer(value: &[u8]) -> Option<Answer> {
    std::str::from_utf8(value).ok()?.parse().ok().map(Answer)
}

/// The key of the entry that a delivery makes.
#[cfg(feature = "lab")]
pub(super) fn entry_key(message: MessageId, by: Delivery) -> String {
    format!("{ENTRIES}{:010}/{}.{}", message.0, by.attempt, by.copy)
}

/// The value of an entry.
#[cfg(feature = "lab")]
pub(super) fn entry_value(effect: Effect) -> String {
    effect.to_string()
}

/// A key of the ledger as etcd tells of it: its name behind the prefix, its value, and when and how often it was put.
#[cfg(feature = "lab")]
#[derive(Debug, Clone, Copy)]
pub(super) struct EntryKey<'k> {
    pub name: &'k str,
    pub value: &'k str,
    pub create_revision: i64,
    pub mod_revision: i64,
    pub version: i64,
}

/// Every put of a key puts an entry: the first in the revision that created the key, the others, as far as anybody can tell, in that of
/// its last put. Nothing if the key or its value is not one of the ledger's.
#[cfg(feature = "lab")]
pub(super) fn puts_of(key: EntryKey<'_>) -> Option<impl Iterator<Item = (i64, Entry)>> {
    let (message, by) = key.name.strip_prefix(ENTRIES)?.split_once('/')?;
    let (attempt, copy) = by.split_once('.')?;
    let Effect { account, amount } = written::effect(key.value)?;
    let entry = Entry {
        role: Role::LOCK,
        number: 0,
        message: MessageId(message.parse().ok()?),
        account,
        amount: amount.into(),
        balance: amount.into(),
        token: None,
        by: Delivery { attempt: attempt.parse().ok()?, copy: copy.parse().ok()? },
    };
    let revision = move |put: i64| if put == 0 { key.create_revision } else { key.mod_revision };
    Some((0..key.version).map(move |put| (revision(put), entry)))
}

#[cfg(all(test, feature = "lab"))]
mod tests {
    use super::*;
    use crate::terms::AccountId;

    fn puts(name: &str, value: &str, version: i64) -> Option<Vec<(i64, Entry)>> {
        let key = EntryKey { name, value, create_revision: 5, mod_revision: 9, version };
        Some(puts_of(key)?.collect())
    }

    #[test]
    fn an_entry_is_read_back_as_it_was_written() {
        let (effect, by) = (Effect { account: AccountId(3), amount: -7 }, Delivery { attempt: 2, copy: 1 });
        let read = puts(&entry_key(MessageId(12), by), &entry_value(effect), 1).unwrap();
        let [(5, entry)] = read.as_slice() else { panic!("{read:?}") };
        assert_eq!((entry.message, entry.account, entry.amount, entry.by), (MessageId(12), AccountId(3), -7, by));
    }

    #[test]
    fn a_second_put_of_the_same_entry_is_a_second_entry() {
        let read = puts("ledger/0000000001/0.0", "+1 to 0", 3).unwrap();
        assert_eq!(read.iter().map(|(revision, _)| *revision).collect::<Vec<_>>(), [5, 9, 9]);
    }

    #[test]
    fn what_is_no_entry_is_rejected() {
        for (name, value) in [
            ("ledger/1", "+1 to 0"),
            ("ledger/x/0.0", "+1 to 0"),
            ("ledger/1/0", "+1 to 0"),
            ("ledger/1/0.900", "+1 to 0"),
            ("id/1/0.0", "+1 to 0"),
            ("ledger/1/0.0", "one to 0"),
            ("ledger/1/0.0", ""),
        ] {
            assert_eq!(puts(name, value, 1), None, "{name} {value}");
        }
    }
}
