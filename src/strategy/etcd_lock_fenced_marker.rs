//! etcd-lock-fenced-marker: check-then-act inside a distributed lock whose token the store checks.

use super::{BETWEEN_EFFECT_AND_MARK, Break, Claim, Need, Strategy};
use crate::terms::{Leg, Reply, Request, Retries, StoreKind, Token, Violation};
use crate::world::World;

pub(super) struct EtcdLockFencedMarker;

#[async_trait::async_trait]
impl Strategy for EtcdLockFencedMarker {
    fn name(&self) -> &'static str {
        "etcd-lock-fenced-marker"
    }

    fn steps(&self) -> &'static str {
        "[grant lease] [acquire] [read K] [X with token] [write K] [release] [revoke]"
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
                faults: BETWEEN_EFFECT_AND_MARK,
                legs: &[Leg::STORE],
                shows: &[Violation::Duplicate],
                because: "the mark is missing when the next holder looks, and its token is newer",
            }],
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::STORE, Need::LOCK]
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        let lock = world.lock().enter(request.effect.account).await?;
        let answer = inside(world, request, lock.token).await;
        world.lock().leave(lock).await;
        answer
    }
}

async fn inside(world: &mut World<'_>, request: &Request, token: Token) -> Reply {
    if let Some(answer) = world.store().read_mark(request.id).await? {
        return Ok(answer);
    }
    let answer = world.store().apply_fenced(request, token).await?;
    world.store().write_mark(request.id, answer).await?;
    Ok(answer)
}
