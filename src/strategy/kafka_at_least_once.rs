//! kafka-at-least-once: a producer that sends again, with idempotence off. The effect is a record.

use super::{Break, Claim, Need, REDELIVERY, Strategy};
use crate::terms::{Leg, Reply, Request, Retries, Role, Shape, StoreKind, Trouble, Violation};
use crate::world::World;

pub(super) struct KafkaAtLeastOnce;

#[async_trait::async_trait]
impl Strategy for KafkaAtLeastOnce {
    fn name(&self) -> &'static str {
        "kafka-at-least-once"
    }

    fn steps(&self) -> &'static str {
        "[produce X]; if nobody knows what became of it: [produce X]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "at least one record",
            retries: Retries::UntilAcknowledged,
            rules_out: &const { Violation::all_but::<{ Violation::ALL.len() - 1 }>(&[Violation::Duplicate]) },
            tolerates: &[],
            breaks: &[Break {
                faults: REDELIVERY,
                legs: &[Leg::Client, Leg::Service(Role::BROKER)],
                shows: &[Violation::Duplicate],
                because: "the broker appends whatever comes",
            }],
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::BROKER]
    }

    fn effects_in(&self) -> &'static [Role] {
        &[Role::BROKER]
    }

    fn shape(&self) -> Shape {
        Shape::Entry
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        match world.broker().produce(request).await {
            // The client of a broker does this by itself: `retries` is above 0 unless somebody sets it to 0.
            Err(Trouble::Unknown) => world.broker().produce(request).await.map_err(|_| Trouble::Unknown),
            heard => heard,
        }
    }
}
