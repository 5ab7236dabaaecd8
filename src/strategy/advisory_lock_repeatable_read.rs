//! advisory-lock-repeatable-read: advisory-lock at a level whose snapshot is older than the wait for the lock.
//!
//! The statement that takes the lock is the first one of the transaction. So the server takes the snapshot before it waits, and the look
//! that follows does not see what the former holder has committed. The effect only inserts: where it changed a row that every delivery
//! changes, as in check-then-act-repeatable-read, the second change would fail.

use super::{Break, Claim, Strategy};
use crate::terms::{FaultKind, HttpForm, Isolation, Leg, Reply, Request, Retries, Shape, StoreKind, Violation};
use crate::world::World;

pub(super) struct AdvisoryLockRepeatableRead;

#[async_trait::async_trait]
impl Strategy for AdvisoryLockRepeatableRead {
    fn name(&self) -> &'static str {
        "advisory-lock-repeatable-read"
    }

    fn steps(&self) -> &'static str {
        "T{lock K; read K; POST X; write K} at REPEATABLE READ"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "nothing",
            retries: Retries::UntilAcknowledged,
            rules_out: &const { Violation::all_but::<{ Violation::ALL.len() - 1 }>(&[Violation::Duplicate]) },
            tolerates: &[],
            breaks: &[Break {
                faults: &[FaultKind::Duplicated, FaultKind::Delayed, FaultKind::LateLanding, FaultKind::Pause],
                legs: &[Leg::Client, Leg::STORE],
                shows: &[Violation::Duplicate],
                because: "two deliveries at once: the second waits for the lock with a snapshot that is older than the first one's mark",
            }],
        }
    }

    fn shape(&self) -> Shape {
        Shape::Entry
    }

    fn http_form(&self, _: &Request) -> HttpForm {
        HttpForm::Post
    }

    fn runs_on(&self, store: StoreKind) -> bool {
        matches!(store, StoreKind::Postgres | StoreKind::Null)
    }

    fn waits_with_snapshot(&self) -> bool {
        true
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        world.store().begin(Isolation::RepeatableRead).await?;
        world.store().advisory_lock(request.id).await?;
        if let Some(answer) = world.store().read_mark(request.id).await? {
            world.store().rollback().await?;
            return Ok(answer);
        }
        let answer = world.store().create(request).await?;
        world.store().write_mark(request.id, answer).await?;
        world.store().commit().await?;
        Ok(answer)
    }
}
