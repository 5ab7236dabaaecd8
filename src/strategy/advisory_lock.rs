//! advisory-lock: a lock named after the message id, held until the transaction ends.

use super::{Claim, REAPED, Reaped, Strategy};
use crate::terms::{Isolation, Reply, Request, Retries, StoreKind, Violation};
use crate::world::World;

pub(super) struct AdvisoryLock;

#[async_trait::async_trait]
impl Strategy for AdvisoryLock {
    fn name(&self) -> &'static str {
        "advisory-lock"
    }

    fn steps(&self) -> &'static str {
        "T{lock K; read K; X; write K}"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "exactly once while K is kept",
            retries: Retries::UntilAcknowledged,
            rules_out: &Violation::ALL,
            tolerates: &[],
            breaks: &[],
        }
    }

    fn runs_on(&self, store: StoreKind) -> bool {
        matches!(store, StoreKind::Postgres | StoreKind::Null)
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    fn reaper(&self) -> Option<Reaped> {
        Some(REAPED)
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        world.store().begin(Isolation::ReadCommitted).await?;
        world.store().advisory_lock(request.id).await?;
        if let Some(answer) = world.store().read_mark(request.id).await? {
            world.store().rollback().await?;
            return Ok(answer);
        }
        let answer = world.store().apply(request).await?;
        world.store().write_mark(request.id, answer).await?;
        world.store().commit().await?;
        Ok(answer)
    }
}
