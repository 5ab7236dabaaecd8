//! How messages and effects are written in text: in operations, and in the records of services that keep text.

use crate::terms::{AccountId, Effect, MessageId};
#[cfg(feature = "lab")]
use crate::terms::{Delivery, Entry, Role};

/// The message that is written as `m7`.
pub(super) fn message(text: &str) -> Option<MessageId> {
    text.strip_prefix('m')?.parse().ok().map(MessageId)
}

/// The effect that is written as `+10 to 3`, as [`Effect`] is displayed.
pub(super) fn effect(text: &str) -> Option<Effect> {
    let (amount, account) = text.split_once(" to ")?;
    Some(Effect { account: AccountId(account.parse().ok()?), amount: amount.parse().ok()? })
}

/// The message and its effect that are written as `m7 +10 to 3`.
pub(super) fn message_and_effect(text: &str) -> Option<(MessageId, Effect)> {
    let (id, rest) = text.split_once(' ')?;
    Some((message(id)?, effect(rest)?))
}

/// The record of an effect that was applied for a delivery: `m7 +10 to 3 by 1.2`.
#[cfg(feature = "lab")]
pub(super) fn record(message: MessageId, effect: Effect, by: Delivery) -> String {
    format!("m{} {effect} by {}.{}", message.0, by.attempt, by.copy)
}

/// The entry that a record is, in a ledger of this role's: without its number, and with the amount as its balance. Nothing if the lab has
/// not written it.
#[cfg(feature = "lab")]
pub(super) fn read_record(text: &str, role: Role) -> Option<Entry> {
    let (applied, by) = text.split_once(" by ")?;
    let (message, effect) = message_and_effect(applied)?;
    let (attempt, copy) = by.split_once('.')?;
    Some(Entry {
        role,
        number: 0,
        message,
        account: effect.account,
        amount: effect.amount.into(),
        balance: effect.amount.into(),
        token: None,
        by: Delivery { attempt: attempt.parse().ok()?, copy: copy.parse().ok()? },
    })
}

#[cfg(all(test, feature = "lab"))]
mod tests {
    use super::*;

    const EFFECT: Effect = Effect { account: AccountId(3), amount: -5 };
    const BY: Delivery = Delivery { attempt: 1, copy: 2 };

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let text = record(MessageId(7), EFFECT, BY);
        assert_eq!(text, "m7 -5 to 3 by 1.2");
        let read = read_record(&text, Role::CACHE).unwrap();
        assert_eq!((read.role, read.message, read.account, read.amount), (Role::CACHE, MessageId(7), AccountId(3), -5));
        assert_eq!((read.balance, read.by), (-5, BY));
        assert_eq!(effect(&EFFECT.to_string()), Some(EFFECT));
    }

    #[test]
    fn what_the_lab_has_not_written_is_none() {
        for other in ["", "7 -5 to 3 by 1.2", "m7 -5 to 3", "m7 x to 3 by 1.2", "m7 -5 to 3 by 1", "m7 to 3 by 1.2"] {
            assert!(read_record(other, Role::BROKER).is_none(), "{other}");
        }
    }
}
