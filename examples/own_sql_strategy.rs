//! A strategy with SQL of its own, in one file. No model knows what its statements do, so `explore` searches on the real
//! database.
//!
//! ```text
//! cargo run --release --example own_sql_strategy -- explore insert-if-absent --store postgres
//! cargo run --release --example own_sql_strategy -- run quick --strategies insert-if-absent
//! ```
//!
//! `insert-if-absent` is the dedup table of somebody who could not add a unique constraint to a table that others fill too. It
//! looks and inserts in *one* statement, inside the transaction of the effect: nothing can come in between. Or can it?

use oncelab::strategy::{Claim, Registry, Strategy, async_trait};
use oncelab::terms::{Isolation, Reply, Request, Retries, StoreKind, Trouble, Violation};
use oncelab::world::{Sql, World};

/// Message id; gives a row if the message was not there.
const REMEMBER: &str = "INSERT INTO mark (message, answer) SELECT $1, 0
     WHERE NOT EXISTS (SELECT 1 FROM mark WHERE message = $1) RETURNING 1";
/// Message id, and as the fourth parameter the answer.
const KEEP_ANSWER: &str = "UPDATE mark SET answer = $4 WHERE message = $1";
/// Message id.
const RECALL: &str = "SELECT answer FROM mark WHERE message = $1";

struct InsertIfAbsent;

#[async_trait]
impl Strategy for InsertIfAbsent {
    fn name(&self) -> &'static str {
        "insert-if-absent"
    }

    fn steps(&self) -> &'static str {
        "T{INSERT K WHERE NOT EXISTS K; if inserted: X, store R; else read R}"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "exactly once, same answer, without a unique constraint",
            retries: Retries::UntilAcknowledged,
            rules_out: &Violation::ALL,
            tolerates: &[],
            breaks: &[],
        }
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        world.store().begin(Isolation::ReadCommitted).await?;
        if world.store().sql(Sql::new(REMEMBER, request, 0)).await?.is_none() {
            let answer = world.store().sql(Sql::new(RECALL, request, 0)).await?;
            world.store().rollback().await?;
            return answer.ok_or(Trouble::InProgress);
        }
        let answer = world.store().apply(request).await?;
        world.store().sql(Sql::new(KEEP_ANSWER, request, answer.0)).await?;
        world.store().commit().await?;
        Ok(answer)
    }
}

fn main() -> std::process::ExitCode {
    let mut registry = Registry::default();
    registry.register(InsertIfAbsent);
    oncelab::cli::main_with(&registry)
}
