//! dedup-table-partitioned: the id is unique within a day, as it is in a table with a partition for each day.

use super::{Break, Claim, Strategy, finished};
use crate::terms::{FaultKind, Leg, Reply, Request, Retries, StoreKind, Violation};
use crate::world::World;

pub(super) struct DedupTablePartitioned;

#[async_trait::async_trait]
impl Strategy for DedupTablePartitioned {
    fn name(&self) -> &'static str {
        "dedup-table-partitioned"
    }

    fn steps(&self) -> &'static str {
        "[claim (K, day); if fresh: X, store R]; else [read R]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "exactly once within a day",
            retries: Retries::UntilAcknowledged,
            rules_out: &[
                Violation::Wrong,
                Violation::Denied,
                Violation::Refused,
                Violation::Lost,
                Violation::Abandoned,
                Violation::Late,
                Violation::Stuck,
                Violation::Reverted,
            ],
            tolerates: &[],
            breaks: &[Break {
                faults: &[FaultKind::Pause],
                legs: &[Leg::Client, Leg::STORE],
                shows: &[Violation::Duplicate],
                because: "the request comes again on the other side of midnight",
            }],
        }
    }

    fn has_timers(&self) -> bool {
        true
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        match world.store().take_for_the_day(request).await? {
            Some(answer) => Ok(answer),
            None => finished(world.store().read_answer(request.id).await?),
        }
    }
}
