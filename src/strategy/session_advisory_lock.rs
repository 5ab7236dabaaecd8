//! session-advisory-lock: a lock named after the message id, held by the connection, around operations without a transaction.

use super::{Break, Claim, Strategy};
use crate::terms::{FaultKind, Leg, Reply, Request, Retries, StoreKind, Violation};
use crate::world::World;

pub(super) struct SessionAdvisoryLock;

#[async_trait::async_trait]
impl Strategy for SessionAdvisoryLock {
    fn name(&self) -> &'static str {
        "session-advisory-lock"
    }

    fn steps(&self) -> &'static str {
        "[lock K] [read K] [X] [write K] [unlock K]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "mutual exclusion",
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
                faults: &[
                    FaultKind::RequestLost,
                    FaultKind::ReplyLost,
                    FaultKind::LateLanding,
                    FaultKind::Cancel,
                    FaultKind::Crash,
                ],
                legs: &[Leg::STORE],
                shows: &[Violation::Duplicate],
                because: "the effect is there, and the mark that remembers it is not",
            }],
        }
    }

    fn runs_on(&self, store: StoreKind) -> bool {
        matches!(store, StoreKind::Postgres | StoreKind::Null)
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        world.store().session_lock(request.id).await?;
        let answer = match world.store().read_mark(request.id).await? {
            Some(answer) => answer,
            None => {
                let answer = world.store().apply(request).await?;
                world.store().write_mark(request.id, answer).await?;
                answer
            }
        };
        world.store().session_unlock(request.id).await?;
        Ok(answer)
    }
}
