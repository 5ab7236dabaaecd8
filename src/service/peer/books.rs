//! What a peer does with a charge. The model and the server ask the same code.

use std::collections::BTreeMap;

use crate::terms::{AccountId, Answer, Effect, MessageId};

/// What became of a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charged {
    /// It was done, and this is the balance.
    Done(Answer),
    /// A charge with the same key was done before, and this was its answer.
    Before(Answer),
    /// The key came before with another charge.
    OtherCharge,
}

/// The accounts, and what came of each key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct PeerBooks {
    pub(super) accounts: BTreeMap<AccountId, i64>,
    keys: BTreeMap<MessageId, (Effect, Answer)>,
}

impl PeerBooks {
    /// Adds the amount to the account. With a key, only if the key did not come before.
    pub(super) fn charge(&mut self, effect: Effect, key: Option<MessageId>) -> Charged {
        if let Some((before, answer)) = key.and_then(|key| self.keys.get(&key)) {
            return if *before == effect { Charged::Before(*answer) } else { Charged::OtherCharge };
        }
        let balance = self.accounts.entry(effect.account).or_default();
        *balance = balance.saturating_add(effect.amount.into());
        let answer = Answer(*balance);
        if let Some(key) = key {
            self.keys.insert(key, (effect, answer));
        }
        Charged::Done(answer)
    }

    /// Whether nothing was ever done.
    pub(super) fn are_new(&self) -> bool {
        self.accounts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Effect = Effect { account: AccountId(3), amount: 10 };

    #[test]
    fn a_key_has_a_charge_done_once_and_no_key_every_time() {
        let mut books = PeerBooks::default();
        assert_eq!(books.charge(TEN, Some(MessageId(1))), Charged::Done(Answer(10)));
        assert_eq!(books.charge(TEN, None), Charged::Done(Answer(20)));
        assert_eq!(books.charge(TEN, None), Charged::Done(Answer(30)));
        assert_eq!(books.charge(TEN, Some(MessageId(1))), Charged::Before(Answer(10)));
        assert_eq!(books.charge(TEN, Some(MessageId(2))), Charged::Done(Answer(40)));
        let other = Effect { amount: 11, ..TEN };
        assert_eq!(books.charge(other, Some(MessageId(2))), Charged::OtherCharge);
        assert_eq!(books.accounts.into_iter().collect::<Vec<_>>(), [(AccountId(3), 40)]);
    }
}
