//! A lock service in replays: etcd or the embedded server, a connection for each lane, each through a proxy of its own.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::driver::{EtcdBackend, EtcdOptions};
use super::op::LockOp;
use super::overseer::EtcdOverseer;
use crate::service::proxied::{has_met, no_proxy, stuck};
use crate::service::replayed::{Ran, ReplayDriver};
use crate::service::{AnyOp, Backend, BackendError, Connection, Endpoint, Outcome, Scope, Way, own};
use crate::terms::{Delivery, Entry, LeaseId, Session};
use crate::wire::{Landing, Wire, WireFault};

/// How long a call may take that waits for nobody.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long a lock service may take from writing a waiter's key to waiting for those before it.
const SETTLED: Duration = Duration::from_millis(5);

/// How often it is looked whether a lease has expired.
const LOOK: Duration = Duration::from_millis(50);

/// Locks under a prefix of its own.
pub(crate) struct ReplayedEtcd {
    runtime: Rc<Runtime>,
    backend: EtcdBackend,
    prefix: String,
    overseer: EtcdOverseer,
    links: HashMap<Session, EtcdLink>,
    flights: HashMap<Session, Option<Arc<Wire>>>,
    waiting: HashMap<Session, Waiting>,
    /// Leases expire by themselves instead of being revoked.
    natural_expiry: bool,
    /// Whether an effect may have been kept there.
    keeps_effects: bool,
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

impl ReplayedEtcd {
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
        Ok(ReplayedEtcd {
            runtime,
            backend,
            prefix,
            overseer,
            links: HashMap::new(),
            flights: HashMap::new(),
            waiting: HashMap::new(),
            natural_expiry,
            keeps_effects: false,
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

    fn call(&mut self, link: &mut EtcdLink, op: AnyOp, by: Delivery) -> Result<Outcome, BackendError> {
        self.keeps_effects |= op.acts().may_apply();
        self.runtime.block_on(link.connection.execute(op, by))
    }
}

/// Whether an operation is a stream that its client leaves open. On the wire it has no end, so that what happens to it happens before
/// it is sent or after it has come back, and not there.
fn is_stream(op: AnyOp) -> bool {
    match own(op) {
        LockOp::KeepAlive(_) => true,
        LockOp::GrantLease
        | LockOp::Acquire(..)
        | LockOp::Release(..)
        | LockOp::Revoke(_)
        | LockOp::RecordOnce(..)
        | LockOp::Record(..) => false,
    }
}

impl ReplayDriver for ReplayedEtcd {
    fn close(&mut self) -> Result<(), BackendError> {
        self.links.clear();
        self.flights.clear();
        self.waiting.clear();
        Ok(())
    }

    fn execute(&mut self, on: Session, op: AnyOp, by: Delivery, loses_reply: bool) -> Result<Ran, BackendError> {
        let mut link = self.link(on)?;
        if loses_reply && is_stream(op) {
            self.call(&mut link, op, by)?;
            return Ok(Ran::Unheard);
        }
        if loses_reply {
            link.wire.arm(WireFault::LoseReply);
        }
        let outcome = self.call(&mut link, op, by);
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

    fn lose_request(&mut self, on: Session, op: AnyOp, by: Delivery) -> Result<(), BackendError> {
        let mut link = self.link(on)?;
        if is_stream(op) {
            return Ok(());
        }
        link.wire.arm(WireFault::LoseRequest);
        let outcome = self.call(&mut link, op, by);
        has_met(&link.wire, "etcd", outcome).map(drop)
    }

    fn hold(&mut self, on: Session, flight: Session, op: AnyOp, by: Delivery) -> Result<(), BackendError> {
        let mut link = self.link(on)?;
        if is_stream(op) {
            return Ok(());
        }
        link.wire.arm(WireFault::Hold);
        let outcome = self.call(&mut link, op, by);
        let held = has_met(&link.wire, "etcd", outcome)?;
        self.flights.insert(flight, held.then_some(link.wire));
        Ok(())
    }

    fn queue_up(&mut self, on: Session, op: AnyOp, _: Delivery) -> Result<bool, BackendError> {
        let EtcdLink { mut connection, wire } = self.link(on)?;
        let LockOp::Acquire(account, lease) = own(op) else { unreachable!("`{op}` does not queue") };
        let lock = format!("{}/{}", self.prefix, account.0);
        let overseer = &mut self.overseer;
        let waiting = self.runtime.block_on(async {
            let waiting = tokio::spawn(async move {
                let outcome = connection.execute(op, Delivery::FIRST).await;
                (connection, outcome)
            });
            let deadline = tokio::time::Instant::now() + TIMEOUT;
            while !overseer.queue(&lock).await?.contains(&lease) {
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
        Ok(true)
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

    fn land(&mut self, flight: Session, op: AnyOp, by: Delivery) -> Result<Ran, BackendError> {
        if is_stream(op) {
            let mut link = self.link(flight)?;
            self.call(&mut link, op, by)?;
            return Ok(Ran::Unheard);
        }
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

    fn cut(&mut self, on: Session) -> Result<(), BackendError> {
        self.links.remove(&on);
        self.flights.remove(&on);
        Ok(())
    }

    fn reset(&mut self, _: u32, _: u32) -> Result<(), BackendError> {
        if !self.keeps_effects {
            return Ok(());
        }
        self.runtime.block_on(self.overseer.clear(&self.prefix))
    }

    fn ledger(&mut self, of: &Scope) -> Result<Vec<Entry>, BackendError> {
        if !self.keeps_effects {
            return Ok(Vec::new());
        }
        self.runtime.block_on(self.overseer.ledger(&self.prefix, of))
    }

    fn victim(&self) -> Option<Outcome> {
        Some(Outcome::Unknown)
    }

    fn expire(&mut self, id: i64, others: &[i64]) -> Result<(), BackendError> {
        let lease = LeaseId(id);
        let overseer = &mut self.overseer;
        self.runtime.block_on(async {
            if !self.natural_expiry {
                return overseer.revoke(lease).await;
            }
            while overseer.is_alive(lease).await? {
                for other in others {
                    overseer.keep_alive(LeaseId(*other)).await?;
                }
                tokio::time::sleep(LOOK).await;
            }
            Ok(())
        })
    }

    fn is_alive(&mut self, id: i64) -> Result<bool, BackendError> {
        self.runtime.block_on(self.overseer.is_alive(LeaseId(id)))
    }

    /// The leases in the queue of the lock before that of the operation.
    fn ahead(&mut self, op: AnyOp) -> Result<Vec<i64>, BackendError> {
        let LockOp::Acquire(account, own_lease) = own(op) else { return Ok(Vec::new()) };
        let lock = format!("{}/{}", self.prefix, account.0);
        let queue = self.runtime.block_on(self.overseer.queue(&lock))?;
        Ok(queue.into_iter().take_while(|lease| *lease != own_lease).map(|lease| lease.0).collect())
    }
}
