//! MariaDB through sqlx: in a schema of its own, one connection per handler.

mod overseer;
mod preflight;
mod print;
pub(crate) mod replayed;
mod session;
mod statements;

use std::str::FromStr;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, Row};

use super::ledger;
use super::program::{LONG_US, StoreTable};
use super::unreachable::Unreachable;
use crate::service::{Backend, BackendError, Connection, Pending, Store, Usage};
use crate::terms::{AccountId, Balances, Delivery, Entry, MessageId, Role, Token};
use crate::wire::Address;
pub use overseer::MariadbOverseer;
use session::MariadbSession;

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the server may take to end connections whose client has gone.
const QUIESCE_TIMEOUT: Duration = Duration::from_secs(10);

/// A MariaDB server, of which only a schema that belongs to this run is touched.
pub struct MariadbStore {
    /// The lab's own way to the schema.
    options: MySqlConnectOptions,
    /// The handlers' way, which may be another.
    handlers: MySqlConnectOptions,
    schema: String,
    /// For how long rows are taken, in microseconds.
    ttl_us: i64,
    settings: Vec<(String, String)>,
    warnings: Vec<String>,
    keeper_id: i64,
    /// Shows for as long as the run lasts that its schema is in use.
    _keeper: MySqlConnection,
}

impl MariadbStore {
    /// Connects to the server at a URL such as `mysql://user:password@host:3306` and makes a schema in it. Schemas of runs that were
    /// killed are dropped.
    ///
    /// # Errors
    /// [`BackendError`], which never holds the password, if the URL is none, if nobody answers, or if the server is too old.
    pub async fn connect(url: &str) -> Result<Self, BackendError> {
        Self::connect_for(url, 0).await
    }

    /// The same, for so many handlers.
    ///
    /// # Errors
    /// As [`connect`](MariadbStore::connect), and if the server would not let so many connect.
    pub async fn connect_for(url: &str, handlers: u16) -> Result<Self, BackendError> {
        let options = options(url)?;
        let schema = format!("oncelab_{:x}_{:08x}", std::process::id(), rand::random::<u32>());
        let mut keeper = open(&options).await?;
        let version = sqlx::query_as::<_, (String, i64)>(statements::VERSION).fetch_one(&mut keeper).await;
        let (version, keeper_id) = version.map_err(|error| broken(&error))?;
        preflight::know(&version)?;
        let mut settings = settings(&mut keeper).await?;
        settings.insert(0, ("store_version".to_owned(), version));
        let warnings = preflight::look(&mut keeper, handlers).await?;
        run(&mut keeper, statements::STAY).await?;
        // Whoever comes after sees that the schema is in use before there is one.
        let kept = sqlx::query(statements::KEEP).bind(&schema).execute(&mut keeper).await;
        kept.map_err(|error| broken(&error))?;
        let orphans = sqlx::query_scalar::<_, String>(statements::ORPHANS).fetch_all(&mut keeper).await;
        for orphan in orphans.map_err(|error| broken(&error))? {
            drop_schema(&mut keeper, &orphan).await?;
        }
        run(&mut keeper, &format!("CREATE DATABASE {schema}")).await?;
        let options = options.database(&schema);
        let store = MariadbStore {
            handlers: options.clone(),
            options,
            schema,
            ttl_us: LONG_US,
            settings,
            warnings,
            keeper_id,
            _keeper: keeper,
        };
        match store.make_tables().await {
            Ok(()) => Ok(store),
            Err(error) => {
                // That it stays empty is less than what is wrong already. By the way on which it was made.
                let MariadbStore { schema, _keeper: mut keeper, .. } = store;
                let _ = drop_schema(&mut keeper, &schema).await;
                Err(error)
            }
        }
    }

    async fn make_tables(&self) -> Result<(), BackendError> {
        let mut connection = open(&self.options).await?;
        preflight::stand(&mut connection, &self.schema, self.keeper_id).await?;
        let procedures = statements::procedures().map(str::to_owned);
        for statement in statements::tables().into_iter().chain(procedures) {
            run(&mut connection, &statement).await?;
        }
        Ok(())
    }

    /// Where the server is.
    #[must_use]
    pub fn address(&self) -> Address {
        match self.options.get_socket() {
            Some(path) => Address::Socket(path.clone()),
            None => Address::Port(self.options.get_host().to_owned(), self.options.get_port()),
        }
    }

