//! check-then-act-repeatable-read: check-then-act inside one transaction at REPEATABLE READ, which is MariaDB's own level.
//!
//! The name of the level is the same everywhere, and what it permits is not. PostgreSQL refuses to write over a row that was changed
//! since the snapshot, so that the second of two deliveries fails at the account and looks again. MariaDB's InnoDB reads from the
//! snapshot and writes on what is there now, unless `innodb_snapshot_isolation` is on.

use super::{Break, Claim, Strategy};
use crate::terms::{FaultKind, Isolation, Leg, Reply, Request, Retries, StoreKind, Violation};
use crate::world::World;

pub(super) struct CheckThenActRepeatableRead;

const TWO_AT_ONCE: &[Break] = &[Break {
    faults: &[FaultKind::Duplicated, FaultKind::Delayed, FaultKind::LateLanding, FaultKind::Pause],
    legs: &[Leg::Client, Leg::STORE],
    shows: &[Violation::Duplicate, Violation::Deviating],
    because: "two deliveries at once: neither snapshot has the other's mark, and the second writes on what the first has left",
}];

#[async_trait::async_trait]
impl Strategy for CheckThenActRepeatableRead {
    fn name(&self) -> &'static str {
        "check-then-act-repeatable-read"
    }

    fn steps(&self) -> &'static str {
        "T{read K; X; write K} at REPEATABLE READ"
    }

    fn claim(&self, store: StoreKind) -> Claim {
        let promise = match store {
            StoreKind::Sqlite | StoreKind::Null => "exactly once, because every transaction is serializable",
            StoreKind::Postgres => "exactly once, because X changes a row that every delivery changes",
            StoreKind::Mariadb => "nothing",
        };
        let refuses = store != StoreKind::Mariadb;
        Claim {
            promise,
            retries: Retries::UntilAcknowledged,
            rules_out: if refuses {
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
            breaks: if refuses { &[] } else { TWO_AT_ONCE },
        }
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        world.store().begin(Isolation::RepeatableRead).await?;
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
