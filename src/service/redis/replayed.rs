//! Redis in replays: a connection for each lane, each through a proxy of its own that loses what is to be lost.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::time::Duration;

use redis::{Value, cmd};
use tokio::runtime::Runtime;

use super::driver::{NAME, RedisBackend, read};
use super::op::{RedisOp, RedisResponse};
use super::scripts;
use crate::service::proxied::ProxiedLinks;
use crate::service::replayed::{Ran, ReplayDriver};
use crate::service::{AnyOp, BackendError, Outcome, Response, Scope, own};
use crate::terms::{AccountId, Balances, Delivery, Entry, MessageId, Session};

/// How long an operation may take.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// Keys under a prefix of their own.
pub(crate) struct ReplayedRedis {
    links: ProxiedLinks<RedisBackend>,
    /// The accounts whose locks were asked for since everything settled.
    asked: BTreeSet<AccountId>,
    /// Which account's lock each acquisition is of.
    held: HashMap<i64, AccountId>,
}

/// The account whose lock an operation asks for.
fn asks_for(op: AnyOp) -> Option<AccountId> {
    match own(op) {
        RedisOp::SetLock(account) | RedisOp::SetLockAndCount(account) => Some(account),
        _ => None,
    }
}

impl ReplayedRedis {
    pub fn new(runtime: Rc<Runtime>, backend: RedisBackend) -> Self {
        let links = ProxiedLinks::new(runtime, backend, NAME, TIMEOUT);
        ReplayedRedis { links, asked: BTreeSet::new(), held: HashMap::new() }
    }

    fn ask(&self, command: &redis::Cmd) -> Result<Value, BackendError> {
        self.links.runtime.block_on(self.links.backend.ask(command))
    }

    fn delete(&self, keys: &[String]) -> Result<(), BackendError> {
        if keys.is_empty() { Ok(()) } else { self.ask(cmd("DEL").arg(keys)).map(drop) }
    }
}

impl ReplayDriver for ReplayedRedis {
    fn close(&mut self) -> Result<(), BackendError> {
        self.links.close();
        Ok(())
    }

    fn execute(&mut self, on: Session, op: AnyOp, by: Delivery, loses_reply: bool) -> Result<Ran, BackendError> {
        self.asked.extend(asks_for(op));
        let ran = self.links.execute(on, op, by, loses_reply)?;
        let Ran::Came(Outcome::Ok(Response::Redis(response))) = ran else { return Ok(ran) };
        if let (RedisResponse::Locked(value) | RedisResponse::Counted(value, _), Some(account)) =
            (response, asks_for(op))
        {
            self.held.insert(value.0, account);
        }
        Ok(ran)
    }

    fn lose_request(&mut self, on: Session, op: AnyOp, by: Delivery) -> Result<(), BackendError> {
        self.links.lose_request(on, op, by)
    }

    fn hold(&mut self, on: Session, flight: Session, op: AnyOp, by: Delivery) -> Result<(), BackendError> {
        self.asked.extend(asks_for(op));
        self.links.hold(on, flight, op, by)
    }

    fn land(&mut self, flight: Session, op: AnyOp, _: Delivery) -> Result<Ran, BackendError> {
        self.links.land(flight, op)
    }

    fn cut(&mut self, on: Session) -> Result<(), BackendError> {
        self.links.cut(on);
        Ok(())
    }

    fn reset(&mut self, _: u32, _: u32) -> Result<(), BackendError> {
        (self.asked, self.held) = Default::default();
        self.links.runtime.block_on(self.links.backend.remove_keys())
    }

    fn ledger(&mut self, of: &Scope) -> Result<Vec<Entry>, BackendError> {
        self.links.runtime.block_on(self.links.backend.entries(of))
    }

    fn balances(&mut self, of: &Scope) -> Result<Balances, BackendError> {
        self.links.runtime.block_on(self.links.backend.balances_of(of))
    }

    /// Whether an acquisition's value still stands under its lock.
    fn is_alive(&mut self, value: i64) -> Result<bool, BackendError> {
        let Some(account) = self.held.get(&value) else { return Ok(false) };
        let held: Option<String> = read(self.ask(cmd("GET").arg(self.links.backend.keys().lock(*account)))?)?;
        Ok(held.is_some_and(|held| held == value.to_string()))
    }

    fn is_taken(&mut self, message: i64) -> Result<bool, BackendError> {
        let key = self.links.backend.keys().id(MessageId(u32::try_from(message).unwrap_or(u32::MAX)));
        Ok(read::<i64>(self.ask(cmd("EXISTS").arg(key))?)? > 0)
    }

    /// The time runs out for which ids were set. When everything settles, that of locks too, whoever has heard of them.
    fn end_taking(&mut self, first: i64, last: i64) -> Result<(), BackendError> {
        let id = |message: i64| self.links.backend.keys().id(MessageId(u32::try_from(message).unwrap_or(u32::MAX)));
        let mut keys: Vec<String> = (first..=last).map(id).collect();
        if first < last {
            keys.extend(
                std::mem::take(&mut self.asked).into_iter().map(|account| self.links.backend.keys().lock(account)),
            );
        }
        self.delete(&keys)
    }

    /// A lock's key runs out, if it still has this value: whoever holds it by now is left alone.
    fn expire(&mut self, value: i64, _: &[i64]) -> Result<(), BackendError> {
        let Some(account) = self.held.get(&value) else { return Ok(()) };
        let key = self.links.backend.keys().lock(*account);
        self.ask(cmd("EVAL").arg(scripts::DELETE_IF).arg(1).arg(key).arg(value)).map(drop)
    }
}
