//! claim-lease-two-stores: the id is claimed for a time in the store, and the work is done in the second store.

use super::{BETWEEN_EFFECT_AND_MARK, Break, Claim, Need, SECOND_STORE, Strategy, finished};
use crate::terms::{FaultKind, Leg, Reply, Request, Retries, Role, StoreKind, Violation};
use crate::world::World;

pub(super) struct ClaimLeaseTwoStores;

#[async_trait::async_trait]
impl Strategy for ClaimLeaseTwoStores {
    fn name(&self) -> &'static str {
        "claim-lease-two-stores"
    }

    fn steps(&self) -> &'static str {
        "[claim K for a time]; if fresh: [X (second)] [keep K, store R]; else [read R]"
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
            breaks: &[
                Break {
                    faults: BETWEEN_EFFECT_AND_MARK,
                    legs: &[Leg::STORE],
                    shows: &[Violation::Duplicate],
                    because: "X is there when the time of the claim runs out, and nothing says that it is done",
                },
                Break {
                    faults: &[FaultKind::ReplyLost, FaultKind::LateLanding],
                    legs: &[Leg::Service(Role::SECOND)],
                    shows: &[Violation::Duplicate],
                    because: "X is done at the second store and nobody hears of it before the time of the claim runs out",
                },
            ],
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::STORE, Need::SECOND_STORE]
    }

    fn effects_in(&self) -> &'static [Role] {
        &[Role::SECOND]
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
        let answer = world.at(&SECOND_STORE).apply(request).await?;
        world.store().keep(request.id, answer).await?;
        Ok(answer)
    }
}
