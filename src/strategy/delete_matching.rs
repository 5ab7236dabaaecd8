//! delete-matching: every second request deletes what is there under a key, and the others set it.

use super::{Break, Claim, REDELIVERY, Strategy};
use crate::terms::{HttpForm, Leg, Reply, Request, Retries, Shape, StoreKind, Violation};
use crate::world::World;

pub(super) struct DeleteMatching;

#[async_trait::async_trait]
impl Strategy for DeleteMatching {
    fn name(&self) -> &'static str {
        "delete-matching"
    }

    fn steps(&self) -> &'static str {
        "[DELETE what matches], or [PUT X], in turn"
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
                because: "a retry or a late copy deletes what was inserted since",
            }],
        }
    }

    fn shape(&self) -> Shape {
        Shape::Register
    }

    fn http_form(&self, request: &Request) -> HttpForm {
        if deletes(request) { HttpForm::Delete } else { HttpForm::Put }
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        if deletes(request) {
            return world.store().delete(request).await;
        }
        world.store().put(request).await
    }
}

fn deletes(request: &Request) -> bool {
    request.sequence.is_multiple_of(2)
}
