//! What Redis does, without I/O, as far as the lab asks it.

use super::keyspace::{AppliedOnce, RedisCommands, RedisValue};
use super::op::RedisOp;
use super::past::RedisPast;
use super::response::RedisResponse;
use super::vote::{Master, Vote};
use super::{RedisModelFlaw, RedisService};
use crate::service::contract::{asked_id, asker_of};
use crate::service::modelled::{Asker, Called, Heir, Holder, Model, ModelSettings, Modelled, OutOfSight, Party, Timer};
use crate::service::{IdKind, Ids};
use crate::terms::{AccountId, Answer, Balances, Effect, Entry, LeaseId, MessageId, OutcomeOf, Session, Token};

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum ModelKey {
    /// Its value says who holds the lock.
    Lock(AccountId),
    Counter(AccountId),
    Id(MessageId),
    Balance(AccountId),
    /// As [`Lock`](ModelKey::Lock), at one of three masters.
    Vote(Master, AccountId),
}

impl ModelKey {
    /// The master that it is kept at.
    fn at(self) -> Master {
        match self {
            ModelKey::Vote(at, _) => at,
            ModelKey::Lock(_) | ModelKey::Counter(_) | ModelKey::Id(_) | ModelKey::Balance(_) => Master::FIRST,
        }
    }

    /// Whether its value says who holds it.
    fn is_held(self) -> bool {
        matches!(self, ModelKey::Lock(_) | ModelKey::Vote(..))
    }
}

/// The name that a delivery has drawn for itself: that of the first thing that it asks for.
fn name_of(by: &Asker) -> i64 {
    let (lane, attempt, _) = asker_of(by.id);
    asked_id(lane, attempt, 0)
}

/// What the replica of the first master has.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
enum ReplicaCopy {
    /// What the master has: whatever is written reaches it at once.
    #[default]
    Same,
    /// What the master had when the link broke.
    Older(Vec<(ModelKey, RedisValue)>),
    /// It is the master by now, and has no replica.
    Promoted,
}

/// The keys of a Redis. Few, so that a list in their order does.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct RedisKeys {
    keys: Vec<(ModelKey, RedisValue)>,
    replica: ReplicaCopy,
    flaw: Option<RedisModelFlaw>,
}

impl RedisCommands for RedisKeys {
    type Key = ModelKey;

    fn get(&self, key: &ModelKey) -> Option<RedisValue> {
        self.keys.binary_search_by_key(key, |(its, _)| *its).ok().map(|at| self.keys[at].1)
    }

    /// Locks and ids live for a time, and nothing else does.
    fn set(&mut self, key: &ModelKey, value: RedisValue, _: bool) {
        match self.keys.binary_search_by_key(key, |(its, _)| *its) {
            Ok(at) => self.keys[at].1 = value,
            Err(at) => self.keys.insert(at, (*key, value)),
        }
    }

    fn delete(&mut self, key: &ModelKey) -> bool {
        let place = self.keys.binary_search_by_key(key, |(its, _)| *its);
        place.map(|at| self.keys.remove(at)).is_ok()
    }
}

/// The timer of an id: below zero, where no acquisition of a lock is.
fn timer_of(message: MessageId) -> Timer {
    Timer(-1 - i64::from(message.0))
}

/// The timer of a key, if it has one.
fn timer(&(key, value): &(ModelKey, RedisValue)) -> Option<Timer> {
    match (key, value) {
        (ModelKey::Lock(_) | ModelKey::Vote(..), RedisValue::Number(holder)) => Some(Timer(holder)),
        (ModelKey::Id(message), _) => Some(timer_of(message)),
        (ModelKey::Lock(_) | ModelKey::Vote(..), RedisValue::Claimed)
        | (ModelKey::Counter(_) | ModelKey::Balance(_), _) => None,
    }
}

impl RedisKeys {
    fn with(flaw: Option<RedisModelFlaw>) -> Self {
        RedisKeys { flaw, ..RedisKeys::default() }
    }

    /// The keys, and those of a replica that the link to has broken.
    fn copies(&mut self) -> impl Iterator<Item = &mut Vec<(ModelKey, RedisValue)>> {
        let older = match &mut self.replica {
            ReplicaCopy::Older(keys) => Some(keys),
            ReplicaCopy::Same | ReplicaCopy::Promoted => None,
        };
        std::iter::once(&mut self.keys).chain(older)
    }

