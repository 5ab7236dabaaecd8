//! dedup-table-repeatable-read: dedup-table at a level at which the loser of two inserts fails, and does not look.
//!
//! The insert is the first statement of the transaction: it waits with a snapshot that does not show the row of the winner. PostgreSQL
//! refuses it then, and the delivery is made again.

use super::{Claim, REAPED, Reaped, Strategy, finished};
use crate::terms::{Isolation, Reply, Request, Retries, StoreKind, Violation};
use crate::world::World;

pub(super) struct DedupTableRepeatableRead;

#[async_trait::async_trait]
impl Strategy for DedupTableRepeatableRead {
    fn name(&self) -> &'static str {
        "dedup-table-repeatable-read"
    }

    fn steps(&self) -> &'static str {
        "T{INSERT K ON CONFLICT DO NOTHING; if fresh: X, store R; else read R} at REPEATABLE READ"
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

    fn waits_with_snapshot(&self) -> bool {
        true
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        world.store().begin(Isolation::RepeatableRead).await?;
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
