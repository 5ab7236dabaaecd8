//! kafka-idempotent: a producer that numbers its records, so that the broker drops the copies of one session. The effect is a record.

use super::{Break, Claim, Need, REDELIVERY, Strategy};
use crate::terms::{FaultKind, Leg, Reply, Request, Retries, Role, Shape, StoreKind, Trouble, Violation};
use crate::world::World;

pub(super) struct KafkaIdempotent;

#[async_trait::async_trait]
impl Strategy for KafkaIdempotent {
    fn name(&self) -> &'static str {
        "kafka-idempotent"
    }

    fn steps(&self) -> &'static str {
        "[InitProducerId] [produce X as number 0]; if nobody knows what became of it: [produce X as number 0]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "one record for each producer session",
            retries: Retries::UntilAcknowledged,
            rules_out: &const { Violation::all_but::<{ Violation::ALL.len() - 1 }>(&[Violation::Duplicate]) },
            tolerates: &[],
            breaks: &[
                Break {
                    faults: REDELIVERY,
                    legs: &[Leg::Client],
                    shows: &[Violation::Duplicate],
                    because: "another delivery is another producer session",
                },
                Break {
                    faults: &[
                        FaultKind::ReplyLost,
                        FaultKind::LateLanding,
                        FaultKind::Delayed,
                        FaultKind::Pause,
                        FaultKind::Cancel,
                        FaultKind::Crash,
                    ],
                    legs: &[Leg::Service(Role::BROKER)],
                    shows: &[Violation::Duplicate],
                    because: "a session that ends without an answer is followed by another one",
                },
            ],
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
        let producer = world.broker().init_producer_id().await?;
        match world.broker().produce_numbered(request, producer, 0).await {
            // The same number: if the record is there already, the broker says so and appends nothing.
            Err(Trouble::Unknown) => {
                world.broker().produce_numbered(request, producer, 0).await.map_err(|_| Trouble::Unknown)
            }
            heard => heard,
        }
    }
}