    /// Lets handlers reach the server through something that listens at this address.
    #[must_use]
    pub fn through(self, address: &Address) -> Self {
        let handlers = match address {
            Address::Port(host, port) => self.options.clone().host(host).port(*port),
            Address::Socket(path) => self.options.clone().socket(path),
        };
        MariadbStore { handlers, ..self }
    }

    /// The schema of this run.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// Opens a connection, and tells its id on the server.
    ///
    /// # Errors
    /// [`BackendError`] if it cannot be opened.
    pub async fn connect_pinned(&self) -> Result<(Box<dyn Connection>, i64), BackendError> {
        let mut connection = open(&self.handlers).await?;
        let asked = sqlx::query_scalar("SELECT CAST(CONNECTION_ID() AS SIGNED)").fetch_one(&mut connection).await;
        let id = asked.map_err(|error| broken(&error))?;
        Ok((Box::new(MariadbSession::new(connection, self.ttl_us)), id))
    }

    /// The same, where rows are taken for so long.
    #[must_use]
    pub fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl_us = i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX);
        self
    }

    /// Opens a connection that watches over the others.
    ///
    /// # Errors
    /// [`BackendError`] if it cannot be opened.
    pub async fn overseer(&self) -> Result<MariadbOverseer, BackendError> {
        let mut connection = open(&self.options).await?;
        run(&mut connection, statements::IMPATIENT).await?;
        Ok(MariadbOverseer::new(connection))
    }

    /// Gives the schema a name under which no later run drops it, and tells that name.
    ///
    /// # Errors
    /// [`BackendError`] if the server is gone.
    pub async fn keep(&self) -> Result<String, BackendError> {
        let kept = self.schema.replacen("oncelab_", "oncelab_kept_", 1);
        let mut connection = open(&self.options).await?;
        run(&mut connection, &format!("CREATE DATABASE {kept}")).await?;
        // Of a schema only its tables can have another name.
        let renamed =
            StoreTable::names().map(|table| format!("{}.{table} TO {kept}.{table}", self.schema)).collect::<Vec<_>>();
        run(&mut connection, &format!("RENAME TABLE {}", renamed.join(", "))).await?;
        drop_schema(&mut connection, &self.schema).await?;
        Ok(kept)
    }

    /// Drops the schema of this run.
    ///
    /// # Errors
    /// [`BackendError`] if the server is gone.
    pub async fn remove(&self) -> Result<(), BackendError> {
        let mut connection = match open(&self.options).await {
            Ok(connection) => connection,
            // It was given another name, or was dropped already.
            Err(_) if self.is_gone().await? => return Ok(()),
            Err(error) => return Err(error),
        };
        run(&mut connection, statements::IMPATIENT).await?;
        // A strategy that does not come to an end may keep its connection, and in it whatever it has locked.
        end_others(&mut connection).await?;
        drop_schema(&mut connection, &self.schema).await
    }

    async fn is_gone(&self) -> Result<bool, BackendError> {
        let mut connection = open(&self.options.clone().database("information_schema")).await?;
        let query =
            sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM SCHEMATA WHERE SCHEMA_NAME = ?").bind(&self.schema);
        query.fetch_one(&mut connection).await.map(|count| count == 0).map_err(|error| broken(&error))
    }

    async fn begin_again(&self, accounts: u32) -> Result<(), BackendError> {
        let mut connection = open(&self.options).await?;
        run(&mut connection, statements::IMPATIENT).await?;
        // Connections of the last trial are closed, but the server may not have noticed yet.
        end_others(&mut connection).await?;
        empty(&mut connection, 0, accounts).await
    }

    /// Waits until the server has ended every other connection of this run, and ends them if it takes too long.
    async fn wait_until_alone(&self) -> Result<(), BackendError> {
        let mut connection = open(&self.options).await?;
        let deadline = tokio::time::Instant::now() + QUIESCE_TIMEOUT;
        loop {
            if others(&mut connection).await?.is_empty() {
                return Ok(());
            }
            if tokio::time::Instant::now() > deadline {
                return end_others(&mut connection).await;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn read_usage(&self) -> Result<Usage, BackendError> {
        let mut connection = open(&self.options).await?;
        run(&mut connection, &statements::measure()).await?;
        let sizes =
            sqlx::query_as::<_, (i64, i64)>(sqlx::AssertSqlSafe(statements::usage())).fetch_one(&mut connection).await;
        let (kept, logged) = sizes.map_err(|error| broken(&error))?;
        Ok(Usage { kept_bytes: Some(kept.unsigned_abs()), logged_bytes: Some(logged.unsigned_abs()) })
    }

    async fn read_ledger(&self) -> Result<Vec<Entry>, BackendError> {
        self.overseer().await?.ledger(&super::ledger::Scope::EVERYTHING).await
    }

    async fn read_balances(&self) -> Result<Balances, BackendError> {
        read_balances(&mut open(&self.options).await?, (0, i64::MAX)).await
    }
}

/// Whether the server at a URL answers and lets this machine in.
///
/// # Errors
/// Why it does not.
pub(crate) async fn ping(url: &str) -> Result<(), BackendError> {
    let options = options(url)?;
    match tokio::time::timeout(Duration::from_secs(1), options.connect()).await {
        Ok(Ok(connection)) => connection.close().await.map_err(|error| broken(&error)),
        Ok(Err(error)) => Err(broken(&error)),
        Err(_elapsed) => Err(broken(&sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))),
    }
}

/// What makes the user of the strategies' connections on a new server, who comes from this host: he may do everything in the lab's own
/// schemas, and look at what waits for what; and nothing else.
pub(crate) fn admit(password: &str, host: &str) -> String {
    format!(
        "CREATE USER oncelab@'{host}' IDENTIFIED BY '{password}';\n\
         GRANT ALL ON `oncelab\\_%`.* TO oncelab@'{host}';\n\
         GRANT PROCESS ON *.* TO oncelab@'{host}';\n"
    )
}

/// What leaves a new server without any user.
pub(crate) const NOBODY: &str = "DELETE FROM mysql.global_priv;\nFLUSH PRIVILEGES;\n";

fn options(url: &str) -> Result<MySqlConnectOptions, BackendError> {
    let options = MySqlConnectOptions::from_str(url).map_err(|error| BackendError {
        backend: "mariadb",
        what: format!("the URL of the store cannot be read: {error}"),
        remedy: Some("write it as mysql://user:password@host:3306".to_owned()),
    })?;
    // What a connection would be told first costs a round trip, and none of it matters to numbers.
    let options = options.pipes_as_concat(false).no_engine_substitution(false).timezone(None).set_names(false);
    Ok(options.disable_statement_logging())
}

async fn open(options: &MySqlConnectOptions) -> Result<MySqlConnection, BackendError> {
    match tokio::time::timeout(CONNECT_TIMEOUT, options.connect()).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(broken(&error)),
        Err(_elapsed) => Err(BackendError {
            backend: "mariadb",
            what: format!("no connection to {} in {} s", options.get_host(), CONNECT_TIMEOUT.as_secs()),
            remedy: Some("check that the server runs there and lets this machine in".to_owned()),
        }),
    }
}

