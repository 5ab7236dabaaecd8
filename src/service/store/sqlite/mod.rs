//! SQLite through sqlx: a file in a temporary folder, write-ahead log, one connection per handler.

mod immediate;
mod plan;
mod print;
pub(crate) mod replayed;
mod session;
mod statements;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection as _, Row};

use super::ledger;
use crate::service::provision::{Keeps, temporary_folder, what_lets_files_be_opened};
use crate::service::{Backend, BackendError, Connection, Pending, Store, Usage};
use crate::terms::{AccountId, Balances, Delivery, Entry, MessageId, Role, Token};
pub use immediate::{Immediate, ImmediateConnection};
use session::SqliteSession;

/// How long a connection waits for another one's write lock before it says that the store is busy.
const BUSY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// A deliberate mistake in a store, for tests that must catch it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFlaw {
    /// The dedup table lacks its unique constraint.
    NoUniqueConstraint,
    /// Fencing tokens are remembered and never compared.
    NoTokenComparison,
}

/// A SQLite database in a temporary folder of its own, which goes when the store is dropped.
pub struct SqliteStore {
    folder: tempfile::TempDir,
    flaw: Option<StoreFlaw>,
    /// For how long rows are taken, in microseconds.
    ttl_us: i64,
    current: Mutex<Database>,
}

/// The database file of one trial. A connection that outlives its trial can do no harm to the next one's.
#[derive(Clone)]
struct Database {
    generation: u32,
    path: PathBuf,
    writers: WriterQueue,
}

/// The queue of writers. SQLite lets one write at a time and makes the others poll, sleeping up to 100 ms at a time;
/// waiting here instead is fair and wastes no time, and changes nothing in what the store allows.
type WriterQueue = Arc<tokio::sync::Mutex<()>>;

impl SqliteStore {
    /// A store in a temporary folder of its own. [`Store::reset`] makes the database.
    ///
    /// # Errors
    /// [`BackendError`] if the folder cannot be made.
    pub fn new() -> Result<Self, BackendError> {
        Self::with_flaw(None)
    }

    /// A store with a deliberate mistake, for tests that must catch it.
    ///
    /// # Errors
    /// As [`SqliteStore::new`].
    pub fn with_flaw(flaw: Option<StoreFlaw>) -> Result<Self, BackendError> {
        let folder = temporary_folder("sqlite", Keeps::OnDisk)?;
        let current = Mutex::new(Database::new(&folder, 0));
        Ok(SqliteStore { folder, flaw, ttl_us: super::program::LONG_US, current })
    }

    /// The same, where rows are taken for so long.
    #[must_use]
    pub fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl_us = i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX);
        self
    }

    fn current(&self) -> MutexGuard<'_, Database> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn open(&self) -> Result<(SqliteConnection, Database), BackendError> {
        let database = self.current().clone();
        let options = SqliteConnectOptions::new()
            .filename(&database.path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY_TIMEOUT)
            .disable_statement_logging();
        let connection = SqliteConnection::connect_with(&options).await.map_err(|error| broken(&error))?;
        Ok((connection, database))
    }

    async fn make_tables(&self, mut connection: SqliteConnection, accounts: u32) -> Result<(), sqlx::Error> {
        for table in statements::tables(self.flaw == Some(StoreFlaw::NoUniqueConstraint)) {
            // Every text is the lab's own.
            sqlx::query(sqlx::AssertSqlSafe(table)).execute(&mut connection).await?;
        }
        sqlx::query(statements::FILL).bind(0).bind(accounts).execute(&mut connection).await?;
        connection.close().await
    }

    async fn read_usage(&self) -> Result<Usage, BackendError> {
        let (mut connection, _) = self.open().await?;
        let kept =
            sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(statements::usage())).fetch_one(&mut connection).await;
        let kept = kept.map_err(|error| broken(&error))?;
        Ok(Usage { kept_bytes: Some(kept.unsigned_abs()), logged_bytes: None })
    }

    async fn read_ledger(&self) -> Result<Vec<Entry>, BackendError> {
        let (mut connection, _) = self.open().await?;
        let rows = sqlx::query(statements::LEDGER).fetch_all(&mut connection).await.map_err(|error| broken(&error))?;
        rows.iter().map(|row| entry(row).map_err(|error| broken(&error))).collect()
    }
}

