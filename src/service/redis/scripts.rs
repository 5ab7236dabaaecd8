//! The scripts, by their text: a server runs the text, and the embedded server knows each by it.

/// KEYS: the lock. ARGV: the value. Deletes the key if it has this value.
pub(super) const DELETE_IF: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

/// KEYS: the lock, its counter. ARGV: the value, the time to live in milliseconds. Sets the lock and raises the counter, if the lock is not
/// there: the number, or nothing.
pub(super) const SET_AND_COUNT: &str = "if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then \
     return redis.call('INCR', KEYS[2]) end return false";

/// ARGV: the keys that are meant, as a pattern. Deletes them.
pub(super) const FORGET: &str =
    "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end return 0";

/// ARGV: the keys that are meant, as a pattern. Those run out that live for a time.
pub(super) const RUN_OUT: &str = "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do \
     if redis.call('PTTL', key) > 0 then redis.call('PEXPIRE', key, 0) end end return 0";

/// KEYS: the id, the balance, the ledger. ARGV: the amount, the entry but for its balance, the time to live in milliseconds. Applies the
/// effect if the id is not there: 1 and the balance, or 0 and what is there.
pub(super) const APPLY_IF_NEW: &str = "local there = redis.call('GET', KEYS[1]) if there then return {0, there} end \
     local balance = redis.call('INCRBY', KEYS[2], ARGV[1]) redis.call('RPUSH', KEYS[3], ARGV[2] .. ' ' .. balance) \
     redis.call('SET', KEYS[1], balance, 'PX', ARGV[3]) return {1, balance}";

/// KEYS: the balance, the ledger. ARGV: the amount, the entry but for its balance. Applies the effect: the balance.
pub(super) const APPLY: &str = "local balance = redis.call('INCRBY', KEYS[1], ARGV[1]) \
     redis.call('RPUSH', KEYS[2], ARGV[2] .. ' ' .. balance) return balance";
