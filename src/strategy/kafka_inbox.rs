//! kafka-inbox: a consumer remembers the record's id with the effect, under a unique constraint, and commits the offset afterwards.

use super::{Break, Claim, GIVING_UP, Need, REAPED, RECORDED, Reaped, Strategy};
use crate::terms::{Isolation, Leg, Reply, Request, Retries, Shape, StoreKind, Violation};
use crate::world::World;

pub(super) struct KafkaInbox;

#[async_trait::async_trait]
impl Strategy for KafkaInbox {
    fn name(&self) -> &'static str {
        "kafka-inbox"
    }

    fn steps(&self) -> &'static str {
        "[fetch the offset]; if the record lies behind it: T{INSERT K; if fresh: create X} [commit the offset]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "exactly once, while K is kept and one consumer has the partition",
            retries: Retries::UntilAcknowledged,
            rules_out: &const { Violation::all_but::<{ Violation::ALL.len() - 1 }>(&[Violation::Lost]) },
            tolerates: &[],
            breaks: &[Break {
                faults: GIVING_UP,
                legs: &[Leg::STORE],
                shows: &[Violation::Lost],
                because: "the consumer gave a record up and went on: the later offset covers the earlier record",
            }],
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::STORE, Need::BROKER]
    }

    fn reaper(&self) -> Option<Reaped> {
        Some(REAPED)
    }

    fn shape(&self) -> Shape {
        Shape::Entry
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        if world.broker().is_done(request).await? {
            return Ok(RECORDED);
        }
        world.store().begin(Isolation::ReadCommitted).await?;
        if world.store().claim(request.id).await? {
            world.store().create(request).await?;
        }
        world.store().commit().await?;
        world.broker().commit_offset(request).await?;
        Ok(RECORDED)
    }
}
