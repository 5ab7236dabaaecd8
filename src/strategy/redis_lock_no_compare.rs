//! redis-lock-no-compare: redis-lock that deletes the key, whosever it is.

use super::{Break, Claim, Need, REDELIVERY, Strategy};
use crate::terms::{FaultKind, Leg, Reply, Request, Retries, Role, StoreKind, Trouble, Violation};
use crate::world::World;

pub(super) struct RedisLockNoCompare;

#[async_trait::async_trait]
impl Strategy for RedisLockNoCompare {
    fn name(&self) -> &'static str {
        "redis-lock-no-compare"
    }

    fn steps(&self) -> &'static str {
        "[SET lock NX PX] [X] [DEL lock]"
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
                    because: "the key has run out, and whoever is late deletes the key of the next holder: a third one enters",
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
        world.cache().set_lock(account).await?.ok_or(Trouble::InProgress)?;
        let answer = world.store().apply(request).await;
        let _ = world.cache().delete_lock(account).await;
        answer
    }
}
