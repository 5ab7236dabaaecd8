//! PostgreSQL through sqlx: in a schema of its own, one connection per handler.

mod batch;
pub(crate) mod literal;
mod overseer;
mod preflight;
mod print;
pub(crate) mod replayed;
mod session;
mod statements;
mod verifier;

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection as _, Executor, Row};

use super::ledger;
use super::unreachable::Unreachable;
use crate::service::{Backend, BackendError, Connection, Pending, Store, Usage, Way};
use crate::terms::{AccountId, Balances, Delivery, Entry, MessageId, Role, Token};
use crate::wire::{Address, Protocol};
pub use overseer::PostgresOverseer;
use session::PostgresSession;

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the server may take to end connections whose client has gone.
const QUIESCE_TIMEOUT: Duration = Duration::from_secs(10);

/// What to do where something between the lab and the server gets in the way.
const POOLER: &str = "name the server itself in the URL of the store, and not a pooler like PgBouncer";

/// The oldest version that is known to do what the lab's statements ask, as `server_version_num` has it.
const OLDEST: i32 = 120_000;

/// A PostgreSQL database, of which only a schema that belongs to this run is touched.
pub struct PostgresStore {
    /// The lab's own way to the database.
    options: PgConnectOptions,
    /// The handlers' way, which may be another.
    handlers: PgConnectOptions,
    schema: String,
    /// For how long rows are taken, in microseconds.
    ttl_us: i64,
    settings: Vec<(String, String)>,
    warnings: Vec<String>,
    /// Another store of the run counts what the server writes to its log.
    is_beside_another: bool,
    /// The server's process behind the keeper.
    keeper_pid: i32,
    /// Shows for as long as the run lasts that its schema is in use.
    _keeper: PgConnection,
}

