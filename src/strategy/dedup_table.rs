//! dedup-table: the message id under a unique constraint, in the transaction of the effect.

use super::{Claim, REAPED, Reaped, Strategy, finished};
use crate::terms::{Isolation, Reply, Request, Retries, StoreKind, Violation};
use crate::world::World;

pub(super) struct DedupTable;

#[async_trait::async_trait]
impl Strategy for DedupTable {
    fn name(&self) -> &'static str {
        "dedup-table"
    }

    fn steps(&self) -> &'static str {
        "T{INSERT K ON CONFLICT DO NOTHING; if fresh: X, store R; else read R}"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "exactly once, same answer, while K is kept",
            retries: Retries::UntilAcknowledged,
            rules_out: &Violation::ALL,
            tolerates: &[],
            breaks: &[],
        }
    }

    fn reaper(&self) -> Option<Reaped> {
        Some(REAPED)
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        world.store().begin(Isolation::ReadCommitted).await?;
        if !world.store().claim(request.id).await? {
            let answer = world.store().read_answer(request.id).await?;
            world.store().rollback().await?;
            return finished(answer);
        }
        let answer = world.store().apply(request).await?;
        world.store().store_answer(request.id, answer).await?;
        world.store().commit().await?;
        Ok(answer)
    }
}
