//! One connection to SQLite: each operation as the statements that carry it out, in one call to the driver.

use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Executor, Row};
use tokio::sync::OwnedMutexGuard;

use super::statements::{self, Statements};
use super::{WriterQueue, broken};
use crate::backend::{BackendError, Pending, Session};
use crate::world::{Answer, Delivery, Failure, MessageId, Op, Outcome, Request, Response, Token};

/// One connection, with its place among the writers while a transaction is open.
pub(super) struct SqliteSession {
    connection: SqliteConnection,
    writers: WriterQueue,
    /// Held while a transaction is open. Every transaction begins with BEGIN IMMEDIATE: a deferred one that comes to
    /// write later is told SQLITE_BUSY at once.
    transaction: Option<OwnedMutexGuard<()>>,
    /// Whether tokens are compared, and not only remembered.
    compares_tokens: bool,
}

/// A query with its parameters, in the order in which they stand in its statements.
type Bound = Query<'static, Sqlite, SqliteArguments>;

impl SqliteSession {
    pub(super) fn new(connection: SqliteConnection, writers: WriterQueue, compares_tokens: bool) -> Self {
        SqliteSession { connection, writers, transaction: None, compares_tokens }
    }

    async fn run(&mut self, op: Op, by: Delivery) -> Result<Outcome, sqlx::Error> {
        let response = match op {
            Op::Begin(_) => {
                // Only when the statement has succeeded does the place among the writers belong to the transaction.
                let place = self.writers.clone().lock_owned().await;
                self.connection.execute("BEGIN IMMEDIATE").await?;
                self.transaction = Some(place);
                Response::Done
            }
            Op::Commit | Op::Rollback if self.transaction.is_none() => {
                return Ok(Outcome::Failed(Failure::NoTransaction));
            }
            Op::Commit => self.end("COMMIT").await?,
            Op::Rollback => self.end("ROLLBACK").await?,
            Op::ReadMark(id) => self.read("SELECT answer FROM mark WHERE message = ? LIMIT 1", id).await?,
            Op::ReadAnswer(id) => self.read("SELECT answer FROM answer WHERE message = ? LIMIT 1", id).await?,
            Op::WriteMark(id, answer) => self.put(statements::MARK, id, answer).await?,
            Op::StoreAnswer(id, answer) => self.put(statements::ANSWER, id, answer).await?,
            Op::Claim(id) => {
                let rows = self.write(statements::CLAIM, |query| query.bind(id.0)).await?;
                Response::Claimed(!rows.is_empty())
            }
            Op::CheckToken(account, token) => {
                let fence = if self.compares_tokens { statements::FENCE } else { statements::FENCE_BLINDLY };
                let rows = self.write(fence, |query| query.bind(account.0).bind(token.0.get())).await?;
                if rows.is_empty() {
                    return Ok(Outcome::Failed(Failure::StaleToken));
                }
                Response::Done
            }
            Op::Apply(request, None) => {
                let rows = self.write(statements::APPLY, |query| bind_effect(query, &request, None, by)).await?;
                Response::Applied(balance(&rows)?)
            }
            Op::Apply(request, Some(token)) => {
                let apply =
                    if self.compares_tokens { statements::APPLY_FENCED } else { statements::APPLY_FENCED_BLINDLY };
                let fence = |query: Bound| query.bind(request.effect.account.0).bind(token.0.get());
                let rows = self.write(apply, |query| bind_effect(fence(query), &request, Some(token), by)).await?;
                match balance(&rows)? {
                    None => return Ok(Outcome::Failed(Failure::StaleToken)),
                    applied => Response::Applied(applied),
                }
            }
            Op::Sql(sql) => {
                let query = sql.values().into_iter().fold(sqlx::query(sql.text()), |query, value| query.bind(value));
                let row = query.fetch_optional(&mut self.connection).await?;
                Response::Found(row.map(|row| row.try_get(0).map(Answer)).transpose()?)
            }
            Op::ReadBalance(account) => {
                let query = sqlx::query("SELECT balance FROM account WHERE id = ?").bind(account.0);
                let row = query.fetch_optional(&mut self.connection).await?;
                Response::Found(row.map(|row| row.try_get(0).map(Answer)).transpose()?)
            }
            Op::Overwrite(request, base) => {
                let balance_after = base.0 + i64::from(request.effect.amount);
                let bind = |query| bind_change(query, balance_after, &request, None, by);
                Response::Applied(balance(&self.write(statements::OVERWRITE, bind).await?)?)
            }
            Op::ClaimAndApply(request) => {
                let bind = |query: Bound| {
                    let effect = bind_effect(query.bind(request.id.0), &request, None, by);
                    effect.bind(request.id.0).bind(request.effect.account.0)
                };
                let rows = self.write(statements::CLAIM_AND_APPLY, bind).await?;
                Response::Applied(balance(&rows)?)
            }
            Op::GrantLease | Op::Acquire(_) | Op::Release(_) | Op::Revoke(_) => panic!("`{op}` was sent to a store"),
        };
        Ok(Outcome::Ok(response))
    }

    /// Writes in the open transaction, or else in one of its own that is begun and committed in the same call.
    async fn write(
        &mut self,
        how: Statements,
        bind: impl FnOnce(Bound) -> Bound,
    ) -> Result<Vec<SqliteRow>, sqlx::Error> {
        let (place, text) = match self.transaction {
            Some(_) => (None, how.inside),
            None => (Some(self.writers.clone().lock_owned().await), how.alone),
        };
        let rows = bind(sqlx::query(text)).fetch_all(&mut self.connection).await;
        drop(place);
        rows
    }

    async fn end(&mut self, statement: &'static str) -> Result<Response, sqlx::Error> {
        self.connection.execute(statement).await?;
        self.transaction = None;
        Ok(Response::Done)
    }

    async fn read(&mut self, query: &'static str, id: MessageId) -> Result<Response, sqlx::Error> {
        let row = sqlx::query(query).bind(id.0).fetch_optional(&mut self.connection).await?;
        Ok(Response::Found(row.map(|row| row.try_get(0).map(Answer)).transpose()?))
    }

    async fn put(&mut self, how: Statements, id: MessageId, answer: Answer) -> Result<Response, sqlx::Error> {
        self.write(how, |query| query.bind(id.0).bind(answer.0)).await?;
        Ok(Response::Done)
    }
}

/// Binds what [`statements::APPLY`] takes.
fn bind_effect(query: Bound, request: &Request, token: Option<Token>, by: Delivery) -> Bound {
    bind_change(query, request.effect.amount.into(), request, token, by)
}

/// The same, with what the account's balance is changed by or to.
fn bind_change(query: Bound, change: i64, request: &Request, token: Option<Token>, by: Delivery) -> Bound {
    let effect = request.effect;
    let query = query.bind(change).bind(effect.account.0).bind(request.id.0).bind(effect.amount);
    query.bind(token.map(|token| token.0.get())).bind(by.attempt).bind(by.copy).bind(effect.account.0)
}

/// The balance that an application came back with, if it applied anything.
fn balance(rows: &[SqliteRow]) -> Result<Option<Answer>, sqlx::Error> {
    rows.first().map(|row| row.try_get(0).map(Answer)).transpose()
}

impl Session for SqliteSession {
    fn execute(&mut self, op: Op, by: Delivery) -> Pending<'_, Result<Outcome, BackendError>> {
        Box::pin(async move {
            match self.run(op, by).await {
                Err(error) if is_busy(&error) => Ok(Outcome::Failed(Failure::Busy)),
                result => result.map_err(|error| broken(&error)),
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
