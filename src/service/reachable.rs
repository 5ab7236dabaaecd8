//! How a service is reached: through a driver in replays, and through a backend under load. Each service makes its own, out of what a
//! run has started, so that neither replays nor trials name a service.

use std::rc::Rc;
use std::sync::Arc;

use tokio::runtime::Runtime;

use super::contract::Service;
use super::replayed::ReplayDriver;
use super::{Backend, BackendError, Backends, BrokerClient, Store};
use crate::terms::Role;

/// Where a driver of a replay finds what it needs.
pub(crate) struct ReplaySite<'s> {
    /// What was started.
    pub backends: &'s Backends,
    /// Where the store is, if it is a server. May hold a password: it goes nowhere but to the driver.
    pub store_url: Option<&'s str>,
    /// What the driver waits with.
    pub runtime: Rc<Runtime>,
    /// What the names of the driver's own things begin with: those of no other driver do.
    pub prefix: String,
    /// How long a lease lives that nobody ends.
    pub lease_ttl_s: u8,
    /// Leases expire by themselves instead of being revoked.
    pub natural_expiry: bool,
}

/// Whose backend is meant: a trial's.
#[derive(Debug, Clone, Copy)]
pub struct TrialSite<'t> {
    /// What the names of the trial's own things begin with.
    pub prefix: &'t str,
    /// What its handlers reach a broker with.
    pub broker_client: BrokerClient,
}

/// Whose ledger is meant: a trial's.
#[derive(Debug, Clone, Copy)]
pub struct LedgerOf<'t> {
    /// Whether the trial's strategy keeps effects there.
    pub has_effects: bool,
    /// What the names of the trial's own things begin with.
    pub prefix: &'t str,
}

/// A service that can be reached.
pub(crate) trait Reachable: Service {
    /// A driver for replays, with connections of its own. The testbed asks once for each role of each gate.
    ///
    /// # Errors
    /// [`BackendError`] if the service cannot be had.
    fn driver(site: ReplaySite<'_>) -> Result<Box<dyn ReplayDriver>, BackendError>;

    /// The backend of a trial, in this role. The runner asks once for each role of each trial.
    ///
    /// # Errors
    /// [`BackendError`] if the service cannot be had in this role.
    fn backend(backends: &Backends, role: Role, of: TrialSite<'_>) -> Result<Arc<dyn Backend>, BackendError>;

    /// The same service as something that keeps effects, whose ledger can be read; nothing if it keeps none for the trial.
    ///
    /// # Errors
    /// As [`backend`](Reachable::backend).
    fn store(_: &Backends, _: Role, _: LedgerOf<'_>) -> Result<Option<Arc<dyn Store>>, BackendError> {
        Ok(None)
    }
}
