//! etcd-lock-overwrite: read, modify and write back inside a distributed lock, which alone keeps others from doing the same.

use super::{Break, Claim, Need, Strategy};
use crate::terms::{FaultKind, Leg, Reply, Request, Retries, StoreKind, Violation};
use crate::world::World;

pub(super) struct EtcdLockOverwrite;

#[async_trait::async_trait]
impl Strategy for EtcdLockOverwrite {
    fn name(&self) -> &'static str {
        "etcd-lock-overwrite"
    }

    fn steps(&self) -> &'static str {
        "[grant lease] [acquire] [read B] [write B] [release] [revoke]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "no lost update while the lease lives",
            retries: Retries::UntilAcknowledged,
            rules_out: &[Violation::Wrong, Violation::Denied, Violation::Refused, Violation::Stuck],
            tolerates: &[],
            breaks: &[Break {
                faults: &[FaultKind::Pause, FaultKind::ServerPaused],
                legs: &[Leg::LOCK],
                shows: &[Violation::Lost, Violation::Overlap],
                because: "two are inside, and the one overwrites what the other has written",
            }],
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::STORE, Need::LOCK]
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        let lock = world.lock().enter(request.effect.account).await?;
        let answer = inside(world, request).await;
        world.lock().leave(lock).await;
        answer
    }
}

async fn inside(world: &mut World<'_>, request: &Request) -> Reply {
    let balance = world.store().read_balance(request.effect.account).await?;
    world.store().overwrite(request, balance).await
}
