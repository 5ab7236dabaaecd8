//! redis-script: look, effect and answer in one script. The effect lives in Redis.

use super::{Break, Claim, Need, Strategy};
use crate::terms::{FaultKind, Leg, Reply, Request, Retries, Role, StoreKind, Violation};
use crate::world::World;

pub(super) struct RedisScript;

#[async_trait::async_trait]
impl Strategy for RedisScript {
    fn name(&self) -> &'static str {
        "redis-script"
    }

    fn steps(&self) -> &'static str {
        "[if no K: X, SET K R PX; else GET K, in a script]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "exactly once while the server keeps its data and the id lives",
            retries: Retries::UntilAcknowledged,
            rules_out: &const {
                Violation::all_but::<{ Violation::ALL.len() - 3 }>(&[
                    Violation::Duplicate,
                    Violation::Deviating,
                    Violation::Lost,
                ])
            },
            tolerates: &[],
            breaks: &[
                Break {
                    faults: &[FaultKind::Pause],
                    legs: &[Leg::Client, Leg::Service(Role::CACHE)],
                    shows: &[Violation::Duplicate],
                    because: "the id has run out when the request comes again",
                },
                Break {
                    faults: &[FaultKind::ServerKilled],
                    legs: &[Leg::Service(Role::CACHE)],
                    shows: &[Violation::Lost, Violation::Deviating],
                    because: "Redis comes back without the effects",
                },
            ],
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::CACHE]
    }

    fn effects_in(&self) -> &'static [Role] {
        &[Role::CACHE]
    }

    fn has_timers(&self) -> bool {
        true
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        world.cache().apply_once(request).await
    }
}
