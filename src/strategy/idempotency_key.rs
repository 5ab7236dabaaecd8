//! idempotency-key: the id is bound to its body and claimed for a time; the work goes on in phases, each in a transaction that remembers
//! it.

use super::{Claim, REAPED, Reaped, Strategy, finished};
use crate::terms::{Isolation, Reply, Request, Retries, StoreKind, Trouble, Violation};
use crate::world::World;

/// The phase after the effect.
const APPLIED: u32 = 1;

pub(super) struct IdempotencyKey;

#[async_trait::async_trait]
impl Strategy for IdempotencyKey {
    fn name(&self) -> &'static str {
        "idempotency-key"
    }

    fn steps(&self) -> &'static str {
        "[bind K to its body]; if it is bound to another: refuse; [claim K for a time]; if fresh: T{advance K; if it was not: X, store R} \
         [finish K]; else [read R]"
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

    fn has_timers(&self) -> bool {
        true
    }

    fn mixes_bodies(&self) -> bool {
        false
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    fn reaper(&self) -> Option<Reaped> {
        Some(REAPED)
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        if !world.store().bind(request.id, request.effect.digest()).await? {
            return Err(Trouble::Refused);
        }
        if !world.store().take(request.id).await? {
            return finished(world.store().read_answer(request.id).await?);
        }
        world.store().begin(Isolation::ReadCommitted).await?;
        let answer = if world.store().advance_phase(request.id, APPLIED).await? {
            let answer = world.store().apply(request).await?;
            world.store().store_answer(request.id, answer).await?;
            world.store().commit().await?;
            answer
        } else {
            // Whoever had the claim before has come so far.
            let answer = world.store().read_answer(request.id).await?;
            world.store().rollback().await?;
            finished(answer)?
        };
        world.store().finish(request.id).await?;
        Ok(answer)
    }
}
