//! etcd-lock-fenced-transaction: the token is checked in the transaction that looks, acts and marks.

use super::{Claim, Strategy};
use crate::terms::{Isolation, Reply, Request, Retries, StoreKind, Token, Violation};
use crate::world::World;

pub(super) struct EtcdLockFencedTransaction;

#[async_trait::async_trait]
impl Strategy for EtcdLockFencedTransaction {
    fn name(&self) -> &'static str {
        "etcd-lock-fenced-transaction"
    }

    fn steps(&self) -> &'static str {
        "[grant lease] [acquire] T{check token; read K; X; write K} [release] [revoke]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "exactly once; unavailable when the lock service is",
            retries: Retries::UntilAcknowledged,
            rules_out: &[
                Violation::Wrong,
                Violation::Denied,
                Violation::Refused,
                Violation::Duplicate,
                Violation::Lost,
                Violation::Abandoned,
                Violation::Late,
                Violation::Deviating,
                Violation::Stuck,
                Violation::Stale,
                Violation::Reverted,
            ],
            // A holder past its lease believes that it is still inside; its transaction fails all the same.
            tolerates: &[Violation::Overlap],
            breaks: &[],
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
    world.begin(Isolation::ReadCommitted).await?;
    world.check_token(request.effect.account, token).await?;
    if let Some(answer) = world.read_mark(request.id).await? {
        world.rollback().await?;
        return Ok(answer);
    }
    let answer = world.apply(request).await?;
    world.write_mark(request.id, answer).await?;
    world.commit().await?;
    Ok(answer)
}
