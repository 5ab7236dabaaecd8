//! transfer-two-stores: X in each of two stores, remembered by a dedup table in the first: done once here, charged twice there.

use super::{Break, Claim, Need, SECOND_STORE, Strategy, finished};
use crate::terms::{FaultKind, Isolation, Leg, Reply, Request, Retries, Role, StoreKind, Violation};
use crate::world::World;

pub(super) struct TransferTwoStores;

#[async_trait::async_trait]
impl Strategy for TransferTwoStores {
    fn name(&self) -> &'static str {
        "transfer-two-stores"
    }

    fn steps(&self) -> &'static str {
        "T{INSERT K ON CONFLICT DO NOTHING; if fresh: X, [X (second)], store R; else read R}"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "exactly once in the first store, at least once in the second",
            retries: Retries::UntilAcknowledged,
            rules_out: &const { Violation::all_but::<{ Violation::ALL.len() - 1 }>(&[Violation::Duplicate]) },
            tolerates: &[],
            breaks: &[
                Break {
                    faults: &[
                        FaultKind::RequestLost,
                        FaultKind::ReplyLost,
                        FaultKind::LateLanding,
                        FaultKind::Cancel,
                        FaultKind::Crash,
                    ],
                    legs: &[Leg::STORE],
                    shows: &[Violation::Duplicate],
                    because: "the claim is undone with its transaction, and X at the second store is not: the retry does it again",
                },
                Break {
                    faults: &[FaultKind::ReplyLost, FaultKind::LateLanding],
                    legs: &[Leg::Service(Role::SECOND)],
                    shows: &[Violation::Duplicate],
                    because: "X is done at the second store, nobody hears of it, and the claim is undone",
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

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        world.store().begin(Isolation::ReadCommitted).await?;
        if !world.store().claim(request.id).await? {
            let answer = world.store().read_answer(request.id).await?;
            world.store().rollback().await?;
            return finished(answer);
        }
        let answer = world.store().apply(request).await?;
        // The transaction of the first store knows nothing of the second: what is done there is not undone with it.
        world.at(&SECOND_STORE).apply(request).await?;
        world.store().store_answer(request.id, answer).await?;
        world.store().commit().await?;
        Ok(answer)
    }
}
