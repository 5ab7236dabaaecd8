//! Redis behind the port: connections of the `redis` crate, which neither reconnect nor repeat, and a ledger that is a list.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, Value, cmd};
use tokio::sync::Mutex;

use super::keyspace::RedisValue;
use super::model::{there, voted};
use super::names::{self, KeyNames, read_entry, text_of, value_of};
use super::op::RedisOp;
use super::replica;
use super::response::RedisResponse;
use super::scripts;
use super::vote::{Master, Vote};
use crate::service::{AnyOp, Backend, BackendError, Connection, Outcome, Pending, Scope, Store, Way, own};
use crate::terms::{AccountId, Answer, Balances, Delivery, Entry, Failure, LeaseId, Role, Token};
use crate::wire::{Address, Protocol};

/// What it is called in errors.
pub(super) const NAME: &str = "redis";

/// How long nothing may come any more before nothing is under way.
const QUIET: Duration = Duration::from_millis(50);

/// How long a server may take to say that it is there.
const PING: Duration = Duration::from_secs(2);

/// How many keys are looked at in a step of a search for keys.
const SCANNED: u32 = 1000;

/// The outcome of an operation for which there was no connection.
const NOT_SENT: Outcome = Outcome::Failed(Failure::Unavailable);

/// How to reach a Redis, and what to ask of it.
#[derive(Debug, Clone)]
pub(crate) struct RedisBackend {
    info: ConnectionInfo,
    keys: KeyNames,
    /// For how long keys live that live for a time, as the server counts it.
    ttl: Duration,
    /// How long that is by the clock of this process.
    lives: Duration,
    /// When the delivery at work has asked the first of several masters for a lock.
    asked: Arc<std::sync::Mutex<Option<Instant>>>,
    /// How long an operation may wait for its answer.
    timeout: Duration,
    /// The connection that the lab's own questions go over, if it is kept from one to the next.
    asking: Option<Arc<Mutex<Option<MultiplexedConnection>>>>,
}

fn broken(what: String, remedy: &str) -> BackendError {
    BackendError { backend: NAME, what, remedy: Some(remedy.to_owned()) }
}

const IS_REDIS: &str = "check that a Redis runs there, and that the URL is right: redis://[USER:PASSWORD@]HOST[:PORT]";

impl RedisBackend {
    /// A Redis that nobody has talked to yet. The names of its keys begin with this prefix.
    ///
    /// # Errors
    /// [`BackendError`] if the URL is none of a Redis.
    pub fn new(url: &str, prefix: String, ttl: Duration, timeout: Duration) -> Result<Self, BackendError> {
        // What the library says of a URL may name the password in it.
        let info = url.into_connection_info().map_err(|_| broken("the URL is none of a Redis".to_owned(), IS_REDIS))?;
        let asked = Arc::default();
        Ok(RedisBackend { info, keys: KeyNames(prefix), ttl, lives: ttl, asked, timeout, asking: None })
    }

    /// The same under another prefix.
    pub fn under(&self, prefix: &str) -> Self {
        RedisBackend { keys: KeyNames(prefix.to_owned()), ..self.clone() }
    }

    /// The same, where keys live so long that live for a time, and an operation may wait so long.
    pub(super) fn living(&self, ttl: Duration, timeout: Duration) -> Self {
        RedisBackend { ttl, lives: ttl, timeout, ..self.clone() }
    }

    /// The same, where so many seconds of a key's life pass in one.
    pub(super) fn at_speed(self, clock_speed: f64) -> Self {
        RedisBackend { lives: self.ttl.div_f64(clock_speed), ..self }
    }

    /// The same as these others of one connection: they know when the first of them was asked for a lock.
    pub(super) fn asked_together(&self, with: &Arc<std::sync::Mutex<Option<Instant>>>) -> Self {
        RedisBackend { asked: Arc::clone(with), ..self.clone() }
    }

