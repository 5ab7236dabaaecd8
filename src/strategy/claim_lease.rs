//! claim-lease: the id is claimed for a time, and whoever finds the time run out does the work again.

use super::{BETWEEN_EFFECT_AND_MARK, Break, Claim, Strategy, finished};
use crate::terms::{Leg, Reply, Request, Retries, StoreKind, Violation};
use crate::world::World;

pub(super) struct ClaimLease;

#[async_trait::async_trait]
impl Strategy for ClaimLease {
    fn name(&self) -> &'static str {
        "claim-lease"
    }

    fn steps(&self) -> &'static str {
        "[claim K for a time]; if fresh: [X] [keep K, store R]; else [read R]"
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
            ],
            tolerates: &[],
            breaks: &[Break {
                faults: BETWEEN_EFFECT_AND_MARK,
                legs: &[Leg::STORE],
                shows: &[Violation::Duplicate],
                because: "the effect is there when the time of the claim runs out, and nothing says that it is done",
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
        if !world.store().take(request.id).await? {
            return finished(world.store().read_answer(request.id).await?);
        }
        let answer = world.store().apply(request).await?;
        world.store().keep(request.id, answer).await?;
        Ok(answer)
    }
}