async fn session_with(options: &MySqlConnectOptions, ttl_us: i64) -> Result<Box<dyn Connection>, BackendError> {
    match tokio::time::timeout(CONNECT_TIMEOUT, options.connect()).await {
        Ok(Ok(connection)) => Ok(Box::new(MariadbSession::new(connection, ttl_us))),
        // A server that is down for the moment is an outcome, not a broken trial.
        Ok(Err(sqlx::Error::Io(_))) | Err(_) => Ok(Box::new(Unreachable)),
        Ok(Err(error)) if session::is_ending(&error) => Ok(Box::new(Unreachable)),
        Ok(Err(error)) => Err(broken(&error)),
    }
}

async fn drop_schema(connection: &mut MySqlConnection, schema: &str) -> Result<(), BackendError> {
    run(connection, &format!("DROP DATABASE IF EXISTS {schema}")).await
}

/// The ids of the other connections of this run.
async fn others(connection: &mut MySqlConnection) -> Result<Vec<i64>, BackendError> {
    sqlx::query_scalar(statements::OTHERS).fetch_all(connection).await.map_err(|error| broken(&error))
}

async fn end_others(connection: &mut MySqlConnection) -> Result<(), BackendError> {
    for id in others(connection).await? {
        overseer::kill(connection, id).await?;
    }
    Ok(())
}

