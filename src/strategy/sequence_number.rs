//! sequence-number: the store keeps the number and the answer of each client's last request.

use super::{Break, Claim, GIVING_UP, Strategy, finished};
use crate::terms::{Answer, Isolation, Leg, Reply, Request, Retries, StoreKind, Trouble, Violation};
use crate::world::World;

pub(super) struct SequenceNumber;

#[async_trait::async_trait]
impl Strategy for SequenceNumber {
    fn name(&self) -> &'static str {
        "sequence-number"
    }

    fn steps(&self) -> &'static str {
        "T{advance the client's number; if it was lower: X, keep R; if equal: read R; else refuse}"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "exactly once, same answer, if a client sends in order",
            retries: Retries::UntilAcknowledged,
            rules_out: &[
                Violation::Duplicate,
                Violation::Wrong,
                Violation::Lost,
                Violation::Abandoned,
                Violation::Stuck,
            ],
            // A copy that comes after the client has gone on is refused, and nobody hears it.
            tolerates: &[Violation::Deviating],
            breaks: &[Break {
                faults: GIVING_UP,
                legs: &[Leg::STORE],
                shows: &[Violation::Refused, Violation::Denied],
                because: "the client gave up and went on: its newer request was done, and the older one is refused for good",
            }],
        }
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        world.store().begin(Isolation::ReadCommitted).await?;
        if world.store().advance(request.client, request.sequence).await? {
            let answer = world.store().apply(request).await?;
            world.store().keep_answer(request.id, request.client, answer).await?;
            world.store().commit().await?;
            return Ok(answer);
        }
        let last = world.store().read_sequence(request.client).await?;
        if last != Some(Answer(request.sequence.into())) {
            world.store().rollback().await?;
            return Err(Trouble::Refused);
        }
        let answer = world.store().read_last_answer(request.id, request.client).await?;
        world.store().rollback().await?;
        finished(answer)
    }
}
