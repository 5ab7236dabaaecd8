//! One connection to MariaDB.

use sqlx::mysql::{MySqlArguments, MySqlConnection, MySqlDatabaseError, MySqlRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Executor, MySql, Row};

use super::broken;
use super::print::Answers;
use super::statements::{self, BoundStatement};
use crate::service::store::batch::{both, in_a_transaction};
use crate::service::store::inlined::{bracketed, with_values};
use crate::service::store::program::Gives;
use crate::service::store::{Does, StoreOp, StoreResponse};
use crate::service::{AnyOp, BackendError, Connection, Outcome, Pending, own};
use crate::terms::{Delivery, Failure, OutcomeOf};

/// One connection.
pub(super) struct MariadbSession {
    connection: MySqlConnection,
    /// Whether a transaction is open, says the server. A deadlock ends it, and a strategy that goes on all the same writes outside of
    /// any; a wait that took too long undoes one statement, and leaves it open.
    in_transaction: bool,
    /// For how long rows are taken.
    ttl_us: i64,
}

impl MariadbSession {
    pub(super) fn new(connection: MySqlConnection, ttl_us: i64) -> Self {
        MariadbSession { connection, in_transaction: false, ttl_us }
    }

    async fn run(&mut self, op: StoreOp, by: Delivery) -> Result<OutcomeOf<StoreResponse>, sqlx::Error> {
        let gives = match op.does() {
            Does::Begin => {
                // One that is open is committed by this, as MariaDB has it.
                self.send(statements::begin(op.level())).await?;
                self.in_transaction = true;
                return Ok(OutcomeOf::Ok(StoreResponse::Done));
            }
            Does::Commit | Does::Rollback if !self.in_transaction => {
                return Ok(OutcomeOf::Failed(Failure::NoTransaction));
            }
            Does::Commit => return self.end(statements::COMMIT).await,
            Does::Rollback => return self.end(statements::ROLLBACK).await,
            Does::Own => Gives::Found,
            Does::Rows(program) => program.gives,
            Does::Both => unreachable!("`{op}` is made in parts"),
        };
        let row = match statements::statement(op, by, self.ttl_us) {
            Some(statement) => self.on_rows(statement).await?,
            None => self.own(op).await?,
        };
        Ok(gives.outcome(row))
    }

    /// The first column of the first row, if there is one, or whether rows were changed. Every answer is read to its end, so that what
    /// goes wrong after a row is heard too.
    async fn on_rows(&mut self, statement: BoundStatement) -> Result<Option<Option<i64>>, sqlx::Error> {
        let BoundStatement { text, values, answers } = statement;
        let query = values.into_iter().fold(sqlx::query(text), Query::<MySql, MySqlArguments>::bind);
        match answers {
            Answers::WithRow => {
                let rows = query.fetch_all(&mut self.connection).await?;
                rows.first().map(|row| row.try_get(0)).transpose()
            }
            Answers::WithCount => {
                let done = query.execute(&mut self.connection).await?;
                Ok((done.rows_affected() > 0).then_some(None))
            }
        }
    }

    /// A statement of the strategy's own, whose parameters have numbers, which MariaDB's have not: numbers are written in.
    async fn own(&mut self, op: StoreOp) -> Result<Option<Option<i64>>, sqlx::Error> {
        let sql = op.own();
        let values: Vec<String> = sql.values().into_iter().map(bracketed).collect();
        let text = with_values(sql.text(), &values);
        let rows = sqlx::raw_sql(AssertSqlSafe(text)).fetch_all(&mut self.connection).await?;
        // The first column may be of any type.
        Ok(rows.first().map(|row| row.try_get(0).unwrap_or_else(|_| Some(whole(row)))))
    }

    async fn end(&mut self, statement: &'static str) -> Result<OutcomeOf<StoreResponse>, sqlx::Error> {
        self.send(statement).await?;
        self.in_transaction = false;
        Ok(OutcomeOf::Ok(StoreResponse::Done))
    }

    async fn send(&mut self, statements: &'static str) -> Result<(), sqlx::Error> {
        self.connection.execute(sqlx::raw_sql(statements)).await.map(drop)
    }
}

/// The first column as a whole number; 0 if it is none.
fn whole(row: &MySqlRow) -> i64 {
    let unsigned = || row.try_get::<u64, _>(0).ok().and_then(|value| i64::try_from(value).ok());
    row.try_get_unchecked::<i64, _>(0).ok().or_else(unsigned).unwrap_or(0)
}

impl Connection for MariadbSession {
    fn execute_all(&mut self, ops: Vec<(AnyOp, Delivery)>) -> Pending<'_, Result<Vec<Outcome>, BackendError>> {
        Box::pin(in_a_transaction(self, ops))
    }

    fn execute(&mut self, op: AnyOp, by: Delivery) -> Pending<'_, Result<Outcome, BackendError>> {
        Box::pin(async move {
            if let Some(parts) = op.parts() {
                return both(self, parts, by).await;
            }
            self.run(own(op), by).await.map(|outcome| outcome.map(Into::into)).or_else(|error| {
                let outcome = outcome(&error);
                self.in_transaction &= !matches!(
                    outcome,
                    Ok(Outcome::Failed(Failure::Deadlock | Failure::SerializationFailure) | Outcome::Unknown)
                );
                outcome
            })
        })
    }
}

/// The number of an error of the server's.
pub(super) fn number(error: &sqlx::Error) -> Option<u16> {
    error.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number)
}

/// The outcome that an error is, if it is one.
fn outcome(error: &sqlx::Error) -> Result<Outcome, BackendError> {
    if matches!(error, sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed) || is_ending(error) {
        return Ok(Outcome::Unknown);
    }
    match number(error) {
        Some(1213) => Ok(Outcome::Failed(Failure::Deadlock)),
        // A wait for a lock that took longer than innodb_lock_wait_timeout.
        Some(1205) => Ok(Outcome::Failed(Failure::Busy)),
        // With innodb_snapshot_isolation: the row has changed since the snapshot.
        Some(1020) => Ok(Outcome::Failed(Failure::SerializationFailure)),
        _ => Err(broken(error)),
    }
}

/// Whether the server is going down (1053), or ends this connection (1927) or what it does (1317).
pub(super) fn is_ending(error: &sqlx::Error) -> bool {
    matches!(number(error), Some(1053 | 1317 | 1927))
}
