//! dedup-window: the id is remembered for a time, with the effect in one statement.

use super::{Break, Claim, Strategy, finished};
use crate::terms::{FaultKind, Leg, Reply, Request, Retries, StoreKind, Violation};
use crate::world::World;

pub(super) struct DedupWindow;

#[async_trait::async_trait]
impl Strategy for DedupWindow {
    fn name(&self) -> &'static str {
        "dedup-window"
    }

    fn steps(&self) -> &'static str {
        "[claim K for a time; if fresh: X, store R]; else [read R]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "exactly once inside the window",
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
                because: "the id has been forgotten when the request comes again",
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
        match world.store().take_and_apply(request).await? {
            Some(answer) => Ok(answer),
            None => finished(world.store().read_answer(request.id).await?),
        }
    }
}