impl PostgresStore {
    /// The statement behind `claim_and_apply`, for whoever measures it without the lab.
    /// Its parameters: amount, account, message, token, attempt, copy.
    #[must_use]
    pub fn claim_and_apply() -> &'static str {
        statements::claim_and_apply()
    }

    /// Connects to the database at a URL such as `postgres://user:password@host:5432/database` and makes a schema in it.
    /// Schemas of runs that were killed are dropped.
    ///
    /// # Errors
    /// [`BackendError`], which never holds the password, if the URL is none, if nobody answers, or if the server is too old.
    pub async fn connect(url: &str) -> Result<Self, BackendError> {
        Self::connect_for(url, 0).await
    }

    /// The same, for so many handlers.
    ///
    /// # Errors
    /// As [`connect`](PostgresStore::connect), and if the server would not let so many connect.
    pub async fn connect_for(url: &str, handlers: u16) -> Result<Self, BackendError> {
        let options = PgConnectOptions::from_str(url).map_err(|error| BackendError {
            backend: "postgres",
            what: format!("the URL of the store cannot be read: {error}"),
            remedy: Some("write it as postgres://user:password@host:5432/database".to_owned()),
        })?;
        let schema = format!("oncelab_{:x}_{:08x}", std::process::id(), rand::random::<u32>());
        let options = options.disable_statement_logging().application_name(&format!("{schema}_keeper"));
        let mut keeper = open(&options).await?;
        let (version, settings) = settings(&mut keeper).await.map_err(|error| broken(&error))?;
        if version < OLDEST {
            return Err(BackendError {
                backend: "postgres",
                what: format!("the server's version is {}.{}", version / 10_000, version % 10_000),
                remedy: Some(format!("use PostgreSQL {} or later", OLDEST / 10_000)),
            });
        }
        let warnings = preflight::look(&mut keeper, handlers).await?;
        let keeper_pid = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut keeper).await;
        let keeper_pid = keeper_pid.map_err(|error| broken(&error))?;
        let orphans = sqlx::query_scalar::<_, String>(statements::ORPHANS).fetch_all(&mut keeper).await;
        for orphan in orphans.map_err(|error| broken(&error))? {
            drop_schema(&mut keeper, &orphan).await?;
        }
        run(&mut keeper, &format!("CREATE SCHEMA {schema}")).await?;
        // The name by which the server lists this run's connections.
        let options = options.options([("search_path", schema.as_str())]).application_name(&schema);
        let store = PostgresStore {
            handlers: options.clone(),
            options,
            schema,
            ttl_us: super::program::LONG_US,
            settings,
            warnings,
            is_beside_another: false,
            keeper_pid,
            _keeper: keeper,
        };
        match store.make_tables().await {
            Ok(()) => Ok(store),
            Err(error) => {
                // That it stays empty is less than what is wrong already. By the way on which it was made.
                let PostgresStore { schema, _keeper: mut keeper, .. } = store;
                let _ = drop_schema(&mut keeper, &schema).await;
                Err(error)
            }
        }
    }

    async fn make_tables(&self) -> Result<(), BackendError> {
        let mut connection = open(&self.options).await?;
        preflight::stand(&mut connection, &self.schema, self.keeper_pid).await?;
        for statement in statements::tables() {
            run(&mut connection, &statement).await?;
        }
        Ok(())
    }

    /// The same, where rows are taken for so long.
    #[must_use]
    pub fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl_us = i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX);
        self
    }

    /// Where the server is.
    #[must_use]
    pub fn address(&self) -> Address {
        Address::Port(self.options.get_host().to_owned(), self.options.get_port())
    }

    /// Lets handlers reach the server through something that listens at this address.
    #[must_use]
    pub fn through(self, address: &Address) -> Self {
        PostgresStore { handlers: at(&self.options, address), ..self }
    }

    /// The same, at a server whose log another store of the run counts: the log is the server's, and not a schema's.
    #[must_use]
    pub fn beside_another(self) -> Self {
        PostgresStore { is_beside_another: true, ..self }
    }

    /// The schema of this run.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// Opens a connection through something that listens at this address, and tells the id of the server's process behind it.
    ///
    /// # Errors
    /// [`BackendError`] if it cannot be opened.
    pub async fn connect_pinned(&self, address: &Address) -> Result<(Box<dyn Connection>, i32), BackendError> {
        let mut connection = open(&at(&self.handlers, address)).await?;
        let asked = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut connection).await;
        let pid = asked.map_err(|error| broken(&error))?;
        Ok((Box::new(PostgresSession::new(connection, self.ttl_us)), pid))
    }

    /// Opens a connection that watches over the others.
    ///
    /// # Errors
    /// [`BackendError`] if it cannot be opened.
    pub async fn overseer(&self) -> Result<PostgresOverseer, BackendError> {
        // Whoever watches waits for nobody: what stands in the way for so long is a mistake.
        let options = self.options.clone().options([("lock_timeout", "10s")]);
        Ok(PostgresOverseer::new(open(&options).await?))
    }

    /// Gives the schema a name under which no later run drops it, and tells that name.
    ///
    /// # Errors
    /// [`BackendError`] if the server is gone.
    pub async fn keep(&self) -> Result<String, BackendError> {
        let kept = self.schema.replacen("oncelab_", "oncelab_kept_", 1);
        run(&mut open(&self.options).await?, &format!("ALTER SCHEMA {} RENAME TO {kept}", self.schema)).await?;
        Ok(kept)
    }

    /// Drops the schema of this run.
    ///
    /// # Errors
    /// [`BackendError`] if the server is gone.
    pub async fn remove(&self) -> Result<(), BackendError> {
        let mut connection = open(&self.options).await?;
        // A strategy that does not come to an end may keep its connection, and in it whatever it has locked.
        run(&mut connection, statements::END_OTHERS).await?;
        drop_schema(&mut connection, &self.schema).await
    }

    async fn empty(&self, accounts: u32) -> Result<(), BackendError> {
        let mut connection = open(&self.options).await?;
        // Connections of the last trial are closed, but their server processes may not have noticed yet.
        run(&mut connection, statements::END_OTHERS).await?;
        run(&mut connection, &statements::empty()).await?;
        let fill = sqlx::query(statements::FILL).bind(i64::from(accounts)).execute(&mut connection);
        fill.await.map(drop).map_err(|error| broken(&error))
    }

    /// Waits until the server has ended every other connection of this run, and ends them if it takes too long.
    async fn wait_until_alone(&self) -> Result<(), BackendError> {
        let mut connection = open(&self.options).await?;
        let deadline = tokio::time::Instant::now() + QUIESCE_TIMEOUT;
        loop {
            let others = sqlx::query_scalar::<_, i64>(statements::COUNT_OTHERS).fetch_one(&mut connection).await;
            if others.map_err(|error| broken(&error))? == 0 {
                return Ok(());
            }
            if tokio::time::Instant::now() > deadline {
                return run(&mut connection, statements::END_OTHERS).await;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn read_usage(&self) -> Result<Usage, BackendError> {
        let mut connection = open(&self.options).await?;
        let sizes =
            sqlx::query_as::<_, (i64, i64)>(sqlx::AssertSqlSafe(statements::usage())).fetch_one(&mut connection).await;
        let (kept, logged) = sizes.map_err(|error| broken(&error))?;
        let logged = if self.is_beside_another { 0 } else { logged.unsigned_abs() };
        Ok(Usage { kept_bytes: Some(kept.unsigned_abs()), logged_bytes: Some(logged) })
    }

    async fn read_ledger(&self) -> Result<Vec<Entry>, BackendError> {
        let mut connection = open(&self.options).await?;
        let rows = sqlx::query(statements::LEDGER).fetch_all(&mut connection).await.map_err(|error| broken(&error))?;
        rows.iter().map(|row| entry(row).map_err(|error| broken(&error))).collect()
    }
}

/// Whether the server at a URL answers and lets this machine in.
///
/// # Errors
/// Why it does not.
pub(crate) async fn ping(url: &str) -> Result<(), BackendError> {
    let options = PgConnectOptions::from_str(url).map_err(|error| broken(&error))?;
    match tokio::time::timeout(Duration::from_secs(1), PgConnection::connect_with(&options)).await {
        Ok(Ok(connection)) => connection.close().await.map_err(|error| broken(&error)),
        Ok(Err(error)) => Err(broken(&error)),
        Err(_elapsed) => Err(broken(&sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))),
    }
}

/// Makes the user and the database of a new server for the strategies' connections, who is nobody's superuser.
///
/// # Errors
/// [`BackendError`] if that is not possible.
pub(crate) async fn admit(superuser: &str, password: &str) -> Result<(), BackendError> {
    let options = PgConnectOptions::from_str(superuser).map_err(|error| broken(&error))?;
    let mut connection = open(&options.disable_statement_logging()).await?;
    let verifier = verifier::of(password, rand::random());
    run(&mut connection, &format!("CREATE ROLE oncelab LOGIN PASSWORD '{verifier}'")).await?;
    run(&mut connection, "CREATE DATABASE oncelab OWNER oncelab").await
}

/// Opens a connection. A server that is starting up is waited for.
async fn open(options: &PgConnectOptions) -> Result<PgConnection, BackendError> {
    let opening = async {
        loop {
            match PgConnection::connect_with(options).await {
                Err(error) if session::is_starting(&error) => tokio::time::sleep(Duration::from_millis(20)).await,
                result => return result,
            }
        }
    };
    match tokio::time::timeout(CONNECT_TIMEOUT, opening).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(broken(&error)),
        Err(_elapsed) => Err(BackendError {
            backend: "postgres",
            what: format!(
                "no connection to {}:{} in {} s",
                options.get_host(),
                options.get_port(),
                CONNECT_TIMEOUT.as_secs()
            ),
            remedy: Some("check that the server runs there and lets this machine in".to_owned()),
        }),
    }
}

