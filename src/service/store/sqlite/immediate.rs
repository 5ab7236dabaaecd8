//! A connection to SQLite that is called and not awaited: what would have to wait says so at once.
//!
//! The connections of [`SqliteStore`](super::SqliteStore) live in threads of their own, as sqlx has it, and a call of one of
//! them costs two changes of threads. Where schedules are replayed by the ten thousand, that would be most of the time.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, Statement};

use super::plan::{RunsAs, StatementPlan};
use super::statements;
use crate::service::contract::Operation;
use crate::service::provision::what_lets_files_be_opened;
use crate::service::store::ledger;
use crate::service::store::program::{self, LONG_US};
use crate::service::store::{Does, StoreOp, StoreResponse, TwoAnswers};
use crate::service::{BackendError, Scope};
use crate::terms::{AccountId, Balances, Delivery, Entry, Failure, MessageId, OutcomeOf, Role, Token};

/// What became of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Immediate {
    Came(OutcomeOf<StoreResponse>),
    /// Another connection is writing, and nothing was done (`SQLITE_BUSY`).
    Busy,
}

/// A connection.
pub struct ImmediateConnection {
    connection: Connection,
    in_transaction: bool,
}

/// The size of a page in bytes: the smallest that SQLite knows.
const PAGE: u32 = 512;

/// How many statements a connection keeps prepared: more than there are.
const PREPARED: usize = 64;

