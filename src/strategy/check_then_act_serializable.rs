//! check-then-act-serializable: check-then-act inside one transaction at SERIALIZABLE, made again where it cannot be ordered.

use super::{Claim, REAPED, Reaped, Strategy};
use crate::terms::{Failure, Isolation, Reply, Request, Retries, StoreKind, Trouble, Violation};
use crate::world::World;

pub(super) struct CheckThenActSerializable;

#[async_trait::async_trait]
impl Strategy for CheckThenActSerializable {
    fn name(&self) -> &'static str {
        "check-then-act-serializable"
    }

    fn steps(&self) -> &'static str {
        "T{read K; X; write K} at SERIALIZABLE, again if it cannot be ordered"
    }

    /// MariaDB locks what such a transaction reads: what PostgreSQL cannot order is a deadlock there.
    fn claim(&self, store: StoreKind) -> Claim {
        let locks = store == StoreKind::Mariadb;
        Claim {
            promise: if locks {
                "exactly once while K is kept, by locks on what is read"
            } else {
                "exactly once while K is kept"
            },
            retries: Retries::UntilAcknowledged,
            rules_out: &Violation::ALL,
            tolerates: &[],
            breaks: &[],
        }
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    fn reaper(&self) -> Option<Reaped> {
        Some(REAPED)
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        loop {
            let reply = once(world, request).await;
            // If another one has committed, this one sees the mark when it looks again.
            let again = [Failure::SerializationFailure, Failure::Deadlock].map(|failure| Err(Trouble::Failed(failure)));
            if !again.contains(&reply) {
                return reply;
            }
        }
    }
}

async fn once(world: &mut World<'_>, request: &Request) -> Reply {
    world.store().begin(Isolation::Serializable).await?;
    let reply = in_transaction(world, request).await;
    if let Err(Trouble::Failed(_)) = reply {
        // A deadlock may have ended the transaction already.
        if world.store().rollback().await == Err(Trouble::Unknown) {
            return Err(Trouble::Unknown);
        }
        return reply;
    }
    world.store().commit().await?;
    reply
}

async fn in_transaction(world: &mut World<'_>, request: &Request) -> Reply {
    if let Some(answer) = world.store().read_mark(request.id).await? {
        return Ok(answer);
    }
    let answer = world.store().apply(request).await?;
    world.store().write_mark(request.id, answer).await?;
    Ok(answer)
}
