//! redis-lock-two-step-release: redis-lock that compares the value and deletes the key in two steps.

use super::{Break, Claim, Need, REDELIVERY, Strategy};
use crate::terms::{FaultKind, Leg, Reply, Request, Retries, Role, StoreKind, Trouble, Violation};
use crate::world::World;

pub(super) struct RedisLockTwoStepRelease;

#[async_trait::async_trait]
impl Strategy for RedisLockTwoStepRelease {
    fn name(&self) -> &'static str {
        "redis-lock-two-step-release"
    }

    fn steps(&self) -> &'static str {
        "[SET lock NX PX] [X] [GET lock] if it is mine: [DEL lock]"
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
            ],
            tolerates: &[],
            breaks: &[
                Break {
                    faults: REDELIVERY,
                    legs: &[Leg::Client, Leg::STORE],
                    shows: &[Violation::Duplicate, Violation::Deviating],
                    because: "the retry is alone in the critical section, and does it again",
                },
                Break {
                    faults: &[FaultKind::Pause],
                    legs: &[Leg::Client, Leg::STORE],
                    shows: &[Violation::Overlap],
                    because: "the key runs out after the comparison, and the key of the next holder is deleted",
                },
                Break {
                    faults: &[FaultKind::ServerKilled],
                    legs: &[Leg::Service(Role::CACHE)],
                    shows: &[Violation::Overlap, Violation::Duplicate, Violation::Deviating],
                    because: "Redis comes back without its keys, and another holds the lock",
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
        let answer = world.store().apply(request).await;
        if matches!(world.cache().compare_lock(account, value).await, Ok(true)) {
            let _ = world.cache().delete_lock(account).await;
        }
        answer
    }
}
