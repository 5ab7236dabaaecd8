//! What can be asked of Redis, and what it answers.

use std::fmt;

use super::vote::{Master, Vote, master};
use crate::service::contract::Operation;
use crate::service::written::{message, message_and_effect};
use crate::service::{Acts, Footprint, HasIds, Ids, Item, Kind, Whose};
use crate::terms::{AccountId, Answer, Effect, LeaseId, LockKey, MessageId, Request};

/// An operation of Redis: one command, or one script. A lock's key belongs to an account, and its value says which acquisition holds
/// it. The name of an acquisition is a [`LeaseId`]: it is held for a time, and nobody else has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RedisOp {
    /// `SET lock <a new value> NX PX <ttl>`
    SetLock(AccountId),
    /// The same in a script that also raises the account's counter (INCR), if the key was set.
    SetLockAndCount(AccountId),
    /// `INCR` of the account's counter, whoever has the lock by now.
    CountLock(AccountId),
    /// A script: DEL the lock's key, if it has this value.
    DeleteOwnLock(AccountId, LeaseId),
    /// `GET lock`, which whoever asks compares with this value. Whoever asks has done what it entered for.
    CompareLock(AccountId, LeaseId),
    /// `DEL lock`, whatever its value.
    DeleteLock(AccountId),
    /// `SET id claimed NX PX <ttl>`
    SetOnce(MessageId),
    /// `SET id <answer> PX <ttl>`
    SetAnswer(MessageId, Answer),
    /// `GET id`
    GetState(MessageId),
    /// A script: if the id is not there, adds the amount to the account, appends to the ledger, and sets the id to the answer for a
    /// time; else gets the id.
    ApplyOnce(MessageId, Effect),
    /// A script: adds the amount to the account and appends to the ledger.
    ApplyAlways(MessageId, Effect),
    /// `SET lock <the name of the delivery> NX PX <ttl>` at one of three masters.
    SetVote(Vote),
    /// A script: DEL the lock's key at one of three masters, if it has the delivery's name.
    DeleteVote(Vote),
    /// A master comes back from a crash without its keys, since it keeps nothing on the disk.
    ForgetKeys(Master),
    /// As [`SetLock`](RedisOp::SetLock), for whoever holds the lock only when a replica has the key.
    AskLock(AccountId),
    /// `WAIT 1`: whether a replica has what this connection has written. Whoever has asked for the lock holds it then.
    WaitForReplica(AccountId),
    /// The link from the first master to its replica breaks: what is written from now on does not reach the replica.
    CutLink,
    /// The replica becomes the master that everybody asks, with what had reached it.
    Promote,
    /// The clock of a master jumps ahead: what lives for a time there has run out.
    JumpAhead(Master),
}

const SET_LOCK: Kind = Kind { number: 45, name: "set-lock", acts: Acts::LEASES.and(Acts::ENTERS) };
const SET_LOCK_AND_COUNT: Kind = Kind { number: 46, name: "set-lock-and-count", acts: Acts::LEASES.and(Acts::ENTERS) };
const COUNT_LOCK: Kind = Kind { number: 84, name: "count-lock", acts: Acts::NONE };
const DELETE_OWN_LOCK: Kind = Kind { number: 47, name: "delete-own-lock", acts: Acts::LEAVES.and(Acts::NAMES) };
const COMPARE_LOCK: Kind =
    Kind { number: 48, name: "compare-lock", acts: Acts::READS.and(Acts::NAMES).and(Acts::LEAVES) };
const DELETE_LOCK: Kind = Kind { number: 49, name: "delete-lock", acts: Acts::LEAVES };
const SET_ONCE: Kind = Kind { number: 54, name: "set-once", acts: Acts::TAKES };
const SET_ANSWER: Kind = Kind { number: 55, name: "set-answer", acts: Acts::MARKS };
const GET_STATE: Kind = Kind { number: 58, name: "get-state", acts: Acts::READS.and(Acts::LOOKS) };
const APPLY_ONCE: Kind = Kind { number: 59, name: "apply-once", acts: Acts::APPLIES.and(Acts::TAKES) };
const APPLY_ALWAYS: Kind = Kind { number: 63, name: "apply-always", acts: Acts::APPLIES };
const SET_VOTE: Kind = Kind { number: 76, name: "set-vote", acts: Acts::SIGNS };
/// Whoever has a majority holds the lock.
const SET_DECIDING_VOTE: Kind = Kind { number: 77, name: "set-deciding-vote", acts: Acts::SIGNS.and(Acts::ENTERS) };
const DELETE_VOTE: Kind = Kind { number: 78, name: "delete-vote", acts: Acts::SIGNS.and(Acts::LEAVES) };
const FORGET_KEYS: Kind = Kind { number: 79, name: "forget-keys", acts: Acts::FORGETS };
const JUMP_AHEAD: Kind = Kind { number: 85, name: "jump-ahead", acts: Acts::FORGETS };
const ASK_LOCK: Kind = Kind { number: 86, name: "ask-lock", acts: Acts::LEASES };
const WAIT_FOR_REPLICA: Kind = Kind { number: 87, name: "wait-for-replica", acts: Acts::ENTERS };
const CUT_LINK: Kind = Kind { number: 88, name: "cut-link", acts: Acts::NONE };
const PROMOTE: Kind = Kind { number: 89, name: "promote", acts: Acts::FORGETS };

