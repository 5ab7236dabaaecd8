//! row-lock: the row that the effect changes is locked before the mark is looked for.

use super::{Claim, REAPED, Reaped, Strategy};
use crate::terms::{Isolation, Reply, Request, Retries, StoreKind, Violation};
use crate::world::World;

pub(super) struct RowLock;

#[async_trait::async_trait]
impl Strategy for RowLock {
    fn name(&self) -> &'static str {
        "row-lock"
    }

    fn steps(&self) -> &'static str {
        "T{lock the account's row; read K; X; write K}"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "exactly once per row that exists",
            retries: Retries::UntilAcknowledged,
            rules_out: &Violation::ALL,
            tolerates: &[],
            breaks: &[],
        }
    }

    fn runs_on(&self, store: StoreKind) -> bool {
        store != StoreKind::Sqlite
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    fn reaper(&self) -> Option<Reaped> {
        Some(REAPED)
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        world.store().begin(Isolation::ReadCommitted).await?;
        world.store().lock_row(request.effect.account).await?;
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
