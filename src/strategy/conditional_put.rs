//! conditional-put: a value is set under a key, if nobody has set it since the client looked (If-Match).

use super::{Break, Claim, REDELIVERY, Strategy};
use crate::terms::{HttpForm, Leg, Reply, Request, Retries, Shape, StoreKind, Trouble, Violation};
use crate::world::World;

pub(super) struct ConditionalPut;

#[async_trait::async_trait]
impl Strategy for ConditionalPut {
    fn name(&self) -> &'static str {
        "conditional-put"
    }

    fn steps(&self) -> &'static str {
        "[PUT X if the version is the one that the client knows]; else refuse"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "no duplicate, and nothing newer is undone",
            retries: Retries::UntilAcknowledged,
            rules_out: &[
                Violation::Duplicate,
                Violation::Wrong,
                Violation::Lost,
                Violation::Abandoned,
                Violation::Late,
                Violation::Stuck,
                Violation::Reverted,
            ],
            tolerates: &[Violation::Refused],
            breaks: &[Break {
                faults: REDELIVERY,
                legs: &[Leg::Client, Leg::STORE],
                shows: &[Violation::Denied],
                because: "a retry is told that the version has changed, by the first try of the same request",
            }],
        }
    }

    fn shape(&self) -> Shape {
        Shape::Register
    }

    /// Both bodies name the version that the client knew, and it is there once.
    fn mixes_bodies(&self) -> bool {
        false
    }

    fn http_form(&self, request: &Request) -> HttpForm {
        HttpForm::PutIfMatch(known_version(request))
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        world.store().put_if(request, known_version(request)).await?.ok_or(Trouble::Refused)
    }
}

/// The client has made so many requests before this one: that is the version that it knows, if nobody else writes to its account.
fn known_version(request: &Request) -> u32 {
    request.sequence + 1
}