/// The kinds of operations.
pub(super) const KINDS: &[Kind] = &[
    SET_LOCK,
    SET_LOCK_AND_COUNT,
    COUNT_LOCK,
    DELETE_OWN_LOCK,
    COMPARE_LOCK,
    DELETE_LOCK,
    SET_ONCE,
    SET_ANSWER,
    GET_STATE,
    APPLY_ONCE,
    APPLY_ALWAYS,
    SET_VOTE,
    SET_DECIDING_VOTE,
    DELETE_VOTE,
    FORGET_KEYS,
    JUMP_AHEAD,
    ASK_LOCK,
    WAIT_FOR_REPLICA,
    CUT_LINK,
    PROMOTE,
];

/// The locks and their counters, by account.
pub(super) const LOCK: &str = "lock";
/// The ids, by message.
pub(super) const ID: &str = "id";
/// The balances, and with them the ledger.
pub(super) const BALANCE: &str = "balance";

/// The replica, with everything that it has.
const REPLICA: &str = "replica";

const _: () = assert!(size_of::<RedisOp>() == 16);

impl RedisOp {
    /// Applies an effect once.
    #[must_use]
    pub const fn apply_once(request: &Request) -> Self {
        RedisOp::ApplyOnce(request.id, request.effect)
    }

    /// Applies an effect, whatever there is already.
    #[must_use]
    pub const fn apply_always(request: &Request) -> Self {
        RedisOp::ApplyAlways(request.id, request.effect)
    }
}

impl RedisOp {
    /// The master that it is for.
    #[must_use]
    pub const fn at(self) -> Master {
        match self {
            RedisOp::SetVote(vote) | RedisOp::DeleteVote(vote) => vote.at,
            RedisOp::ForgetKeys(at) | RedisOp::JumpAhead(at) => at,
            RedisOp::CutLink | RedisOp::Promote => Master::REPLICA,
            RedisOp::SetLock(_)
            | RedisOp::SetLockAndCount(_)
            | RedisOp::CountLock(_)
            | RedisOp::AskLock(_)
            | RedisOp::WaitForReplica(_)
            | RedisOp::DeleteOwnLock(..)
            | RedisOp::CompareLock(..)
            | RedisOp::DeleteLock(_)
            | RedisOp::SetOnce(_)
            | RedisOp::SetAnswer(..)
            | RedisOp::GetState(_)
            | RedisOp::ApplyOnce(..)
            | RedisOp::ApplyAlways(..) => Master::FIRST,
        }
    }
}