    fn has_flaw(&self, flaw: RedisModelFlaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn answer(&mut self, op: RedisOp, by: &Asker, ledger: &mut Vec<Entry>) -> RedisResponse {
        let own = RedisValue::Number(by.id);
        if let RedisOp::SetLock(account) | RedisOp::AskLock(account) | RedisOp::SetLockAndCount(account) = op
            && self.has_flaw(RedisModelFlaw::SetsWhatIsThere)
        {
            self.delete(&ModelKey::Lock(account));
        }
        match op {
            RedisOp::SetLock(account) | RedisOp::AskLock(account) => {
                match self.set_if_new(&ModelKey::Lock(account), own) {
                    true => RedisResponse::Locked(LeaseId(by.id)),
                    false => RedisResponse::Refused,
                }
            }
            RedisOp::SetLockAndCount(account) => {
                let number = self.set_and_count(&ModelKey::Lock(account), &ModelKey::Counter(account), own);
                let token = number.and_then(std::num::NonZeroI64::new).map(Token);
                token.map_or(RedisResponse::Refused, |token| RedisResponse::Counted(LeaseId(by.id), token))
            }
            RedisOp::CountLock(account) => {
                let number = self.add(&ModelKey::Counter(account), 1);
                let token = std::num::NonZeroI64::new(number).map(Token);
                token.map_or(RedisResponse::Refused, RedisResponse::Number)
            }
            RedisOp::DeleteOwnLock(account, value) => {
                match self.has_flaw(RedisModelFlaw::ComparesNothing) {
                    true => self.delete(&ModelKey::Lock(account)),
                    false => self.delete_if(&ModelKey::Lock(account), RedisValue::Number(value.0)),
                };
                RedisResponse::Done
            }
            RedisOp::WaitForReplica(_) => match self.replica {
                ReplicaCopy::Same => RedisResponse::Set,
                ReplicaCopy::Older(_) | ReplicaCopy::Promoted => RedisResponse::Refused,
            },
            RedisOp::CutLink => {
                if self.replica == ReplicaCopy::Same {
                    self.replica = ReplicaCopy::Older(self.keys.clone());
                }
                RedisResponse::Done
            }
            RedisOp::Promote => {
                if let ReplicaCopy::Older(keys) = std::mem::replace(&mut self.replica, ReplicaCopy::Promoted) {
                    self.keys = keys;
                }
                RedisResponse::Done
            }
            RedisOp::CompareLock(account, value) => {
                RedisResponse::Compared(self.get(&ModelKey::Lock(account)) == Some(RedisValue::Number(value.0)))
            }
            RedisOp::DeleteLock(account) => {
                self.delete(&ModelKey::Lock(account));
                RedisResponse::Done
            }
            RedisOp::SetOnce(message) => match self.set_if_new(&ModelKey::Id(message), RedisValue::Claimed) {
                true => RedisResponse::Set,
                false => RedisResponse::Refused,
            },
            RedisOp::SetAnswer(message, answer) => {
                self.set(&ModelKey::Id(message), RedisValue::Number(answer.0), true);
                RedisResponse::Done
            }
            RedisOp::GetState(message) => there(self.get(&ModelKey::Id(message))),
            RedisOp::ApplyOnce(message, effect) => {
                let balance = ModelKey::Balance(effect.account);
                match self.apply_if_new(&ModelKey::Id(message), &balance, effect.amount.into()) {
                    AppliedOnce::Before(value) => there(Some(value)),
                    AppliedOnce::Now(balance) => applied(message, effect, balance, by, ledger),
                }
            }
            RedisOp::ApplyAlways(message, effect) => {
                let balance = self.add(&ModelKey::Balance(effect.account), effect.amount.into());
                applied(message, effect, balance, by, ledger)
            }
            RedisOp::SetVote(vote) => {
                let key = ModelKey::Vote(vote.at, vote.account);
                if self.has_flaw(RedisModelFlaw::SetsWhatIsThere) {
                    self.delete(&key);
                }
                voted(vote, self.set_if_new(&key, RedisValue::Number(name_of(by))), name_of(by))
            }
            RedisOp::DeleteVote(vote) => {
                let key = ModelKey::Vote(vote.at, vote.account);
                match self.has_flaw(RedisModelFlaw::ComparesNothing) {
                    true => self.delete(&key),
                    false => self.delete_if(&key, RedisValue::Number(name_of(by))),
                };
                RedisResponse::Done
            }
            RedisOp::ForgetKeys(at) => {
                self.keys.retain(|(key, _)| key.at() != at);
                RedisResponse::Done
            }
            RedisOp::JumpAhead(at) => {
                self.keys.retain(|key| key.0.at() != at || timer(key).is_none());
                RedisResponse::Done
            }
        }
    }
}

/// What a master says of a vote, and what that makes of it under this name.
pub(super) fn voted(vote: Vote, is_set: bool, name: i64) -> RedisResponse {
    match (is_set, vote.decides()) {
        (false, _) => RedisResponse::Refused,
        (true, false) => RedisResponse::Set,
        (true, true) => RedisResponse::Locked(LeaseId(name)),
    }
}

/// What stands under an id, as a response.
pub(super) fn there(value: Option<RedisValue>) -> RedisResponse {
    match value {
        None => RedisResponse::Nothing,
        Some(RedisValue::Claimed) => RedisResponse::Claimed,
        Some(RedisValue::Number(answer)) => RedisResponse::Found(Answer(answer)),
    }
}

/// Appends an effect to the ledger.
fn applied(message: MessageId, effect: Effect, balance: i64, by: &Asker, ledger: &mut Vec<Entry>) -> RedisResponse {
    ledger.push(Entry {
        role: by.role,
        number: ledger.len() as u64 + 1,
        message,
        account: effect.account,
        amount: effect.amount.into(),
        balance,
        token: None,
        by: by.by,
    });
    RedisResponse::Applied(Answer(balance))
}

impl Model for RedisKeys {
    type Op = RedisOp;
    type Response = RedisResponse;

