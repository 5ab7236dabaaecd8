//! One connection to PostgreSQL.

use sqlx::postgres::{PgArguments, PgConnection, Postgres};
use sqlx::query::Query;
use sqlx::{Executor, Row};

use super::{broken, statements};
use crate::backend::{BackendError, Pending, Session};
use crate::world::{Answer, Delivery, Failure, Isolation, MessageId, Op, Outcome, Request, Response, Token};

/// One connection.
pub(super) struct PostgresSession {
    connection: PgConnection,
    transaction: Transaction,
}

/// Where a connection stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Transaction {
    None,
    Open,
    /// An error has ended it, though not in name: PostgreSQL answers its COMMIT with a rollback and no error.
    Aborted,
}

/// No connection: the server does not answer, and nothing is sent.
pub(super) struct Unreachable;

impl PostgresSession {
    pub(super) fn new(connection: PgConnection) -> Self {
        PostgresSession { connection, transaction: Transaction::None }
    }

    async fn run(&mut self, op: Op, by: Delivery) -> Result<Outcome, sqlx::Error> {
        let response = match op {
            Op::Begin(isolation) => {
                self.connection.execute(begin(isolation)).await?;
                self.transaction = Transaction::Open;
                Response::Done
            }
            Op::Commit | Op::Rollback if self.transaction == Transaction::None => {
                return Ok(Outcome::Failed(Failure::NoTransaction));
            }
            Op::Commit if self.transaction == Transaction::Aborted => {
                self.end("ROLLBACK").await?;
                return Ok(Outcome::Failed(Failure::NoTransaction));
            }
            Op::Commit => self.end("COMMIT").await?,
            Op::Rollback => self.end("ROLLBACK").await?,
            Op::ReadMark(id) => self.read(statements::READ_MARK, id).await?,
            Op::ReadAnswer(id) => self.read(statements::READ_ANSWER, id).await?,
            Op::WriteMark(id, answer) => self.put(statements::WRITE_MARK, id, answer).await?,
            Op::StoreAnswer(id, answer) => self.put(statements::STORE_ANSWER, id, answer).await?,
            Op::Claim(id) => {
                let query = sqlx::query(statements::CLAIM).bind(i64::from(id.0));
                Response::Claimed(query.execute(&mut self.connection).await?.rows_affected() == 1)
            }
            Op::CheckToken(account, token) => {
                let query = sqlx::query(statements::CHECK_TOKEN).bind(i64::from(account.0)).bind(token.0.get());
                if query.execute(&mut self.connection).await?.rows_affected() == 0 {
                    return Ok(Outcome::Failed(Failure::StaleToken));
                }
                Response::Done
            }
            Op::Apply(request, None) => Response::Applied(self.apply(statements::APPLY, &request, None, by).await?),
            Op::Apply(request, token) => match self.apply(statements::APPLY_FENCED, &request, token, by).await? {
                None => return Ok(Outcome::Failed(Failure::StaleToken)),
                applied => Response::Applied(applied),
            },
            Op::Sql(sql) => {
                let query = sql.values().into_iter().fold(sqlx::query(sql.text()), |query, value| query.bind(value));
                let row = query.fetch_optional(&mut self.connection).await?;
                Response::Found(row.map(|row| row.try_get(0).map(Answer)).transpose()?)
            }
            Op::ReadBalance(account) => {
                let query = sqlx::query(statements::READ_BALANCE).bind(i64::from(account.0));
                let row = query.fetch_optional(&mut self.connection).await?;
                Response::Found(row.map(|row| row.try_get(0).map(Answer)).transpose()?)
            }
            Op::Overwrite(request, base) => {
                let query = bind_effect(sqlx::query(statements::OVERWRITE), &request, None, by);
                let query = query.bind(base.0 + i64::from(request.effect.amount));
                let row = query.fetch_optional(&mut self.connection).await?;
                Response::Applied(row.map(|row| row.try_get(0).map(Answer)).transpose()?)
            }
            Op::ClaimAndApply(request) => {
                Response::Applied(self.apply(statements::CLAIM_AND_APPLY, &request, None, by).await?)
            }
            Op::GrantLease | Op::Acquire(_) | Op::Release(_) | Op::Revoke(_) => panic!("`{op}` was sent to a store"),
        };
        Ok(Outcome::Ok(response))
    }

    async fn end(&mut self, statement: &'static str) -> Result<Response, sqlx::Error> {
        self.connection.execute(statement).await?;
        self.transaction = Transaction::None;
        Ok(Response::Done)
    }

    async fn read(&mut self, query: &'static str, id: MessageId) -> Result<Response, sqlx::Error> {
        let row = sqlx::query(query).bind(i64::from(id.0)).fetch_optional(&mut self.connection).await?;
        Ok(Response::Found(row.map(|row| row.try_get(0).map(Answer)).transpose()?))
    }

    async fn put(&mut self, query: &'static str, id: MessageId, answer: Answer) -> Result<Response, sqlx::Error> {
        sqlx::query(query).bind(i64::from(id.0)).bind(answer.0).execute(&mut self.connection).await?;
        Ok(Response::Done)
    }

    async fn apply(
        &mut self,
        query: &'static str,
        request: &Request,
        token: Option<Token>,
        by: Delivery,
    ) -> Result<Option<Answer>, sqlx::Error> {
        let query = bind_effect(sqlx::query(query), request, token, by);
        let row = query.fetch_optional(&mut self.connection).await?;
        row.map(|row| row.try_get(0).map(Answer)).transpose()
    }
}

fn begin(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::ReadCommitted => "BEGIN ISOLATION LEVEL READ COMMITTED",
        Isolation::RepeatableRead => "BEGIN ISOLATION LEVEL REPEATABLE READ",
        Isolation::Serializable => "BEGIN ISOLATION LEVEL SERIALIZABLE",
    }
}

/// Binds what [`statements::APPLY`] takes.
fn bind_effect<'q>(
    query: Query<'q, Postgres, PgArguments>,
    request: &Request,
    token: Option<Token>,
    by: Delivery,
) -> Query<'q, Postgres, PgArguments> {
    let effect = request.effect;
    let query = query.bind(effect.amount).bind(i64::from(effect.account.0)).bind(i64::from(request.id.0));
    query.bind(token.map(|token| token.0.get())).bind(i16::from(by.attempt)).bind(i16::from(by.copy))
}

impl Session for PostgresSession {
    fn execute(&mut self, op: Op, by: Delivery) -> Pending<'_, Result<Outcome, BackendError>> {
        Box::pin(async move {
            self.run(op, by).await.or_else(|error| {
                if self.transaction == Transaction::Open {
                    self.transaction = Transaction::Aborted;
                }
                outcome(&error)
            })
        })
    }
}

impl Session for Unreachable {
    fn execute(&mut self, _: Op, _: Delivery) -> Pending<'_, Result<Outcome, BackendError>> {
        Box::pin(std::future::ready(Ok(Outcome::Failed(Failure::Unavailable))))
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