impl Operation for RedisOp {
    #[inline]
    fn kind(self) -> &'static Kind {
        match self {
            RedisOp::SetLock(_) => &SET_LOCK,
            RedisOp::SetLockAndCount(_) => &SET_LOCK_AND_COUNT,
            RedisOp::CountLock(_) => &COUNT_LOCK,
            RedisOp::DeleteOwnLock(..) => &DELETE_OWN_LOCK,
            RedisOp::CompareLock(..) => &COMPARE_LOCK,
            RedisOp::DeleteLock(_) => &DELETE_LOCK,
            RedisOp::SetOnce(_) => &SET_ONCE,
            RedisOp::SetAnswer(..) => &SET_ANSWER,
            RedisOp::GetState(_) => &GET_STATE,
            RedisOp::ApplyOnce(..) => &APPLY_ONCE,
            RedisOp::ApplyAlways(..) => &APPLY_ALWAYS,
            RedisOp::SetVote(vote) if vote.decides() => &SET_DECIDING_VOTE,
            RedisOp::SetVote(_) => &SET_VOTE,
            RedisOp::DeleteVote(_) => &DELETE_VOTE,
            RedisOp::ForgetKeys(_) => &FORGET_KEYS,
            RedisOp::JumpAhead(_) => &JUMP_AHEAD,
            RedisOp::AskLock(_) => &ASK_LOCK,
            RedisOp::WaitForReplica(_) => &WAIT_FOR_REPLICA,
            RedisOp::CutLink => &CUT_LINK,
            RedisOp::Promote => &PROMOTE,
        }
    }

    fn footprint(self) -> Footprint {
        let lock = |account| Item { place: LOCK, which: Whose::Account(account) };
        let id = |message| Item { place: ID, which: Whose::Message(message) };
        let balance = |account| Item { place: BALANCE, which: Whose::Account(account) };
        let (reads, writes) = match self {
            RedisOp::SetLock(account)
            | RedisOp::SetLockAndCount(account)
            | RedisOp::CountLock(account)
            | RedisOp::AskLock(account)
            | RedisOp::WaitForReplica(account)
            | RedisOp::DeleteOwnLock(account, _)
            | RedisOp::DeleteLock(account) => (vec![], vec![lock(account)]),
            RedisOp::CompareLock(account, _) => (vec![lock(account)], vec![]),
            RedisOp::SetOnce(message) | RedisOp::SetAnswer(message, _) => (vec![], vec![id(message)]),
            RedisOp::GetState(message) => (vec![id(message)], vec![]),
            RedisOp::ApplyOnce(message, effect) => (vec![], vec![id(message), balance(effect.account)]),
            RedisOp::ApplyAlways(_, effect) => (vec![], vec![balance(effect.account)]),
            RedisOp::SetVote(vote) | RedisOp::DeleteVote(vote) => {
                // Whoever enters or leaves does so before the eyes of all, whichever master it asks.
                let section =
                    [lock(vote.account)].into_iter().filter(|_| self.acts().any(Acts::ENTERS.and(Acts::LEAVES)));
                let key = Item { place: vote.at.place(), which: Whose::Account(vote.account) };
                (vec![], section.chain([key]).collect())
            }
            RedisOp::ForgetKeys(at) | RedisOp::JumpAhead(at) => {
                let one = |place| Item { place, which: Whose::Any };
                let first = [LOCK, ID].map(one).into_iter().filter(|_| at == Master::FIRST);
                (vec![], first.chain([one(at.place())]).collect())
            }
            RedisOp::CutLink | RedisOp::Promote => (vec![], vec![Item { place: REPLICA, which: Whose::Any }]),
        };
        Footprint { reads, writes }
    }

    fn in_words(self, several: bool) -> String {
        let number = |message: MessageId| if several { (message.0 + 1).to_string() } else { String::new() };
        match self {
            RedisOp::SetLock(_) | RedisOp::AskLock(_) => "SET lock NX PX".to_owned(),
            RedisOp::SetLockAndCount(_) => "SET lock NX PX, INCR".to_owned(),
            RedisOp::CountLock(_) => "INCR".to_owned(),
            RedisOp::DeleteOwnLock(..) => "DEL lock if it is mine".to_owned(),
            RedisOp::CompareLock(..) => "GET lock".to_owned(),
            RedisOp::DeleteLock(_) => "DEL lock".to_owned(),
            RedisOp::SetOnce(message) => format!("SET K{} NX PX", number(message)),
            RedisOp::SetAnswer(message, _) => format!("SET K{0} R{0} PX", number(message)),
            RedisOp::GetState(message) => format!("GET K{}", number(message)),
            RedisOp::ApplyOnce(message, _) => format!("if no K{0}: X{0}, SET K{0} R{0} PX", number(message)),
            RedisOp::ApplyAlways(message, _) => format!("X{}", number(message)),
            RedisOp::SetVote(vote) => format!("SET lock NX PX at {}", vote.at),
            RedisOp::DeleteVote(vote) => format!("DEL lock at {} if it is mine", vote.at),
            RedisOp::ForgetKeys(Master::FIRST) => "comes back without its keys".to_owned(),
            RedisOp::ForgetKeys(at) => format!("{at} comes back without its keys"),
            RedisOp::JumpAhead(at) => format!("the clock of {at} jumps ahead"),
            RedisOp::WaitForReplica(_) => "WAIT 1".to_owned(),
            RedisOp::CutLink => "the link to the replica breaks".to_owned(),
            RedisOp::Promote => "the replica is promoted".to_owned(),
        }
    }

    fn parse(kind: &str, rest: &str, _: &Request) -> Option<Self> {
        let account = || rest.parse().ok().map(AccountId);
        let key = || {
            let (account, under) = rest.split_once('/')?;
            Some((AccountId(account.parse().ok()?), LeaseId(i64::from_str_radix(under, 16).ok()?)))
        };
        let vote = || {
            let [account, message, at, before] = rest.split(' ').collect::<Vec<_>>().try_into().ok()?;
            let before = before.parse().ok().filter(|before| *before < Master::COUNT)?;
            Some(Vote {
                account: AccountId(account.parse().ok()?),
                message: self::message(message)?,
                at: master(at)?,
                before,
            })
        };
        match kind {
            "set-lock" => account().map(RedisOp::SetLock),
            "set-lock-and-count" => account().map(RedisOp::SetLockAndCount),
            "count-lock" => account().map(RedisOp::CountLock),
            "delete-own-lock" => key().map(|(account, value)| RedisOp::DeleteOwnLock(account, value)),
            "compare-lock" => key().map(|(account, value)| RedisOp::CompareLock(account, value)),
            "delete-lock" => account().map(RedisOp::DeleteLock),
            "set-once" => message(rest).map(RedisOp::SetOnce),
            "set-answer" => {
                let (id, answer) = rest.split_once(" = ")?;
                Some(RedisOp::SetAnswer(message(id)?, Answer(answer.parse().ok()?)))
            }
            "get-state" => message(rest).map(RedisOp::GetState),
            "apply-once" => message_and_effect(rest).map(|(message, effect)| RedisOp::ApplyOnce(message, effect)),
            "apply-always" => message_and_effect(rest).map(|(message, effect)| RedisOp::ApplyAlways(message, effect)),
            "set-vote" => vote().filter(|vote| !vote.decides()).map(RedisOp::SetVote),
            "set-deciding-vote" => vote().filter(|vote| vote.decides()).map(RedisOp::SetVote),
            "delete-vote" => vote().map(RedisOp::DeleteVote),
            "forget-keys" => master(rest).map(RedisOp::ForgetKeys),
            "ask-lock" => account().map(RedisOp::AskLock),
            "wait-for-replica" => account().map(RedisOp::WaitForReplica),
            "cut-link" => Some(RedisOp::CutLink),
            "promote" => Some(RedisOp::Promote),
            "jump-ahead" => master(rest).map(RedisOp::JumpAhead),
            _ => None,
        }
    }
}

