//! redis-fenced-two-step: redis-fenced that sets the key and raises the counter in two calls.

use super::{Break, Claim, Need, REDELIVERY, Strategy};
use crate::terms::{FaultKind, Leg, Reply, Request, Retries, Role, StoreKind, Trouble, Violation};
use crate::world::World;

pub(super) struct RedisFencedTwoStep;

#[async_trait::async_trait]
impl Strategy for RedisFencedTwoStep {
    fn name(&self) -> &'static str {
        "redis-fenced-two-step"
    }

    fn steps(&self) -> &'static str {
        "[SET lock NX PX] [INCR] [X with token] [DEL lock if it is mine, in a script]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "nothing",
            retries: Retries::UntilAcknowledged,
            rules_out: &[
                Violation::Wrong,
                Violation::Denied,
                Violation::Refused,
                Violation::Abandoned,
                Violation::Stuck,
                Violation::Stale,
            ],
            tolerates: &[],
            breaks: &[
                Break {
                    faults: REDELIVERY,
                    legs: &[Leg::Client, Leg::STORE],
                    shows: &[Violation::Duplicate, Violation::Deviating],
                    because: "the retry has a newer number, and the store accepts it",
                },
                Break {
                    faults: &[FaultKind::Pause],
                    legs: &[Leg::Client, Leg::STORE],
                    shows: &[Violation::Overlap, Violation::Duplicate, Violation::Deviating],
                    because: "the key has run out between the two calls, and the zombie draws a higher number than the holder",
                },
                Break {
                    faults: &[FaultKind::ServerKilled],
                    legs: &[Leg::Service(Role::CACHE)],
                    shows: &[Violation::Overlap, Violation::Duplicate, Violation::Deviating, Violation::Lost],
                    because: "Redis comes back without its keys: another holds the lock, and its numbers begin again, which the store refuses",
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
        let account = request.effect.account;
        let value = world.cache().set_lock(account).await?.ok_or(Trouble::InProgress)?;
        let answer = match world.cache().count_lock(account).await {
            Ok(number) => world.store().apply_fenced(request, number).await,
            Err(trouble) => Err(trouble),
        };
        let _ = world.cache().delete_own_lock(account, value).await;
        answer
    }
}
