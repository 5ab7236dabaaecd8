//! etcd-lock-fenced: a distributed lock whose token the store checks. Fencing is not idempotence.

use super::{Break, Claim, Need, REDELIVERY, Strategy};
use crate::terms::{Leg, Reply, Request, Retries, StoreKind, Violation};
use crate::world::World;

pub(super) struct EtcdLockFenced;

#[async_trait::async_trait]
impl Strategy for EtcdLockFenced {
    fn name(&self) -> &'static str {
        "etcd-lock-fenced"
    }

    fn steps(&self) -> &'static str {
        "[grant lease] [acquire] [X with token] [release] [revoke]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "no zombie writes",
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
            breaks: &[Break {
                faults: REDELIVERY,
                legs: &[Leg::Client, Leg::STORE],
                shows: &[Violation::Duplicate, Violation::Deviating],
                because: "the retry has a newer token, and the store accepts it",
            }],
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::STORE, Need::LOCK]
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        let lock = world.lock().enter(request.effect.account).await?;
        let answer = world.store().apply_fenced(request, lock.token).await;
        world.lock().leave(lock).await;
        answer
    }
}
