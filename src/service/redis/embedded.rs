//! The embedded server: speaks the part of RESP2 that the lab needs over loopback, inside this process, so that an unmodified client can be
//! used where no Redis is installed. What commands and scripts do to keys, [`RedisCommands`] says, which the model asks too.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use super::keyspace::{AppliedOnce, RedisCommands, RedisValue};
use super::names::{text_of, value_of};
use super::scripts;
use crate::service::{BackendError, password};

/// What the server says its version is.
pub(super) const VERSION: &str = concat!("7.0.0 (oncelab ", env!("CARGO_PKG_VERSION"), ", embedded)");

/// The longest command, in bytes.
const LONGEST: usize = 1 << 20;

/// A running server. Dropped, it is gone as if killed: its connections are cut and its keys are lost.
#[derive(Debug)]
pub(crate) struct EmbeddedRedis {
    address: SocketAddr,
    password: String,
    // Held for what happens when it is dropped.
    _accepting: AbortOnDropHandle<()>,
}

impl EmbeddedRedis {
    /// Starts a server on a free port of the loopback interface, on the tokio runtime of the caller. So many seconds of a key's life
    /// pass in a second.
    ///
    /// # Errors
    /// If there is no runtime, or no port can be had.
    pub fn start(clock_speed: f64) -> Result<Self, BackendError> {
        Self::start_as(clock_speed, None).map(|(server, _)| server)
    }

    /// Starts two servers, of which the second is the replica of the first.
    ///
    /// # Errors
    /// As [`start`](EmbeddedRedis::start).
    pub fn start_with_replica(clock_speed: f64) -> Result<(Self, Self), BackendError> {
        let (master, shelf) = Self::start_as(clock_speed, None)?;
        let (replica, _) = Self::start_as(clock_speed, Some(FollowedShelf { shelf, port: master.address.port() }))?;
        Ok((master, replica))
    }

    fn start_as(clock_speed: f64, master: Option<FollowedShelf>) -> Result<(Self, Arc<Mutex<Shelf>>), BackendError> {
        let broken = |what: String, remedy: &str| BackendError {
            backend: super::driver::NAME,
            what,
            remedy: Some(remedy.to_owned()),
        };
        let runtime = tokio::runtime::Handle::try_current()
            .map_err(|error| broken(error.to_string(), "start the embedded Redis inside a tokio runtime"))?;
        let no_port = |error: std::io::Error| {
            broken(format!("cannot listen on the loopback interface: {error}"), "check that 127.0.0.1 is up")
        };
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(no_port)?;
        listener.set_nonblocking(true).map_err(no_port)?;
        let listener = TcpListener::from_std(listener).map_err(no_port)?;
        let address = listener.local_addr().map_err(no_port)?;
        // Other users of this machine reach the loopback interface as well.
        let password = password::draw();
        let mut shelf = Shelf { master, ..Shelf::new(clock_speed, address) };
        shelf.follow();
        let shelf = Arc::new(Mutex::new(shelf));
        let accepting = runtime.spawn(accept(listener, Arc::clone(&shelf), password.clone()));
        Ok((EmbeddedRedis { address, password, _accepting: AbortOnDropHandle::new(accepting) }, shelf))
    }

    /// Where clients connect to.
    pub fn url(&self) -> String {
        format!("redis://:{}@{}", self.password, self.address)
    }
}

/// The keys of the master that a server is the replica of, now and then.
#[derive(Debug)]
struct FollowedShelf {
    shelf: Arc<Mutex<Shelf>>,
    port: u16,
}

/// What stands under a key.
#[derive(Debug, Clone)]
enum ShelfItem {
    Text { text: Vec<u8>, runs_out_ms: Option<u64> },
    List(Vec<Vec<u8>>),
}

impl ShelfItem {
    /// Whether it is there for a time only.
    fn runs_out(&self) -> bool {
        matches!(self, ShelfItem::Text { runs_out_ms: Some(_), .. })
    }
}

/// The keys.
#[derive(Debug)]
struct Shelf {
    kept: HashMap<Vec<u8>, ShelfItem>,
    began: Instant,
    clock_speed: f64,
    /// The time to live of what a command sets that sets something for a time.
    ttl_ms: u64,
    /// Where the server listens.
    address: SocketAddr,
    /// Who can be its master.
    master: Option<FollowedShelf>,
    /// Whether it follows its master: then it has what the master has, and keeps nothing itself.
    follows: bool,
    /// How many follow it.
    replicas: u32,
}