/// The same server and database by another way.
fn at(options: &PgConnectOptions, address: &Address) -> PgConnectOptions {
    match address {
        Address::Port(host, port) => options.clone().host(host).port(*port),
        Address::Socket(path) => options.clone().socket(path),
    }
}

async fn drop_schema(connection: &mut PgConnection, schema: &str) -> Result<(), BackendError> {
    run(connection, &format!("DROP SCHEMA IF EXISTS {schema} CASCADE")).await
}

async fn session_with(options: PgConnectOptions, ttl_us: i64) -> Result<Box<dyn Connection>, BackendError> {
    match tokio::time::timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&options)).await {
        Ok(Ok(connection)) => Ok(Box::new(PostgresSession::new(connection, ttl_us))),
        // A server that is down for the moment is an outcome, not a broken trial.
        Ok(Err(sqlx::Error::Io(_))) | Err(_) => Ok(Box::new(Unreachable)),
        Ok(Err(error)) if session::is_starting(&error) => Ok(Box::new(Unreachable)),
        Ok(Err(error)) => Err(broken(&error)),
    }
}

/// Runs statements that come back with nothing.
async fn run(connection: &mut PgConnection, statements: &str) -> Result<(), BackendError> {
    // Everything in the text is the lab's own, the schema's name included.
    let statements = sqlx::raw_sql(sqlx::AssertSqlSafe(statements.to_owned()));
    connection.execute(statements).await.map(drop).map_err(|error| broken(&error))
}

/// The server's version as a number, and the settings that matter for what a run shows.
async fn settings(connection: &mut PgConnection) -> Result<(i32, Vec<(String, String)>), sqlx::Error> {
    let row = sqlx::query(statements::SETTINGS).fetch_one(connection).await?;
    let names = ["version", "fsync", "synchronous_commit", "default_transaction_isolation", "shared_buffers"];
    let value = |(column, name): (usize, &str)| Ok((format!("store_{name}"), row.try_get::<String, _>(column)?));
    let settings = names.into_iter().enumerate().map(value).collect::<Result<_, sqlx::Error>>()?;
    Ok((row.try_get(names.len())?, settings))
}

