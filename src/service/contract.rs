//! What the model of a service is asked, and by whom.

use crate::terms::{Delivery, Session, Sessions};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Asker {
    /// The delivery, as the ledger names it.
    pub by: Delivery,
    /// The id that whatever the operation makes will bear ([`IdKind::Asked`](super::IdKind::Asked)). An exploration names things
    /// by who asked for them, and not by who asked first.
    pub id: i64,
}

/// Whoever holds something: a lane, with the attempt that it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Holder {
    pub lane: u8,
    pub attempt: u8,
    /// Its connection.
    pub session: Session,
}

/// A timer that runs, e.g. a lease's, by the id of what it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timer(pub i64);

/// An operation cannot go yet, and has changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// Before one of these connections has let go.
    For(Sessions),
    /// Before these timers have run out, or their holders have let go: whoever says this is asked for them.
    ForTimers,
}

/// The things that one attempt can ask for are numbered below this.
pub const MAX_ASKED: u8 = 8;

/// The id of something by who asked for it: a lane, in an attempt, as its so many-th. Small, so that it is easy to read.
#[must_use]
pub fn asked_id(lane: u8, attempt: u8, number: u8) -> i64 {
    1 + i64::from(number) + i64::from(MAX_ASKED) * (i64::from(attempt) + 16 * i64::from(lane))
}

/// Who asked for it, in which attempt, and as which: the lane, the attempt, the number.
#[must_use]
pub fn asker_of(id: i64) -> (u8, u8, u8) {
    let number = u64::try_from(id - 1).unwrap_or(0);
    let part = |by: u64, of: u64| u8::try_from(number / by % of).unwrap_or(u8::MAX);
    (part(128, 256), part(8, 16), part(1, 8))
}

/// The letter of a lane.
#[must_use]
pub fn lane_name(lane: u8) -> char {
    char::from(b'a' + lane.min(25))
}
