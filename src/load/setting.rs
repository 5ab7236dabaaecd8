//! What a trial is made of, and what it leaves behind.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::error::TrialError;
use super::outside::Outside;
use crate::experiment::LoadSettings;
use crate::fault::Level;
use crate::history::Event;
use crate::service::reachable::{LedgerOf, TrialSite};
use crate::service::{Backend, BackendSettings, Backends, Servers, Store, Usage};
use crate::strategy::Strategy;
use crate::terms::{Balances, ByRole, Disturbed, Entry, HopSettings, MessageId, Request, Role, StoreKind};

/// What keeps effects or marks, by roles.
pub type Stores = Vec<(Role, Arc<dyn Store>)>;

/// Everything that a trial is made of.
pub struct Setting {
    pub strategy: Arc<dyn Strategy>,
    pub level: Level,
    pub seed: u64,
    pub load: LoadSettings,
    /// What requests cross between clients and handlers.
    pub hop: HopSettings,
    pub backend: BackendSettings,
    pub store_kind: StoreKind,
    /// What the strategy needs and what keeps effects or marks, by roles.
    pub stores: Stores,
    /// The services that the strategy needs, each in its role; none in the others.
    pub backends: ByRole<Option<Arc<dyn Backend>>>,
    /// How long a lease lives on the wall clock.
    pub lease: Duration,
    /// The servers that the level's disturbances are done to. Whoever has started them keeps them, and not a trial, which may not end.
    pub servers: Weak<Servers>,
    /// Where the trial is watched from.
    pub outside: Arc<Outside>,
}

/// The services that a strategy needs, each in its role, as a trial reaches them.
///
/// # Errors
/// [`TrialError`] if one of them cannot be had in its role.
pub fn backends_of(
    strategy: &dyn Strategy,
    backends: &Backends,
    of: TrialSite<'_>,
) -> Result<ByRole<Option<Arc<dyn Backend>>>, TrialError> {
    let mut needed = ByRole::default();
    for need in strategy.needs() {
        let backend = need.service.backend(backends, need.role, of);
        needed[need.role] = Some(backend.map_err(|error| TrialError::at(need.role, error))?);
    }
    Ok(needed)
}

/// The services that a strategy needs and that keep effects or marks. The names of what they make begin with this prefix.
///
/// # Errors
/// [`TrialError`] if one of them cannot be had in its role.
pub fn stores_of(strategy: &dyn Strategy, backends: &Backends, prefix: &str) -> Result<Stores, TrialError> {
    let mut stores = Stores::new();
    for need in strategy.needs() {
        let of = LedgerOf { has_effects: strategy.effects_in().contains(&need.role), prefix };
        let store = need.service.store_in(backends, need.role, of);
        let store = store.map_err(|error| TrialError::at(need.role, error))?;
        stores.extend(store.map(|store| (need.role, store)));
    }
    Ok(stores)
}

/// How a request ended for its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    Acknowledged,
    /// Told that it is refused for good.
    Refused,
    GaveUp,
}

/// A request that its client is done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    pub message: MessageId,
    /// When it started or, in an open loop, should have.
    pub started_ns: u64,
    pub ended_ns: u64,
    pub resolution: Resolution,
    pub attempts: u8,
}

/// How many requests have come to the servers of a hop over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HopCounts {
    /// To the lab's proxy; 0 where none stands.
    pub at_proxy: u64,
    /// To the server before the handlers.
    pub at_server: u64,
    /// Those that something on the way has repeated by itself.
    pub repeated: u64,
    /// Those that the server before the handlers dropped because their senders had left.
    pub dropped: u64,
}

/// Everything that a trial leaves behind.
pub struct TrialRecord {
    pub requests: Vec<Request>,
    /// In the order of time.
    pub events: Vec<Event>,
    /// The ledgers of all stores, in the order of roles.
    pub ledger: Vec<Entry>,
    /// The balance of each account of each store after everything had settled.
    pub balances: ByRole<Balances>,
    /// What was done to backends.
    pub disturbed: Vec<Disturbed>,
    /// By message id. One is missing if its client never came to it.
    pub finished: Vec<Finished>,
    /// What the stores say of their work for the requests.
    pub usage: Usage,
    /// What came over HTTP, if clients and handlers had that between them.
    pub hop: Option<HopCounts>,
}
