//! A lock service before the gate: etcd or the embedded server, a connection for each lane, each through a proxy of its own.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::drivers::{LockSide, Ran};
use super::wires::{has_met, no_proxy, stuck};
use crate::service::{Backend, BackendError, Connection, Endpoint, EtcdBackend, EtcdOptions, EtcdOverseer, Way};
use crate::terms::{AccountId, Delivery, LeaseId, Session};
use crate::wire::{Landing, Wire, WireFault};
use crate::world::{Op, Outcome};

/// How long a call may take that waits for nobody.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long a lock service may take from writing a waiter's key to waiting for those before it.
const SETTLED: Duration = Duration::from_millis(5);

/// How often it is looked whether a lease has expired.
const LOOK: Duration = Duration::from_millis(50);

/// Locks under a prefix of its own.
pub(crate) struct EtcdSide {
    runtime: Rc<Runtime>,
    backend: EtcdBackend,
    prefix: String,
    overseer: EtcdOverseer,
    links: HashMap<Session, EtcdLink>,
    flights: HashMap<Session, Option<Arc<Wire>>>,
    waiting: HashMap<Session, Waiting>,
    /// Leases expire by themselves instead of being revoked.
    natural_expiry: bool,
}

/// A request for a lock in the queue.
struct Waiting {
    answer: tokio::task::JoinHandle<(Box<dyn Connection>, Result<Outcome, BackendError>)>,
    wire: Arc<Wire>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.answer.abort();
    }
}

struct EtcdLink {
    connection: Box<dyn Connection>,
    wire: Arc<Wire>,
}

impl EtcdSide {
    /// `lease_ttl_s` is how long leases live that nobody ends.
    pub fn new(
        runtime: Rc<Runtime>,
        endpoints: Vec<Endpoint>,
        prefix: String,
        lease_ttl_s: i64,
        natural_expiry: bool,
    ) -> Result<Self, BackendError> {
        let options = EtcdOptions { endpoints, lease_ttl_s, prefix, timeout: TIMEOUT, ..EtcdOptions::default() };
        let overseer = runtime.block_on(EtcdOverseer::connect(&options))?;
        let prefix = options.prefix.clone();
        let backend = EtcdBackend::new(options)?;
        Ok(EtcdSide {
            runtime,
            backend,
            prefix,
            overseer,
            links: HashMap::new(),
            flights: HashMap::new(),
            waiting: HashMap::new(),
            natural_expiry,
        })
    }

    fn link(&mut self, on: Session) -> Result<EtcdLink, BackendError> {
        match self.links.remove(&on) {
            Some(link) => Ok(link),
            None => self.runtime.block_on(async {
                let Some(Way { to, protocol }) = self.backend.way() else {
                    unreachable!("the endpoint was asked already")
                };
                let wire = Wire::start(&to, protocol).await.map_err(|error| no_proxy(&to, &error))?;
                let connection = self.backend.connect_through(wire.address()).await?;
                Ok(EtcdLink { connection, wire: Arc::new(wire) })
            }),
        }
    }

    fn call(&self, link: &mut EtcdLink, op: Op) -> Result<Outcome, BackendError> {
        self.runtime.block_on(link.connection.execute(op, Delivery::FIRST))
    }
}

impl LockSide for EtcdSide {
    fn close(&mut self) {
        self.links.clear();
        self.flights.clear();
        self.waiting.clear();
    }

    fn execute(&mut self, on: Session, op: Op, loses_reply: bool) -> Result<Ran, BackendError> {
        let mut link = self.link(on)?;
        if loses_reply {
            link.wire.arm(WireFault::LoseReply);
        }
        let outcome = self.call(&mut link, op);
        if loses_reply {
            has_met(&link.wire, "etcd", outcome)?;
            return Ok(Ran::Unheard);
        }
        let outcome = outcome?;
        if matches!(outcome, Outcome::Unknown | Outcome::Failed(crate::terms::Failure::Unavailable)) {
            return Err(stuck("etcd", &format!("`{op}`"), TIMEOUT));
        }
        self.links.insert(on, link);
        Ok(Ran::Came(outcome))
    }

