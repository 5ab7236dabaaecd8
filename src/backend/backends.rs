//! The backends of a run: a store, and a lock service for the strategies that need one.

use std::sync::Arc;
use std::time::Duration;

use super::provision::{self, Provided, Provision};
use super::{
    Backend, BackendError, EmbeddedLockServer, EmbeddedOptions, EtcdBackend, EtcdOptions, NullStore, PostgresStore,
    SqliteStore, Store,
};
use crate::load::BackendSettings;
use crate::strategy::StoreKind;

/// A kind of lock service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LockKind {
    /// The server in this process.
    #[default]
    Embedded,
    Etcd,
}

impl LockKind {
    /// Every kind with its name on the command line and in files.
    pub const NAMES: [(LockKind, &'static str); 2] = [(LockKind::Embedded, "embedded"), (LockKind::Etcd, "etcd")];

    /// The name on the command line and in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        let named = Self::NAMES.iter().find(|(kind, _)| *kind == self);
        named.expect("every kind of lock service has a name").1
    }
}

/// Which backends a run wants, and where they are.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub store: StoreKind,
    pub lock: LockKind,
    /// How servers without a URL are had.
    pub provision: Provision,
    /// May hold a password: it goes nowhere but to the driver.
    pub store_url: Option<String>,
    /// The endpoints of an etcd cluster.
    pub lock_urls: Vec<String>,
    /// Whether some strategy of the run needs a lock service.
    pub needs_lock: bool,
}

/// A store and a lock service that run for as long as this lives.
pub struct Backends {
    store_kind: StoreKind,
    store: Arc<dyn Store>,
    /// The schema to drop at the end.
    postgres: Option<Arc<PostgresStore>>,
    lock_kind: LockKind,
    endpoints: Vec<String>,
    lease_ttl_s: i64,
    timeout: Duration,
    lease: Duration,
    lock_settings: Vec<(String, String)>,
    _lock_server: Option<EmbeddedLockServer>,
    _servers: Vec<Provided>,
}

impl Backends {
    /// Starts the backends that are wanted, or connects to them.
    ///
    /// # Errors
    /// [`BackendError`] if one of them cannot be had.
    pub async fn start(wanted: &Wanted, settings: &BackendSettings) -> Result<Self, BackendError> {
        let mut servers = Vec::new();
        let mut postgres = None;
        let store: Arc<dyn Store> = match wanted.store {
            StoreKind::Sqlite => Arc::new(SqliteStore::new()?),
            StoreKind::Null => Arc::new(NullStore::default()),
            StoreKind::Postgres => {
                let url = match &wanted.store_url {
                    Some(url) => url.clone(),
                    None => start(&mut servers, provision::postgres(wanted.provision).await?),
                };
                let store = Arc::new(PostgresStore::connect(&url).await?);
                postgres = Some(Arc::clone(&store));
                store
            }
        };
        let mut backends = match wanted.lock {
            LockKind::Etcd if wanted.needs_lock => {
                let endpoints = match wanted.lock_urls.as_slice() {
                    [] => vec![start(&mut servers, provision::etcd(wanted.provision).await?)],
                    urls => urls.to_vec(),
                };
                Self::with_etcd(wanted.store, store, endpoints, settings).await?
            }
            _ => {
                let clock_speed = settings.embedded_clock_speed.get();
                let server = EmbeddedLockServer::start(EmbeddedOptions { clock_speed, ..EmbeddedOptions::default() })?;
                Self::new(wanted.store, store, server, settings)
            }
        };
        backends.postgres = postgres;
        backends._servers = servers;
        Ok(backends)
    }

    /// Backends with an embedded lock server that is there already, e.g. with a deliberate flaw.
    #[must_use]
    pub fn new(
        store_kind: StoreKind,
        store: Arc<dyn Store>,
        lock_server: EmbeddedLockServer,
        settings: &BackendSettings,
    ) -> Self {
        Backends {
            store_kind,
            store,
            postgres: None,
            lock_kind: LockKind::Embedded,
            endpoints: vec![lock_server.endpoint()],
            lease_ttl_s: settings.lease_ttl_s.get().into(),
            timeout: settings.limits().operation,
            lease: settings.lease(settings.embedded_clock_speed.get()),
            lock_settings: lock_server.describe(),
            _lock_server: Some(lock_server),
            _servers: Vec::new(),
        }
    }

    async fn with_etcd(
        store_kind: StoreKind,
        store: Arc<dyn Store>,
        endpoints: Vec<String>,
        settings: &BackendSettings,
    ) -> Result<Self, BackendError> {
        let mut backends = Backends {
            store_kind,
            store,
            postgres: None,
            lock_kind: LockKind::Etcd,
            endpoints,
            lease_ttl_s: settings.lease_ttl_s.get().into(),
            timeout: settings.limits().operation,
            // A real server knows only one speed.
            lease: settings.lease(1.0),
            lock_settings: Vec::new(),
            _lock_server: None,
            _servers: Vec::new(),
        };
        let etcd = backends.etcd("oncelab".to_owned());
        let version = etcd.probe().await?;
        backends.lock_settings = vec![("lock_server".to_owned(), format!("etcd {version}"))];
        Ok(backends)
    }

    fn etcd(&self, prefix: String) -> EtcdBackend {
        let options = EtcdOptions {
            endpoints: self.endpoints.clone(),
            lease_ttl_s: self.lease_ttl_s,
            prefix,
            timeout: self.timeout,
            ..EtcdOptions::default()
        };
        EtcdBackend::new(options).expect("there is an endpoint")
    }

    /// The lock service, with locks under a prefix of their own.
    #[must_use]
    pub fn lock(&self, prefix: String) -> Arc<dyn Backend> {
        Arc::new(self.etcd(prefix))
    }

    /// Removes what the run has left in a database that it did not start.
    ///
    /// # Errors
    /// [`BackendError`] if that is not possible.
    pub async fn remove_traces(&self) -> Result<(), BackendError> {
        match &self.postgres {
            Some(postgres) => postgres.remove().await,
            None => Ok(()),
        }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// The kind of the store.
    #[must_use]
    pub fn store_kind(&self) -> StoreKind {
        self.store_kind
    }

    /// The name of the lock service in tables and files.
    #[must_use]
    pub fn lock_name(&self) -> &'static str {
        self.lock_kind.name()
    }

    /// How long a lease lives on the wall clock.
    #[must_use]
    pub fn lease(&self) -> Duration {
        self.lease
    }

    /// Versions and settings that matter, for `meta.json`.
    #[must_use]
    pub fn describe(&self) -> Vec<(String, String)> {
        let mut settings = self.store.describe();
        settings.extend(self.lock_settings.iter().cloned());
        settings
    }
}

/// Keeps a server for as long as the run, and gives its URL.
fn start(servers: &mut Vec<Provided>, server: Provided) -> String {
    let url = server.url.clone();
    servers.push(server);
    url
}