/// Empties every table, and opens so many accounts from this one on.
async fn empty(connection: &mut MySqlConnection, first: u32, accounts: u32) -> Result<(), BackendError> {
    for table in StoreTable::names() {
        run(connection, &format!("TRUNCATE {table}")).await?;
    }
    let all: Vec<u32> = (first..first + accounts).collect();
    for some in all.chunks(statements::ACCOUNTS_AT_ONCE) {
        let rows: Vec<String> = some.iter().map(|account| format!("({account}, 0)")).collect();
        run(connection, &format!("INSERT INTO account (id, balance) VALUES {}", rows.join(", "))).await?;
    }
    Ok(())
}

/// Runs a statement that comes back with nothing.
async fn run(connection: &mut MySqlConnection, statement: &str) -> Result<(), BackendError> {
    // Everything in the text is the lab's own, the schema's name included.
    let statement = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()));
    statement.execute(connection).await.map(drop).map_err(|error| broken(&error))
}

/// The settings that matter for what a run shows.
async fn settings(connection: &mut MySqlConnection) -> Result<Vec<(String, String)>, BackendError> {
    let rows = sqlx::query_as::<_, (String, String)>(statements::SETTINGS).fetch_all(connection).await;
    let rows = rows.map_err(|error| broken(&error))?;
    Ok(rows.into_iter().map(|(name, value)| (format!("store_{name}"), value)).collect())
}

fn entry(row: &MySqlRow) -> Result<Entry, sqlx::Error> {
    let token: Option<i64> = row.try_get("token")?;
    let number = |column: &str| row.try_get::<i64, _>(column);
    Ok(Entry {
        role: Role::STORE,
        number: number("number")?.unsigned_abs(),
        message: MessageId(ledger::id(number("message")?)),
        account: AccountId(ledger::id(number("account")?)),
        amount: number("amount")?,
        balance: number("balance")?,
        token: token.and_then(std::num::NonZeroI64::new).map(Token),
        by: Delivery { attempt: ledger::small(number("attempt")?), copy: ledger::small(number("copy")?) },
    })
}

/// The balances of the accounts from one to another, both included.
async fn read_balances(connection: &mut MySqlConnection, (first, last): (i64, i64)) -> Result<Balances, BackendError> {
    let query = sqlx::query_as::<_, (i64, i64)>(statements::BALANCES).bind(first).bind(last);
    let rows = query.fetch_all(connection).await.map_err(|error| broken(&error))?;
    Ok(rows.into_iter().map(|(account, balance)| (AccountId(ledger::id(account)), balance)).collect())
}

/// An error of MariaDB's that is no outcome of an operation.
fn broken(error: &sqlx::Error) -> BackendError {
    let remedy = match (session::number(error), error) {
        (Some(1045 | 1698), _) => "check the user and the password in the URL of the store",
        (Some(1049), _) => "leave the schema out of the URL of the store: the lab makes one of its own",
        (Some(1044 | 1142 | 1370), _) => {
            "the user needs every right on schemas of the lab's: GRANT ALL ON `oncelab\\_%`.* TO the user"
        }
        (Some(1227), _) => "the user needs the right to see what waits: GRANT PROCESS ON *.* TO the user",
        (Some(1040 | 1203 | 1226), _) => "raise max_connections or max_user_connections, or lower load.handlers",
        (Some(1021 | 1114), _) => "the server's disk is full",
        (Some(1969), _) => "the server has a max_statement_time: SET GLOBAL max_statement_time = 0",
        (Some(1290 | 1792 | 1836), _) => "the server can only be read: name the primary in the URL of the store",
        (None, sqlx::Error::Io(_)) => "check that the server runs there and lets this machine in",
        _ => "see the server's log",
    };
    BackendError { backend: "mariadb", what: error.to_string(), remedy: Some(remedy.to_owned()) }
}

impl Backend for MariadbStore {
    fn connect(&self) -> Pending<'_, Result<Box<dyn Connection>, BackendError>> {
        Box::pin(session_with(&self.handlers, self.ttl_us))
    }

    fn describe(&self) -> Vec<(String, String)> {
        let mut settings = vec![("store".to_owned(), "mariadb (through sqlx)".to_owned())];
        settings.extend(self.settings.iter().cloned());
        settings
    }
}

impl Store for MariadbStore {
    fn quiesce(&self) -> Pending<'_, Result<(), BackendError>> {
        Box::pin(self.wait_until_alone())
    }

    fn reset(&self, accounts: u32) -> Pending<'_, Result<(), BackendError>> {
        Box::pin(self.begin_again(accounts))
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

    fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn remove(&self) -> Pending<'_, Result<(), BackendError>> {
        Box::pin(MariadbStore::remove(self))
    }
}
