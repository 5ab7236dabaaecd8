//! etcd-lock-marker: check-then-act inside a distributed lock.

use super::{BETWEEN_EFFECT_AND_MARK, Break, Claim, Need, Strategy};
use crate::terms::{Leg, Reply, Request, Retries, StoreKind, Violation};
use crate::world::World;

pub(super) struct EtcdLockMarker;

#[async_trait::async_trait]
impl Strategy for EtcdLockMarker {
    fn name(&self) -> &'static str {
        "etcd-lock-marker"
    }

    fn steps(&self) -> &'static str {
        "[grant lease] [acquire] [read K] [X] [write K] [release] [revoke]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "exactly once if nothing pauses or is lost between X and K",
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
                faults: BETWEEN_EFFECT_AND_MARK,
                legs: &[Leg::STORE],
                shows: &[Violation::Duplicate],
                because: "the mark is missing, or the lock has gone to another while its holder goes on",
            }],
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::STORE, Need::LOCK]
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        let lock = world.lock().enter(request.effect.account).await?;
        let answer = inside(world, request).await;
        world.lock().leave(lock).await;
        answer
    }
}

async fn inside(world: &mut World<'_>, request: &Request) -> Reply {
    if let Some(answer) = world.store().read_mark(request.id).await? {
        return Ok(answer);
    }
    let answer = world.store().apply(request).await?;
    world.store().write_mark(request.id, answer).await?;
    Ok(answer)
}
