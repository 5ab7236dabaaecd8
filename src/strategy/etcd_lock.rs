//! etcd-lock: a distributed lock around the effect, and nothing that remembers it.

use super::{Break, Claim, REDELIVERY, Strategy};
use crate::terms::{Leg, Reply, Request, Retries, StoreKind, Violation};
use crate::world::World;

pub(super) struct EtcdLock;

#[async_trait::async_trait]
impl Strategy for EtcdLock {
    fn name(&self) -> &'static str {
        "etcd-lock"
    }

    fn steps(&self) -> &'static str {
        "[grant lease] [acquire] [X] [release] [revoke]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "mutual exclusion while the lease lives",
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
            breaks: &[Break {
                faults: REDELIVERY,
                legs: &[Leg::Client, Leg::Store],
                shows: &[Violation::Duplicate, Violation::Deviating],
                because: "the retry is alone in the critical section, and does it again",
            }],
        }
    }

    fn needs_lock_service(&self) -> bool {
        true
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        let lock = world.enter(request.effect.account).await?;
        let answer = world.apply(request).await;
        world.leave(lock).await;
        answer
    }
}
