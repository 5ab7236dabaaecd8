//! act-then-mark: do it, then claim the message and store the answer; as if effect and mark were in different stores.

use super::{BETWEEN_EFFECT_AND_MARK, Break, Claim, REDELIVERY, Strategy};
use crate::terms::{Leg, Reply, Request, Retries, StoreKind, Violation};
use crate::world::World;

pub(super) struct ActThenMark;

#[async_trait::async_trait]
impl Strategy for ActThenMark {
    fn name(&self) -> &'static str {
        "act-then-mark"
    }

    fn steps(&self) -> &'static str {
        "[read R]; if there is none: [X] [claim K]; if fresh: [store R]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "at least one effect",
            retries: Retries::UntilAcknowledged,
            rules_out: &[
                Violation::Wrong,
                Violation::Denied,
                Violation::Refused,
                Violation::Lost,
                Violation::Abandoned,
                Violation::Stuck,
                Violation::Overlap,
                Violation::Stale,
            ],
            tolerates: &[],
            breaks: &[
                Break {
                    faults: REDELIVERY,
                    legs: &[Leg::Client, Leg::STORE],
                    shows: &[Violation::Duplicate, Violation::Deviating],
                    because: "two deliveries at once both find no answer",
                },
                Break {
                    faults: BETWEEN_EFFECT_AND_MARK,
                    legs: &[Leg::STORE],
                    shows: &[Violation::Duplicate, Violation::Deviating],
                    because: "the answer is never stored, and the retry finds none",
                },
            ],
        }
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        if let Some(answer) = world.store().read_answer(request.id).await? {
            return Ok(answer);
        }
        let answer = world.store().apply(request).await?;
        // The first one to claim the message leaves its answer; whoever comes second has done it all the same.
        if world.store().claim(request.id).await? {
            world.store().store_answer(request.id, answer).await?;
        }
        Ok(answer)
    }
}
