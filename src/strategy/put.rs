//! put: a value is set under a key, whatever was there.

use super::{Break, Claim, REDELIVERY, Strategy};
use crate::terms::{Leg, Reply, Request, Retries, Shape, StoreKind, Violation};
use crate::world::World;

pub(super) struct PutValue;

#[async_trait::async_trait]
impl Strategy for PutValue {
    fn name(&self) -> &'static str {
        "put"
    }

    fn steps(&self) -> &'static str {
        "[PUT X]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "no duplicate",
            retries: Retries::UntilAcknowledged,
            rules_out: &[
                Violation::Duplicate,
                Violation::Wrong,
                Violation::Denied,
                Violation::Refused,
                Violation::Lost,
                Violation::Abandoned,
                Violation::Late,
                Violation::Deviating,
                Violation::Stuck,
            ],
            tolerates: &[],
            breaks: &[Break {
                faults: REDELIVERY,
                legs: &[Leg::Client, Leg::STORE],
                shows: &[Violation::Reverted],
                because: "a retry or a late copy sets the old value again, after a newer one",
            }],
        }
    }

    fn shape(&self) -> Shape {
        Shape::Register
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        world.store().put(request).await
    }
}
