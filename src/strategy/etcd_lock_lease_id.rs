//! etcd-lock-lease-id: a distributed lock, and a store that lets in only the lease that it has seen first, as in etcd's own example
//! (`contrib/lock`). An id can be compared for equality only: it does not tell who came later.

use super::{Break, Claim, Need, REDELIVERY, Strategy};
use crate::terms::{Leg, Reply, Request, Retries, StoreKind, Violation};
use crate::world::World;

pub(super) struct EtcdLockLeaseId;

#[async_trait::async_trait]
impl Strategy for EtcdLockLeaseId {
    fn name(&self) -> &'static str {
        "etcd-lock-lease-id"
    }

    fn steps(&self) -> &'static str {
        "[grant lease] [acquire] [X if the lease is the one seen first] [release] [revoke]"
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
            breaks: &[Break {
                faults: REDELIVERY,
                legs: &[Leg::Client, Leg::STORE, Leg::LOCK],
                shows: &[Violation::Lost],
                because: "whoever writes first keeps out every later holder for ever, be it a zombie, and also without a fault",
            }],
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::STORE, Need::LOCK]
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    /// Each delivery has a lease of its own, and the store lets in the first one alone.
    fn mixes_bodies(&self) -> bool {
        false
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        let lock = world.lock().enter(request.effect.account).await?;
        let answer = world.store().apply_under_lease(request, lock.key.lease).await;
        world.lock().leave(lock).await;
        answer
    }
}