    fn lose_request(&mut self, on: Session, op: Op) -> Result<(), BackendError> {
        let mut link = self.link(on)?;
        link.wire.arm(WireFault::LoseRequest);
        let outcome = self.call(&mut link, op);
        has_met(&link.wire, "etcd", outcome).map(drop)
    }

    fn hold(&mut self, on: Session, flight: Session, op: Op) -> Result<(), BackendError> {
        let mut link = self.link(on)?;
        link.wire.arm(WireFault::Hold);
        let outcome = self.call(&mut link, op);
        let held = has_met(&link.wire, "etcd", outcome)?;
        self.flights.insert(flight, held.then_some(link.wire));
        Ok(())
    }

    fn queue_up(&mut self, on: Session, op: Op) -> Result<(), BackendError> {
        let EtcdLink { mut connection, wire } = self.link(on)?;
        let (Some(account), Some(lease)) = (op.account(), op.asked()) else { unreachable!("`{op}` does not queue") };
        let lock = format!("{}/{}", self.prefix, account.0);
        let overseer = &mut self.overseer;
        let waiting = self.runtime.block_on(async {
            let waiting = tokio::spawn(async move {
                let outcome = connection.execute(op, Delivery::FIRST).await;
                (connection, outcome)
            });
            let deadline = tokio::time::Instant::now() + TIMEOUT;
            while !overseer.queue(&lock).await?.contains(&LeaseId(lease)) {
                if tokio::time::Instant::now() > deadline {
                    return Err(stuck("etcd", &format!("`{op}`"), TIMEOUT));
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // The key is there before the call begins to wait for others.
            tokio::time::sleep(SETTLED).await;
            Ok(waiting)
        })?;
        self.waiting.insert(on, Waiting { answer: waiting, wire });
        Ok(())
    }

    fn take_turn(&mut self, on: Session) -> Result<Ran, BackendError> {
        let Some(mut waiting) = self.waiting.remove(&on) else { return Ok(Ran::Unheard) };
        match self.runtime.block_on(async { tokio::time::timeout(TIMEOUT, &mut waiting.answer).await }) {
            Ok(Ok((connection, outcome))) => {
                self.links.insert(on, EtcdLink { connection, wire: Arc::clone(&waiting.wire) });
                Ok(Ran::Came(outcome?))
            }
            _ => Err(stuck("etcd", "a request for a lock", TIMEOUT)),
        }
    }

    fn land(&mut self, flight: Session) -> Result<Ran, BackendError> {
        let Some(wire) = self.flights.remove(&flight).flatten() else { return Ok(Ran::Unheard) };
        let landing = async { tokio::time::timeout(TIMEOUT, wire.release()).await };
        match self.runtime.block_on(landing) {
            Ok(Landing::Finished { .. }) => Ok(Ran::Unheard),
            Ok(Landing::Broken | Landing::NothingHeld) => Err(BackendError {
                backend: "etcd",
                what: "the connection was gone when a request was to land".to_owned(),
                remedy: Some("see the server's log".to_owned()),
            }),
            Err(_elapsed) => Ok(Ran::Waits),
        }
    }

    fn cut(&mut self, on: Session) {
        self.links.remove(&on);
        self.flights.remove(&on);
    }

    fn expire(&mut self, lease: LeaseId, others: &[LeaseId]) -> Result<(), BackendError> {
        let overseer = &mut self.overseer;
        self.runtime.block_on(async {
            if !self.natural_expiry {
                return overseer.revoke(lease).await;
            }
            while overseer.is_alive(lease).await? {
                for other in others {
                    overseer.keep_alive(*other).await?;
                }
                tokio::time::sleep(LOOK).await;
            }
            Ok(())
        })
    }

    fn is_alive(&mut self, lease: LeaseId) -> Result<bool, BackendError> {
        self.runtime.block_on(self.overseer.is_alive(lease))
    }

    fn queue(&mut self, account: AccountId) -> Result<Vec<LeaseId>, BackendError> {
        let lock = format!("{}/{}", self.prefix, account.0);
        self.runtime.block_on(self.overseer.queue(&lock))
    }
}
