//! What drivers of replays say when something is wrong with the proxies before their servers.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::replayed::Ran;
use super::{AnyOp, Backend, BackendError, Connection, Outcome, Way};
use crate::terms::{Delivery, Failure, Session};
use crate::wire::{Address, Landing, Wire, WireFault};

/// The connections of lanes to a service that keeps nothing for a connection, each through a proxy of its own.
pub(super) struct ProxiedLinks<B> {
    pub runtime: Rc<Runtime>,
    pub backend: B,
    /// What the service is called in errors.
    name: &'static str,
    /// How long an operation may take.
    timeout: Duration,
    links: HashMap<Session, ProxiedLink>,
    flights: HashMap<Session, Option<Arc<Wire>>>,
}

/// A connection, and the proxy that it goes through.
struct ProxiedLink {
    connection: Box<dyn Connection>,
    wire: Arc<Wire>,
}

impl<B: Backend> ProxiedLinks<B> {
    /// No connection yet.
    pub fn new(runtime: Rc<Runtime>, backend: B, name: &'static str, timeout: Duration) -> Self {
        ProxiedLinks { runtime, backend, name, timeout, links: HashMap::new(), flights: HashMap::new() }
    }

    fn link(&mut self, on: Session) -> Result<ProxiedLink, BackendError> {
        match self.links.remove(&on) {
            Some(link) => Ok(link),
            None => self.runtime.block_on(async {
                let Some(Way { to, protocol }) = self.backend.way() else { unreachable!("it listens somewhere") };
                let wire = Wire::start(&to, protocol).await.map_err(|error| no_proxy(&to, &error))?;
                let connection = self.backend.connect_through(wire.address()).await?;
                Ok(ProxiedLink { connection, wire: Arc::new(wire) })
            }),
        }
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
        let outcome = self.runtime.block_on(link.connection.execute(op, by));
        Ok(has_met(&link.wire, self.name, outcome)?.then_some(link.wire))
    }

    /// As [`ReplayDriver::execute`](super::replayed::ReplayDriver::execute).
    pub fn execute(&mut self, on: Session, op: AnyOp, by: Delivery, loses_reply: bool) -> Result<Ran, BackendError> {
        if loses_reply {
            self.send_astray(on, op, by, WireFault::LoseReply)?;
            return Ok(Ran::Unheard);
        }
        let mut link = self.link(on)?;
        let outcome = self.runtime.block_on(link.connection.execute(op, by))?;
        if matches!(outcome, Outcome::Unknown | Outcome::Failed(Failure::Unavailable)) {
            return Err(stuck(self.name, &format!("`{op}`"), self.timeout));
        }
        self.links.insert(on, link);
        Ok(Ran::Came(outcome))
    }

    /// As [`ReplayDriver::lose_request`](super::replayed::ReplayDriver::lose_request).
    pub fn lose_request(&mut self, on: Session, op: AnyOp, by: Delivery) -> Result<(), BackendError> {
        self.send_astray(on, op, by, WireFault::LoseRequest).map(drop)
    }

    /// As [`ReplayDriver::hold`](super::replayed::ReplayDriver::hold).
    pub fn hold(&mut self, on: Session, flight: Session, op: AnyOp, by: Delivery) -> Result<(), BackendError> {
        let held = self.send_astray(on, op, by, WireFault::Hold)?;
        self.flights.insert(flight, held);
        Ok(())
    }

    /// As [`ReplayDriver::land`](super::replayed::ReplayDriver::land).
    pub fn land(&mut self, flight: Session, op: AnyOp) -> Result<Ran, BackendError> {
        let Some(wire) = self.flights.remove(&flight).flatten() else { return Ok(Ran::Unheard) };
        let landing = async { tokio::time::timeout(self.timeout, wire.release()).await };
        match self.runtime.block_on(landing) {
            Ok(Landing::Finished { .. }) => Ok(Ran::Unheard),
            Ok(Landing::Broken | Landing::NothingHeld) => Err(BackendError {
                backend: self.name,
                what: format!("the connection was gone when `{op}` was to land"),
                remedy: Some("see the server's log: it may close connections on which nothing comes".to_owned()),
            }),
            Err(_elapsed) => Err(stuck(self.name, &format!("`{op}`"), self.timeout)),
        }
    }

    /// Closes a connection, if it is there.
    pub fn cut(&mut self, on: Session) {
        self.links.remove(&on);
        self.flights.remove(&on);
    }

    /// Closes every connection.
    pub fn close(&mut self) {
        self.links.clear();
        self.flights.clear();
    }
}

/// No proxy could be put before a server.
pub(super) fn no_proxy(to: &Address, error: &std::io::Error) -> BackendError {
    BackendError {
        backend: "wire",
        what: format!("no proxy could be put before {to}: {error}"),
        remedy: Some("check that 127.0.0.1 is up".to_owned()),
    }
}

/// Whether a request met the fault that its wire was armed with: false if the driver made none, and so none was lost.
///
/// # Errors
/// If its sender heard of it all the same: then the fault was none.
pub(super) fn has_met(
    wire: &Wire,
    backend: &'static str,
    outcome: Result<Outcome, BackendError>,
) -> Result<bool, BackendError> {
    match (wire.disarm(), outcome?) {
        (true, _) => Ok(false),
        (false, Outcome::Unknown) => Ok(true),
        (false, heard) => Err(BackendError {
            backend,
            what: format!("an operation that was to be lost on the wire came back with {heard:?}"),
            remedy: Some("report it: the proxy did not follow the protocol".to_owned()),
        }),
    }
}

/// Something goes on for too long, and waits for nobody.
pub(super) fn stuck(backend: &'static str, what: &str, after: Duration) -> BackendError {
    BackendError {
        backend,
        what: format!("{what} has not answered for {} s, and waits for no other", after.as_secs()),
        remedy: Some("see the server's log".to_owned()),
    }
}
