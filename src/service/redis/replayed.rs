//! Redis in replays: a connection for each lane, each through a proxy of its own that loses what is to be lost.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::time::Duration;

use redis::{Value, cmd};
use tokio::runtime::Runtime;

use super::driver::{NAME, RedisBackend, read};
use super::masters::RedisMasters;
use super::op::RedisOp;
use super::response::RedisResponse;
use super::scripts;
use super::vote::Master;
use crate::service::proxied::ProxiedLinks;
use crate::service::replayed::{Ran, ReplayDriver};
use crate::service::{AnyOp, BackendError, Outcome, Response, Scope, own};
use crate::terms::{Balances, Delivery, Entry, MessageId, Session};

/// How long an operation may take.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// Keys under a prefix of their own.
pub(crate) struct ReplayedRedis {
    /// Those to each master. What is asked of one that nobody talks to is asked of nobody.
    links: Vec<ProxiedLinks<RedisBackend>>,
    /// The keys of the locks that were asked for since everything settled, each at its master.
    asked: BTreeSet<(Master, String)>,
    /// The keys that each acquisition is of.
    held: HashMap<i64, Vec<(Master, String)>>,
}

impl ReplayedRedis {
    pub fn new(runtime: &Rc<Runtime>, masters: &RedisMasters) -> Self {
        let links = |master: &RedisBackend| ProxiedLinks::new(Rc::clone(runtime), master.clone(), NAME, TIMEOUT);
        let links = masters.all().map(links).collect();
        ReplayedRedis { links, asked: BTreeSet::new(), held: HashMap::new() }
    }

    /// The links to the master that an operation is for.
    fn links(&mut self, of: Master) -> Result<&mut ProxiedLinks<RedisBackend>, BackendError> {
        let place = usize::from(of.0);
        self.links.get_mut(place).ok_or_else(|| BackendError {
            backend: NAME,
            what: format!("there is no master {of}"),
            remedy: Some("name so many servers, or let the lab start them".to_owned()),
        })
    }

    fn first(&self) -> &RedisBackend {
        &self.links[0].backend
    }

    fn ask(&self, of: Master, command: &redis::Cmd) -> Result<Value, BackendError> {
        let links = &self.links[usize::from(of.0)];
        links.runtime.block_on(links.backend.ask(command))
    }

    /// The keys of the lock that an operation asks for, each at its master.
    fn keys_of(&self, op: RedisOp) -> Vec<(Master, String)> {
        let keys = self.first().keys();
        match op {
            RedisOp::SetLock(account) | RedisOp::SetLockAndCount(account) => vec![(Master::FIRST, keys.lock(account))],
            RedisOp::SetVote(vote) => Master::all().map(|at| (at, keys.vote(at, vote.account))).collect(),
            _ => Vec::new(),
        }
    }

    fn delete(&self, of: Master, keys: &[String]) -> Result<(), BackendError> {
        if keys.is_empty() { Ok(()) } else { self.ask(of, cmd("DEL").arg(keys)).map(drop) }
    }
}

impl ReplayDriver for ReplayedRedis {
    fn close(&mut self) -> Result<(), BackendError> {
        self.links.iter_mut().for_each(ProxiedLinks::close);
        Ok(())
    }

    fn execute(&mut self, on: Session, op: AnyOp, by: Delivery, loses_reply: bool) -> Result<Ran, BackendError> {
        let keys = self.keys_of(own(op));
        self.asked.extend(keys.iter().cloned());
        let ran = self.links(own::<RedisOp>(op).at())?.execute(on, op, by, loses_reply)?;
        let Ran::Came(Outcome::Ok(Response::Redis(response))) = ran else { return Ok(ran) };
        if let RedisResponse::Locked(value) | RedisResponse::Counted(value, _) = response {
            self.held.insert(value.0, keys);
        }
        Ok(ran)
    }

    fn lose_request(&mut self, on: Session, op: AnyOp, by: Delivery) -> Result<(), BackendError> {
        self.links(own::<RedisOp>(op).at())?.lose_request(on, op, by)
    }

    fn hold(&mut self, on: Session, flight: Session, op: AnyOp, by: Delivery) -> Result<(), BackendError> {
        self.asked.extend(self.keys_of(own(op)));
        self.links(own::<RedisOp>(op).at())?.hold(on, flight, op, by)
    }

    fn land(&mut self, flight: Session, op: AnyOp, _: Delivery) -> Result<Ran, BackendError> {
        self.links(own::<RedisOp>(op).at())?.land(flight, op)
    }

    fn cut(&mut self, on: Session) -> Result<(), BackendError> {
        self.links.iter_mut().for_each(|links| links.cut(on));
        Ok(())
    }

    fn reset(&mut self, _: u32, _: u32) -> Result<(), BackendError> {
        (self.asked, self.held) = Default::default();
        self.links.iter().try_for_each(|links| links.runtime.block_on(links.backend.remove_keys()))
    }

    fn ledger(&mut self, of: &Scope) -> Result<Vec<Entry>, BackendError> {
        self.links[0].runtime.block_on(self.first().entries(of))
    }

    fn balances(&mut self, of: &Scope) -> Result<Balances, BackendError> {
        self.links[0].runtime.block_on(self.first().balances_of(of))
    }

    /// Whether an acquisition's value still stands under its lock: of several masters, at a majority of them.
    fn is_alive(&mut self, value: i64) -> Result<bool, BackendError> {
        let Some(keys) = self.held.get(&value) else { return Ok(false) };
        let mut standing = 0;
        for (at, key) in keys {
            let held: Option<String> = read(self.ask(*at, cmd("GET").arg(key))?)?;
            standing += u8::from(held.is_some_and(|held| held == value.to_string()));
        }
        Ok(standing >= if keys.len() == 1 { 1 } else { Master::MAJORITY })
    }

    fn is_taken(&mut self, message: i64) -> Result<bool, BackendError> {
        let key = self.first().keys().id(MessageId(u32::try_from(message).unwrap_or(u32::MAX)));
        Ok(read::<i64>(self.ask(Master::FIRST, cmd("EXISTS").arg(key))?)? > 0)
    }

    /// The time runs out for which ids were set. When everything settles, that of locks too, whoever has heard of them.
    fn end_taking(&mut self, first: i64, last: i64) -> Result<(), BackendError> {
        let id = |message: i64| self.first().keys().id(MessageId(u32::try_from(message).unwrap_or(u32::MAX)));
        let ids: Vec<String> = (first..=last).map(id).collect();
        self.delete(Master::FIRST, &ids)?;
        if first < last {
            for (at, key) in std::mem::take(&mut self.asked) {
                self.delete(at, &[key])?;
            }
        }
        Ok(())
    }

    /// A lock's key runs out, if it still has this value: whoever holds it by now is left alone. Of several masters, at each of them.
    fn expire(&mut self, value: i64, _: &[i64]) -> Result<(), BackendError> {
        let Some(keys) = self.held.get(&value) else { return Ok(()) };
        for (at, key) in keys {
            self.ask(*at, cmd("EVAL").arg(scripts::DELETE_IF).arg(1).arg(key).arg(value))?;
        }
        Ok(())
    }
}
