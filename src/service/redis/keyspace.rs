//! What commands and scripts do to keys. The model and the embedded server ask the same code; only how they keep keys is their own.

/// The value of a key, as far as the lab sets any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum RedisValue {
    /// Somebody has set an id, and has no answer yet.
    Claimed,
    Number(i64),
}

/// RedisCommands with their values. What has run out is not there.
pub(super) trait RedisCommands {
    type Key;

    fn get(&self, key: &Self::Key) -> Option<RedisValue>;

    /// Sets a key; one that `lives` only for a time is gone when that is over.
    fn set(&mut self, key: &Self::Key, value: RedisValue, lives: bool);

    fn delete(&mut self, key: &Self::Key) -> bool;

    /// `SET key value NX PX`: whether it was not there.
    fn set_if_new(&mut self, key: &Self::Key, value: RedisValue) -> bool {
        let is_new = self.get(key).is_none();
        if is_new {
            self.set(key, value, true);
        }
        is_new
    }

    /// `INCRBY`: the new number. What is no number counts as 0, since the lab asks for none.
    fn add(&mut self, key: &Self::Key, amount: i64) -> i64 {
        let before = match self.get(key) {
            Some(RedisValue::Number(number)) => number,
            Some(RedisValue::Claimed) | None => 0,
        };
        let after = before.saturating_add(amount);
        self.set(key, RedisValue::Number(after), false);
        after
    }

    /// The script that deletes a key if it has this value: whether it had.
    fn delete_if(&mut self, key: &Self::Key, value: RedisValue) -> bool {
        self.get(key) == Some(value) && self.delete(key)
    }

    /// The script that sets a lock's key and raises its counter: the number, if the key was not there.
    fn set_and_count(&mut self, lock: &Self::Key, counter: &Self::Key, value: RedisValue) -> Option<i64> {
        self.set_if_new(lock, value).then(|| self.add(counter, 1))
    }

    /// The script that adds an amount to a balance, and sets the id to the balance, if the id is not there.
    fn apply_if_new(&mut self, id: &Self::Key, balance: &Self::Key, amount: i64) -> AppliedOnce {
        if let Some(there) = self.get(id) {
            return AppliedOnce::Before(there);
        }
        let after = self.add(balance, amount);
        self.set(id, RedisValue::Number(after), true);
        AppliedOnce::Now(after)
    }
}

/// What became of an effect that is applied once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AppliedOnce {
    /// The id was there, with this value.
    Before(RedisValue),
    /// It was applied, and this is the balance.
    Now(i64),
}
