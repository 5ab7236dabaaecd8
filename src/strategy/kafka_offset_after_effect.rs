//! kafka-offset-after-effect: a consumer does the work, and says afterwards how far it has come.

use super::{BETWEEN_EFFECT_AND_MARK, Break, Claim, GIVING_UP, Need, RECORDED, REDELIVERY, Strategy};
use crate::terms::{Leg, Reply, Request, Retries, Role, Shape, StoreKind, Violation};
use crate::world::World;

pub(super) struct KafkaOffsetAfterEffect;

#[async_trait::async_trait]
impl Strategy for KafkaOffsetAfterEffect {
    fn name(&self) -> &'static str {
        "kafka-offset-after-effect"
    }

    fn steps(&self) -> &'static str {
        "[fetch the offset]; if the record lies behind it: [create X] [commit the offset]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "at least one effect, while one consumer has the partition",
            retries: Retries::UntilAcknowledged,
            rules_out: &const {
                Violation::all_but::<{ Violation::ALL.len() - 2 }>(&[Violation::Duplicate, Violation::Lost])
            },
            tolerates: &[],
            breaks: &[
                Break {
                    faults: REDELIVERY,
                    legs: &[Leg::Client, Leg::STORE],
                    shows: &[Violation::Duplicate],
                    because: "the record is given to a consumer again before the offset is committed",
                },
                Break {
                    faults: BETWEEN_EFFECT_AND_MARK,
                    legs: &[Leg::Service(Role::BROKER)],
                    shows: &[Violation::Duplicate],
                    because: "X is done, and the offset is not committed",
                },
                Break {
                    faults: GIVING_UP,
                    legs: &[Leg::STORE],
                    shows: &[Violation::Lost],
                    because: "the consumer gave a record up and went on: the later offset covers the earlier record",
                },
            ],
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::STORE, Need::BROKER]
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
        let answer = world.store().create(request).await?;
        world.broker().commit_offset(request).await?;
        Ok(answer)
    }
}