impl SqliteStore {
    async fn read_balances(&self) -> Result<Balances, BackendError> {
        let (mut connection, _) = self.open().await?;
        let query = sqlx::query_as::<_, (i64, i64)>(statements::BALANCES).bind(i64::MIN).bind(i64::MAX);
        let rows = query.fetch_all(&mut connection).await.map_err(|error| broken(&error))?;
        Ok(rows.into_iter().map(|(account, balance)| (AccountId(ledger::id(account)), balance)).collect())
    }
}

impl Database {
    fn new(folder: &tempfile::TempDir, generation: u32) -> Self {
        let path = folder.path().join(format!("trial-{generation}.db"));
        Database { generation, path, writers: WriterQueue::default() }
    }

    /// Removes the file and its log. What cannot be removed now goes with the folder.
    fn remove(&self) {
        for suffix in ["", "-wal", "-shm"] {
            let mut path = self.path.clone().into_os_string();
            path.push(suffix);
            let _ = std::fs::remove_file(path);
        }
    }
}

fn entry(row: &sqlx::sqlite::SqliteRow) -> Result<Entry, sqlx::Error> {
    let token: Option<i64> = row.try_get("token")?;
    Ok(Entry {
        role: Role::STORE,
        number: row.try_get::<i64, _>("number")?.unsigned_abs(),
        message: MessageId(ledger::id(row.try_get("message")?)),
        account: AccountId(ledger::id(row.try_get("account")?)),
        amount: row.try_get("amount")?,
        balance: row.try_get("balance")?,
        token: token.and_then(std::num::NonZeroI64::new).map(Token),
        by: Delivery { attempt: ledger::small(row.try_get("attempt")?), copy: ledger::small(row.try_get("copy")?) },
    })
}

/// An error of SQLite's that is no outcome of an operation.
fn broken(error: &sqlx::Error) -> BackendError {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    let remedy = match code.as_deref() {
        Some("13") => Some("the disk is full: free some space, or set TMPDIR to a folder on another disk"),
        // SQLite does not say why it cannot open a file.
        Some("14") => Some(what_lets_files_be_opened()),
        Some("10" | "8" | "778" | "1546") => Some("set TMPDIR to a folder that can be written"),
        _ => None,
    };
    BackendError { backend: "sqlite", what: error.to_string(), remedy: remedy.map(str::to_owned) }
}

impl Backend for SqliteStore {
    fn connect(&self) -> Pending<'_, Result<Box<dyn Connection>, BackendError>> {
        Box::pin(async {
            let (connection, database) = self.open().await?;
            let compares = self.flaw != Some(StoreFlaw::NoTokenComparison);
            Ok(Box::new(SqliteSession::new(connection, database.writers, compares, self.ttl_us)) as Box<dyn Connection>)
        })
    }

    fn describe(&self) -> Vec<(String, String)> {
        let settings = [
            ("store", "sqlite (embedded, through sqlx)"),
            ("store_journal_mode", "wal"),
            ("store_synchronous", "normal"),
            ("store_begin", "immediate"),
        ];
        settings.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec()
    }
}

impl Store for SqliteStore {
    fn reset(&self, accounts: u32) -> Pending<'_, Result<(), BackendError>> {
        Box::pin(async move {
            {
                let mut current = self.current();
                current.remove();
                *current = Database::new(&self.folder, current.generation + 1);
            }
            let (connection, _) = self.open().await?;
            self.make_tables(connection, accounts).await.map_err(|error| broken(&error))
        })
    }

    fn usage(&self) -> Pending<'_, Result<Usage, BackendError>> {
        Box::pin(self.read_usage())
    }

    fn ledger(&self) -> Pending<'_, Result<Vec<Entry>, BackendError>> {
        Box::pin(self.read_ledger())
    }

    fn balances(&self) -> Pending<'_, Result<Balances, BackendError>> {
        Box::pin(self.read_balances())
    }
}
