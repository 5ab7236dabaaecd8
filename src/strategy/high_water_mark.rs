//! high-water-mark: a request is applied if its number is higher than every one before it.

use super::{Break, Claim, GIVING_UP, REDELIVERY, Strategy};
use crate::terms::{Leg, Reply, Request, Retries, StoreKind, Violation};
use crate::world::World;

pub(super) struct HighWaterMark;

#[async_trait::async_trait]
impl Strategy for HighWaterMark {
    fn name(&self) -> &'static str {
        "high-water-mark"
    }

    fn steps(&self) -> &'static str {
        "[X if its number is higher than the last one]; else [read the balance]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "no duplicate",
            retries: Retries::UntilAcknowledged,
            rules_out: &[
                Violation::Duplicate,
                Violation::Denied,
                Violation::Refused,
                Violation::Abandoned,
                Violation::Stuck,
                Violation::Late,
            ],
            tolerates: &[],
            breaks: &[
                Break {
                    faults: GIVING_UP,
                    legs: &[Leg::STORE],
                    shows: &[Violation::Lost],
                    because: "the client gave up and went on: its newer request was done, and the older one is dropped",
                },
                Break {
                    faults: REDELIVERY,
                    legs: &[Leg::Client, Leg::STORE],
                    shows: &[Violation::Wrong],
                    because: "no answer is kept: a retry is told a balance that others have changed since",
                },
            ],
        }
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        match world.store().apply_newer(request, request.client, request.sequence).await? {
            Some(answer) => Ok(answer),
            None => world.store().read_balance(request.effect.account).await,
        }
    }
}
