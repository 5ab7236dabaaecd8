//! What can be asked of a lock service, and what it answers.

use std::fmt;

use crate::service::contract::{Given, Operation, Returned, another, asker_of, lane_name};
use crate::service::{Acts, Footprint, HasIds, Ids, Item, Kind, Whose};
use crate::terms::{AccountId, LeaseId, LockKey, OutcomeOf, Request, Token, Trouble};

/// An operation of a lock service.
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
}

const GRANT_LEASE: Kind = Kind { number: 14, name: "grant-lease", acts: Acts::LEASES };
const ACQUIRE: Kind = Kind { number: 15, name: "acquire", acts: Acts::ENTERS.and(Acts::QUEUES).and(Acts::NAMES) };
const RELEASE: Kind = Kind { number: 16, name: "release", acts: Acts::LEAVES.and(Acts::NAMES) };
const REVOKE: Kind = Kind { number: 17, name: "revoke", acts: Acts::NAMES };

const KEEP_ALIVE: Kind = Kind { number: 19, name: "keep-alive", acts: Acts::READS.and(Acts::NAMES) };

/// The kinds of operations.
pub(super) const KINDS: &[Kind] = &[GRANT_LEASE, ACQUIRE, RELEASE, REVOKE, KEEP_ALIVE];

/// The queues of the locks, by account.
pub(super) const QUEUE: &str = "queue";
/// Every lock queue at once: a lease that ends takes its keys out of queues that the operation cannot name.
pub(super) const EVERY_QUEUE: Item = Item { place: "every queue", which: Whose::Any };
/// The counter that gives leases their ids.
const LEASE_COUNTER: Item = Item { place: "lease counter", which: Whose::Any };

fn lease_item(lease: LeaseId) -> Item {
    Item { place: "lease", which: Whose::Asked(lease.0) }
}

fn queue_item(account: AccountId) -> Item {
    Item { place: QUEUE, which: Whose::Account(account) }
}

const _: () = assert!(size_of::<LockOp>() == 16);

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

    /// The lock that it is about.
    #[must_use]
    pub const fn key(self) -> Option<LockKey> {
        match self {
            LockOp::Acquire(account, lease) | LockOp::Release(account, lease) => Some(LockKey { account, lease }),
            LockOp::GrantLease | LockOp::Revoke(_) | LockOp::KeepAlive(_) => None,
        }
    }

    /// The account whose lock it is about.
    #[must_use]
    pub fn account(self) -> Option<AccountId> {
        match self {
            LockOp::Acquire(account, _) | LockOp::Release(account, _) => Some(account),
            LockOp::GrantLease | LockOp::Revoke(_) | LockOp::KeepAlive(_) => None,
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
        };
        Footprint { reads, writes }
    }

    fn in_words(self, _: bool) -> String {
        match self {
            LockOp::GrantLease => "ask for a lease",
            LockOp::Acquire(..) => "acquire",
            LockOp::Release(..) => "release",
            LockOp::Revoke(_) => "revoke the lease",
            LockOp::KeepAlive(_) => "keep the lease alive",
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
}

impl Returned for LockResponse {
    type Op = LockOp;

    fn parse(text: &str, _: &str) -> Option<Self> {
        match text.split_once(' ') {
            None => (text == "done").then_some(LockResponse::Done),
            Some(("lease", id)) => Some(LockResponse::Granted(LeaseId(i64::from_str_radix(id, 16).ok()?))),
            Some(("held", token)) => Some(LockResponse::Held(Token(token.parse().ok()?))),
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
            LockResponse::Done => self,
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
}