impl HasIds for RedisOp {
    #[inline]
    fn map_ids(self, ids: &mut impl Ids) -> Self {
        match self {
            RedisOp::SetLock(account) => RedisOp::SetLock(account.map_ids(ids)),
            RedisOp::SetLockAndCount(account) => RedisOp::SetLockAndCount(account.map_ids(ids)),
            RedisOp::CountLock(account) => RedisOp::CountLock(account.map_ids(ids)),
            RedisOp::DeleteOwnLock(account, value) => RedisOp::DeleteOwnLock(account.map_ids(ids), value.map_ids(ids)),
            RedisOp::CompareLock(account, value) => RedisOp::CompareLock(account.map_ids(ids), value.map_ids(ids)),
            RedisOp::DeleteLock(account) => RedisOp::DeleteLock(account.map_ids(ids)),
            RedisOp::SetOnce(message) => RedisOp::SetOnce(message.map_ids(ids)),
            RedisOp::SetAnswer(message, answer) => RedisOp::SetAnswer(message.map_ids(ids), answer),
            RedisOp::GetState(message) => RedisOp::GetState(message.map_ids(ids)),
            RedisOp::ApplyOnce(message, effect) => RedisOp::ApplyOnce(message.map_ids(ids), effect.map_ids(ids)),
            RedisOp::ApplyAlways(message, effect) => RedisOp::ApplyAlways(message.map_ids(ids), effect.map_ids(ids)),
            RedisOp::SetVote(vote) => RedisOp::SetVote(vote.map_ids(ids)),
            RedisOp::DeleteVote(vote) => RedisOp::DeleteVote(vote.map_ids(ids)),
            RedisOp::AskLock(account) => RedisOp::AskLock(account.map_ids(ids)),
            RedisOp::WaitForReplica(account) => RedisOp::WaitForReplica(account.map_ids(ids)),
            RedisOp::ForgetKeys(_) | RedisOp::JumpAhead(_) | RedisOp::CutLink | RedisOp::Promote => self,
        }
    }
}

impl fmt::Display for RedisOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.kind().name;
        match *self {
            RedisOp::SetLock(account)
            | RedisOp::SetLockAndCount(account)
            | RedisOp::CountLock(account)
            | RedisOp::AskLock(account)
            | RedisOp::WaitForReplica(account)
            | RedisOp::DeleteLock(account) => write!(f, "{name} {}", account.0),
            RedisOp::DeleteOwnLock(account, lease) | RedisOp::CompareLock(account, lease) => {
                write!(f, "{name} {}", LockKey { account, lease })
            }
            RedisOp::SetOnce(message) | RedisOp::GetState(message) => write!(f, "{name} m{}", message.0),
            RedisOp::SetAnswer(message, answer) => write!(f, "{name} m{} = {}", message.0, answer.0),
            RedisOp::ApplyOnce(message, effect) | RedisOp::ApplyAlways(message, effect) => {
                write!(f, "{name} m{} {effect}", message.0)
            }
            RedisOp::SetVote(vote) | RedisOp::DeleteVote(vote) => {
                write!(f, "{name} {} m{} {} {}", vote.account.0, vote.message.0, vote.at, vote.before)
            }
            RedisOp::ForgetKeys(at) | RedisOp::JumpAhead(at) => write!(f, "{name} {at}"),
            RedisOp::CutLink | RedisOp::Promote => f.write_str(name),
        }
    }
}
