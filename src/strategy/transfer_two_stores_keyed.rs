//! transfer-two-stores-keyed: X in each of two stores, and each keeps a dedup table of its own: an external call is as good as its key.

use super::{Claim, Need, REAPED, Reaped, SECOND_STORE, Strategy, finished};
use crate::terms::{Isolation, Reply, Request, Retries, Role, StoreKind, Violation};
use crate::world::World;

pub(super) struct TransferTwoStoresKeyed;

#[async_trait::async_trait]
impl Strategy for TransferTwoStoresKeyed {
    fn name(&self) -> &'static str {
        "transfer-two-stores-keyed"
    }

    fn steps(&self) -> &'static str {
        "T{INSERT K ON CONFLICT DO NOTHING; if fresh: X, [INSERT K; if fresh: X (second)], store R; else read R}"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "exactly once in each store, same answer, while each keeps K",
            retries: Retries::UntilAcknowledged,
            rules_out: &Violation::ALL,
            tolerates: &[],
            breaks: &[],
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::STORE, Need::SECOND_STORE]
    }

    fn effects_in(&self) -> &'static [Role] {
        &[Role::STORE, Role::SECOND]
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
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
        // Whether it was there already does not matter: it is there once.
        world.at(&SECOND_STORE).claim_and_apply(request).await?;
        world.store().store_answer(request.id, answer).await?;
        world.store().commit().await?;
        Ok(answer)
    }
}
