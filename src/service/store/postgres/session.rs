//! One connection to PostgreSQL.

use sqlx::postgres::{PgArguments, PgConnection, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{Executor, Row};

use super::statements::{self, Argument};
use super::{batch, broken};
use crate::service::contract::Operation;
use crate::service::store::batch::in_a_transaction;
use crate::service::store::program::Gives;
use crate::service::store::{Does, StoreOp, StoreResponse, TwoAnswers};
use crate::service::{AnyOp, BackendError, Connection, Outcome, Pending, own};
use crate::terms::{Delivery, Failure, OutcomeOf};

/// One connection.
pub(super) struct PostgresSession {
    connection: PgConnection,
    transaction: OpenTransaction,
    /// For how long rows are taken.
    ttl_us: i64,
}

/// Where a connection stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OpenTransaction {
    None,
    Open,
    /// An error has ended it, though not in name: PostgreSQL answers its COMMIT with a rollback and no error.
    Aborted,
}

impl PostgresSession {
    pub(super) fn new(connection: PgConnection, ttl_us: i64) -> Self {
        PostgresSession { connection, transaction: OpenTransaction::None, ttl_us }
    }

    async fn run(&mut self, op: StoreOp, by: Delivery) -> Result<OutcomeOf<StoreResponse>, sqlx::Error> {
        let response = match op.does() {
            Does::Begin => {
                self.connection.execute(statements::begin(op.level())).await?;
                self.transaction = OpenTransaction::Open;
                StoreResponse::Done
            }
            Does::Commit | Does::Rollback if self.transaction == OpenTransaction::None => {
                return Ok(OutcomeOf::Failed(Failure::NoTransaction));
            }
            Does::Commit if self.transaction == OpenTransaction::Aborted => {
                self.end(statements::ROLLBACK).await?;
                return Ok(OutcomeOf::Failed(Failure::NoTransaction));
            }
            Does::Commit => self.end(statements::COMMIT).await?,
            Does::Rollback => self.end(statements::ROLLBACK).await?,
            Does::Own => return self.on_rows(op, Gives::Found, by).await,
            Does::Rows(program) => return self.on_rows(op, program.gives, by).await,
            Does::Both => {
                let parts = op.parts().expect("it has two parts").map(|part| (part, by));
                let outcomes = batch::claim_and_apply_all(&mut self.connection, &parts).await?;
                return Ok(TwoAnswers::together(outcomes.try_into().expect("one for each part")));
            }
        };
        Ok(OutcomeOf::Ok(response))
    }

    async fn on_rows(
        &mut self,
        op: StoreOp,
        gives: Gives,
        by: Delivery,
    ) -> Result<OutcomeOf<StoreResponse>, sqlx::Error> {
        let row = match gives {
            Gives::Found | Gives::Balance | Gives::Applied | Gives::AppliedOr(_) => self.first_value(op, by).await?,
            Gives::Done | Gives::Claimed | Gives::DoneOr(_) => (self.rows_changed(op, by).await? > 0).then_some(None),
        };
        Ok(gives.outcome(row))
    }

    async fn end(&mut self, statement: &'static str) -> Result<StoreResponse, sqlx::Error> {
        self.connection.execute(statement).await?;
        self.transaction = OpenTransaction::None;
        Ok(StoreResponse::Done)
    }

    /// The first column of the first row, if there is one.
    async fn first_value(&mut self, op: StoreOp, by: Delivery) -> Result<Option<Option<i64>>, sqlx::Error> {
        let row = query(op, by, self.ttl_us).fetch_optional(&mut self.connection).await?;
        let Some(row) = row else { return Ok(None) };
        // The first column of a statement of the strategy's own may be of any type.
        match row.try_get(0) {
            Err(sqlx::Error::ColumnDecode { .. }) if *op.does() == Does::Own => Ok(Some(Some(whole(&row)))),
            value => Ok(Some(Some(value?))),
        }
    }

    async fn rows_changed(&mut self, op: StoreOp, by: Delivery) -> Result<u64, sqlx::Error> {
        Ok(query(op, by, self.ttl_us).execute(&mut self.connection).await?.rows_affected())
    }
}

/// The first column as a whole number; 0 if it is none.
fn whole(row: &PgRow) -> i64 {
    let small = || row.try_get::<i16, _>(0).map(i64::from).or_else(|_| row.try_get::<bool, _>(0).map(i64::from));
    row.try_get::<i32, _>(0).map(i64::from).or_else(|_| small()).unwrap_or(0)
}

/// The statement of an operation, with its parameters bound.
fn query(op: StoreOp, by: Delivery, ttl_us: i64) -> Query<'static, Postgres, PgArguments> {
    let (text, parameters) = statements::statement(op, by, ttl_us);
    parameters.into_iter().fold(sqlx::query(text), |query, parameter| match parameter {
        Argument::Bigint(value) => query.bind(value),
        Argument::Int(value) => query.bind(value),
        Argument::Smallint(value) => query.bind(value),
    })
}

impl Connection for PostgresSession {
    fn execute(&mut self, op: AnyOp, by: Delivery) -> Pending<'_, Result<Outcome, BackendError>> {
        Box::pin(async move {
            self.run(own(op), by).await.map(|outcome| outcome.map(Into::into)).or_else(|error| {
                if self.transaction == OpenTransaction::Open {
                    self.transaction = OpenTransaction::Aborted;
                }
                outcome(&error)
            })
        })
    }

    fn execute_all(&mut self, ops: Vec<(AnyOp, Delivery)>) -> Pending<'_, Result<Vec<Outcome>, BackendError>> {
        Box::pin(async move {
            let own: Vec<(StoreOp, Delivery)> = ops.iter().map(|(op, by)| (own(*op), *by)).collect();
            let for_many = |(op, _): &(StoreOp, Delivery)| op.is_claim_and_apply();
            if own.len() < 2 || !own.iter().all(for_many) || self.transaction != OpenTransaction::None {
                return in_a_transaction(self, ops).await;
            }
            match batch::claim_and_apply_all(&mut self.connection, &own).await {
                Ok(outcomes) => Ok(outcomes.into_iter().map(|outcome| outcome.map(Into::into)).collect()),
                Err(error) => outcome(&error).map(|outcome| vec![outcome; own.len()]),
            }
        })
    }
}

/// The outcome that an error is, if it is one.
fn outcome(error: &sqlx::Error) -> Result<Outcome, BackendError> {
    if matches!(error, sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed) || is_starting(error)
    {
        return Ok(Outcome::Unknown);
    }
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    match code.as_deref() {
        Some("40001") => Ok(Outcome::Failed(Failure::SerializationFailure)),
        Some("40P01") => Ok(Outcome::Failed(Failure::Deadlock)),
        Some("25P01" | "25P02") => Ok(Outcome::Failed(Failure::NoTransaction)),
        _ => Err(broken(error)),
    }
}

/// Whether the server is going down or coming up (SQLSTATE class 57P).
pub(super) fn is_starting(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code.starts_with("57P"))
}
