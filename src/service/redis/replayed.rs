//! Redis in replays: a connection for each lane, each through a proxy of its own that loses what is to be lost.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use redis::{Value, cmd};
use tokio::runtime::Runtime;

use super::driver::{NAME, RedisBackend, read};
use super::op::{RedisOp, RedisResponse};
use super::scripts;
use crate::service::proxied::{has_met, no_proxy, stuck};
use crate::service::replayed::{Ran, ReplayDriver};
use crate::service::{AnyOp, Backend, BackendError, Connection, Outcome, Response, Scope, Way, own};
use crate::terms::{AccountId, Balances, Delivery, Entry, Failure, MessageId, Session};
use crate::wire::{Landing, Wire, WireFault};

/// How long an operation may take.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// RedisCommands under a prefix of their own.
pub(crate) struct ReplayedRedis {
    runtime: Rc<Runtime>,
    backend: RedisBackend,
    links: HashMap<Session, RedisLink>,
    flights: HashMap<Session, Option<Arc<Wire>>>,
    /// The accounts whose locks were asked for since everything settled.
    asked: BTreeSet<AccountId>,
    /// Which account's lock each acquisition is of.
    held: HashMap<i64, AccountId>,
}

struct RedisLink {
    connection: Box<dyn Connection>,
    wire: Arc<Wire>,
}

impl ReplayedRedis {
    pub fn new(runtime: Rc<Runtime>, backend: RedisBackend) -> Self {
        ReplayedRedis {
            runtime,
            backend,
            links: HashMap::new(),
            flights: HashMap::new(),
            asked: BTreeSet::new(),
            held: HashMap::new(),
        }
    }

    fn link(&mut self, on: Session) -> Result<RedisLink, BackendError> {
        match self.links.remove(&on) {
            Some(link) => Ok(link),
            None => self.runtime.block_on(async {
                let Some(Way { to, protocol }) = self.backend.way() else { unreachable!("it was asked already") };
                let wire = Wire::start(&to, protocol).await.map_err(|error| no_proxy(&to, &error))?;
                let connection = self.backend.connect_through(wire.address()).await?;
                Ok(RedisLink { connection, wire: Arc::new(wire) })
            }),
        }
    }

    fn call(&mut self, link: &mut RedisLink, op: AnyOp, by: Delivery) -> Result<Outcome, BackendError> {
        if let RedisOp::SetLock(account) | RedisOp::SetLockAndCount(account) = own(op) {
            self.asked.insert(account);
        }
        self.runtime.block_on(link.connection.execute(op, by))
    }

    /// Sends a request that is to meet this fault. The proxy that it met the fault at, if it was sent.
    fn send_astray(
        &mut self,
        on: Session,
        op: AnyOp,
        by: Delivery,
        fault: WireFault,
    ) -> Result<Option<Arc<Wire>>, BackendError> {
        let mut link = self.link(on)?;
        link.wire.arm(fault);
        let outcome = self.call(&mut link, op, by);
        Ok(has_met(&link.wire, NAME, outcome)?.then_some(link.wire))
    }

    fn ask(&self, command: &redis::Cmd) -> Result<Value, BackendError> {
        self.runtime.block_on(self.backend.ask(command))
    }

    fn delete(&self, keys: &[String]) -> Result<(), BackendError> {
        if keys.is_empty() { Ok(()) } else { self.ask(cmd("DEL").arg(keys)).map(drop) }
    }
}

impl ReplayDriver for ReplayedRedis {
    fn close(&mut self) -> Result<(), BackendError> {
        self.links.clear();
        self.flights.clear();
        Ok(())
    }

    fn execute(&mut self, on: Session, op: AnyOp, by: Delivery, loses_reply: bool) -> Result<Ran, BackendError> {
        if loses_reply {
            self.send_astray(on, op, by, WireFault::LoseReply)?;
            return Ok(Ran::Unheard);
        }
        let mut link = self.link(on)?;
        let outcome = self.call(&mut link, op, by)?;
        if matches!(outcome, Outcome::Unknown | Outcome::Failed(Failure::Unavailable)) {
            return Err(stuck(NAME, &format!("`{op}`"), TIMEOUT));
        }
        if let Outcome::Ok(Response::Redis(RedisResponse::Locked(value) | RedisResponse::Counted(value, _))) = outcome
            && let RedisOp::SetLock(account) | RedisOp::SetLockAndCount(account) = own(op)
        {
            self.held.insert(value.0, account);
        }
        self.links.insert(on, link);
        Ok(Ran::Came(outcome))
    }

