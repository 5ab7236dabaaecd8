//! dedup-table-batched: the dedup table for many deliveries in one statement and one commit.

use super::{Claim, REAPED, Reaped, Strategy, finished};
use crate::terms::{Reply, Request, Retries, StoreKind, Violation};
use crate::world::World;

/// The most deliveries in a statement.
const LARGEST: usize = 64;

pub(super) struct DedupTableBatched;

#[async_trait::async_trait]
impl Strategy for DedupTableBatched {
    fn name(&self) -> &'static str {
        "dedup-table-batched"
    }

    fn steps(&self) -> &'static str {
        "[for each of a batch: INSERT K ON CONFLICT DO NOTHING; if fresh: X, store R]; else [read R]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "exactly once, same answer, while K is kept; one round trip and one commit for many",
            retries: Retries::UntilAcknowledged,
            rules_out: &Violation::ALL,
            tolerates: &[],
            breaks: &[],
        }
    }

    fn reaper(&self) -> Option<Reaped> {
        Some(REAPED)
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    fn largest_batch(&self) -> usize {
        LARGEST
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        self.handle_batch(world, std::slice::from_ref(request)).await.remove(0)
    }

    async fn handle_batch(&self, world: &mut World<'_>, requests: &[Request]) -> Vec<Reply> {
        let applied = world.store().claim_and_apply_all(requests).await;
        let mut replies = Vec::with_capacity(requests.len());
        for (request, applied) in requests.iter().zip(applied) {
            replies.push(match applied {
                Ok(Some(answer)) => Ok(answer),
                Ok(None) => world.store().read_answer(request.id).await.and_then(finished),
                Err(trouble) => Err(trouble),
            });
        }
        replies
    }
}
