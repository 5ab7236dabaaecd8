//! dedup-table-statement: the dedup table in a single statement.

use super::{Claim, REAPED, Reaped, Strategy, finished};
use crate::terms::{Reply, Request, Retries, StoreKind, Violation};
use crate::world::World;

pub(super) struct DedupTableStatement;

#[async_trait::async_trait]
impl Strategy for DedupTableStatement {
    fn name(&self) -> &'static str {
        "dedup-table-statement"
    }

    fn steps(&self) -> &'static str {
        "[INSERT K ON CONFLICT DO NOTHING; if fresh: X, store R]; else [read R]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "exactly once, same answer, while K is kept; one round trip",
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
        match world.store().claim_and_apply(request).await? {
            Some(answer) => Ok(answer),
            None => finished(world.store().read_answer(request.id).await?),
        }
    }
}
