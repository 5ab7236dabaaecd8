//! What can be asked of a lock service, and what it answers.

use std::fmt;

use crate::service::contract::{Given, Operation, Returned, another, asker_of, lane_name};
use crate::service::written::message_and_effect;
use crate::service::{Acts, Footprint, HasIds, Ids, Item, Kind, Whose};
use crate::terms::{AccountId, Answer, Effect, LeaseId, LockKey, MessageId, OutcomeOf, Request, Token, Trouble};

/// An operation of etcd, as a lock service or as the place where effects are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LockOp {
    /// Asks for a lease of the experiment's length.
    GrantLease,
    /// Queues for the lock on an account, under a lease, and waits until it is held.
    Acquire(AccountId, LeaseId),
    /// Deletes the lock's key.
    Release(AccountId, LeaseId),
    /// Ends a lease, and deletes the keys attached to it.
    Revoke(LeaseId),
    /// Lets a lease live as long again as when it was granted.
    KeepAlive(LeaseId),
    /// In one transaction: if the message's key was never created, puts the key with the answer, and an entry of the ledger; else reads
    /// the key.
    RecordOnce(MessageId, Effect),
    /// Puts an entry of the ledger, whatever there is already.
    Record(MessageId, Effect),
}

const GRANT_LEASE: Kind = Kind { number: 14, name: "grant-lease", acts: Acts::LEASES };
const ACQUIRE: Kind = Kind { number: 15, name: "acquire", acts: Acts::ENTERS.and(Acts::QUEUES).and(Acts::NAMES) };
const RELEASE: Kind = Kind { number: 16, name: "release", acts: Acts::LEAVES.and(Acts::NAMES) };
const REVOKE: Kind = Kind { number: 17, name: "revoke", acts: Acts::NAMES };

const KEEP_ALIVE: Kind = Kind { number: 19, name: "keep-alive", acts: Acts::READS.and(Acts::NAMES) };
const RECORD_ONCE: Kind = Kind { number: 50, name: "record-once", acts: Acts::APPLIES };
const RECORD: Kind = Kind { number: 51, name: "record", acts: Acts::APPLIES };

/// The kinds of operations.
pub(super) const KINDS: &[Kind] = &[GRANT_LEASE, ACQUIRE, RELEASE, REVOKE, KEEP_ALIVE, RECORD_ONCE, RECORD];

/// The queues of the locks, by account.
pub(super) const QUEUE: &str = "queue";
/// Every lock queue at once: a lease that ends takes its keys out of queues that the operation cannot name.
pub(super) const EVERY_QUEUE: Item = Item { place: "every queue", which: Whose::Any };
/// The keys of messages, and the entries of the ledger.
pub(super) const MARK: &str = "mark";
pub(super) const LEDGER: &str = "ledger";
/// The counter that gives leases their ids.
const LEASE_COUNTER: Item = Item { place: "lease counter", which: Whose::Any };

fn lease_item(lease: LeaseId) -> Item {
    Item { place: "lease", which: Whose::Asked(lease.0) }
}

fn message_item(place: &'static str, message: MessageId) -> Item {
    Item { place, which: Whose::Message(message) }
}

fn queue_item(account: AccountId) -> Item {
    Item { place: QUEUE, which: Whose::Account(account) }
}

const _: () = assert!(size_of::<LockOp>() == 16 && size_of::<LockResponse>() == 16);

impl LockOp {
    /// Queues for a lock.
    #[must_use]
    #[inline]
    pub const fn acquire(key: LockKey) -> Self {
        LockOp::Acquire(key.account, key.lease)
    }

    /// Deletes a lock's key.
    #[must_use]
    #[inline]
    pub const fn release(key: LockKey) -> Self {
        LockOp::Release(key.account, key.lease)
    }

    /// Records an effect once.
    #[must_use]
    #[inline]
    pub const fn record_once(request: &Request) -> Self {
        LockOp::RecordOnce(request.id, request.effect)
    }

    /// Records an effect, whatever there is already.
    #[must_use]
    #[inline]
    pub const fn record(request: &Request) -> Self {
        LockOp::Record(request.id, request.effect)
    }