impl Shelf {
    fn new(clock_speed: f64, address: SocketAddr) -> Self {
        Shelf {
            kept: HashMap::new(),
            began: Instant::now(),
            clock_speed,
            ttl_ms: 0,
            address,
            master: None,
            follows: false,
            replicas: 0,
        }
    }

    /// Has what its master has from now on, if there is one that it could follow.
    fn follow(&mut self) {
        let Some(FollowedShelf { shelf, .. }) = self.master.as_ref().filter(|_| !self.follows) else { return };
        locked(shelf).replicas += 1;
        self.follows = true;
    }

    /// Keeps what its master had until now.
    fn leave(&mut self) {
        let Some(FollowedShelf { shelf, .. }) = self.master.as_ref().filter(|_| self.follows) else { return };
        let mut master = locked(shelf);
        master.replicas -= 1;
        (self.kept, self.began, self.follows) = (master.kept.clone(), master.began, false);
    }

    fn now_ms(&self) -> u64 {
        let passed = self.began.elapsed().mul_f64(self.clock_speed);
        u64::try_from(passed.as_millis()).unwrap_or(u64::MAX)
    }

    /// Forgets a key whose time has run out.
    fn expire(&mut self, key: &[u8]) {
        if let Some(ShelfItem::Text { runs_out_ms: Some(at), .. }) = self.kept.get(key)
            && *at <= self.now_ms()
        {
            self.kept.remove(key);
        }
    }

    fn text(&self, key: &[u8]) -> Option<&[u8]> {
        match self.kept.get(key) {
            Some(ShelfItem::Text { text, .. }) => Some(text),
            Some(ShelfItem::List(_)) | None => None,
        }
    }

    fn push(&mut self, list: &[u8], text: Vec<u8>) -> usize {
        let list = self.kept.entry(list.to_vec()).or_insert_with(|| ShelfItem::List(Vec::new()));
        match list {
            ShelfItem::List(texts) => {
                texts.push(text);
                texts.len()
            }
            ShelfItem::Text { .. } => 0,
        }
    }
}

impl RedisCommands for Shelf {
    type Key = Vec<u8>;

    fn get(&self, key: &Vec<u8>) -> Option<RedisValue> {
        self.text(key).and_then(value_of)
    }

    fn set(&mut self, key: &Vec<u8>, value: RedisValue, lives: bool) {
        let runs_out_ms = lives.then(|| self.now_ms() + self.ttl_ms);
        self.kept.insert(key.clone(), ShelfItem::Text { text: text_of(value).into_bytes(), runs_out_ms });
    }

    fn delete(&mut self, key: &Vec<u8>) -> bool {
        self.kept.remove(key).is_some()
    }
}

