//! check-then-act-transaction: check-then-act inside one transaction at READ COMMITTED.

use super::{Break, Claim, Strategy};
use crate::terms::{FaultKind, Isolation, Leg, Reply, Request, Retries, StoreKind, Violation};
use crate::world::World;

pub(super) struct CheckThenActTransaction;

/// Neither transaction sees the other's mark before it is committed. A store whose transactions are all serializable,
/// as SQLite's are, does not let them run side by side.
const TWO_AT_ONCE: &[Break] = &[Break {
    faults: &[FaultKind::Duplicated, FaultKind::Delayed, FaultKind::LateLanding, FaultKind::Pause],
    legs: &[Leg::Client, Leg::STORE],
    shows: &[Violation::Duplicate, Violation::Deviating],
    because: "two deliveries at once, and neither sees the other's mark before it is committed",
}];

#[async_trait::async_trait]
impl Strategy for CheckThenActTransaction {
    fn name(&self) -> &'static str {
        "check-then-act-transaction"
    }

    fn steps(&self) -> &'static str {
        "T{read K; X; write K} at READ COMMITTED"
    }

    fn claim(&self, store: StoreKind) -> Claim {
        let serializable = store == StoreKind::Sqlite;
        Claim {
            promise: if serializable { "exactly once, because every transaction is serializable" } else { "nothing" },
            retries: Retries::UntilAcknowledged,
            rules_out: if serializable {
                &Violation::ALL
            } else {
                &[
                    Violation::Wrong,
                    Violation::Denied,
                    Violation::Refused,
                    Violation::Lost,
                    Violation::Abandoned,
                    Violation::Stuck,
                ]
            },
            tolerates: &[],
            breaks: if serializable { &[] } else { TWO_AT_ONCE },
        }
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        world.store().begin(Isolation::ReadCommitted).await?;
        if let Some(answer) = world.store().read_mark(request.id).await? {
            world.store().rollback().await?;
            return Ok(answer);
        }
        let answer = world.store().apply(request).await?;
        world.store().write_mark(request.id, answer).await?;
        world.store().commit().await?;
        Ok(answer)
    }
}
