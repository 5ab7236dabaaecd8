//! The backends that replays run on.

use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::Runtime;

use super::gate::Gate;
use crate::explore::Flaws;
use crate::service::etcd::model as lock_service;
use crate::service::etcd::replayed::ReplayedEtcd;
use crate::service::replayed::ReplayDriver;
use crate::service::store::postgres::replayed::ReplayedPostgres;
use crate::service::store::sqlite::replayed::ReplayedSqlite;
use crate::service::{BackendError, BackendSettings, Backends, Endpoint, ServiceKind, Wanted};
use crate::strategy::Need;
use crate::terms::{ByRole, Profile, StoreKind};

/// How long a lease lives that nobody ends: longer than any replay.
const LEASE_TTL_S: u8 = 120;

/// How long it lives where expiry is waited for: as short as a lock service makes it.
const SHORT_TTL_S: u8 = 2;

/// The backends, for as long as this lives.
pub struct Testbed {
    backends: Backends,
    store: StoreKind,
    store_url: Option<String>,
    lock_endpoints: Vec<Endpoint>,
    prefix: String,
    natural_expiry: bool,
    /// How many gates there were.
    gates: AtomicUsize,
}

impl Testbed {
    /// Starts the backends that are wanted, or connects to them. With `natural_expiry`, leases are waited for until they
    /// expire; otherwise they are revoked.
    ///
    /// # Errors
    /// [`BackendError`] if one of them cannot be had.
    pub async fn start(wanted: &Wanted, natural_expiry: bool) -> Result<Self, BackendError> {
        let ttl = if natural_expiry { SHORT_TTL_S } else { LEASE_TTL_S };
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
            lock_endpoints: backends.lock_endpoints().to_vec(),
            prefix: format!("oncelab/{:x}-{:08x}", std::process::id(), rand::random::<u32>()),
            natural_expiry,
            gates: AtomicUsize::new(0),
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
    pub(crate) fn gate(&self, needs: &[Need], apart: u8, always_resets: bool) -> Result<Gate, BackendError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = Rc::new(runtime.map_err(|error| BackendError {
            backend: "replay",
            what: format!("a thread cannot wait for connections: {error}"),
            remedy: Some("raise the number of open files (ulimit -n)".to_owned()),
        })?);
        let mut drivers = ByRole::default();
        for need in needs {
            drivers[need.role] = Some(self.driver(need.service, Rc::clone(&runtime))?);
        }
        Ok(Gate::new(drivers, apart, always_resets))
    }

    /// A driver of a service, with connections of its own.
    fn driver(&self, service: ServiceKind, runtime: Rc<Runtime>) -> Result<Box<dyn ReplayDriver>, BackendError> {
        Ok(match (service, self.store) {
            (ServiceKind::Store, StoreKind::Postgres) => {
                let url = self.store_url.as_deref().expect("a server that was started or named has a URL");
                Box::new(ReplayedPostgres::new(runtime, url)?)
            }
            (ServiceKind::Store, StoreKind::Sqlite) => Box::new(ReplayedSqlite::new()?),
            (ServiceKind::Store, StoreKind::Null) => unreachable!("nothing is replayed where nothing is kept"),
            (ServiceKind::Etcd, _) => {
                let number = self.gates.fetch_add(1, Ordering::Relaxed);
                let ttl_s = if self.natural_expiry { SHORT_TTL_S } else { LEASE_TTL_S };
                let prefix = format!("{}/{number}", self.prefix);
                let endpoints = self.lock_endpoints.clone();
                Box::new(ReplayedEtcd::new(runtime, endpoints, prefix, ttl_s.into(), self.natural_expiry)?)
            }
        })
    }
}
