//! Where one lane stands.

use crate::service::contract::MAX_ASKED;
use crate::terms::{Reply, Role};

/// Where one lane stands. Small, since engines keep millions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Lane {
    /// Where its strategy stands in the automaton, for the engine that has one.
    pub node: u16,
    pub attempt: u8,
    /// The flags below, and from [`ASKED`] on how many things were asked for in this attempt that bear an id, whether or not the
    /// strategy heard of it.
    pub flags: u8,
    /// The roles of the services with which a transaction is open, as bits; from [`HELD`] on those whose connections hold something.
    pub open: u8,
    /// The ranked ids that the strategy was given in this attempt.
    pub given: [u8; MAX_RANKED],
}

/// How far the bits of connections that hold something are from those of open transactions. The roles from the cache on have neither.
pub(super) const HELD: u8 = 4;
const ROLES: u8 = (1 << HELD) - 1;
const _: () = assert!(Role::CACHE.number() == HELD as usize && size_of::<Lane>() == 8);

/// The client has its answer, or has stopped trying.
pub(super) const ENDED: u8 = 1;
/// The strategy believes that it is inside a critical section.
pub(super) const INSIDE: u8 = 2;
/// The strategy was given something that has a timer.
pub(super) const LEASED: u8 = 4;
/// Its operation has begun, and waits.
pub(super) const QUEUED: u8 = 8;
/// A handler is at work on a request that landed after its client had gone: nobody hears what becomes of it.
pub(super) const UNHEARD: u8 = 16;
/// One thing that was asked for.
pub(super) const ASKED: u8 = 32;

// The last number is for what lands late, which is not counted.
const _: () = assert!((MAX_ASKED as u32 - 1) * (ASKED as u32) < 256);

/// As many ranked ids is a strategy given in one delivery.
const MAX_RANKED: usize = 3;
/// The attempt that the fault-free retry is, after everything has settled.
pub(crate) const FINAL_ATTEMPT: u8 = 15;

impl Lane {
    pub(super) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn set(&mut self, flag: u8, on: bool) {
        self.flags = if on { self.flags | flag } else { self.flags & !flag };
    }

    /// Whether it has nothing left to do.
    pub fn is_ended(self) -> bool {
        self.has(ENDED)
    }

    /// Whether a handler is at work in it whose client has gone.
    pub fn is_unheard(self) -> bool {
        self.has(UNHEARD)
    }

    /// Whether its client waits for nothing any more.
    pub fn has_no_client_left(self) -> bool {
        self.flags & (ENDED | UNHEARD) != 0
    }

    /// Whether the end of one of its connections changes something: a transaction is open on it, or it holds something.
    pub fn is_in_transaction(self) -> bool {
        self.open != 0
    }

    /// Whether that is so for its connection to the service in a role.
    pub(super) fn is_open(self, role: Role) -> bool {
        (self.open | self.open >> HELD) & ROLES & role.bit() != 0
    }

    pub(super) fn close(&mut self, role: Role) {
        self.open &= !((role.bit() & ROLES) | role.bit() << HELD);
    }

    /// The roles of the services for which that is so.
    pub(super) fn open_roles(self) -> impl Iterator<Item = Role> {
        Role::in_bits((self.open | self.open >> HELD) & ROLES)
    }

    /// How many things its attempt has asked for.
    pub fn asked(self) -> u8 {
        self.flags / ASKED
    }

    /// Whether its strategy believes that it is inside a critical section.
    pub fn is_inside(self) -> bool {
        self.has(INSIDE)
    }

    /// An actor's lane whose delivery has been given nothing in this attempt.
    pub const ASLEEP: Lane = Lane { node: 0, attempt: 0, flags: ENDED, open: 0, given: [0; MAX_RANKED] };

    /// An actor begins its work beside an attempt. It counts how often, so that no step leads back.
    pub fn wake(&mut self, attempt: u8, node: u16) {
        let flags = (self.flags & !(ASKED - 1)).saturating_add(ASKED);
        *self = Lane { node, attempt, flags, ..Lane::default() };
    }

    /// An actor's work is over.
    pub(super) fn sleep(&mut self) {
        *self = Lane { flags: self.flags & !(ASKED - 1) | ENDED, ..Lane::ASLEEP };
    }

    /// A turn of what works for the system is over. If it was not told that there is nothing left to do, another one is to come.
    pub(super) fn after_turn(reply: Option<Reply>) -> Self {
        Lane { attempt: u8::from(!matches!(reply, Some(Ok(_)))), ..Lane::ASLEEP }
    }

    /// Whether a turn of what works for the system is over, and has left something to do.
    pub fn has_turn_left(self) -> bool {
        self.is_ended() && self.attempt > 0
    }

    /// How many ranked ids the strategy was given in this attempt.
    pub(super) fn times_given(self) -> usize {
        self.given.iter().take_while(|id| **id != 0).count()
    }

    /// The lane as a number, for hashing.
    pub fn bits(self) -> u64 {
        let [a, b, c] = self.given;
        let [low, high] = self.node.to_le_bytes();
        u64::from_le_bytes([low, high, self.attempt, self.flags, self.open, a, b, c])
    }
}