    /// Notes when the first of several masters is asked for a lock.
    fn note_beginning(&self, vote: Vote) {
        if vote.at == Master::FIRST {
            *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
    }

    /// Whether a lock that was asked of several masters still holds by the client's clock: its keys live from when the first was asked.
    /// The clocks of masters may be 1 % faster, and 2 ms more are left to them, as Redis' documentation of distributed locks has it.
    fn is_in_time(&self) -> bool {
        let asked = *self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.is_none_or(|asked| asked.elapsed() + self.lives / 100 + Duration::from_millis(2) < self.lives)
    }

    /// The same, where the lab's own questions go over one connection, on the runtime that asks first.
    pub(super) fn asking_on_one_connection(self) -> Self {
        RedisBackend { asking: Some(Arc::default()), ..self }
    }

    pub(super) fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    pub(super) fn keys(&self) -> &KeyNames {
        &self.keys
    }

    fn address(&self) -> Result<Address, BackendError> {
        match self.info.addr() {
            ConnectionAddr::Tcp(host, port) => Ok(Address::Port(host.clone(), *port)),
            ConnectionAddr::Unix(path) => Ok(Address::Socket(path.clone())),
            _ => Err(broken("the lab speaks to a Redis without TLS only".to_owned(), IS_REDIS)),
        }
    }

    fn session_to(&self, address: &Address) -> RedisSession {
        let to = match address {
            Address::Port(host, port) => ConnectionAddr::Tcp(host.clone(), *port),
            Address::Socket(path) => ConnectionAddr::Unix(path.clone()),
        };
        RedisSession { backend: RedisBackend { info: self.info.clone().set_addr(to), ..self.clone() }, open: None }
    }

    async fn open(&self) -> Result<MultiplexedConnection, redis::RedisError> {
        let client = Client::open(self.info.clone())?;
        // A response time-out of the library's would leave the request on its way.
        let config = AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(Some(self.timeout));
        client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// Asks for something that the lab itself wants to know.
    ///
    /// # Errors
    /// [`BackendError`] if there is no answer.
    pub(super) async fn ask(&self, command: &Cmd) -> Result<Value, BackendError> {
        let asking = async {
            let Some(kept) = &self.asking else { return command.query_async(&mut self.open().await?).await };
            // One that broke is not used again.
            let mut kept = kept.lock().await;
            let mut connection = match kept.take() {
                Some(connection) => connection,
                None => self.open().await?,
            };
            let value = command.query_async(&mut connection).await?;
            *kept = Some(connection);
            Ok(value)
        };
        match tokio::time::timeout(self.timeout, asking).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(judged(&error).err().unwrap_or_else(|| broken(error.to_string(), IS_REDIS))),
            Err(_elapsed) => Err(broken("no answer".to_owned(), IS_REDIS)),
        }
    }

    /// Its version.
    ///
    /// # Errors
    /// [`BackendError`] if it does not answer, or cannot be used.
    pub async fn probe(&self) -> Result<String, BackendError> {
        let info = self.ask(cmd("INFO").arg("server")).await?;
        let replication = self.ask(cmd("INFO").arg("replication")).await?;
        let line = |value: &Value, key: &str| {
            let text: String = redis::from_redis_value_ref(value).ok()?;
            text.lines().find_map(|line| line.strip_prefix(key).map(|rest| rest.trim().to_owned()))
        };
        if line(&replication, "role:").is_some_and(|role| role != "master") {
            return Err(broken("it is a replica, which takes no writes".to_owned(), "give the URL of its master"));
        }
        Ok(line(&info, "redis_version:").unwrap_or_else(|| "unknown".to_owned()))
    }

    /// Deletes every key under the prefix.
    ///
    /// # Errors
    /// [`BackendError`] if it does not answer.
    pub async fn remove_keys(&self) -> Result<(), BackendError> {
        let mut cursor = "0".to_owned();
        loop {
            let mut scan = cmd("SCAN");
            scan.arg(&cursor).arg("MATCH").arg(self.keys.every()).arg("COUNT").arg(SCANNED);
            let (next, keys): (String, Vec<String>) = read(self.ask(&scan).await?)?;
            if !keys.is_empty() {
                self.ask(cmd("DEL").arg(&keys)).await?;
            }
            if next == "0" {
                return Ok(());
            }
            cursor = next;
        }
    }

    /// The entries of these messages, in their order.
    ///
    /// # Errors
    /// [`BackendError`] if it does not answer, or something else has written there.
    pub(super) async fn entries(&self, of: &Scope) -> Result<Vec<Entry>, BackendError> {
        let (first, last) = of.messages;
        let texts: Vec<String> = read(self.ask(cmd("LRANGE").arg(self.keys.ledger()).arg(0).arg(-1)).await?)?;
        let mut entries = Vec::new();
        for (text, number) in texts.iter().zip(1..) {
            let entry = read_entry(text, number, Role::CACHE).ok_or_else(|| {
                broken(
                    format!("'{}' is no entry of a ledger", text.escape_debug()),
                    "let nothing else write under oncelab",
                )
            })?;
            if (first..=last).contains(&i64::from(entry.message.0)) {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    /// The balances of those accounts that were ever changed.
    ///
    /// # Errors
    /// As [`entries`](RedisBackend::entries).
    pub(super) async fn balances_of(&self, of: &Scope) -> Result<Balances, BackendError> {
        let (first, last) = of.accounts;
        let mut accounts: Vec<AccountId> =
            self.entries(&Scope::EVERYTHING).await?.iter().map(|it| it.account).collect();
        accounts.sort_unstable();
        accounts.dedup();
        accounts.retain(|account| (first..=last).contains(&i64::from(account.0)));
        let mut balances = Vec::new();
        for account in accounts {
            let value = self.ask(cmd("GET").arg(self.keys.balance(account))).await?;
            balances.push((account, read::<i64>(value)?));
        }
        Ok(balances.into_iter().collect())
    }

    /// The command of an operation. An acquisition has this value.
    fn command(&self, op: RedisOp, by: Delivery, value: i64) -> Cmd {
        let (keys, ttl) = (&self.keys, u64::try_from(self.ttl.as_millis()).unwrap_or(u64::MAX));
        let script = |text: &str, keys: usize| {
            let mut script = cmd("EVAL");
            script.arg(text).arg(keys);
            script
        };
        let mut set = cmd("SET");
        match op {
            RedisOp::SetLock(account) | RedisOp::AskLock(account) => {
                set.arg(keys.lock(account)).arg(value).arg("NX").arg("PX").arg(ttl).clone()
            }
            RedisOp::SetLockAndCount(account) => script(scripts::SET_AND_COUNT, 2)
                .arg(keys.lock(account))
                .arg(keys.counter(account))
                .arg(value)
                .arg(ttl)
                .clone(),
            RedisOp::CountLock(account) => cmd("INCR").arg(keys.counter(account)).clone(),
            RedisOp::DeleteOwnLock(account, LeaseId(value)) => {
                script(scripts::DELETE_IF, 1).arg(keys.lock(account)).arg(value).clone()
            }
            RedisOp::CompareLock(account, _) => cmd("GET").arg(keys.lock(account)).clone(),
            RedisOp::DeleteLock(account) => cmd("DEL").arg(keys.lock(account)).clone(),
            RedisOp::SetOnce(message) => {
                let claimed = text_of(RedisValue::Claimed);
                set.arg(keys.id(message)).arg(claimed).arg("NX").arg("PX").arg(ttl).clone()
            }
            RedisOp::SetAnswer(message, answer) => set.arg(keys.id(message)).arg(answer.0).arg("PX").arg(ttl).clone(),
            RedisOp::GetState(message) => cmd("GET").arg(keys.id(message)).clone(),
            RedisOp::ApplyOnce(message, effect) => script(scripts::APPLY_IF_NEW, 3)
                .arg(keys.id(message))
                .arg(keys.balance(effect.account))
                .arg(keys.ledger())
                .arg(effect.amount)
                .arg(names::entry(message, effect, by))
                .arg(ttl)
                .clone(),
            RedisOp::ApplyAlways(message, effect) => script(scripts::APPLY, 2)
                .arg(keys.balance(effect.account))
                .arg(keys.ledger())
                .arg(effect.amount)
                .arg(names::entry(message, effect, by))
                .clone(),
            RedisOp::SetVote(vote) => {
                let name = names::name_of(vote.message, by);
                set.arg(keys.vote(vote.at, vote.account)).arg(name).arg("NX").arg("PX").arg(ttl).clone()
            }
            RedisOp::DeleteVote(vote) => script(scripts::DELETE_IF, 1)
                .arg(keys.vote(vote.at, vote.account))
                .arg(names::name_of(vote.message, by))
                .clone(),
            RedisOp::ForgetKeys(_) => script(scripts::FORGET, 0).arg(keys.every()).clone(),
            RedisOp::WaitForReplica(_) => cmd("WAIT").arg(1).arg(replica::PATIENCE_MS).clone(),
            RedisOp::CutLink => replica::follows_nobody(),
            RedisOp::Promote => replica::leads(),
            RedisOp::JumpAhead(_) => script(scripts::RUN_OUT, 0).arg(keys.every()).clone(),
        }
    }
}

/// A value as what it must be.
///
/// # Errors
/// [`BackendError`] if it is something else.
pub(super) fn read<T: redis::FromRedisValue>(value: Value) -> Result<T, BackendError> {
    redis::from_redis_value(value).map_err(|error| broken(format!("it answers what no Redis does: {error}"), IS_REDIS))
}

/// Whether the Redis at a URL answers and can be used.
///
/// # Errors
/// Why it does not.
pub(crate) async fn ping(url: &str) -> Result<(), BackendError> {
    RedisBackend::new(url, "oncelab".to_owned(), PING, PING)?.probe().await.map(drop)
}

/// What an answer says of an operation. An acquisition has this value.
fn response(op: RedisOp, answer: Value, value: i64) -> Result<RedisResponse, BackendError> {
    let is_nothing = answer == Value::Nil;
    Ok(match op {
        RedisOp::SetLock(_) | RedisOp::AskLock(_) | RedisOp::SetLockAndCount(_) | RedisOp::SetOnce(_) if is_nothing => {
            RedisResponse::Refused
        }
        RedisOp::SetLock(_) | RedisOp::AskLock(_) => RedisResponse::Locked(LeaseId(value)),
        RedisOp::WaitForReplica(_) if read::<i64>(answer.clone())? > 0 => RedisResponse::Set,
        RedisOp::WaitForReplica(_) => RedisResponse::Refused,
        RedisOp::SetLockAndCount(_) => RedisResponse::Counted(LeaseId(value), counted(answer)?),
        RedisOp::CountLock(_) => RedisResponse::Number(counted(answer)?),
        RedisOp::SetOnce(_) => RedisResponse::Set,
        RedisOp::DeleteOwnLock(..)
        | RedisOp::DeleteLock(_)
        | RedisOp::SetAnswer(..)
        | RedisOp::DeleteVote(_)
        | RedisOp::ForgetKeys(_)
        | RedisOp::CutLink
        | RedisOp::Promote
        | RedisOp::JumpAhead(_) => RedisResponse::Done,
        RedisOp::SetVote(vote) => voted(vote, !is_nothing, value),
        RedisOp::CompareLock(_, LeaseId(value)) => {
            let held: Option<Vec<u8>> = read(answer)?;
            RedisResponse::Compared(held.is_some_and(|held| value_of(&held) == Some(RedisValue::Number(value))))
        }
        RedisOp::GetState(_) => there(state(read(answer)?)?),
        RedisOp::ApplyOnce(..) => match read(answer)? {
            (0_i64, before) => there(state(Some(read(before)?))?),
            (_, balance) => RedisResponse::Applied(Answer(read(balance)?)),
        },
        RedisOp::ApplyAlways(..) => RedisResponse::Applied(Answer(read(answer)?)),
    })
}

/// The number that a counter has.
fn counted(answer: Value) -> Result<Token, BackendError> {
    let number = std::num::NonZeroI64::new(read(answer)?);
    number.map(Token).ok_or_else(|| broken("a counter is 0".to_owned(), "let nothing else write there"))
}

/// What stands under an id.
fn state(text: Option<Vec<u8>>) -> Result<Option<RedisValue>, BackendError> {
    let unknown = || broken("an id has a value that the lab has not set".to_owned(), "let nothing else write there");
    text.map(|text| value_of(&text).ok_or_else(unknown)).transpose()
}

/// The outcome that an error is, if it is one.
///
/// # Errors
/// [`BackendError`] if the server cannot be used.
fn judged(error: &redis::RedisError) -> Result<Outcome, BackendError> {
    if error.is_connection_refusal() {
        return Ok(NOT_SENT);
    }
    const LET_IN: &str = "give the password in the URL: redis://user:password@host:6379";
    if error.kind() == redis::ErrorKind::AuthenticationFailed {
        return Err(broken("it does not let the lab in".to_owned(), LET_IN));
    }
    let remedy = match error.code() {
        None => return Ok(Outcome::Unknown),
        Some("LOADING" | "BUSY" | "MASTERDOWN" | "TRYAGAIN") => return Ok(NOT_SENT),
        Some("NOAUTH" | "WRONGPASS" | "NOPERM") => LET_IN,
        Some("OOM") => "raise its maxmemory, or let it evict keys",
        Some("READONLY") => "give the URL of its master: a replica takes no writes",
        Some("MOVED" | "ASK" | "CLUSTERDOWN") => "give the URL of a Redis that is no cluster",
        Some(_) => IS_REDIS,
    };
    Err(broken(error.to_string(), remedy))
}

impl Backend for RedisBackend {
    /// Prepares a connection; the first operation opens it. So a server that is gone is an outcome, not a broken trial.
    fn connect(&self) -> Pending<'_, Result<Box<dyn Connection>, BackendError>> {
        Box::pin(async move { Ok(Box::new(self.session_to(&self.address()?)) as Box<dyn Connection>) })
    }

    fn way(&self) -> Option<Way> {
        Some(Way { to: self.address().ok()?, protocol: Protocol::Resp })
    }

    fn connect_through(&self, address: &Address) -> Pending<'_, Result<Box<dyn Connection>, BackendError>> {
        let session = self.session_to(address);
        Box::pin(async move { Ok(Box::new(session) as Box<dyn Connection>) })
    }

    fn describe(&self) -> Vec<(String, String)> {
        vec![("cache_ttl_ms".to_owned(), self.ttl.as_millis().to_string())]
    }
}

impl Store for RedisBackend {
    fn reset(&self, _: u32) -> Pending<'_, Result<(), BackendError>> {
        Box::pin(self.remove_keys())
    }

    /// A server goes on with a command that it has read, whoever has left.
    fn quiesce(&self) -> Pending<'_, Result<(), BackendError>> {
        Box::pin(async move {
            let mut seen = None;
            loop {
                let length = self.entries(&Scope::EVERYTHING).await?.len();
                if seen == Some(length) {
                    return Ok(());
                }
                seen = Some(length);
                tokio::time::sleep(QUIET).await;
            }
        })
    }

