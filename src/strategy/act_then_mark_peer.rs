//! act-then-mark-peer: have the peer do it, then claim the message and store the answer in the store.

use super::{BETWEEN_EFFECT_AND_MARK, Break, Claim, Need, REDELIVERY, Strategy};
use crate::terms::{Leg, Reply, Request, Retries, Role, StoreKind, Violation};
use crate::world::World;

pub(super) struct ActThenMarkPeer;

#[async_trait::async_trait]
impl Strategy for ActThenMarkPeer {
    fn name(&self) -> &'static str {
        "act-then-mark-peer"
    }

    fn steps(&self) -> &'static str {
        "[read R]; if there is none: [POST X (peer)] [claim K]; if fresh: [store R]"
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
                    legs: &[Leg::Client, Leg::STORE, Leg::Service(Role::PEER)],
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
        if let Some(answer) = world.store().read_answer(request.id).await? {
            return Ok(answer);
        }
        let answer = world.peer().post(request).await?;
        // The first one to claim the message leaves its answer; whoever comes second has done it all the same.
        if world.store().claim(request.id).await? {
            world.store().store_answer(request.id, answer).await?;
        }
        Ok(answer)
    }
}
