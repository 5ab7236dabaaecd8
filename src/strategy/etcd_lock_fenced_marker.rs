//! etcd-lock-fenced-marker: check-then-act inside a distributed lock whose token the store checks.

use super::{BETWEEN_EFFECT_AND_MARK, Break, Claim, Strategy};
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
                legs: &[Leg::Store],
                shows: &[Violation::Duplicate],
                because: "the mark is missing when the next holder looks, and its token is newer",
            }],
        }
    }

    fn needs_lock_service(&self) -> bool {
        true
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        let lock = world.enter(request.effect.account).await?;
        let answer = inside(world, request, lock.token).await;
        world.leave(lock).await;
        answer
    }
}

async fn inside(world: &mut World<'_>, request: &Request, token: Token) -> Reply {
    if let Some(answer) = world.read_mark(request.id).await? {
        return Ok(answer);
    }
    let answer = world.apply_fenced(request, token).await?;
    world.write_mark(request.id, answer).await?;
    Ok(answer)
}
