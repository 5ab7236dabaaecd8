//! post: an entry is created without an id of the client's.

use super::{Break, Claim, REDELIVERY, Strategy};
use crate::terms::{HttpForm, Leg, Reply, Request, Retries, Shape, StoreKind, Violation};
use crate::world::World;

pub(super) struct Post;

#[async_trait::async_trait]
impl Strategy for Post {
    fn name(&self) -> &'static str {
        "post"
    }

    fn steps(&self) -> &'static str {
        "[POST X]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "nothing",
            retries: Retries::UntilAcknowledged,
            rules_out: &[
                Violation::Wrong,
                Violation::Denied,
                Violation::Refused,
                Violation::Lost,
                Violation::Abandoned,
                Violation::Late,
                Violation::Deviating,
                Violation::Stuck,
                Violation::Reverted,
            ],
            tolerates: &[],
            breaks: &[Break {
                faults: REDELIVERY,
                legs: &[Leg::Client, Leg::STORE],
                shows: &[Violation::Duplicate],
                because: "every delivery creates another entry",
            }],
        }
    }

    fn shape(&self) -> Shape {
        Shape::Entry
    }

    fn http_form(&self, _: &Request) -> HttpForm {
        HttpForm::Post
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        world.store().create(request).await
    }
}