    /// The lock that it is about.
    #[must_use]
    pub const fn key(self) -> Option<LockKey> {
        match self {
            LockOp::Acquire(account, lease) | LockOp::Release(account, lease) => Some(LockKey { account, lease }),
            LockOp::GrantLease
            | LockOp::Revoke(_)
            | LockOp::KeepAlive(_)
            | LockOp::RecordOnce(..)
            | LockOp::Record(..) => None,
        }
    }

    /// The account whose lock it is about.
    #[must_use]
    pub fn account(self) -> Option<AccountId> {
        match self {
            LockOp::Acquire(account, _) | LockOp::Release(account, _) => Some(account),
            LockOp::GrantLease
            | LockOp::Revoke(_)
            | LockOp::KeepAlive(_)
            | LockOp::RecordOnce(..)
            | LockOp::Record(..) => None,
        }
    }
}

impl Operation for LockOp {
    #[inline]
    fn kind(self) -> &'static Kind {
        match self {
            LockOp::GrantLease => &GRANT_LEASE,
            LockOp::Acquire(..) => &ACQUIRE,
            LockOp::Release(..) => &RELEASE,
            LockOp::Revoke(_) => &REVOKE,
            LockOp::KeepAlive(_) => &KEEP_ALIVE,
            LockOp::RecordOnce(..) => &RECORD_ONCE,
            LockOp::Record(..) => &RECORD,
        }
    }

    fn footprint(self) -> Footprint {
        let (reads, writes) = match self {
            LockOp::GrantLease => (vec![], vec![LEASE_COUNTER]),
            LockOp::Acquire(account, lease) => (vec![lease_item(lease), EVERY_QUEUE], vec![queue_item(account)]),
            LockOp::Release(account, _) => (vec![EVERY_QUEUE], vec![queue_item(account)]),
            LockOp::Revoke(lease) => (vec![], vec![lease_item(lease), EVERY_QUEUE]),
            // In a model that has no clock nothing lives longer for it.
            LockOp::KeepAlive(lease) => (vec![lease_item(lease)], vec![]),
            LockOp::RecordOnce(message, _) => {
                (vec![], vec![message_item(MARK, message), message_item(LEDGER, message)])
            }
            LockOp::Record(message, _) => (vec![], vec![message_item(LEDGER, message)]),
        };
        Footprint { reads, writes }
    }

    fn in_words(self, several: bool) -> String {
        let number = |message: MessageId| if several { (message.0 + 1).to_string() } else { String::new() };
        match self {
            LockOp::GrantLease => "ask for a lease",
            LockOp::Acquire(..) => "acquire",
            LockOp::Release(..) => "release",
            LockOp::Revoke(_) => "revoke the lease",
            LockOp::KeepAlive(_) => "keep the lease alive",
            LockOp::RecordOnce(message, _) => {
                let number = number(message);
                return format!("put K{number} and X{number} if K{number} is new");
            }
            LockOp::Record(message, _) => return format!("put X{}", number(message)),
        }
        .to_owned()
    }

    fn parse(kind: &str, rest: &str, _: &Request) -> Option<Self> {
        let lease = |text: &str| i64::from_str_radix(text, 16).ok().map(LeaseId);
        let key = || {
            let (account, under) = rest.split_once('/')?;
            Some(LockKey { account: AccountId(account.parse().ok()?), lease: lease(under)? })
        };
        match kind {
            "grant-lease" => Some(LockOp::GrantLease),
            "acquire" => key().map(LockOp::acquire),
            "release" => key().map(LockOp::release),
            "revoke" => lease(rest).map(LockOp::Revoke),
            "keep-alive" => lease(rest).map(LockOp::KeepAlive),
            "record-once" => message_and_effect(rest).map(|(message, effect)| LockOp::RecordOnce(message, effect)),
            "record" => message_and_effect(rest).map(|(message, effect)| LockOp::Record(message, effect)),
            _ => None,
        }
    }
}

impl HasIds for LockOp {
    #[inline]
    fn map_ids(self, ids: &mut impl Ids) -> Self {
        match self {
            LockOp::GrantLease => self,
            LockOp::Acquire(account, lease) => LockOp::Acquire(account.map_ids(ids), lease.map_ids(ids)),
            LockOp::Release(account, lease) => LockOp::Release(account.map_ids(ids), lease.map_ids(ids)),
            LockOp::Revoke(lease) => LockOp::Revoke(lease.map_ids(ids)),
            LockOp::KeepAlive(lease) => LockOp::KeepAlive(lease.map_ids(ids)),
            LockOp::RecordOnce(message, effect) => LockOp::RecordOnce(message.map_ids(ids), effect.map_ids(ids)),
            LockOp::Record(message, effect) => LockOp::Record(message.map_ids(ids), effect.map_ids(ids)),
        }
    }
}