    fn call(&mut self, _: Session, op: &RedisOp, by: &Asker, ledger: &mut Vec<Entry>) -> Called<RedisResponse> {
        Ok(OutcomeOf::Ok(self.answer(*op, by, ledger)))
    }

    fn begin_again(&mut self) {
        self.keys.clear();
        self.replica = ReplicaCopy::Same;
    }

    fn has_names(&self) -> bool {
        let older = match &self.replica {
            ReplicaCopy::Older(keys) => keys.as_slice(),
            ReplicaCopy::Same | ReplicaCopy::Promoted => &[],
        };
        self.keys.iter().chain(older).any(|(key, _)| key.is_held())
    }

    fn rename(&mut self, _: &dyn Fn(Session) -> Session, ids: &mut impl Ids) {
        for (key, value) in self.copies().flatten() {
            if let (true, RedisValue::Number(holder)) = (key.is_held(), value) {
                *holder = ids.id(IdKind::Asked, *holder);
            }
        }
    }

    fn forget(&mut self, party: Party, heir: Heir) -> Result<(), OutOfSight> {
        for (key, value) in &mut self.keys {
            if let (true, RedisValue::Number(holder)) = (key.is_held(), value)
                && party.asked_for(*holder)
            {
                *holder = heir.id();
            }
        }
        Ok(())
    }

    fn adopt(&self, from: &Self, party: Party, _: Heir) -> Result<Vec<Self>, OutOfSight> {
        let mut with = self.clone();
        for (key, value) in &from.keys {
            if matches!(value, RedisValue::Number(holder) if key.is_held() && party.asked_for(*holder)) {
                with.set(key, *value, true);
            }
        }
        Ok(vec![with])
    }

    fn unheard(&self, _: Session, op: RedisOp) -> Option<RedisOp> {
        (!matches!(op, RedisOp::CompareLock(..) | RedisOp::GetState(_))).then_some(op)
    }

    fn count_on_from(&mut self, rank: i64) {
        for (key, value) in &mut self.keys {
            if matches!(key, ModelKey::Counter(_)) {
                *value = RedisValue::Number(rank);
            }
        }
    }

    /// Nobody looks at a number.
    fn without_ranks(mut self) -> Self {
        self.copies().for_each(|keys| keys.retain(|(key, _)| !matches!(key, ModelKey::Counter(_))));
        self
    }

    /// That of the newest lock of the attempt, or else of the id that it is at work on. Less than a majority is no lock.
    fn timer(&self, of: Holder) -> Option<Timer> {
        let is_its = |&Timer(holder): &Timer| {
            holder > 0 && matches!(asker_of(holder), (lane, attempt, _) if (lane, attempt) == (of.lane, of.attempt))
        };
        let votes = |of: Timer| {
            let is_vote = |key: &&(ModelKey, RedisValue)| matches!(key.0, ModelKey::Vote(..)) && timer(key) == Some(of);
            self.keys.iter().filter(is_vote).count()
        };
        let is_lock = |&of: &Timer| votes(of) == 0 || votes(of) >= usize::from(Master::MAJORITY);
        let own = self.keys.iter().filter_map(timer).filter(is_its).filter(is_lock).max();
        own.or_else(|| self.get(&ModelKey::Id(of.message)).map(|_| timer_of(of.message)))
    }

    fn fire(&mut self, fired: Timer) {
        self.copies().for_each(|keys| keys.retain(|key| timer(key) != Some(fired)));
    }

    /// The master has a replica again, too.
    fn settle(&mut self) {
        self.keys.retain(|key| timer(key).is_none());
        self.replica = ReplicaCopy::Same;
    }

    fn balances(&self) -> Balances {
        let balance = |(key, value): &(ModelKey, RedisValue)| match (key, value) {
            (ModelKey::Balance(account), RedisValue::Number(balance)) => Some((*account, *balance)),
            _ => None,
        };
        self.keys.iter().filter_map(balance).collect()
    }
}

impl Modelled for RedisService {
    type Model = RedisKeys;
    type Past = RedisPast;

    fn model(settings: &ModelSettings) -> RedisKeys {
        RedisKeys::with(settings.redis_flaw)
    }
}
