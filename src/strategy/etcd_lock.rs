//! etcd-lock: a distributed lock around the effect, and nothing that remembers it.

use super::{Break, Claim, Need, REDELIVERY, Strategy};
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
                legs: &[Leg::Client, Leg::STORE],
                shows: &[Violation::Duplicate, Violation::Deviating],
                because: "the retry is alone in the critical section, and does it again",
            }],
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::STORE, Need::LOCK]
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        let lock = world.lock().enter(request.effect.account).await?;
        let answer = world.store().apply(request).await;
        world.lock().leave(lock).await;
        answer
    }
}
