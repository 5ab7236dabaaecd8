//! redis-lock-wait: redis-lock on a master with a replica, by handlers who go on only when the replica has the key.

use super::redis_lock::CLAIM;
use super::{Claim, Failover, Need, Reaped, Strategy};
use crate::terms::{Reply, Request, StoreKind, Trouble};
use crate::world::World;

pub(super) struct RedisLockWait;

#[async_trait::async_trait]
impl Strategy for RedisLockWait {
    fn name(&self) -> &'static str {
        "redis-lock-wait"
    }

    fn steps(&self) -> &'static str {
        "[SET lock NX PX] [WAIT 1]; if a replica has it: [X]; [DEL lock if it is mine, in a script]"
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
        let account = request.effect.account;
        let value = world.cache().ask_lock(account).await?.ok_or(Trouble::InProgress)?;
        let answer = match world.cache().wait_for_replica(account).await {
            Ok(true) => world.store().apply(request).await,
            Ok(false) => Err(Trouble::InProgress),
            Err(trouble) => Err(trouble),
        };
        let _ = world.cache().delete_own_lock(account, value).await;
        answer
    }
}
