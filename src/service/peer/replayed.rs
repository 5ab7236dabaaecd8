//! A peer in replays: a server of its own, and a connection for each lane, each through a proxy of its own.

use std::rc::Rc;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::backend::{NAME, PeerBackend};
use crate::service::proxied::ProxiedLinks;
use crate::service::replayed::{Ran, ReplayDriver};
use crate::service::{AnyOp, BackendError, Scope};
use crate::terms::{Balances, Delivery, Entry, Session};

/// How long anything may take on the loopback interface.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The peer, and the connections to it.
pub(super) struct ReplayedPeer(ProxiedLinks<PeerBackend>);

impl ReplayedPeer {
    /// Starts the server.
    ///
    /// # Errors
    /// [`BackendError`] if there is no port for it.
    pub fn new(runtime: Rc<Runtime>) -> Result<Self, BackendError> {
        let backend = runtime.block_on(async { PeerBackend::start(TIMEOUT) })?;
        Ok(ReplayedPeer(ProxiedLinks::new(runtime, backend, NAME, TIMEOUT)))
    }
}

impl ReplayDriver for ReplayedPeer {
    fn close(&mut self) -> Result<(), BackendError> {
        self.0.close();
        Ok(())
    }

    fn execute(&mut self, on: Session, op: AnyOp, by: Delivery, loses_reply: bool) -> Result<Ran, BackendError> {
        self.0.execute(on, op, by, loses_reply)
    }

    fn lose_request(&mut self, on: Session, op: AnyOp, by: Delivery) -> Result<(), BackendError> {
        self.0.lose_request(on, op, by)
    }

    fn hold(&mut self, on: Session, flight: Session, op: AnyOp, by: Delivery) -> Result<(), BackendError> {
        self.0.hold(on, flight, op, by)
    }

    fn land(&mut self, flight: Session, op: AnyOp, _: Delivery) -> Result<Ran, BackendError> {
        self.0.land(flight, op)
    }

    fn cut(&mut self, on: Session) -> Result<(), BackendError> {
        self.0.cut(on);
        Ok(())
    }

    fn reset(&mut self, _: u32, _: u32) -> Result<(), BackendError> {
        self.0.backend.clear();
        Ok(())
    }

    fn ledger(&mut self, of: &Scope) -> Result<Vec<Entry>, BackendError> {
        Ok(self.0.backend.entries(of))
    }

    fn balances(&mut self, of: &Scope) -> Result<Balances, BackendError> {
        Ok(self.0.backend.balances_of(of))
    }
}
