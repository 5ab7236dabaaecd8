//! at-least-once: retry until it is acknowledged.

use super::{Break, Claim, REDELIVERY, Strategy};
use crate::terms::{Leg, Reply, Request, Retries, StoreKind, Violation};
use crate::world::World;

pub(super) struct AtLeastOnce;

#[async_trait::async_trait]
impl Strategy for AtLeastOnce {
    fn name(&self) -> &'static str {
        "at-least-once"
    }

    fn steps(&self) -> &'static str {
        "[X], retried until acknowledged"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "at least one effect",
            retries: Retries::UntilAcknowledged,
            rules_out: &[
                Violation::Wrong,
                Violation::Denied,
                Violation::Refused,
                Violation::Lost,
                Violation::Abandoned,
                Violation::Stuck,
                Violation::Overlap,
                Violation::Stale,
            ],
            tolerates: &[],
            breaks: &[Break {
                faults: REDELIVERY,
                legs: &[Leg::Client, Leg::STORE],
                shows: &[Violation::Duplicate, Violation::Deviating],
                because: "nothing remembers that it was done",
            }],
        }
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        world.store().apply(request).await
    }
}
