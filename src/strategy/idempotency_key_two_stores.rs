//! idempotency-key-two-stores: X once in the store, in a phase that remembers it; then X in the second store, which is told no key.

use super::{BETWEEN_EFFECT_AND_MARK, Break, Claim, Need, SECOND_STORE, Strategy, finished};
use crate::terms::{FaultKind, Isolation, Leg, Reply, Request, Retries, Role, StoreKind, Violation};
use crate::world::World;

/// The phase after the effect in the first store.
const APPLIED: u32 = 1;

pub(super) struct IdempotencyKeyTwoStores;

#[async_trait::async_trait]
impl Strategy for IdempotencyKeyTwoStores {
    fn name(&self) -> &'static str {
        "idempotency-key-two-stores"
    }

    fn steps(&self) -> &'static str {
        "[claim K for a time]; if fresh: T{advance K; if it was not: X, write K; else read K} [X (second)] [keep K, store R]; else [read R]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "exactly once in the first store while K is kept; at least once in the second: an external call is as good as its own key",
            retries: Retries::UntilAcknowledged,
            rules_out: &const { Violation::all_but::<{ Violation::ALL.len() - 1 }>(&[Violation::Duplicate]) },
            tolerates: &[],
            breaks: &[
                Break {
                    faults: BETWEEN_EFFECT_AND_MARK,
                    legs: &[Leg::STORE],
                    shows: &[Violation::Duplicate],
                    because: "X is there at the second store when the time of the claim runs out, and nothing says that it is done",
                },
                Break {
                    faults: &[FaultKind::ReplyLost, FaultKind::LateLanding],
                    legs: &[Leg::Service(Role::SECOND)],
                    shows: &[Violation::Duplicate],
                    because: "X is done at the second store and nobody hears of it before the time of the claim runs out",
                },
            ],
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::STORE, Need::SECOND_STORE]
    }

    fn effects_in(&self) -> &'static [Role] {
        &[Role::STORE, Role::SECOND]
    }

    fn has_timers(&self) -> bool {
        true
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        if !world.store().take(request.id).await? {
            return finished(world.store().read_answer(request.id).await?);
        }
        world.store().begin(Isolation::ReadCommitted).await?;
        let answer = if world.store().advance_phase(request.id, APPLIED).await? {
            let answer = world.store().apply(request).await?;
            world.store().write_mark(request.id, answer).await?;
            world.store().commit().await?;
            answer
        } else {
            // Whoever had the claim before has come so far.
            let answer = world.store().read_mark(request.id).await?;
            world.store().rollback().await?;
            finished(answer)?
        };
        world.at(&SECOND_STORE).apply(request).await?;
        world.store().keep(request.id, answer).await?;
        Ok(answer)
    }
}
