//! etcd-lock-fenced-transaction: the token is checked in the transaction that looks, acts and marks.

use super::{Claim, Need, REAPED, Reaped, Strategy};
use crate::terms::{Isolation, Reply, Request, Retries, StoreKind, Token, Violation};
use crate::world::World;

pub(super) struct EtcdLockFencedTransaction;

const ALL_BUT_OVERLAP: [Violation; Violation::ALL.len() - 1] = Violation::all_but(&[Violation::Overlap]);

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
            rules_out: &ALL_BUT_OVERLAP,
            // A holder past its lease believes that it is still inside; its transaction fails all the same.
            tolerates: &[Violation::Overlap],
            breaks: &[],
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::STORE, Need::LOCK]
    }

    fn reaper(&self) -> Option<Reaped> {
        let rules_out = &const {
            Violation::all_but::<{ Violation::ALL.len() - 3 }>(&[
                Violation::Overlap,
                Violation::Duplicate,
                Violation::Deviating,
            ])
        };
        Some(Reaped { claim: Claim { rules_out, tolerates: &[Violation::Overlap], ..REAPED.claim }, ..REAPED })
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        let lock = world.lock().enter(request.effect.account).await?;
        let answer = inside(world, request, lock.token).await;
        world.lock().leave(lock).await;
        answer
    }
}

async fn inside(world: &mut World<'_>, request: &Request, token: Token) -> Reply {
    world.store().begin(Isolation::ReadCommitted).await?;
    world.store().check_token(request.effect.account, token).await?;
    if let Some(answer) = world.store().read_mark(request.id).await? {
        world.store().rollback().await?;
        return Ok(answer);
    }
    let answer = world.store().apply(request).await?;
    world.store().write_mark(request.id, answer).await?;
    world.store().commit().await?;
    Ok(answer)
}
