//! idempotency-key-peer: X in the store, remembered by a dedup table, and at a peer with the message's id for its Idempotency-Key: an
//! external call is as good as its own key.

use super::{Claim, Need, REAPED, Reaped, Strategy, finished};
use crate::terms::{Isolation, Reply, Request, Retries, Role, StoreKind, Violation};
use crate::world::World;

pub(super) struct IdempotencyKeyPeer;

#[async_trait::async_trait]
impl Strategy for IdempotencyKeyPeer {
    fn name(&self) -> &'static str {
        "idempotency-key-peer"
    }

    fn steps(&self) -> &'static str {
        "T{INSERT K ON CONFLICT DO NOTHING; if fresh: X, [POST X with key K (peer)], store R; else read R}"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "exactly once in the store and at the peer, same answer, while both keep K",
            retries: Retries::UntilAcknowledged,
            rules_out: &Violation::ALL,
            tolerates: &[],
            breaks: &[],
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::STORE, Need::PEER]
    }

    fn effects_in(&self) -> &'static [Role] {
        &[Role::STORE, Role::PEER]
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
        // Whether the peer has done it already does not matter: it does it once.
        world.peer().post_with_key(request).await?;
        world.store().store_answer(request.id, answer).await?;
        world.store().commit().await?;
        Ok(answer)
    }
}
