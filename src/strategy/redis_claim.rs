//! redis-claim: the id is claimed in Redis for a time, the effect is in the store, and then the answer stands under the id.

use super::{Break, Claim, Need, Strategy};
use crate::service::redis::IdState;
use crate::terms::{FaultKind, Leg, Reply, Request, Retries, Role, StoreKind, Trouble, Violation};
use crate::world::World;

pub(super) struct RedisClaim;

#[async_trait::async_trait]
impl Strategy for RedisClaim {
    fn name(&self) -> &'static str {
        "redis-claim"
    }

    fn steps(&self) -> &'static str {
        "[SET K claimed NX PX]; if set: [X] [SET K R PX]; else: [GET K]"
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
                Violation::Stale,
            ],
            tolerates: &[],
            breaks: &[
                Break {
                    faults: &[
                        FaultKind::RequestLost,
                        FaultKind::ReplyLost,
                        FaultKind::LateLanding,
                        FaultKind::Pause,
                        FaultKind::Cancel,
                        FaultKind::Crash,
                    ],
                    legs: &[Leg::STORE, Leg::Service(Role::CACHE)],
                    shows: &[Violation::Duplicate, Violation::Deviating],
                    because: "X is there when the claim has run out, and nothing says that it is done",
                },
                Break {
                    faults: &[FaultKind::ServerKilled],
                    legs: &[Leg::Service(Role::CACHE)],
                    shows: &[Violation::Duplicate, Violation::Deviating],
                    because: "Redis comes back without its keys, and nothing says that X is done",
                },
            ],
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::STORE, Need::CACHE]
    }

    fn has_timers(&self) -> bool {
        true
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        if !world.cache().set_once(request.id).await? {
            return match world.cache().get_state(request.id).await? {
                IdState::Answered(answer) => Ok(answer),
                IdState::Claimed | IdState::Nothing => Err(Trouble::InProgress),
            };
        }
        let answer = world.store().apply(request).await?;
        world.cache().set_answer(request.id, answer).await?;
        Ok(answer)
    }
}
