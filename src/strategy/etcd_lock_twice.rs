//! etcd-lock-twice: one session that enters the critical section twice, as a client does that keeps its session.

use super::{Break, Claim, Need, Strategy};
use crate::terms::{FaultKind, Leg, LockKey, Reply, Request, Retries, StoreKind, Violation};
use crate::world::World;

pub(super) struct EtcdLockTwice;

#[async_trait::async_trait]
impl Strategy for EtcdLockTwice {
    fn name(&self) -> &'static str {
        "etcd-lock-twice"
    }

    fn steps(&self) -> &'static str {
        "[grant lease] [acquire] [read K] [release] [acquire] [read K] [X] [write K] [release] [revoke]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "mutual exclusion while the lease lives, and no unlock arrives late",
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
                faults: &[FaultKind::LateLanding],
                legs: &[Leg::LOCK],
                shows: &[Violation::Overlap],
                because: "both locks of a session have the same key, and the unlock of the first deletes the second (etcd#22082)",
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
        let first = world.lock().enter(request.effect.account).await?;
        let seen = world.store().read_mark(request.id).await;
        // Whatever becomes of it, the session goes on.
        let _ = world.lock().release(first.key).await;
        let reply = match seen {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => again(world, request, first.key).await,
            Err(trouble) => Err(trouble),
        };
        let _ = world.lock().revoke(first.key.lease).await;
        reply
    }
}

/// The second critical section under the same lease.
async fn again(world: &mut World<'_>, request: &Request, key: LockKey) -> Reply {
    world.lock().acquire(key).await?;
    let answer = inside(world, request).await;
    let _ = world.lock().release(key).await;
    answer
}

async fn inside(world: &mut World<'_>, request: &Request) -> Reply {
    if let Some(answer) = world.store().read_mark(request.id).await? {
        return Ok(answer);
    }
    let answer = world.store().apply(request).await?;
    world.store().write_mark(request.id, answer).await?;
    Ok(answer)
}
