//! etcd-lock-kept-alive: the lock's lease is kept alive by an actor beside the delivery, which ignores that the lease is lost.

use super::actor::LeaseKeeper;
use super::{Actor, Break, Claim, Need, REDELIVERY, Strategy};
use crate::terms::{Leg, Reply, Request, Retries, StoreKind, Violation};
use crate::world::World;

pub(super) struct EtcdLockKeptAlive;

#[async_trait::async_trait]
impl Strategy for EtcdLockKeptAlive {
    fn name(&self) -> &'static str {
        "etcd-lock-kept-alive"
    }

    fn steps(&self) -> &'static str {
        "[grant lease] [acquire] [X] [release] [revoke]; beside it: [keep alive]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "mutual exclusion while the lease is kept alive",
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

    fn actors(&self) -> &'static [&'static dyn Actor] {
        &[&LeaseKeeper]
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        let lock = world.lock().enter(request.effect.account).await?;
        let answer = world.store().apply(request).await;
        world.lock().leave(lock).await;
        answer
    }
}
