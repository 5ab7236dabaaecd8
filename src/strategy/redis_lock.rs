//! redis-lock: a key of Redis as a lock for a time. Each acquisition has a value of its own, and a script deletes no other's key.

use super::{Break, Claim, Need, REDELIVERY, Reaped, Restart, Strategy};
use crate::service::redis::Master;
use crate::terms::{FaultKind, Leg, Reply, Request, Retries, Role, StoreKind, Trouble, Violation};
use crate::world::World;

pub(super) struct RedisLock;

pub(super) const CLAIM: Claim = Claim {
    promise: "efficiency only: work is seldom done twice at once",
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
            because: "the key has run out, and another holds the lock",
        },
        Break {
            faults: &[FaultKind::ServerKilled],
            legs: &[Leg::Service(Role::CACHE)],
            shows: &[Violation::Overlap, Violation::Duplicate, Violation::Deviating],
            because: "Redis comes back without its keys, and another holds the lock",
        },
    ],
};

#[async_trait::async_trait]
impl Strategy for RedisLock {
    fn name(&self) -> &'static str {
        "redis-lock"
    }

    fn steps(&self) -> &'static str {
        "[SET lock NX PX] [X] [DEL lock if it is mine, in a script]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        CLAIM
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

    fn reaper(&self) -> Option<Reaped> {
        const { Some(Reaped { reaper: &Restart(Master::FIRST), claim: CLAIM }) }
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        act_under_a_key(world, request).await
    }
}

/// Does what is asked for under a key that nobody else has.
pub(super) async fn act_under_a_key(world: &mut World<'_>, request: &Request) -> Reply {
    let account = request.effect.account;
    let value = world.cache().set_lock(account).await?.ok_or(Trouble::InProgress)?;
    let answer = world.store().apply(request).await;
    // Whether it succeeds is nobody's concern: the key runs out by itself.
    let _ = world.cache().delete_own_lock(account, value).await;
    answer
}
