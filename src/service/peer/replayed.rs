//! A peer in replays: a server of its own, and a connection for each lane, each through a proxy of its own.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::backend::{NAME, PeerBackend};
use crate::service::proxied::{has_met, no_proxy, stuck};
use crate::service::replayed::{Ran, ReplayDriver};
use crate::service::{AnyOp, Backend, BackendError, Connection, Outcome, Scope, Way};
use crate::terms::{Balances, Delivery, Entry, Failure, Session};
use crate::wire::{Landing, Wire, WireFault};

/// How long anything may take on the loopback interface.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The peer, and the connections to it.
pub(super) struct ReplayedPeer {
    runtime: Rc<Runtime>,
    backend: PeerBackend,
    links: HashMap<Session, PeerLink>,
    flights: HashMap<Session, Option<Arc<Wire>>>,
}

/// A connection, and the proxy that it goes through.
struct PeerLink {
    connection: Box<dyn Connection>,
    wire: Arc<Wire>,
}

impl ReplayedPeer {
    /// Starts the server.
    ///
    /// # Errors
    /// [`BackendError`] if there is no port for it.
    pub fn new(runtime: Rc<Runtime>) -> Result<Self, BackendError> {
        let backend = runtime.block_on(async { PeerBackend::start(TIMEOUT) })?;
        Ok(ReplayedPeer { runtime, backend, links: HashMap::new(), flights: HashMap::new() })
    }

    fn link(&mut self, on: Session) -> Result<PeerLink, BackendError> {
        match self.links.remove(&on) {
            Some(link) => Ok(link),
            None => self.runtime.block_on(async {
                let Some(Way { to, protocol }) = self.backend.way() else { unreachable!("it listens at a port") };
                let wire = Wire::start(&to, protocol).await.map_err(|error| no_proxy(&to, &error))?;
                let connection = self.backend.connect_through(wire.address()).await?;
                Ok(PeerLink { connection, wire: Arc::new(wire) })
            }),
        }
    }

    fn call(&self, link: &mut PeerLink, op: AnyOp, by: Delivery) -> Result<Outcome, BackendError> {
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
}

impl ReplayDriver for ReplayedPeer {
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
                remedy: Some(
                    "report it: between the lab's own client and server nothing should stand in the way".to_owned(),
                ),
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
        self.backend.clear();
        Ok(())
    }

    fn ledger(&mut self, of: &Scope) -> Result<Vec<Entry>, BackendError> {
        Ok(self.backend.entries(of))
    }

    fn balances(&mut self, of: &Scope) -> Result<Balances, BackendError> {
        Ok(self.backend.balances_of(of))
    }
}
