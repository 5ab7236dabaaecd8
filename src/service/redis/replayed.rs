//! Redis in replays: a connection for each lane, each through a proxy of its own that loses what is to be lost.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use redis::{Value, cmd};
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::driver::{NAME, RedisBackend, read};
use super::masters::RedisMasters;
use super::op::RedisOp;
use super::replica;
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
    /// At which master requests are held that are late.
    flights: HashMap<Session, Master>,
    link: ReplicaLink,
    turns: Arc<Mutex<()>>,
    /// Held by whoever lets the replica be promoted, or asks for it.
    turn: Option<OwnedMutexGuard<()>>,
}

/// How master and replica stand to each other in a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReplicaLink {
    Streams,
    Cut,
    /// Who asks the first master asks the replica.
    Promoted,
}

impl ReplayedRedis {
    pub fn new(runtime: &Rc<Runtime>, masters: &RedisMasters) -> Self {
        let links = |master: &RedisBackend| ProxiedLinks::new(Rc::clone(runtime), master.clone(), NAME, TIMEOUT);
        let links = masters.all().map(links).collect();
        ReplayedRedis {
            links,
            asked: BTreeSet::new(),
            held: HashMap::new(),
            flights: HashMap::new(),
            link: ReplicaLink::Streams,
            turns: masters.turns(),
            turn: None,
        }
    }

    /// The server that is asked for a master: clients reach whoever is the first one by now.
    fn now(&self, of: Master) -> Master {
        if of == Master::FIRST && self.link == ReplicaLink::Promoted { Master::REPLICA } else { of }
    }

    /// The links to the master that an operation is for.
    fn links(&mut self, of: Master) -> Result<&mut ProxiedLinks<RedisBackend>, BackendError> {
        let of = self.now(of);
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
        let links = &self.links[usize::from(self.now(of).0)];
        links.runtime.block_on(links.backend.ask(command))
    }

    /// The keys of the lock that an operation asks for, each at its master.
    fn keys_of(&self, op: RedisOp) -> Vec<(Master, String)> {
        let keys = self.first().keys();
        match op {
            RedisOp::SetLock(account) | RedisOp::AskLock(account) | RedisOp::SetLockAndCount(account) => {
                vec![(Master::FIRST, keys.lock(account))]
            }
            RedisOp::SetVote(vote) => Master::all().map(|at| (at, keys.vote(at, vote.account))).collect(),
            _ => Vec::new(),
        }
    }

    /// Makes ready for what is asked of the replica, or about it: its master's writes have reached it, and nobody else is at it.
    fn before(&mut self, op: RedisOp) -> Result<(), BackendError> {
        if !matches!(op, RedisOp::WaitForReplica(_) | RedisOp::CutLink | RedisOp::Promote) {
            return Ok(());
        }
        self.links(Master::REPLICA)?;
        let runtime = Rc::clone(&self.links[0].runtime);
        if self.turn.is_none() {
            self.turn = Some(runtime.block_on(Arc::clone(&self.turns).lock_owned()));
        }
        if self.link == ReplicaLink::Streams { runtime.block_on(replica::catch_up(self.first())) } else { Ok(()) }
    }

    /// Waits until what was asked of the replica has happened.
    fn after(&mut self, op: RedisOp) -> Result<(), BackendError> {
        match op {
            RedisOp::CutLink if self.link == ReplicaLink::Streams => {
                self.link = ReplicaLink::Cut;
                self.links[0].runtime.block_on(replica::is_alone(self.first()))
            }
            RedisOp::Promote => {
                self.link = ReplicaLink::Promoted;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Whether an operation changes nothing any more: a link that is cut is not cut again.
    fn is_idle(&self, op: RedisOp) -> bool {
        op == RedisOp::CutLink && self.link != ReplicaLink::Streams
    }

    /// The master has its replica again.
    fn heal(&mut self) -> Result<(), BackendError> {
        if std::mem::replace(&mut self.link, ReplicaLink::Streams) != ReplicaLink::Streams {
            let replica = &self.links[usize::from(Master::REPLICA.0)];
            replica.runtime.block_on(replica::follow(self.first(), &replica.backend))?;
        }
        self.turn = None;
        Ok(())
    }

    fn delete(&self, of: Master, keys: &[String]) -> Result<(), BackendError> {
        if keys.is_empty() { Ok(()) } else { self.ask(of, cmd("DEL").arg(keys)).map(drop) }
    }
}

impl Drop for ReplayedRedis {
    /// Whoever comes next finds a master with its replica.
    fn drop(&mut self) {
        let _ = self.heal();
    }
}

impl ReplayDriver for ReplayedRedis {
    fn close(&mut self) -> Result<(), BackendError> {
        self.links.iter_mut().for_each(ProxiedLinks::close);
        self.heal()
    }

    fn begin(&mut self) -> Result<(), BackendError> {
        self.flights.clear();
        self.heal()
    }

    fn execute(&mut self, on: Session, op: AnyOp, by: Delivery, loses_reply: bool) -> Result<Ran, BackendError> {
        let keys = self.keys_of(own(op));
        self.asked.extend(keys.iter().cloned());
        let own: RedisOp = own(op);
        self.before(own)?;
        let ran = match (self.is_idle(own), loses_reply) {
            (false, _) => self.links(own.at())?.execute(on, op, by, loses_reply)?,
            (true, false) => Ran::Came(Outcome::Ok(RedisResponse::Done.into())),
            (true, true) => Ran::Unheard,
        };
        self.after(own)?;
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
        let at = self.now(own::<RedisOp>(op).at());
        self.flights.insert(flight, at);
        self.links(at)?.hold(on, flight, op, by)
    }

    fn land(&mut self, flight: Session, op: AnyOp, by: Delivery) -> Result<Ran, BackendError> {
        let own: RedisOp = own(op);
        let held = self.flights.remove(&flight).unwrap_or(own.at());
        self.before(own)?;
        let at = self.now(own.at());
        let ran = if self.is_idle(own) {
            self.links(held)?.cut(flight);
            Ran::Unheard
        } else if held == at {
            self.links(at)?.land(flight, op)?
        } else {
            // It was on its way to a server that is no master any more, and reaches the one that is.
            self.links[usize::from(held.0)].cut(flight);
            self.links(at)?.execute(flight, op, by, true)?
        };
        self.after(own)?;
        Ok(ran)
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
            self.heal()?;
            for (at, key) in std::mem::take(&mut self.asked) {
                self.delete(at, &[key])?;
            }
        }
        Ok(())
    }

    /// A lock's key runs out, if it still has this value: whoever holds it by now is left alone. Of several masters, at each of them.
    fn expire(&mut self, value: i64, _: &[i64]) -> Result<(), BackendError> {
        let Some(keys) = self.held.get(&value) else { return Ok(()) };
        // A copy of the key that no master tells of its end runs out too.
        let copies = keys.iter().filter(|(at, _)| *at == Master::FIRST && self.link == ReplicaLink::Cut);
        let copies = copies.map(|(_, key)| (Master::REPLICA, key.clone()));
        for (at, key) in copies.chain(keys.iter().cloned()) {
            self.ask(at, cmd("EVAL").arg(scripts::DELETE_IF).arg(1).arg(key).arg(value))?;
        }
        Ok(())
    }
}
