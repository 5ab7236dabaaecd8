//! Events: what happened in a trial, in a form that costs nothing to write down.

use crate::terms::{Delivery, FaultKind, MessageId, Reply};
use crate::world::{Acts, Op, Outcome};

/// One thing that happened to one delivery of one request.
///
/// Plain data of a fixed size, so that a recorder can write it down without allocating.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Nanoseconds since the trial began. An operation has the time at which it was called.
    pub at_ns: u64,
    pub message: MessageId,
    pub delivery: Delivery,
    /// The handler concerned.
    pub handler: u16,
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The client, or the network for it, sent this delivery to the handler. The fault is the one that the network has
    /// in store for it, other than that it is a duplicate; a lost reply is drawn here too, and happens when the handler has answered.
    Sent { fault: Option<FaultKind>, delayed: bool },
    /// The handler began to work on it.
    Arrived,
    /// The handler made an operation. No outcome: its strategy was dropped before it could learn one.
    Called { op: Op, outcome: Option<Outcome>, fault: Option<FaultKind>, delayed: bool, took_us: u32 },
    /// The driver made so many requests of the operation that the handler has just made: it retried by itself.
    Repeated { op: Op, requests: u32 },
    /// An operation that had timed out landed after all.
    Landed { op: Op, outcome: Option<Outcome> },
    /// The handler stood still.
    Paused { for_us: u32 },
    /// The handler dropped the delivery in the middle of an operation.
    Cancelled,
    /// The handler crashed.
    Crashed,
    /// The handler told the client the result. `heard` is false if the answer was lost on the way.
    Answered { reply: Reply, heard: bool },
    /// The client took this reply for the result of its attempt.
    Received { reply: Reply },
    /// The client waited long enough for this attempt or, over HTTP, saw its connection close.
    TimedOut,
    /// The client stopped trying, and takes the request to have failed.
    GaveUp,
}

impl What {
    /// The operation that was made, or that landed late.
    #[must_use]
    #[inline]
    pub fn op(self) -> Option<Op> {
        match self {
            What::Called { op, .. } | What::Landed { op, .. } => Some(op),
            What::Sent { .. }
            | What::Arrived
            | What::Repeated { .. }
            | What::Paused { .. }
            | What::Cancelled
            | What::Crashed
            | What::Answered { .. }
            | What::Received { .. }
            | What::TimedOut
            | What::GaveUp => None,
        }
    }
}

// A million requests must fit into memory with their histories.
const _: () = assert!(size_of::<Event>() <= 112);

impl Event {
    /// The fault that this event shows to have happened, if any, besides a delay and a duplicate.
    #[must_use]
    pub fn fault(&self) -> Option<FaultKind> {
        match self.what {
            What::Sent { fault, .. } | What::Called { fault, .. } => fault,
            What::Paused { .. } => Some(FaultKind::Pause),
            What::Cancelled => Some(FaultKind::Cancel),
            What::Crashed => Some(FaultKind::Crash),
            _ => None,
        }
    }

    /// Whether the message that this event is about was delayed.
    #[must_use]
    pub fn is_delayed(&self) -> bool {
        matches!(self.what, What::Sent { delayed: true, .. } | What::Called { delayed: true, .. })
    }

    /// Whether it is the sending of a duplicate that the network made.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        self.delivery.is_copy() && matches!(self.what, What::Sent { .. })
    }

    /// Whether it is the sending of a message id with another body.
    #[must_use]
    pub fn is_other_body(&self) -> bool {
        self.delivery.has_other_body() && matches!(self.what, What::Sent { .. })
    }

    /// The time at which it was over: for an operation, when its outcome was known.
    #[must_use]
    pub fn ended_ns(&self) -> u64 {
        match self.what {
            What::Called { took_us, .. } => self.at_ns + u64::from(took_us) * 1_000,
            _ => self.at_ns,
        }
    }

    /// From when on what an operation gives for a time may live: from its request on, or from its answer on if it had to wait for others.
    #[must_use]
    pub fn lives_from_ns(&self) -> u64 {
        match self.what {
            What::Called { op, .. } if op.acts().any(Acts::QUEUES) => self.ended_ns(),
            _ => self.at_ns,
        }
    }
}
