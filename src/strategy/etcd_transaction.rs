//! etcd-transaction: mark and effect in one transaction of etcd's, if the mark is not there.

use super::{Claim, Need, Strategy};
use crate::terms::{Reply, Request, Retries, Role, Shape, StoreKind, Violation};
use crate::world::World;

pub(super) struct EtcdTransaction;

#[async_trait::async_trait]
impl Strategy for EtcdTransaction {
    fn name(&self) -> &'static str {
        "etcd-transaction"
    }

    fn steps(&self) -> &'static str {
        "[if create_revision(K) = 0: put K with R, put X; else read R], in etcd"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "exactly once, same answer, while K is kept; one round trip",
            retries: Retries::UntilAcknowledged,
            rules_out: &Violation::ALL,
            tolerates: &[],
            breaks: &[],
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::LOCK]
    }

    fn effects_in(&self) -> &'static [Role] {
        &[Role::LOCK]
    }

    fn shape(&self) -> Shape {
        Shape::Entry
    }

    fn has_timers(&self) -> bool {
        false
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        world.lock().record_once(request).await
    }
}
