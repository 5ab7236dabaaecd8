//! kafka-offset-in-store: the effect and how far the consumer has come are one transaction of the store; the broker keeps no offset.

use super::{Claim, RECORDED, Strategy};
use crate::terms::{Answer, Isolation, Reply, Request, Retries, Shape, StoreKind, Trouble, Violation};
use crate::world::World;

pub(super) struct KafkaOffsetInStore;

#[async_trait::async_trait]
impl Strategy for KafkaOffsetInStore {
    fn name(&self) -> &'static str {
        "kafka-offset-in-store"
    }

    fn steps(&self) -> &'static str {
        "T{read the offset; if the record is next: raise the offset, create X}"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "exactly once",
            retries: Retries::UntilAcknowledged,
            rules_out: &Violation::ALL,
            tolerates: &[],
            breaks: &[],
        }
    }

    fn shape(&self) -> Shape {
        Shape::Entry
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        world.store().begin(Isolation::ReadCommitted).await?;
        let last = world.store().read_sequence(request.client).await?;
        if last < request.sequence.checked_sub(1).map(|before| Answer(before.into())) {
            world.store().rollback().await?;
            return Err(Trouble::InProgress);
        }
        // False if it is done, also if another consumer has just done it.
        if !world.store().advance(request.client, request.sequence).await? {
            world.store().rollback().await?;
            return Ok(RECORDED);
        }
        let answer = world.store().create(request).await?;
        world.store().commit().await?;
        Ok(answer)
    }
}
