//! Masters of Redis that know nothing of each other, and what a delivery asks each of them for a lock.

use std::fmt;

use crate::service::{HasIds, Ids};
use crate::terms::{AccountId, MessageId};

/// One of the masters of Redis that know nothing of each other. Whatever needs one server only asks the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Master(pub u8);

impl Master {
    /// How many there are where a majority counts.
    pub const COUNT: u8 = 3;
    /// How many are a majority.
    pub const MAJORITY: u8 = 2;
    /// The replica of the first, where there is one. It has no vote.
    pub const REPLICA: Master = Master(Self::COUNT);
    /// The one that is asked where there is only one.
    pub const FIRST: Master = Master(0);

    /// All of them.
    pub fn all() -> impl Iterator<Item = Master> {
        (0..Self::COUNT).map(Master)
    }
}

/// What a delivery asks one master about: the key of a lock there, whose value is the name of the delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Vote {
    pub account: AccountId,
    pub message: MessageId,
    pub at: Master,
    /// How many masters have said yes before.
    pub before: u8,
}

impl Vote {
    /// Whether a yes makes a majority of it.
    #[must_use]
    pub const fn decides(self) -> bool {
        self.before + 1 == Master::MAJORITY
    }
}

/// The place of a lock's key at a master.
const VOTES: [&str; Master::COUNT as usize] = ["vote 1", "vote 2", "vote 3"];

impl Master {
    /// Where it keeps the keys of locks.
    pub(super) fn place(self) -> &'static str {
        VOTES.get(usize::from(self.0)).copied().unwrap_or_default()
    }

    /// Which one a place belongs to.
    pub(super) fn of_place(place: &str) -> Option<Master> {
        Master::all().find(|master| master.place() == place)
    }
}

impl HasIds for Vote {
    #[inline]
    fn map_ids(self, ids: &mut impl Ids) -> Self {
        Vote { account: self.account.map_ids(ids), message: self.message.map_ids(ids), ..self }
    }
}

/// Reads what [`Master`] is written as.
pub(super) fn master(text: &str) -> Option<Master> {
    Master::all().find(|master| master.to_string() == text)
}

impl fmt::Display for Master {
    /// Prints `r1` for the first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0 + 1)
    }
}
