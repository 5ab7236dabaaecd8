//! What was done in the steps of an execution.

use crate::explore::schedule::Step;
use crate::terms::{Reply, Role};
use crate::world::{Op, Outcome};

/// What a step did, for those who tell of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MadeStep {
    pub step: Step,
    pub did: Did,
    /// The attempt of the lane that made it.
    pub attempt: u8,
    /// The reply that the lane's client was given after it.
    pub replied: Option<Reply>,
    /// Whether the lane has stopped for good after it.
    pub ended: bool,
    /// Whether time passed until a lease expired that nobody kept any more.
    pub waited: bool,
    /// Whether a wait came to an end because nothing else could move.
    pub gave_way: bool,
    /// Whether a client waits for what comes of it: its lane is no actor, and works on no request that landed late.
    pub has_client: bool,
}

/// What a step was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Did {
    /// The operation, as the backends know it, and what the strategy learned of it.
    Made {
        op: Op,
        learned: Outcome,
    },
    Crashed {
        op: Op,
    },
    /// A timer of the lane ran out; which of the things that its attempt has asked for, if there were several.
    Expired {
        role: Role,
        which: Option<u8>,
    },
    /// The operation has begun, and waits.
    Queued {
        op: Op,
    },
    Landed {
        op: Op,
        outcome: Outcome,
    },
}
