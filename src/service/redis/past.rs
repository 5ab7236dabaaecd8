//! What a step touches of a Redis. It depends only on what the step's own lane has done before, so that it stays the same when others
//! change places.

use super::op::{BALANCE, ID, LOCK, RedisOp};
use super::response::RedisResponse;
use super::vote::Master;
use crate::service::contract::Operation;
use crate::service::modelled::Past;
use crate::service::touched::Touched;
use crate::service::{Acts, Item, Whose};
use crate::terms::{OutcomeOf, Profile};

/// Every lock, also at one of three masters.
const LOCKS: u64 = 0xff | 0x7 << 40;
/// Every id.
const IDS: u64 = 0x3f_ffff << 16;

fn bit(item: &Item) -> u64 {
    match item.which {
        Whose::Account(account) if item.place == LOCK => 1 << (account.0 % 8),
        Whose::Account(account) if item.place == BALANCE => 1 << (8 + account.0 % 8),
        Whose::Message(message) if item.place == ID => 1 << (16 + message.0.min(21)),
        Whose::Account(_) | Whose::Any if let Some(at) = Master::of_place(item.place) => 1 << (40 + at.0),
        Whose::Any if item.place == LOCK => LOCKS,
        Whose::Any if item.place == ID => IDS,
        Whose::Account(_) | Whose::Message(_) | Whose::Client(_) | Whose::Asked(_) | Whose::Any => u64::MAX,
    }
}

fn bits(items: &[Item]) -> u64 {
    items.iter().map(bit).fold(0, |a, b| a | b)
}

/// What a lane has done in its present attempt, as far as its next step depends on it.
#[derive(Debug, Clone, Copy, Default)]
pub struct RedisPast {
    /// It may hold a lock.
    locked: bool,
    /// It may have set an id, or its next operation asks for one.
    marked: bool,
}

impl Past for RedisPast {
    type Op = RedisOp;
    type Response = RedisResponse;

    fn follow(mut self, op: RedisOp, outcome: OutcomeOf<RedisResponse>) -> Self {
        if op.acts().any(Acts::ENTERS.and(Acts::LEASES)) {
            self.locked |= !matches!(outcome, OutcomeOf::Failed(_));
        }
        self.marked |= op.acts().any(Acts::TAKES);
        self
    }

    fn touch(self, op: RedisOp, _: Profile) -> Touched {
        let footprint = op.footprint();
        Touched { reads: bits(&footprint.reads), writes: bits(&footprint.writes) }
    }

    /// Whoever asks to leave has left.
    fn unmade(op: RedisOp) -> Touched {
        if op.acts().any(Acts::LEAVES) { Touched::writes(bits(&op.footprint().writes)) } else { Touched::NOTHING }
    }

    fn expiry(self, before: Option<RedisOp>) -> Touched {
        let marked = self.marked || before.is_some_and(|op| op.acts().any(Acts::TAKES));
        let locks = if self.locked { LOCKS } else { 0 };
        Touched::writes(locks | if marked { IDS } else { 0 })
    }

    /// Whoever is inside leaves with the end of its attempt.
    fn over(self) -> Touched {
        if self.locked { Touched::writes(LOCKS) } else { Touched::NOTHING }
    }
}
