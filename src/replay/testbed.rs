//! The backends that replays run on.

use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::gate::Gate;
use crate::explore::{Bound, Flaws};
use crate::service::etcd::model as lock_service;
use crate::service::reachable::ReplaySite;
use crate::service::{BackendError, BackendSettings, Backends, Wanted};
use crate::strategy::Need;
use crate::terms::{ByRole, Profile, StoreKind};

/// How long a lease lives that nobody ends: longer than any replay.
const LEASE_TTL_S: u8 = 120;

/// How long it lives where expiry is waited for: as short as a lock service makes it.
const SHORT_TTL_S: u8 = 2;

fn lease_ttl_s(natural_expiry: bool) -> u8 {
    if natural_expiry { SHORT_TTL_S } else { LEASE_TTL_S }
}

/// The backends, for as long as this lives.
pub struct Testbed {
    backends: Backends,
    store: StoreKind,
    store_url: Option<String>,
    prefix: String,
    natural_expiry: bool,
    /// How many drivers there were.
    drivers: AtomicUsize,
}

impl Testbed {
    /// Starts the backends that are wanted, or connects to them. With `natural_expiry`, leases are waited for until they
    /// expire; otherwise they are revoked.
    ///
    /// # Errors
    /// [`BackendError`] if one of them cannot be had.
    pub async fn start(wanted: &Wanted, natural_expiry: bool) -> Result<Self, BackendError> {
        let ttl = lease_ttl_s(natural_expiry);
        let settings = BackendSettings {
            durable: false,
            lease_ttl_s: std::num::NonZeroU8::new(ttl).unwrap_or(std::num::NonZeroU8::MIN),
            ..BackendSettings::default()
        };
        let backends = Backends::start(wanted, &settings).await?;
        let store_url = backends.started_store_url().or_else(|| wanted.store_url.clone());
        Ok(Testbed {
            store: wanted.store,
            store_url,
            prefix: format!("oncelab/{:x}-{:08x}", std::process::id(), rand::random::<u32>()),
            natural_expiry,
            drivers: AtomicUsize::new(0),
            backends,
        })
    }

    /// The backends.
    #[must_use]
    pub fn backends(&self) -> &Backends {
        &self.backends
    }

    /// Which model goes along with the store.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.store.model().expect("whatever is replayed on has a model")
    }

    /// What the lock service is known to do otherwise than the model, by its version: the model does the same then.
    #[must_use]
    pub fn known_flaws(&self) -> Flaws {
        let described = self.backends.describe();
        let is_old = described.iter().any(|(key, value)| key == "lock_server" && value.starts_with("etcd 3.4"));
        // etcd#11456, mended in 3.5.
        Flaws { lock: is_old.then_some(lock_service::LockModelFlaw::GrantsDeadWaiters), ..Flaws::default() }
    }

    /// Removes what the replays have left in servers that were not started for them.
    ///
    /// # Errors
    /// [`BackendError`] if a server is gone.
    pub async fn remove_traces(&self) -> Result<(), BackendError> {
        self.backends.remove_traces(&self.prefix).await
    }

    /// A gate before connections of its own, to be used and dropped on this thread, which must not be one of an asynchronous
    /// runtime's.
    pub(crate) fn gate(&self, needs: &[Need], bound: Bound, always_resets: bool) -> Result<Gate, BackendError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = Rc::new(runtime.map_err(|error| BackendError {
            backend: "replay",
            what: format!("a thread cannot wait for connections: {error}"),
            remedy: Some("raise the number of open files (ulimit -n)".to_owned()),
        })?);
        let mut drivers = ByRole::default();
        for need in needs {
            let site = ReplaySite {
                backends: &self.backends,
                store_url: self.store_url.as_deref(),
                runtime: Rc::clone(&runtime),
                prefix: format!("{}/{}", self.prefix, self.drivers.fetch_add(1, Ordering::Relaxed)),
                lease_ttl_s: lease_ttl_s(self.natural_expiry),
                natural_expiry: self.natural_expiry,
            };
            drivers[need.role] = Some(need.service.driver(site)?);
        }
        Ok(Gate::new(drivers, bound, always_resets))
    }
}
