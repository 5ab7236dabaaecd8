//! check-then-act: look whether it was done, do it, write down that it was done.

use super::{BETWEEN_EFFECT_AND_MARK, Break, Claim, REDELIVERY, Strategy};
use crate::terms::{Leg, Reply, Request, Retries, StoreKind, Violation};
use crate::world::World;

pub(super) struct CheckThenAct;

#[async_trait::async_trait]
impl Strategy for CheckThenAct {
    fn name(&self) -> &'static str {
        "check-then-act"
    }

    fn steps(&self) -> &'static str {
        "[read K] [X] [write K]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "nothing",
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
                    because: "two deliveries at once both find no mark",
                },
                Break {
                    faults: BETWEEN_EFFECT_AND_MARK,
                    legs: &[Leg::STORE],
                    shows: &[Violation::Duplicate, Violation::Deviating],
                    because: "the mark is never written, and the retry finds none",
                },
            ],
        }
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        if let Some(answer) = world.store().read_mark(request.id).await? {
            return Ok(answer);
        }
        let answer = world.store().apply(request).await?;
        world.store().write_mark(request.id, answer).await?;
        Ok(answer)
    }
}