    fn ledger(&self) -> Pending<'_, Result<Vec<Entry>, BackendError>> {
        Box::pin(async move { self.entries(&Scope::EVERYTHING).await })
    }

    fn balances(&self) -> Pending<'_, Result<Balances, BackendError>> {
        Box::pin(async move { self.balances_of(&Scope::EVERYTHING).await })
    }
}

/// A connection of its own, opened when it is needed.
struct RedisSession {
    backend: RedisBackend,
    open: Option<MultiplexedConnection>,
}

impl Connection for RedisSession {
    fn execute(&mut self, op: AnyOp, by: Delivery) -> Pending<'_, Result<Outcome, BackendError>> {
        Box::pin(async move { self.call(own(op), by).await })
    }
}

impl RedisSession {
    async fn call(&mut self, op: RedisOp, by: Delivery) -> Result<Outcome, BackendError> {
        let mut connection = match self.open.take() {
            Some(connection) => connection,
            None => match tokio::time::timeout(self.backend.timeout, self.backend.open()).await {
                Ok(Ok(connection)) => connection,
                Ok(Err(error)) => return judged(&error).map(|_| NOT_SENT),
                Err(_elapsed) => return Ok(NOT_SENT),
            },
        };
        // Each acquisition has a value that no other has: positive, so that it is the name of one.
        let value = match op {
            RedisOp::SetVote(vote) => names::name_of(vote.message, by),
            _ => i64::from(rand::random::<u32>()) << 31 | i64::from(rand::random::<u32>() >> 1) | 1,
        };
        if let RedisOp::SetVote(vote) = op {
            self.backend.note_beginning(vote);
        }
        let command = self.backend.command(op, by, value);
        match tokio::time::timeout(self.backend.timeout, command.query_async::<Value>(&mut connection)).await {
            Ok(Ok(answer)) => {
                self.open = Some(connection);
                let response = match response(op, answer, value)? {
                    RedisResponse::Locked(_) if matches!(op, RedisOp::SetVote(_)) && !self.backend.is_in_time() => {
                        RedisResponse::Refused
                    }
                    response => response,
                };
                Ok(Outcome::Ok(response.into()))
            }
            Ok(Err(error)) => judged(&error),
            Err(_elapsed) => Ok(Outcome::Unknown),
        }
    }
}
