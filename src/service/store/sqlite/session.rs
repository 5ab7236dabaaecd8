//! One connection to SQLite: each operation as the statements that carry it out, in one call to the driver.

use sqlx::sqlite::SqliteConnection;
use sqlx::{Executor, Row};
use tokio::sync::OwnedMutexGuard;

use super::plan::{RunsAs, StatementPlan};
use super::{WriterQueue, broken};
use crate::service::store::batch::{both, in_a_transaction};
use crate::service::store::{Does, StoreOp, StoreResponse};
use crate::service::{AnyOp, BackendError, Connection, Outcome, Pending, own};
use crate::terms::{Delivery, Failure, OutcomeOf};

/// One connection, with its place among the writers while a transaction is open.
pub(super) struct SqliteSession {
    connection: SqliteConnection,
    writers: WriterQueue,
    /// Held while a transaction is open. Every transaction begins with BEGIN IMMEDIATE: a deferred one that comes to
    /// write later is told SQLITE_BUSY at once.
    transaction: Option<OwnedMutexGuard<()>>,
    /// Whether tokens are compared, and not only remembered.
    compares_tokens: bool,
    /// For how long rows are taken.
    ttl_us: i64,
}

impl SqliteSession {
    pub(super) fn new(connection: SqliteConnection, writers: WriterQueue, compares_tokens: bool, ttl_us: i64) -> Self {
        SqliteSession { connection, writers, transaction: None, compares_tokens, ttl_us }
    }

    async fn run(&mut self, op: StoreOp, by: Delivery) -> Result<OutcomeOf<StoreResponse>, sqlx::Error> {
        let response = match op.does() {
            Does::Begin => {
                // Only when the statement has succeeded does the place among the writers belong to the transaction.
                let place = self.writers.clone().lock_owned().await;
                self.connection.execute("BEGIN IMMEDIATE").await?;
                self.transaction = Some(place);
                StoreResponse::Done
            }
            Does::Commit | Does::Rollback if self.transaction.is_none() => {
                return Ok(OutcomeOf::Failed(Failure::NoTransaction));
            }
            Does::Commit => self.end("COMMIT").await?,
            Does::Rollback => self.end("ROLLBACK").await?,
            Does::Both => unreachable!("`{op}` is made in parts"),
            Does::Own | Does::Rows(_) => {
                return self.on_rows(StatementPlan::new(op, by, self.compares_tokens, self.ttl_us)).await;
            }
        };
        Ok(OutcomeOf::Ok(response))
    }

    /// Reads or writes rows: in the open transaction, or else in one of its own that is begun and committed in the same call.
    async fn on_rows(&mut self, plan: StatementPlan) -> Result<OutcomeOf<StoreResponse>, sqlx::Error> {
        let (place, text) = match (plan.how, &self.transaction) {
            (RunsAs::Read(text) | RunsAs::Own(text), _) => (None, text),
            (RunsAs::Write { inside, .. }, Some(_)) => (None, inside),
            (RunsAs::Write { alone, .. }, None) => (Some(self.writers.clone().lock_owned().await), alone),
        };
        let query = plan.values.iter().fold(sqlx::query(text), |query, value| query.bind(*value));
        let rows = query.fetch_all(&mut self.connection).await;
        drop(place);
        let row = rows?.first().map(|row| row.try_get(0)).transpose()?;
        Ok(plan.outcome(row))
    }

    async fn end(&mut self, statement: &'static str) -> Result<StoreResponse, sqlx::Error> {
        self.connection.execute(statement).await?;
        self.transaction = None;
        Ok(StoreResponse::Done)
    }
}

impl Connection for SqliteSession {
    fn execute_all(&mut self, ops: Vec<(AnyOp, Delivery)>) -> Pending<'_, Result<Vec<Outcome>, BackendError>> {
        Box::pin(in_a_transaction(self, ops))
    }

    fn execute(&mut self, op: AnyOp, by: Delivery) -> Pending<'_, Result<Outcome, BackendError>> {
        Box::pin(async move {
            if let Some(parts) = op.parts() {
                return both(self, parts, by).await;
            }
            match self.run(own(op), by).await {
                Err(error) if is_busy(&error) => Ok(Outcome::Failed(Failure::Busy)),
                result => result.map(|outcome| outcome.map(Into::into)).map_err(|error| broken(&error)),
            }
        })
    }
}

/// Whether SQLite says that another connection holds the write lock (`SQLITE_BUSY`, `SQLITE_BUSY_SNAPSHOT`, `SQLITE_LOCKED`).
/// It can only say so to the BEGIN of a transaction, when nothing has been done yet.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some("5" | "517" | "6"))
}
