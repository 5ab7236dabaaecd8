//! A connection to MariaDB beside those of the handlers, which asks the server how they are.

use std::time::Duration;

use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Row};

use super::session::number;
use super::{broken, empty, entry, read_balances, statements};
use crate::service::store::program;
use crate::service::{BackendError, Scope};
use crate::terms::{Balances, Entry};

/// How long the server may take to end a connection whose client has gone.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// The heading below which the server lists the transactions. What stands above tells of deadlocks that are over.
const TRANSACTIONS: &str = "LIST OF TRANSACTIONS FOR EACH SESSION:";

/// Watches over the other connections.
pub struct MariadbOverseer {
    connection: MySqlConnection,
}

impl MariadbOverseer {
    pub(super) fn new(connection: MySqlConnection) -> Self {
        MariadbOverseer { connection }
    }

    /// Whether what this connection does waits for a lock.
    ///
    /// # Errors
    /// [`BackendError`] if the server is gone, or does not let this user see it.
    pub async fn waits(&mut self, id: i64) -> Result<bool, BackendError> {
        let asked = sqlx::raw_sql(statements::TRANSACTIONS).fetch_one(&mut self.connection).await;
        let status: String = asked.and_then(|row| row.try_get("Status")).map_err(|error| broken(&error))?;
        Ok(waits_in(&status, id))
    }

    /// Ends a connection: one that waits for a lock would not notice that its client has gone.
    ///
    /// # Errors
    /// [`BackendError`] if the server is gone.
    pub async fn terminate(&mut self, id: i64) -> Result<(), BackendError> {
        kill(&mut self.connection, id).await?;
        self.wait_until_gone(id).await
    }

    /// Waits until the server has ended a connection, and with it its transaction and locks.
    ///
    /// # Errors
    /// [`BackendError`] if the server is gone, or does not end it.
    pub async fn wait_until_gone(&mut self, id: i64) -> Result<(), BackendError> {
        let deadline = tokio::time::Instant::now() + END_TIMEOUT;
        loop {
            // Others may have work to do before the server can know that its client has gone.
            tokio::task::yield_now().await;
            let asked =
                sqlx::query_scalar::<_, i64>(statements::IS_THERE).bind(id).fetch_one(&mut self.connection).await;
            if asked.map_err(|error| broken(&error))? == 0 {
                return Ok(());
            }
            if tokio::time::Instant::now() > deadline {
                return Err(BackendError {
                    backend: "mariadb",
                    what: format!("connection {id} goes on although its client has gone"),
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
        empty(&mut self.connection, first, accounts).await
    }

    /// Whether any of these messages is taken for a time, and no transaction has the row.
    ///
    /// # Errors
    /// [`BackendError`] if the server is gone.
    pub async fn is_taken(&mut self, first: i64, last: i64) -> Result<bool, BackendError> {
        let now = program::now_us();
        let taken = sqlx::query(statements::TAKEN).bind(first).bind(last).bind(now).bind(program::FOREVER);
        let taken = taken.fetch_optional(&mut self.connection).await.map_err(|error| broken(&error))?;
        let today = sqlx::query(statements::TAKEN_TODAY).bind(first).bind(last).bind(now / program::LONG_US);
        let today = today.fetch_optional(&mut self.connection).await.map_err(|error| broken(&error))?;
        Ok(taken.is_some() || today.is_some())
    }

    /// The time runs out for which any of these messages are taken.
    ///
    /// # Errors
    /// [`BackendError`] if the server is gone.
    pub async fn end_taking(&mut self, first: i64, last: i64) -> Result<(), BackendError> {
        let now = program::now_us();
        let ended = sqlx::query(statements::END_TAKING).bind(first).bind(last).bind(now).bind(program::FOREVER);
        ended.execute(&mut self.connection).await.map_err(|error| broken(&error))?;
        let day = sqlx::query(statements::END_DAY).bind(first).bind(last).bind(now / program::LONG_US);
        day.execute(&mut self.connection).await.map(drop).map_err(|error| broken(&error))
    }

    /// The balances of these accounts.
    ///
    /// # Errors
    /// [`BackendError`] if the server is gone.
    pub async fn balances(&mut self, of: &Scope) -> Result<Balances, BackendError> {
        read_balances(&mut self.connection, of.accounts).await
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

/// Ends another connection. One that is gone already is left alone.
pub(super) async fn kill(connection: &mut MySqlConnection, id: i64) -> Result<(), BackendError> {
    /// There is no such connection.
    const GONE: u16 = 1094;
    let killed = sqlx::raw_sql(AssertSqlSafe(format!("KILL CONNECTION {id}"))).execute(connection).await;
    match killed {
        Err(error) if number(&error) != Some(GONE) => Err(broken(&error)),
        _ => Ok(()),
    }
}

/// Whether the connection with this id waits for a lock, by what InnoDB's monitor says of the transactions.
fn waits_in(status: &str, id: i64) -> bool {
    let Some((_, transactions)) = status.split_once(TRANSACTIONS) else { return false };
    let its = format!("MariaDB thread id {id},");
    transactions.split("---TRANSACTION ").any(|transaction| {
        // What stands behind the first line with an id is the statement's text, which may say anything.
        let mut head = transaction.lines().take_while(|line| !line.starts_with("MariaDB thread id "));
        let waits = head.any(|line| line.starts_with("LOCK WAIT "));
        let of = transaction.lines().find(|line| line.starts_with("MariaDB thread id "));
        waits && of.is_some_and(|line| line.starts_with(&its))
    })
}

#[cfg(test)]
mod tests {
    use super::waits_in;

    const STATUS: &str = "LATEST DETECTED DEADLOCK
LOCK WAIT 3 lock struct(s), heap size 1128, 2 row lock(s)
MariaDB thread id 18, OS thread handle 1, query id 105 localhost oncelab Updating
LIST OF TRANSACTIONS FOR EACH SESSION:
---TRANSACTION 64, ACTIVE 0 sec starting index read
mysql tables in use 1, locked 1
LOCK WAIT 2 lock struct(s), heap size 1128, 1 row lock(s)
MariaDB thread id 19, OS thread handle 1, query id 166 localhost oncelab Updating
update account set balance = balance + 1 where id = 2 /* MariaDB thread id 18, */
------- TRX HAS BEEN WAITING 501234 ns FOR THIS LOCK TO BE GRANTED:
---TRANSACTION 63, ACTIVE 1 sec
2 lock struct(s), heap size 1128, 1 row lock(s), undo log entries 1
MariaDB thread id 18, OS thread handle 1, query id 164 localhost oncelab
--------
";

    #[test]
    fn a_connection_waits_if_its_own_transaction_does_now() {
        assert!(waits_in(STATUS, 19));
        // It was in a deadlock that is over, and its number stands in the text of another's statement.
        assert!(!waits_in(STATUS, 18));
        assert!(!waits_in(STATUS, 1) && !waits_in("", 19));
    }
}
