//! redis-lock-replica: redis-lock on a master with a replica, which may be promoted before the key has reached it.

use super::redis_lock::{CLAIM, act_under_a_key};
use super::{Claim, Failover, Need, Reaped, Strategy};
use crate::terms::{Reply, Request, StoreKind};
use crate::world::World;

pub(super) struct RedisLockReplica;

#[async_trait::async_trait]
impl Strategy for RedisLockReplica {
    fn name(&self) -> &'static str {
        "redis-lock-replica"
    }

    fn steps(&self) -> &'static str {
        "redis-lock, on a master with a replica"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        CLAIM
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::STORE, Need::REPLICATED]
    }

    fn has_timers(&self) -> bool {
        true
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    fn reaper(&self) -> Option<Reaped> {
        const { Some(Reaped { reaper: &Failover, claim: CLAIM }) }
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        act_under_a_key(world, request).await
    }
}