/// An answer.
enum RespAnswer {
    Done(&'static str),
    Error(String),
    Number(i64),
    Text(Vec<u8>),
    Nothing,
    List(Vec<RespAnswer>),
}

impl RespAnswer {
    fn write(&self, to: &mut Vec<u8>) {
        match self {
            RespAnswer::Done(word) => to.extend(format!("+{word}\r\n").bytes()),
            RespAnswer::Error(error) => to.extend(format!("-{error}\r\n").bytes()),
            RespAnswer::Number(number) => to.extend(format!(":{number}\r\n").bytes()),
            RespAnswer::Text(text) => {
                to.extend(format!("${}\r\n", text.len()).bytes());
                to.extend(text);
                to.extend(b"\r\n");
            }
            RespAnswer::Nothing => to.extend(b"$-1\r\n"),
            RespAnswer::List(answers) => {
                to.extend(format!("*{}\r\n", answers.len()).bytes());
                answers.iter().for_each(|answer| answer.write(to));
            }
        }
    }
}

fn error(what: &str) -> RespAnswer {
    RespAnswer::Error(format!("ERR {what}"))
}

fn number(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

impl Shelf {
    /// Carries out a command.
    fn answer(&mut self, command: &[Vec<u8>]) -> RespAnswer {
        let Some((name, rest)) = command.split_first() else { return error("no command") };
        for key in rest {
            self.expire(key);
        }
        let flag = |word: &str| rest.iter().skip(2).position(|text| text.eq_ignore_ascii_case(word.as_bytes()));
        match (name.to_ascii_uppercase().as_slice(), rest) {
            (b"PING", []) => RespAnswer::Done("PONG"),
            (b"CLIENT", [what]) if what.eq_ignore_ascii_case(b"INFO") => {
                RespAnswer::Text(format!("id=1 laddr={} db=0", self.address).into_bytes())
            }
            (b"CLIENT" | b"SELECT" | b"CONFIG", _) => RespAnswer::Done("OK"),
            (b"INFO", _) => {
                let said = format!("redis_version:{VERSION}\r\nrole:master\r\nconnected_slaves:{}\r\n", self.replicas);
                RespAnswer::Text(said.into_bytes())
            }
            (b"REPLICAOF", [_, port]) => {
                let own = self.master.as_ref().map(|master| i64::from(master.port));
                if number(port).is_some_and(|port| Some(port) == own) {
                    self.follow()
                } else {
                    self.leave()
                }
                RespAnswer::Done("OK")
            }
            (b"WAIT", [_, _]) => RespAnswer::Number(self.replicas.into()),
            (b"GET", [key]) => self.text(key).map_or(RespAnswer::Nothing, |text| RespAnswer::Text(text.to_vec())),
            (b"SET", [key, text, ..]) => {
                let Some(value) = value_of(text) else { return error("the lab writes no such value") };
                let ttl = flag("PX").and_then(|at| rest.get(at + 3)).and_then(|text| number(text));
                if let Some(ttl) = ttl {
                    self.ttl_ms = ttl.unsigned_abs();
                }
                if flag("NX").is_some() && self.get(key).is_some() {
                    return RespAnswer::Nothing;
                }
                self.set(key, value, ttl.is_some());
                RespAnswer::Done("OK")
            }
            (b"INCR", [key]) => RespAnswer::Number(self.add(key, 1)),
            (b"DEL", keys) => RespAnswer::Number(keys.iter().filter(|key| self.delete(key)).count() as i64),
            (b"EXISTS", keys) => {
                RespAnswer::Number(keys.iter().filter(|key| self.kept.contains_key(*key)).count() as i64)
            }
            (b"LRANGE", [list, _, _]) => match self.kept.get(list) {
                Some(ShelfItem::List(texts)) => RespAnswer::List(texts.iter().cloned().map(RespAnswer::Text).collect()),
                Some(ShelfItem::Text { .. }) | None => RespAnswer::List(Vec::new()),
            },
            (b"SCAN", [_, word, pattern, ..]) if word.eq_ignore_ascii_case(b"MATCH") => {
                let prefix = pattern.strip_suffix(b"*").unwrap_or(pattern);
                let keys = self.kept.keys().filter(|key| key.starts_with(prefix)).cloned().map(RespAnswer::Text);
                RespAnswer::List(vec![RespAnswer::Text(b"0".to_vec()), RespAnswer::List(keys.collect())])
            }
            (b"EVAL", [script, keys, rest @ ..]) => {
                let keys = number(keys).and_then(|keys| usize::try_from(keys).ok());
                match keys.filter(|keys| *keys <= rest.len()) {
                    Some(keys) => self.run(script, &rest[..keys], &rest[keys..]),
                    None => error("there are fewer keys than that"),
                }
            }
            _ => error(&format!("unknown command or arguments of '{}'", String::from_utf8_lossy(name).escape_debug())),
        }
    }

    /// Runs a script that it knows.
    fn run(&mut self, script: &[u8], keys: &[Vec<u8>], arguments: &[Vec<u8>]) -> RespAnswer {
        let of = |text: &Vec<u8>| number(text).unwrap_or(0);
        match (script, keys, arguments) {
            (text, [lock], [value]) if text == scripts::DELETE_IF.as_bytes() => {
                let value = value_of(value);
                RespAnswer::Number(value.is_some_and(|value| self.delete_if(lock, value)).into())
            }
            (text, [lock, counter], [value, ttl]) if text == scripts::SET_AND_COUNT.as_bytes() => {
                self.ttl_ms = of(ttl).unsigned_abs();
                let Some(value) = value_of(value) else { return error("the lab writes no such value") };
                self.set_and_count(lock, counter, value).map_or(RespAnswer::Nothing, RespAnswer::Number)
            }
            (text, [], [pattern]) if text == scripts::FORGET.as_bytes() => {
                let prefix = pattern.strip_suffix(b"*").unwrap_or(pattern);
                self.kept.retain(|key, _| !key.starts_with(prefix));
                RespAnswer::Number(0)
            }
            (text, [], [pattern]) if text == scripts::RUN_OUT.as_bytes() => {
                let prefix = pattern.strip_suffix(b"*").unwrap_or(pattern);
                self.kept.retain(|key, item| !key.starts_with(prefix) || !item.runs_out());
                RespAnswer::Number(0)
            }
            (text, [id, balance, ledger], [amount, entry, ttl]) if text == scripts::APPLY_IF_NEW.as_bytes() => {
                self.ttl_ms = of(ttl).unsigned_abs();
                match self.apply_if_new(id, balance, of(amount)) {
                    AppliedOnce::Before(there) => {
                        RespAnswer::List(vec![RespAnswer::Number(0), RespAnswer::Text(text_of(there).into_bytes())])
                    }
                    AppliedOnce::Now(balance) => {
                        self.push(ledger, [entry, format!(" {balance}").as_bytes()].concat());
                        RespAnswer::List(vec![RespAnswer::Number(1), RespAnswer::Number(balance)])
                    }
                }
            }
            (text, [balance, ledger], [amount, entry]) if text == scripts::APPLY.as_bytes() => {
                let balance = self.add(balance, of(amount));
                self.push(ledger, [entry, format!(" {balance}").as_bytes()].concat());
                RespAnswer::Number(balance)
            }
            _ => error("a script that the embedded server does not know"),
        }
    }
}

fn locked(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    // A command leaves nothing half done: a panic beside it is a bug that has been reported by then.
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves connections until it is dropped, and the connections with it.
async fn accept(listener: TcpListener, shelf: Arc<Mutex<Shelf>>, password: String) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(serve(stream, Arc::clone(&shelf), password.clone())); }
                // Out of file descriptors, most likely: the connections that close will free some.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            },
            // Only so that the ends of connections do not pile up.
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection: commands are answered in their order.
async fn serve(mut stream: TcpStream, shelf: Arc<Mutex<Shelf>>, password: String) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut received, mut is_let_in) = (Vec::new(), false);
    loop {
        let mut answers = Vec::new();
        while let Some((command, length)) = command(&received)? {
            received.drain(..length);
            let answer = match command.as_slice() {
                [name, .., secret] if name.eq_ignore_ascii_case(b"AUTH") => {
                    is_let_in = secret.as_slice() == password.as_bytes();
                    if is_let_in {
                        RespAnswer::Done("OK")
                    } else {
                        RespAnswer::Error("WRONGPASS invalid username-password pair or user is disabled.".to_owned())
                    }
                }
                _ if !is_let_in => RespAnswer::Error("NOAUTH Authentication required.".to_owned()),
                command => locked(&shelf).answer(command),
            };
            answer.write(&mut answers);
        }
        stream.write_all(&answers).await?;
        if received.len() > LONGEST || stream.read_buf(&mut received).await? == 0 {
            return Ok(());
        }
    }
}

fn invalid(what: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned())
}

/// The command at the front of what was received, and how long it is, if all of it is there.
fn command(received: &[u8]) -> std::io::Result<Option<(Vec<Vec<u8>>, usize)>> {
    let Some((head, mut at)) = line(received, 0) else { return Ok(None) };
    let count = head.strip_prefix(b"*").and_then(number).ok_or_else(|| invalid("a command is an array"))?;
    let mut command = Vec::new();
    for _ in 0..count {
        let Some((head, text)) = line(received, at) else { return Ok(None) };
        let length = head.strip_prefix(b"$").and_then(number).and_then(|length| usize::try_from(length).ok());
        let length = length.filter(|length| *length <= LONGEST).ok_or_else(|| invalid("a command has strings"))?;
        let Some(bytes) = received.get(text..text + length) else { return Ok(None) };
        if received.len() < text + length + 2 {
            return Ok(None);
        }
        command.push(bytes.to_vec());
        at = text + length + 2;
    }
    Ok(Some((command, at)))
}

/// A line from a place on, without its end, and where the next one begins.
fn line(bytes: &[u8], from: usize) -> Option<(&[u8], usize)> {
    let rest = bytes.get(from..)?;
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    Some((&rest[..end], from + end + 2))
}
