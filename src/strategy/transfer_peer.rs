//! transfer-peer: X in the store, remembered by a dedup table, and at a peer without a key: done once here, charged twice there.

use super::{Break, Claim, Need, Strategy, finished};
use crate::terms::{FaultKind, Isolation, Leg, Reply, Request, Retries, Role, StoreKind, Violation};
use crate::world::World;

pub(super) struct TransferPeer;

#[async_trait::async_trait]
impl Strategy for TransferPeer {
    fn name(&self) -> &'static str {
        "transfer-peer"
    }

    fn steps(&self) -> &'static str {
        "T{INSERT K ON CONFLICT DO NOTHING; if fresh: X, [POST X (peer)], store R; else read R}"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "exactly once in the store, at least once at the peer",
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
                    because: "the claim is undone with its transaction, and X at the peer is not: the retry does it again",
                },
                Break {
                    faults: &[FaultKind::ReplyLost, FaultKind::LateLanding],
                    legs: &[Leg::Service(Role::PEER)],
                    shows: &[Violation::Duplicate],
                    because: "X is done at the peer, nobody hears of it, and the claim is undone",
                },
            ],
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

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        world.store().begin(Isolation::ReadCommitted).await?;
        if !world.store().claim(request.id).await? {
            let answer = world.store().read_answer(request.id).await?;
            world.store().rollback().await?;
            return finished(answer);
        }
        let answer = world.store().apply(request).await?;
        // The transaction knows nothing of the peer: what is done there is not undone with it.
        world.peer().post(request).await?;
        world.store().store_answer(request.id, answer).await?;
        world.store().commit().await?;
        Ok(answer)
    }
}
