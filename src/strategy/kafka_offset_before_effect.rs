//! kafka-offset-before-effect: a consumer says how far it has come, and does the work afterwards.

use super::{Break, Claim, Need, RECORDED, Strategy};
use crate::terms::{FaultKind, Leg, Reply, Request, Retries, Role, Shape, StoreKind, Violation};
use crate::world::World;

pub(super) struct KafkaOffsetBeforeEffect;

#[async_trait::async_trait]
impl Strategy for KafkaOffsetBeforeEffect {
    fn name(&self) -> &'static str {
        "kafka-offset-before-effect"
    }

    fn steps(&self) -> &'static str {
        "[fetch the offset]; if the record lies behind it: [commit the offset] [create X]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "at most one effect, while one consumer has the partition",
            retries: Retries::UntilAcknowledged,
            rules_out: &const {
                Violation::all_but::<{ Violation::ALL.len() - 2 }>(&[Violation::Duplicate, Violation::Lost])
            },
            tolerates: &[],
            breaks: &[Break {
                faults: &[
                    FaultKind::RequestLost,
                    FaultKind::ReplyLost,
                    FaultKind::LateLanding,
                    FaultKind::Cancel,
                    FaultKind::Crash,
                ],
                legs: &[Leg::STORE, Leg::Service(Role::BROKER)],
                shows: &[Violation::Lost],
                because: "the offset is committed, X is not done, and nobody comes back to the record",
            }],
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
        world.broker().commit_offset(request).await?;
        world.store().create(request).await
    }
}
