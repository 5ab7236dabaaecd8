//! redis-window: a key with a time to live is the memory of the id, and the effect is in the store.

use super::{Break, Claim, Need, Strategy};
use crate::terms::{Answer, FaultKind, Leg, Reply, Request, Retries, Role, StoreKind, Violation};
use crate::world::World;

pub(super) struct RedisWindow;

#[async_trait::async_trait]
impl Strategy for RedisWindow {
    fn name(&self) -> &'static str {
        "redis-window"
    }

    fn steps(&self) -> &'static str {
        "[SET K NX PX]; if set: [X]; else: done"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "nothing: an effect can be lost",
            retries: Retries::UntilAcknowledged,
            rules_out: &[
                Violation::Denied,
                Violation::Refused,
                Violation::Abandoned,
                Violation::Late,
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
                        FaultKind::Cancel,
                        FaultKind::Crash,
                    ],
                    legs: &[Leg::STORE, Leg::Service(Role::CACHE)],
                    shows: &[Violation::Lost],
                    because: "the key is set and nothing is done, and the retry takes it for done",
                },
                Break {
                    faults: &[FaultKind::Pause],
                    legs: &[Leg::Client, Leg::STORE],
                    shows: &[Violation::Duplicate],
                    because: "the key has run out when the request comes again",
                },
                Break {
                    faults: &[FaultKind::ServerKilled],
                    legs: &[Leg::Service(Role::CACHE)],
                    shows: &[Violation::Duplicate],
                    because: "Redis comes back without its keys, and the request comes again",
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
            // It has been seen, and so it has been done: what this strategy believes. It knows no answer.
            return Ok(Answer(0));
        }
        world.store().apply(request).await
    }
}