    fn lose_request(&mut self, on: Session, op: AnyOp, by: Delivery) -> Result<(), BackendError> {
        self.send_astray(on, op, by, WireFault::LoseRequest).map(drop)
    }

    fn hold(&mut self, on: Session, flight: Session, op: AnyOp, by: Delivery) -> Result<(), BackendError> {
        let held = self.send_astray(on, op, by, WireFault::Hold)?;
        self.flights.insert(flight, held);
        Ok(())
    }

    fn land(&mut self, flight: Session, op: AnyOp, _: Delivery) -> Result<Ran, BackendError> {
        let Some(wire) = self.flights.remove(&flight).flatten() else { return Ok(Ran::Unheard) };
        let landing = async { tokio::time::timeout(TIMEOUT, wire.release()).await };
        match self.runtime.block_on(landing) {
            Ok(Landing::Finished { .. }) => Ok(Ran::Unheard),
            Ok(Landing::Broken | Landing::NothingHeld) => Err(BackendError {
                backend: NAME,
                what: format!("the connection was gone when `{op}` was to land"),
                remedy: Some("see the server's log: it may close connections that are idle (timeout)".to_owned()),
            }),
            Err(_elapsed) => Err(stuck(NAME, &format!("`{op}`"), TIMEOUT)),
        }
    }

    fn cut(&mut self, on: Session) -> Result<(), BackendError> {
        self.links.remove(&on);
        self.flights.remove(&on);
        Ok(())
    }

    fn reset(&mut self, _: u32, _: u32) -> Result<(), BackendError> {
        (self.asked, self.held) = Default::default();
        self.runtime.block_on(self.backend.remove_keys())
    }

    fn ledger(&mut self, of: &Scope) -> Result<Vec<Entry>, BackendError> {
        self.runtime.block_on(self.backend.entries(of))
    }

    fn balances(&mut self, of: &Scope) -> Result<Balances, BackendError> {
        self.runtime.block_on(self.backend.balances_of(of))
    }

    /// Whether an acquisition's value still stands under its lock.
    fn is_alive(&mut self, value: i64) -> Result<bool, BackendError> {
        let Some(account) = self.held.get(&value) else { return Ok(false) };
        let held: Option<String> = read(self.ask(cmd("GET").arg(self.backend.keys().lock(*account)))?)?;
        Ok(held.is_some_and(|held| held == value.to_string()))
    }

    fn is_taken(&mut self, message: i64) -> Result<bool, BackendError> {
        let key = self.backend.keys().id(MessageId(u32::try_from(message).unwrap_or(u32::MAX)));
        Ok(read::<i64>(self.ask(cmd("EXISTS").arg(key))?)? > 0)
    }

    /// The time runs out for which ids were set. When everything settles, that of locks too, whoever has heard of them.
    fn end_taking(&mut self, first: i64, last: i64) -> Result<(), BackendError> {
        let id = |message: i64| self.backend.keys().id(MessageId(u32::try_from(message).unwrap_or(u32::MAX)));
        let mut keys: Vec<String> = (first..=last).map(id).collect();
        if first < last {
            keys.extend(std::mem::take(&mut self.asked).into_iter().map(|account| self.backend.keys().lock(account)));
        }
        self.delete(&keys)
    }

    /// A lock's key runs out, if it still has this value: whoever holds it by now is left alone.
    fn expire(&mut self, value: i64, _: &[i64]) -> Result<(), BackendError> {
        let Some(account) = self.held.get(&value) else { return Ok(()) };
        let key = self.backend.keys().lock(*account);
        self.ask(cmd("EVAL").arg(scripts::DELETE_IF).arg(1).arg(key).arg(value)).map(drop)
    }
}
