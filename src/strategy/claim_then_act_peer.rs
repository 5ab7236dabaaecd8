//! claim-then-act-peer: claim the message in the store, have the peer do it, store the answer.

use super::{Break, Claim, Need, Strategy, finished};
use crate::terms::{FaultKind, Leg, Reply, Request, Retries, Role, StoreKind, Violation};
use crate::world::World;

pub(super) struct ClaimThenActPeer;

#[async_trait::async_trait]
impl Strategy for ClaimThenActPeer {
    fn name(&self) -> &'static str {
        "claim-then-act-peer"
    }

    fn steps(&self) -> &'static str {
        "[claim K]; if fresh: [POST X (peer)] [store R]; else [read R]"
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
                legs: &[Leg::STORE, Leg::Service(Role::PEER)],
                shows: &[Violation::Stuck],
                because: "the claim stays without an answer, and no retry can tell whether the peer has done X",
            }],
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::STORE, Need::PEER]
    }

    fn effects_in(&self) -> &'static [Role] {
        &[Role::PEER]
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        if !world.store().claim(request.id).await? {
            return finished(world.store().read_answer(request.id).await?);
        }
        let answer = world.peer().post(request).await?;
        world.store().store_answer(request.id, answer).await?;
        Ok(answer)
    }
}
