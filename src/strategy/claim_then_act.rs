//! claim-then-act: claim the message, do it, store the answer; as if claim and effect were in different stores.

use super::{Break, Claim, Strategy, finished};
use crate::terms::{FaultKind, Leg, Reply, Request, Retries, StoreKind, Violation};
use crate::world::World;

pub(super) struct ClaimThenAct;

#[async_trait::async_trait]
impl Strategy for ClaimThenAct {
    fn name(&self) -> &'static str {
        "claim-then-act"
    }

    fn steps(&self) -> &'static str {
        "[claim K]; if fresh: [X] [store R]; else [read R]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "at most one effect, if nothing on the way repeats X by itself",
            retries: Retries::UntilAcknowledged,
            rules_out: &[
                Violation::Wrong,
                Violation::Denied,
                Violation::Refused,
                Violation::Lost,
                Violation::Abandoned,
                Violation::Late,
                Violation::Overlap,
                Violation::Stale,
            ],
            tolerates: &[],
            breaks: &[Break {
                faults: &[
                    FaultKind::RequestLost,
                    FaultKind::ReplyLost,
                    FaultKind::LateLanding,
                    FaultKind::Cancel,
                    FaultKind::Crash,
                ],
                legs: &[Leg::STORE],
                shows: &[Violation::Stuck],
                because: "the claim stays without an answer, and no retry can tell whether X was done",
            }],
        }
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        if !world.store().claim(request.id).await? {
            return finished(world.store().read_answer(request.id).await?);
        }
        let answer = world.store().apply(request).await?;
        world.store().store_answer(request.id, answer).await?;
        Ok(answer)
    }
}
