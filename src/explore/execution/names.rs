//! What the backends call the things that lanes know by their order.

use super::{Execution, Grounds};
use crate::explore::rules;
use crate::world::{Op, Outcome};

impl<S: Grounds> Execution<'_, S> {
    /// The operation that a lane is about to make or has just made, as the backends know it.
    pub(super) fn operation_of(&self, lane: u8) -> Op {
        let local = self.pending[usize::from(lane)].expect("whoever makes an operation was about to");
        rules::globally(self.lanes[usize::from(lane)], self.of.bound.host_of(lane), local)
    }

    /// What a strategy learned, by the names that the services know it by.
    pub(super) fn globally(&self, lane: u8, learned: Outcome) -> Outcome {
        match learned {
            Outcome::Ok(response) => {
                let host = self.of.bound.host_of(lane);
                Outcome::Ok(rules::globally(self.lanes[usize::from(lane)], host, response))
            }
            Outcome::Failed(_) | Outcome::Unknown => learned,
        }
    }
}
