//! A connection to PostgreSQL beside those of the handlers, which asks the server how they are.

use std::time::Duration;

use sqlx::Executor;
use sqlx::postgres::PgConnection;

use super::{broken, entry, read_balances, run, statements};
use crate::service::store::program::{self, LONG_US};
use crate::service::{BackendError, Scope};
use crate::terms::{Balances, Entry};

/// How long the server may take to end a process whose client has gone.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// Watches over the other connections.
pub struct PostgresOverseer {
    connection: PgConnection,
}

impl PostgresOverseer {
    pub(super) fn new(connection: PgConnection) -> Self {
        PostgresOverseer { connection }
    }

    /// The processes that this one waits for: none if it does not wait for a lock.
    ///
    /// # Errors
    /// [`BackendError`] if the server is gone.
    pub async fn blocking(&mut self, pid: i32) -> Result<Vec<i32>, BackendError> {
        let asked = sqlx::query_scalar(statements::BLOCKING).bind(pid).fetch_one(&mut self.connection).await;
        asked.map_err(|error| broken(&error))
    }

    /// Ends a process that waits for a lock: it would not notice that its client has gone.
    ///
    /// # Errors
    /// [`BackendError`] if the server is gone.
    pub async fn terminate(&mut self, pid: i32) -> Result<(), BackendError> {
        let asked = sqlx::query(statements::TERMINATE).bind(pid).execute(&mut self.connection).await;
        asked.map_err(|error| broken(&error))?;
        self.wait_until_gone(pid).await
    }

    /// Waits until the server has ended a process, and with it the process's transaction and locks.
    ///
    /// # Errors
    /// [`BackendError`] if the server is gone, or does not end it.
    pub async fn wait_until_gone(&mut self, pid: i32) -> Result<(), BackendError> {
        let deadline = tokio::time::Instant::now() + END_TIMEOUT;
        loop {
            // Others may have work to do before the server can know that its client has gone.
            tokio::task::yield_now().await;
            let asked = sqlx::query_scalar(statements::IS_THERE).bind(pid).fetch_one(&mut self.connection).await;
            let is_there: bool = asked.map_err(|error| broken(&error))?;
            if !is_there {
                return Ok(());
            }
            if tokio::time::Instant::now() > deadline {
                return Err(BackendError {
                    backend: "postgres",
                    what: format!("process {pid} goes on although its client has gone"),
                    remedy: Some("see the server's log".to_owned()),
                });
            }
            tokio::time::sleep(Duration::from_micros(300)).await;
        }
    }

    /// Empties every table, and opens so many accounts from this one on, each with a balance of 0.
    ///
    /// # Errors
    /// [`BackendError`] if the server is gone.
    pub async fn begin_again(&mut self, first: u32, accounts: u32) -> Result<(), BackendError> {
        run(&mut self.connection, &statements::empty()).await?;
        let open = sqlx::query(statements::OPEN_ACCOUNTS).bind(i64::from(first)).bind(i64::from(first + accounts));
        self.connection.execute(open).await.map(drop).map_err(|error| broken(&error))
    }

    /// Whether any of these messages is taken for a time, and no transaction has the row.
    ///
    /// # Errors
    /// [`BackendError`] if the server is gone.
    pub async fn is_taken(&mut self, first: i64, last: i64) -> Result<bool, BackendError> {
        let [now, day] = [program::now_us(), program::now_us() / LONG_US];
        let query = sqlx::query_scalar(statements::IS_TAKEN).bind(first).bind(last).bind(now).bind(day);
        query.bind(program::FOREVER).fetch_one(&mut self.connection).await.map_err(|error| broken(&error))
    }

    /// The time runs out for which any of these messages are taken.
    ///
    /// # Errors
    /// [`BackendError`] if the server is gone.
    pub async fn end_taking(&mut self, first: i64, last: i64) -> Result<(), BackendError> {
        let [now, day] = [program::now_us(), program::now_us() / LONG_US];
        let query = sqlx::query(statements::END_TAKING).bind(first).bind(last).bind(now).bind(day);
        let ended = query.bind(program::FOREVER).execute(&mut self.connection).await;
        ended.map(drop).map_err(|error| broken(&error))
    }

    /// The balances of these accounts.
    ///
    /// # Errors
    /// [`BackendError`] if the server is gone.
    pub async fn balances(&mut self, of: &Scope) -> Result<Balances, BackendError> {
        read_balances(&mut self.connection, of.accounts.0, of.accounts.1).await
    }

    /// The effects on these accounts or of these messages, in the order in which they were applied.
    ///
    /// # Errors
    /// [`BackendError`] if the server is gone.
    pub async fn ledger(&mut self, of: &Scope) -> Result<Vec<Entry>, BackendError> {
        let (accounts, messages) = (of.accounts, of.messages);
        let query =
            sqlx::query(statements::LEDGER_OF).bind(accounts.0).bind(accounts.1).bind(messages.0).bind(messages.1);
        let rows = query.fetch_all(&mut self.connection).await.map_err(|error| broken(&error))?;
        rows.iter().map(|row| entry(row).map_err(|error| broken(&error))).collect()
    }
}