fn entry(row: &sqlx::postgres::PgRow) -> Result<Entry, sqlx::Error> {
    let token: Option<i64> = row.try_get("token")?;
    let small = |column: &str| Ok::<u8, sqlx::Error>(ledger::small(row.try_get::<i16, _>(column)?.into()));
    let whole = |column: &str| Ok::<u32, sqlx::Error>(ledger::id(row.try_get::<i64, _>(column)?));
    Ok(Entry {
        role: Role::STORE,
        number: row.try_get::<i64, _>("number")?.unsigned_abs(),
        message: MessageId(whole("message")?),
        account: AccountId(whole("account")?),
        amount: row.try_get::<i32, _>("amount")?.into(),
        balance: row.try_get("balance")?,
        token: token.and_then(std::num::NonZeroI64::new).map(Token),
        by: Delivery { attempt: small("attempt")?, copy: small("copy")? },
    })
}

/// The balances of the accounts from one to another, both included.
async fn read_balances(connection: &mut PgConnection, first: i64, last: i64) -> Result<Balances, BackendError> {
    let query = sqlx::query_as::<_, (i64, i64)>(statements::BALANCES).bind(first).bind(last);
    let rows = query.fetch_all(connection).await.map_err(|error| broken(&error))?;
    Ok(rows.into_iter().map(|(account, balance)| (AccountId(ledger::id(account)), balance)).collect())
}

/// An error of PostgreSQL's that is no outcome of an operation.
fn broken(error: &sqlx::Error) -> BackendError {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    let remedy = match (code.as_deref(), error) {
        (Some("28P01" | "28000"), _) => "check the user and the password in the URL of the store",
        (Some("3D000"), _) => "create the database, or name another in the URL of the store",
        (Some("42501"), _) => "the user needs the right to create a schema in the database",
        (Some("53300"), _) => "raise max_connections, or lower load.handlers",
        (Some("53100"), _) => "the server's disk is full",
        (Some("57014"), _) => {
            "the server has a statement_timeout: raise it for the lab's user (ALTER ROLE … SET statement_timeout = 0)"
        }
        (Some("55P03"), _) => {
            "the server has a lock_timeout: raise it for the lab's user (ALTER ROLE … SET lock_timeout = 0)"
        }
        (Some("25P03" | "25P04" | "57P05"), _) => {
            "the server ends sessions that wait: see idle_in_transaction_session_timeout, transaction_timeout and idle_session_timeout"
        }
        (Some("25006"), _) => "the server can only be read: name the primary in the URL of the store",
        // A statement that was prepared on another connection.
        (Some("42P05" | "26000"), _) => POOLER,
        (Some("08P01"), error) if error.to_string().contains("startup parameter") => POOLER,
        (None, sqlx::Error::Io(_)) => "check that the server runs there and lets this machine in",
        _ => "see the server's log",
    };
    BackendError { backend: "postgres", what: error.to_string(), remedy: Some(remedy.to_owned()) }
}

impl Backend for PostgresStore {
    fn connect(&self) -> Pending<'_, Result<Box<dyn Connection>, BackendError>> {
        Box::pin(session_with(self.handlers.clone(), self.ttl_us))
    }

    fn way(&self) -> Option<Way> {
        let to = Address::Port(self.handlers.get_host().to_owned(), self.handlers.get_port());
        Some(Way { to, protocol: Protocol::Postgres })
    }

    fn connect_through(&self, address: &Address) -> Pending<'_, Result<Box<dyn Connection>, BackendError>> {
        Box::pin(session_with(at(&self.handlers, address), self.ttl_us))
    }

    fn describe(&self) -> Vec<(String, String)> {
        let mut settings = vec![("store".to_owned(), "postgres (through sqlx)".to_owned())];
        settings.extend(self.settings.iter().cloned());
        settings
    }
}

impl Store for PostgresStore {
    fn quiesce(&self) -> Pending<'_, Result<(), BackendError>> {
        Box::pin(self.wait_until_alone())
    }

    fn reset(&self, accounts: u32) -> Pending<'_, Result<(), BackendError>> {
        Box::pin(self.empty(accounts))
    }

    fn usage(&self) -> Pending<'_, Result<Usage, BackendError>> {
        Box::pin(self.read_usage())
    }

    fn ledger(&self) -> Pending<'_, Result<Vec<Entry>, BackendError>> {
        Box::pin(self.read_ledger())
    }

    fn balances(&self) -> Pending<'_, Result<Balances, BackendError>> {
        Box::pin(async { read_balances(&mut open(&self.options).await?, 0, i64::MAX).await })
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn remove(&self) -> Pending<'_, Result<(), BackendError>> {
        Box::pin(PostgresStore::remove(self))
    }
}
