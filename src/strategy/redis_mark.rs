//! redis-mark: the effect is in the store, and then the answer stands under the id in Redis: redis-claim in the other order.

use super::{BETWEEN_EFFECT_AND_MARK, Break, Claim, Need, REDELIVERY, Strategy};
use crate::service::redis::IdState;
use crate::terms::{FaultKind, Leg, Reply, Request, Retries, Role, StoreKind, Violation};
use crate::world::World;

pub(super) struct RedisMark;

#[async_trait::async_trait]
impl Strategy for RedisMark {
    fn name(&self) -> &'static str {
        "redis-mark"
    }

    fn steps(&self) -> &'static str {
        "[GET K]; if there is none: [X] [SET K R PX]"
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
                    legs: &[Leg::STORE, Leg::Service(Role::CACHE)],
                    shows: &[Violation::Duplicate, Violation::Deviating],
                    because: "the answer never stands in Redis, and the retry finds none",
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
        if let IdState::Answered(answer) = world.cache().get_state(request.id).await? {
            return Ok(answer);
        }
        let answer = world.store().apply(request).await?;
        world.cache().set_answer(request.id, answer).await?;
        Ok(answer)
    }
}
