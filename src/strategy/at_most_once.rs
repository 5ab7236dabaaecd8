//! at-most-once: send it once and never again.

use super::{Break, Claim, Strategy};
use crate::terms::{FaultKind, Leg, Reply, Request, Retries, StoreKind, Violation};
use crate::world::World;

pub(super) struct AtMostOnce;

#[async_trait::async_trait]
impl Strategy for AtMostOnce {
    fn name(&self) -> &'static str {
        "at-most-once"
    }

    fn steps(&self) -> &'static str {
        "[X], sent once, never retried"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "at most one effect, if nothing on the way repeats the request",
            retries: Retries::Never,
            rules_out: &[
                Violation::Wrong,
                Violation::Denied,
                Violation::Refused,
                Violation::Lost,
                Violation::Stuck,
                Violation::Overlap,
                Violation::Stale,
                Violation::Reverted,
            ],
            // At most one effect is promised, and neither that there is one nor that its client hears of it in time.
            tolerates: &[Violation::Abandoned, Violation::Late],
            breaks: &[
                Break {
                    faults: &[FaultKind::Duplicated],
                    legs: &[Leg::Client, Leg::STORE],
                    shows: &[Violation::Duplicate, Violation::Deviating],
                    because: "its client sends it once, and something on the way repeats it",
                },
                Break {
                    faults: &[FaultKind::RequestLost, FaultKind::Cancel, FaultKind::Crash],
                    legs: &[Leg::Client, Leg::STORE],
                    shows: &[Violation::Abandoned],
                    because: "nobody sends it again",
                },
                Break {
                    faults: &[FaultKind::LateLanding, FaultKind::Delayed, FaultKind::Pause],
                    legs: &[Leg::Client, Leg::STORE],
                    shows: &[Violation::Late],
                    because: "the client has given up, and it happens after all",
                },
            ],
        }
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        world.store().apply(request).await
    }
}