impl ImmediateConnection {
    /// Opens a connection to the database in this file, which is made if it is not there. Nothing is waited for, neither for
    /// the disk.
    ///
    /// # Errors
    /// [`BackendError`] if it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, BackendError> {
        let opening = || {
            let connection = Connection::open(path)?;
            // A commit writes whole pages, and small ones hold all that there is.
            connection.pragma_update(None, "page_size", PAGE)?;
            connection.pragma_update(None, "journal_mode", "wal")?;
            connection.pragma_update(None, "synchronous", "off")?;
            connection.busy_timeout(Duration::ZERO)?;
            connection.set_prepared_statement_cache_capacity(PREPARED);
            Ok(ImmediateConnection { connection, in_transaction: false })
        };
        opening().map_err(|error| broken(&error))
    }

    /// Makes the lab's tables.
    ///
    /// # Errors
    /// [`BackendError`] if they cannot be made.
    pub fn make_tables(&self) -> Result<(), BackendError> {
        statements::tables(false).iter().try_for_each(|table| self.run(table))
    }

    /// Empties every table, and opens so many accounts from this one on, each with a balance of 0.
    ///
    /// # Errors
    /// [`BackendError`] if another connection is writing.
    pub fn begin_again(&self, first: u32, accounts: u32) -> Result<(), BackendError> {
        self.run(&statements::EMPTY)?;
        let fill = self.connection.execute(statements::FILL, [first, first + accounts]);
        fill.map(drop).map_err(|error| broken(&error))
    }

    /// Whether any of these messages is taken for a time. While anybody writes, the time of none is up.
    ///
    /// # Errors
    /// [`BackendError`] if SQLite is broken rather than busy.
    pub fn is_taken(&self, first: i64, last: i64) -> Result<bool, BackendError> {
        match self.connection.execute_batch("BEGIN IMMEDIATE; COMMIT") {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => return Ok(false),
            began => began.map_err(|error| broken(&error))?,
        }
        let asked = self.connection.query_row(statements::IS_TAKEN, taken(first, last), |row| row.get(0));
        asked.map_err(|error| broken(&error))
    }

    /// The time runs out for which any of these messages are taken.
    ///
    /// # Errors
    /// [`BackendError`] if another connection is writing.
    pub fn end_taking(&self, first: i64, last: i64) -> Result<(), BackendError> {
        for statement in [statements::END_TAKING, statements::END_DAY] {
            self.connection.execute(statement, taken(first, last)).map_err(|error| broken(&error))?;
        }
        Ok(())
    }

    /// Carries out an operation.
    ///
    /// # Errors
    /// [`BackendError`] if SQLite is broken rather than busy.
    pub fn execute(&mut self, op: StoreOp, by: Delivery) -> Result<Immediate, BackendError> {
        match self.carry_out(op, by) {
            Ok(outcome) => Ok(Immediate::Came(outcome)),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(Immediate::Busy),
            Err(error) => Err(broken(&error)),
        }
    }

    /// Undoes the open transaction, as a connection does that is closed.
    ///
    /// # Errors
    /// [`BackendError`] if SQLite is broken.
    pub fn cut(&mut self) -> Result<(), BackendError> {
        if std::mem::take(&mut self.in_transaction) { self.run("ROLLBACK") } else { Ok(()) }
    }

    /// The effects on these accounts or of these messages, in the order in which they were applied.
    ///
    /// # Errors
    /// [`BackendError`] if SQLite is broken.
    pub fn ledger(&self, of: &Scope) -> Result<Vec<Entry>, BackendError> {
        let read = || {
            let mut statement = self.connection.prepare_cached(statements::LEDGER_OF)?;
            let (accounts, messages) = (of.accounts, of.messages);
            let scope = [accounts.0, accounts.1, messages.0, messages.1];
            statement.query_map(scope, entry)?.collect::<rusqlite::Result<_>>()
        };
        read().map_err(|error| broken(&error))
    }

    /// The balances of these accounts.
    ///
    /// # Errors
    /// [`BackendError`] if SQLite is broken.
    pub fn balances(&self, of: &Scope) -> Result<Balances, BackendError> {
        let read = || {
            let mut statement = self.connection.prepare_cached(statements::BALANCES)?;
            let row = |row: &rusqlite::Row<'_>| Ok((AccountId(ledger::id(row.get(0)?)), row.get(1)?));
            statement.query_map([of.accounts.0, of.accounts.1], row)?.collect::<rusqlite::Result<_>>()
        };
        read().map_err(|error| broken(&error))
    }

    /// Copies the database into a file that must not be there yet.
    ///
    /// # Errors
    /// [`BackendError`] if it cannot be written.
    pub fn copy_to(&self, path: &Path) -> Result<(), BackendError> {
        let copied = self.connection.execute("VACUUM INTO ?", [path.to_string_lossy()]);
        copied.map(drop).map_err(|error| broken(&error))
    }

    fn run(&self, statement: &str) -> Result<(), BackendError> {
        self.connection.execute_batch(statement).map_err(|error| broken(&error))
    }

    fn carry_out(&mut self, op: StoreOp, by: Delivery) -> rusqlite::Result<OutcomeOf<StoreResponse>> {
        let done = Ok(OutcomeOf::Ok(StoreResponse::Done));
        match op.does() {
            Does::Begin => {
                self.step("BEGIN IMMEDIATE")?;
                self.in_transaction = true;
                done
            }
            Does::Commit | Does::Rollback if !self.in_transaction => Ok(OutcomeOf::Failed(Failure::NoTransaction)),
            ends @ (Does::Commit | Does::Rollback) => {
                self.step(if *ends == Does::Commit { "COMMIT" } else { "ROLLBACK" })?;
                self.in_transaction = false;
                done
            }
            Does::Both => {
                let parts = op.parts().expect("it has two parts");
                let alone = !self.in_transaction;
                if alone {
                    self.step("BEGIN IMMEDIATE")?;
                    self.in_transaction = true;
                }
                let outcomes = parts.map(|part| self.carry_out(part, by));
                if alone {
                    self.in_transaction = false;
                    self.step(if outcomes.iter().all(Result::is_ok) { "COMMIT" } else { "ROLLBACK" })?;
                }
                let [first, second] = outcomes;
                Ok(TwoAnswers::together([first?, second?]))
            }
            Does::Own | Does::Rows(_) => {
                let plan = StatementPlan::new(op, by, true, LONG_US);
                let row = match plan.how {
                    RunsAs::Read(text) => self.rows(text, &plan.values)?,
                    RunsAs::Own(text) => self.own(text, &plan.values)?,
                    RunsAs::Write { inside, .. } => self.write(inside, &plan.values)?,
                };
                Ok(plan.outcome(row))
            }
        }
    }

    fn step(&self, text: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(text)?.raw_execute().map(drop)
    }

    /// Writes in the open transaction, or else in one of its own. Gives the first column of the first row of all.
    fn write(&self, statements: &'static str, values: &[Option<i64>]) -> rusqlite::Result<Option<Option<i64>>> {
        let is_one = !statements.contains(';');
        if self.in_transaction || is_one {
            return self.parts(statements, values);
        }
        self.step("BEGIN IMMEDIATE")?;
        let row = self.parts(statements, values);
        self.step(if row.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
        row
    }

    /// Runs statements one after the other, each with the parameters that stand in it.
    fn parts(&self, statements: &'static str, values: &[Option<i64>]) -> rusqlite::Result<Option<Option<i64>>> {
        let (mut first, mut rest) = (None, values);
        for text in statements.split(';') {
            let (its, others) = rest.split_at(text.bytes().filter(|byte| *byte == b'?').count());
            let row = self.rows(text, its)?;
            first = first.or(row);
            rest = others;
        }
        Ok(first)
    }

    fn rows(&self, text: &'static str, values: &[Option<i64>]) -> rusqlite::Result<Option<Option<i64>>> {
        let mut statement = self.connection.prepare_cached(text)?;
        for (n, value) in values.iter().enumerate() {
            statement.raw_bind_parameter(n + 1, *value)?;
        }
        first_of(&mut statement)
    }

    /// A statement whose parameters have the numbers `$1` to `$4`.
    fn own(&self, text: &'static str, values: &[Option<i64>]) -> rusqlite::Result<Option<Option<i64>>> {
        let mut statement = self.connection.prepare_cached(text)?;
        for (n, value) in values.iter().enumerate() {
            if let Some(at) = statement.parameter_index(&format!("${}", n + 1))? {
                statement.raw_bind_parameter(at, *value)?;
            }
        }
        first_of(&mut statement)
    }
}