impl fmt::Display for LockOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.kind().name;
        match *self {
            LockOp::GrantLease => f.write_str(name),
            LockOp::Acquire(account, lease) | LockOp::Release(account, lease) => {
                write!(f, "{name} {}", LockKey { account, lease })
            }
            LockOp::Revoke(lease) | LockOp::KeepAlive(lease) => write!(f, "{name} {:x}", lease.0),
            LockOp::RecordOnce(message, effect) | LockOp::Record(message, effect) => {
                write!(f, "{name} m{} {effect}", message.0)
            }
        }
    }
}

/// What an operation of a lock service comes to.
pub type LockOutcome = OutcomeOf<LockResponse>;

/// What came back from an operation of a lock service that was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LockResponse {
    /// It was done; there is nothing to tell.
    Done,
    /// The lease that was asked for.
    Granted(LeaseId),
    /// The lock is held, and this is its token.
    Held(Token),
    /// The effect was recorded, with this answer.
    Recorded(Answer),
    /// The message's key was there already, with this answer.
    Found(Answer),
}

impl Returned for LockResponse {
    type Op = LockOp;

    fn parse(text: &str, _: &str) -> Option<Self> {
        match text.split_once(' ') {
            None => (text == "done").then_some(LockResponse::Done),
            Some(("lease", id)) => Some(LockResponse::Granted(LeaseId(i64::from_str_radix(id, 16).ok()?))),
            Some(("held", token)) => Some(LockResponse::Held(Token(token.parse().ok()?))),
            Some(("recorded", answer)) => Some(LockResponse::Recorded(Answer(answer.parse().ok()?))),
            Some(("found", answer)) => Some(LockResponse::Found(Answer(answer.parse().ok()?))),
            Some(_) => None,
        }
    }

    fn in_words(self, _: LockOp) -> String {
        match self {
            LockResponse::Done => "done".to_owned(),
            LockResponse::Granted(lease) => {
                let (lane, attempt, _) = asker_of(lease.0);
                format!("lease {}{}", lane_name(lane), attempt + 1)
            }
            LockResponse::Held(token) => format!("held, token {}", token.0),
            LockResponse::Recorded(answer) => format!("recorded {}", answer.0),
            LockResponse::Found(answer) => format!("there: {}", answer.0),
        }
    }

    fn changes_nothing(self) -> bool {
        match self {
            LockResponse::Found(_) => true,
            LockResponse::Done | LockResponse::Granted(_) | LockResponse::Held(_) | LockResponse::Recorded(_) => false,
        }
    }

    fn is_like(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

impl HasIds for LockResponse {
    #[inline]
    fn map_ids(self, ids: &mut impl Ids) -> Self {
        match self {
            LockResponse::Done | LockResponse::Recorded(_) | LockResponse::Found(_) => self,
            LockResponse::Granted(lease) => LockResponse::Granted(lease.map_ids(ids)),
            LockResponse::Held(token) => LockResponse::Held(token.map_ids(ids)),
        }
    }
}

impl fmt::Display for LockResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LockResponse::Done => f.write_str("done"),
            LockResponse::Granted(lease) => write!(f, "lease {:x}", lease.0),
            LockResponse::Held(token) => write!(f, "held {}", token.0),
            LockResponse::Recorded(answer) => write!(f, "recorded {}", answer.0),
            LockResponse::Found(answer) => write!(f, "found {}", answer.0),
        }
    }
}

macro_rules! given {
    ($($type:ty: $response:pat => $value:expr;)*) => {$(
        impl Given<LockResponse> for $type {
            #[inline]
            fn of(response: &LockResponse) -> Result<Self, Trouble> {
                if let $response = *response { Ok($value) } else { another(response) }
            }
        }
    )*};
}
given! {
    (): LockResponse::Done => ();
    LeaseId: LockResponse::Granted(lease) => lease;
    Token: LockResponse::Held(token) => token;
    Answer: LockResponse::Recorded(answer) | LockResponse::Found(answer) => answer;
}