/// Runs a statement to its end. Gives the first column of its first row.
fn first_of(statement: &mut Statement<'_>) -> rusqlite::Result<Option<Option<i64>>> {
    let mut rows = statement.raw_query();
    let mut first = None;
    while let Some(row) = rows.next()? {
        if first.is_none() {
            first = Some(match row.get::<_, Value>(0)? {
                Value::Integer(value) => Some(value),
                _ => None,
            });
        }
    }
    Ok(first)
}

fn entry(row: &rusqlite::Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        role: Role::STORE,
        number: row.get::<_, i64>(0)?.unsigned_abs(),
        message: MessageId(ledger::id(row.get(1)?)),
        account: AccountId(ledger::id(row.get(2)?)),
        amount: row.get(3)?,
        balance: row.get(4)?,
        token: row.get::<_, Option<i64>>(5)?.and_then(std::num::NonZeroI64::new).map(Token),
        by: Delivery { attempt: ledger::small(row.get(6)?), copy: ledger::small(row.get(7)?) },
    })
}

/// What is asked about messages that are taken: the first and the last, the time, the day, the end that never comes.
fn taken(first: i64, last: i64) -> [i64; 5] {
    [first, last, program::now_us(), program::now_us() / LONG_US, program::FOREVER]
}

/// An error that is no outcome of an operation.
fn broken(error: &rusqlite::Error) -> BackendError {
    let remedy = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            Some("the disk is full: free some space, or set TMPDIR to a folder on another disk")
        }
        Some(ErrorCode::CannotOpen) => Some(what_lets_files_be_opened()),
        Some(ErrorCode::ReadOnly) => Some("set TMPDIR to a folder that can be written"),
        _ => None,
    };
    BackendError { backend: "sqlite", what: error.to_string(), remedy: remedy.map(str::to_owned) }
}
