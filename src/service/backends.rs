//! The backends of a run: a store, and a lock service and more stores for the strategies that need them.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::kafka::driver::KafkaBackend;
use super::kafka::held::{HeldKafka, WantedKafka};
use super::more_stores::{FirstServer, MoreStores, WantedStore};
use super::peer::backend::PeerBackend;
use super::provision::{self, EtcdShape, Relay, Source, Started};
use super::redis::held::{HeldRedis, WantedRedis};
use super::redis::masters::RedisMasters;
use super::{
    Backend, BackendError, EmbeddedLockServer, EmbeddedOptions, Endpoint, EtcdBackend, EtcdOptions, MariadbStore,
    NullStore, PostgresStore, Servers, SqliteStore, Store,
};
use crate::service::BackendSettings;
use crate::terms::{BackendFault, Disturbance, Role, StoreKind, Target};
use crate::wire::Address;

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

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<LockKind> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }
}

/// Seen on etcd 3.4.23: its lock service deletes the key of a wait that was given up in nobody's name, which etcd refuses
/// ("auth: user name is empty").
const USERS_OF_ETCD: &str = "an etcd with users keeps the key of a wait for a lock that was given up until its lease runs out, so that \
     others wait longer: name an etcd without users, unless that is what you want to see";

/// Which backends a run wants, and where they are.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub store: StoreKind,
    pub lock: LockKind,
    /// How servers without a URL are had.
    pub source: Source,
    /// May hold a password: it goes nowhere but to the driver.
    pub store_url: Option<String>,
    /// The endpoints of an etcd cluster.
    pub lock_urls: Vec<Endpoint>,
    /// The stores that strategies of the run need besides the first.
    pub more_stores: Vec<WantedStore>,
    pub redis: WantedRedis,
    pub kafka: WantedKafka,
    /// Whether some strategy of the run needs a lock service.
    pub needs_lock: bool,
    /// How many handlers will connect at a time, at the most; 0 if that is not known.
    pub handlers: u16,
    /// Everything that will be done to backends.
    pub disturbances: Vec<BackendFault>,
}

/// An SQLite store, and nothing else.
impl Default for Wanted {
    fn default() -> Self {
        Wanted {
            store: StoreKind::Sqlite,
            lock: LockKind::Embedded,
            source: Source::default(),
            store_url: None,
            lock_urls: Vec::new(),
            more_stores: Vec::new(),
            redis: WantedRedis::Embedded,
            kafka: WantedKafka::Unused,
            needs_lock: false,
            handlers: 0,
            disturbances: Vec::new(),
        }
    }
}

impl Wanted {
    /// Whether something of this kind will be done to this backend.
    fn expects(&self, what: Disturbance, target: Target) -> bool {
        self.disturbances.iter().any(|fault| fault.fault == what && fault.target == target)
    }

    fn with_etcd(&self) -> bool {
        self.lock == LockKind::Etcd && self.needs_lock
    }
}

/// A store and a lock service that run for as long as this lives.
pub struct Backends {
    store_kind: StoreKind,
    store: Arc<dyn Store>,
    more_stores: MoreStores,
    redis: HeldRedis,
    kafka: HeldKafka,
    /// Started when somebody asks for it.
    peer: OnceLock<Result<PeerBackend, BackendError>>,
    lock_kind: LockKind,
    /// Where handlers reach the lock service.
    endpoints: Vec<Endpoint>,
    /// Where the lab reaches it when the way of the handlers is cut.
    own_endpoints: Vec<Endpoint>,
    lease_ttl_s: i64,
    keep_alive: bool,
    timeout: Duration,
    lease: Duration,
    lock_settings: Vec<(String, String)>,
    _lock_server: Option<EmbeddedLockServer>,
    servers: Arc<Servers>,
    durable: bool,
    warnings: Vec<String>,
}

impl Backends {
    /// Starts the backends that are wanted, or connects to them.
    ///
    /// # Errors
    /// [`BackendError`] if one of them cannot be had.
    pub async fn start(wanted: &Wanted, settings: &BackendSettings) -> Result<Self, BackendError> {
        let starts_more = wanted.more_stores.iter().any(|more| more.kind.is_server() && more.url.is_none());
        let starts_servers = (wanted.store.is_server() && wanted.store_url.is_none())
            || starts_more
            || matches!(wanted.redis, WantedRedis::Started { .. })
            || wanted.kafka == WantedKafka::Started
            || (wanted.with_etcd() && wanted.lock_urls.is_empty());
        provision::remove_leftovers(starts_servers.then_some(&wanted.source)).await;

        let mut servers = Servers::default();
        let shape = EtcdShape {
            members: settings.lock_members.get(),
            election: settings.election(),
            partitions: wanted.expects(Disturbance::Partition, Target::LockLeader),
        };
        // The servers start at the same time, and what comes up is kept even if the other does not, to be stopped in order.
        let (store, lock) = tokio::join!(
            async {
                match (wanted.store, &wanted.store_url) {
                    (StoreKind::Postgres, None) => provision::postgres(&wanted.source).await.map(Some),
                    (StoreKind::Mariadb, None) => provision::mariadb(&wanted.source).await.map(Some),
                    (StoreKind::Postgres | StoreKind::Mariadb, Some(_)) | (StoreKind::Sqlite | StoreKind::Null, _) => {
                        Ok(None)
                    }
                }
            },
            async {
                match (wanted.with_etcd(), wanted.lock_urls.as_slice()) {
                    (true, []) => provision::etcd(&wanted.source, &shape).await.map(Some),
                    _ => Ok(None),
                }
            }
        );
        (servers.store, servers.lock) = (store?, lock?);

        let lock = LockBackend::reach(wanted, settings, &mut servers).await?;
        let store = reach_store(wanted, &mut servers, lock.lease).await?;
        let first = servers.store_url(wanted).map(|url| FirstServer {
            kind: wanted.store,
            url,
            stays: servers.store.is_none(),
        });
        let more_stores =
            MoreStores::start(&wanted.more_stores, first.as_ref(), &wanted.source, (wanted.handlers, lock.lease)).await;
        servers.cache = match wanted.redis {
            WantedRedis::Started { servers } => Some(provision::redis(&wanted.source, servers).await?),
            WantedRedis::Unused | WantedRedis::Embedded | WantedRedis::At(_) => None,
        };
        let redis = HeldRedis::reach_it(&wanted.redis, servers.cache.as_ref(), settings).await?;
        let kafka = HeldKafka::start(&wanted.kafka, &wanted.source, settings).await?;
        let mut warnings = store.warnings().to_vec();
        warnings.extend(more_stores.warnings());
        if wanted.with_etcd() && wanted.lock_urls.iter().any(|endpoint| endpoint.user().is_some()) {
            warnings.push(USERS_OF_ETCD.to_owned());
        }
        Ok(Backends {
            warnings,
            store_kind: wanted.store,
            store,
            more_stores,
            redis,
            kafka,
            peer: OnceLock::new(),
            lock_kind: if wanted.with_etcd() { LockKind::Etcd } else { LockKind::Embedded },
            endpoints: lock.endpoints,
            own_endpoints: lock.own_endpoints,
            lease_ttl_s: settings.lease_ttl_s.get().into(),
            keep_alive: settings.lock_keep_alive,
            timeout: settings.limits().operation,
            lease: lock.lease,
            lock_settings: lock.settings,
            _lock_server: lock.server,
            servers: Arc::new(servers),
            durable: settings.durable,
        })
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
            more_stores: MoreStores::default(),
            redis: HeldRedis::embedded(settings),
            kafka: HeldKafka::NONE,
            peer: OnceLock::new(),
            lock_kind: LockKind::Embedded,
            endpoints: vec![lock_server.endpoint()],
            own_endpoints: vec![lock_server.endpoint()],
            lease_ttl_s: settings.lease_ttl_s.get().into(),
            keep_alive: settings.lock_keep_alive,
            timeout: settings.limits().operation,
            lease: settings.lease(settings.embedded_clock_speed.get()),
            lock_settings: lock_server.describe(),
            _lock_server: Some(lock_server),
            servers: Arc::default(),
            durable: settings.durable,
            warnings: Vec::new(),
        }
    }

    /// What somebody should know of the servers before they are used.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The lock service, with locks under a prefix of their own.
    #[must_use]
    pub fn lock(&self, prefix: String) -> Arc<dyn Backend> {
        let etcd = options(&self.endpoints, self.lease_ttl_s, self.timeout, prefix);
        let etcd = EtcdBackend::new(EtcdOptions { keep_alive: self.keep_alive, ..etcd });
        Arc::new(etcd.expect("there is an endpoint"))
    }

    /// The run's Redis. To be called on a tokio runtime that lives as long as this.
    ///
    /// # Errors
    /// [`BackendError`] if the embedded server cannot be started.
    pub(crate) fn redis(&self) -> Result<RedisMasters, BackendError> {
        self.redis.backend()
    }

    /// The run's Kafka.
    ///
    /// # Errors
    /// [`BackendError`] if the run has none.
    pub(crate) fn kafka(&self) -> Result<KafkaBackend, BackendError> {
        self.kafka.backend()
    }

    /// The run's peer, started when it is asked for first. To be called on a tokio runtime that lives as long as this.
    ///
    /// # Errors
    /// [`BackendError`] if it cannot be started.
    pub(crate) fn peer(&self) -> Result<Arc<PeerBackend>, BackendError> {
        self.peer.get_or_init(|| PeerBackend::start(self.timeout)).clone().map(Arc::new)
    }

    /// The ledger of the effects that a strategy keeps in the lock service under a prefix, as the lab reaches it.
    #[must_use]
    pub fn lock_ledger(&self, prefix: String) -> Arc<dyn Store> {
        Arc::new(etcd(&self.own_endpoints, self.lease_ttl_s, self.timeout, prefix))
    }

    /// Removes what the run has left in a database or a lock service that it did not start: the schema, and the keys under
    /// this prefix. Leases run out by themselves.
    ///
    /// # Errors
    /// [`BackendError`] if that is not possible.
    pub async fn remove_traces(&self, prefix: &str) -> Result<(), BackendError> {
        self.more_stores.remove_traces().await;
        self.redis.remove_traces(prefix).await?;
        self.kafka.remove_traces(prefix).await?;
        if self.lock_kind == LockKind::Etcd && self.servers.lock.is_none() {
            etcd(&self.own_endpoints, self.lease_ttl_s, self.timeout, prefix.to_owned()).remove_keys().await?;
        }
        if self.servers.store.is_none() { self.store.remove().await } else { Ok(()) }
    }

    /// Where the lab reaches the lock service.
    #[must_use]
    pub fn lock_endpoints(&self) -> &[Endpoint] {
        &self.own_endpoints
    }

    /// The URL of the store's server that was started for the run.
    #[must_use]
    pub fn started_store_url(&self) -> Option<String> {
        self.servers.store.as_ref().and_then(|started| started.urls().into_iter().next())
    }

    /// The first store.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// The store in a role other than the first's.
    ///
    /// # Errors
    /// [`BackendError`] if it could not be had, or the run has none.
    pub fn store_in(&self, role: Role) -> Result<Arc<dyn Store>, BackendError> {
        if role == Role::STORE { Ok(self.store()) } else { self.more_stores.get(role) }
    }

    /// The kind of the store.
    #[must_use]
    pub fn store_kind(&self) -> StoreKind {
        self.store_kind
    }

    /// The servers that were started for the run.
    #[must_use]
    pub fn servers(&self) -> Arc<Servers> {
        Arc::clone(&self.servers)
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

    /// How long what somebody holds for a time lives on the wall clock, who asks the services in these roles: a lease, or else a key of
    /// Redis, or the session of a member of a group of Kafka's.
    #[must_use]
    pub fn lease_of(&self, roles: &[Role]) -> Duration {
        match [Role::LOCK, Role::CACHE, Role::BROKER].into_iter().find(|role| roles.contains(role)) {
            Some(Role::CACHE) => self.redis.life(),
            Some(Role::BROKER) => self.kafka.session().unwrap_or(self.lease),
            Some(_) | None => self.lease,
        }
    }

    /// Versions and settings that matter, for `meta.json`.
    #[must_use]
    pub fn describe(&self) -> Vec<(String, String)> {
        let mut settings = self.store.describe();
        settings.extend(self.more_stores.describe());
        settings.extend(self.redis.describe());
        settings.extend(self.kafka.describe());
        settings.extend(self.lock_settings.iter().cloned());
        for (role, started) in [("store", &self.servers.store), ("lock", &self.servers.lock)] {
            settings.extend(started.iter().map(|started| (format!("{role}_provision"), started.how.clone())));
            settings.extend(started.iter().map(|_| (format!("{role}_durable"), self.durable.to_string())));
        }
        settings
    }
}

/// A lock service, and how it is reached.
struct LockBackend {
    endpoints: Vec<Endpoint>,
    own_endpoints: Vec<Endpoint>,
    lease: Duration,
    settings: Vec<(String, String)>,
    server: Option<EmbeddedLockServer>,
}

impl LockBackend {
    async fn reach(wanted: &Wanted, settings: &BackendSettings, servers: &mut Servers) -> Result<Self, BackendError> {
        let cut = wanted.expects(Disturbance::Partition, Target::Lock);
        if !wanted.with_etcd() {
            let clock_speed = settings.embedded_clock_speed.get();
            let min_ttl_s = settings.min_ttl_s();
            let options = EmbeddedOptions { clock_speed, min_ttl_s, ..EmbeddedOptions::default() };
            let server = EmbeddedLockServer::start(options)?;
            let own_endpoints = vec![server.endpoint()];
            return Ok(LockBackend {
                endpoints: relayed(&own_endpoints, cut, &mut servers.lock_relays).await?,
                own_endpoints,
                lease: settings.lease(clock_speed),
                settings: server.describe(),
                server: Some(server),
            });
        }
        let own_endpoints = match &servers.lock {
            Some(started) => started.urls().into_iter().map(Endpoint::from).collect(),
            None => wanted.lock_urls.clone(),
        };
        let ttl_s = settings.lease_ttl_s.get().into();
        let probed = etcd(&own_endpoints, ttl_s, settings.limits().operation, "oncelab".to_owned()).probe().await?;
        let own = |key: &str, value: String| (format!("lock_{key}"), value);
        Ok(LockBackend {
            endpoints: relayed(&own_endpoints, cut, &mut servers.lock_relays).await?,
            lease: Duration::from_secs(probed.granted_ttl_s.unsigned_abs()),
            settings: vec![
                own("server", format!("etcd {}", probed.version)),
                own("members", own_endpoints.len().to_string()),
                own("lease_ttl_asked_s", settings.lease_ttl_s.to_string()),
                own("lease_ttl_granted_s", probed.granted_ttl_s.to_string()),
            ],
            own_endpoints,
            server: None,
        })
    }
}

async fn reach_store(wanted: &Wanted, servers: &mut Servers, lease: Duration) -> Result<Arc<dyn Store>, BackendError> {
    let started = servers.store.as_ref().map(Started::urls).and_then(|urls| urls.into_iter().next());
    let url = || started.as_ref().or(wanted.store_url.as_ref()).expect("it was started, or has a URL");
    let is_cut = wanted.expects(Disturbance::Partition, Target::Store);
    match wanted.store {
        StoreKind::Sqlite => Ok(Arc::new(SqliteStore::new()?.with_ttl(lease))),
        StoreKind::Null => Ok(Arc::new(NullStore::default())),
        StoreKind::Postgres => {
            let store = PostgresStore::connect_for(url(), wanted.handlers).await?.with_ttl(lease);
            Ok(match relay_to(&store.address(), is_cut, wanted.store, servers).await? {
                Some(relay) => Arc::new(store.through(&relay)),
                None => Arc::new(store),
            })
        }
        StoreKind::Mariadb => {
            let store = MariadbStore::connect_for(url(), wanted.handlers).await?.with_ttl(lease);
            Ok(match relay_to(&store.address(), is_cut, wanted.store, servers).await? {
                Some(relay) => Arc::new(store.through(&relay)),
                None => Arc::new(store),
            })
        }
    }
}

/// Where a relay before a store listens, if the way there will be cut.
async fn relay_to(
    store: &Address,
    is_cut: bool,
    kind: StoreKind,
    servers: &mut Servers,
) -> Result<Option<Address>, BackendError> {
    if !is_cut {
        return Ok(None);
    }
    let relay = Relay::start(store).await.map_err(|error| no_relay(kind.name(), &error))?;
    let address = relay.address().clone();
    servers.store_relays.push(relay);
    Ok(Some(address))
}

impl Servers {
    /// Where the first store's server is, if it has one.
    fn store_url(&self, wanted: &Wanted) -> Option<String> {
        let started = self.store.as_ref().map(Started::urls).and_then(|urls| urls.into_iter().next());
        started.or_else(|| wanted.store_url.clone().filter(|_| wanted.store.is_server()))
    }
}

/// The endpoints as handlers see them: behind relays, if the way there will be cut.
async fn relayed(endpoints: &[Endpoint], cut: bool, relays: &mut Vec<Relay>) -> Result<Vec<Endpoint>, BackendError> {
    if !cut {
        return Ok(endpoints.to_vec());
    }
    let mut relayed = Vec::new();
    for endpoint in endpoints {
        let relay = Relay::start(&endpoint.address()?).await.map_err(|error| no_relay("etcd", &error))?;
        relayed.push(endpoint.through(relay.address()));
        relays.push(relay);
    }
    Ok(relayed)
}

fn no_relay(backend: &'static str, error: &std::io::Error) -> BackendError {
    BackendError { backend, what: format!("no relay could be put before it: {error}"), remedy: None }
}

fn etcd(endpoints: &[Endpoint], lease_ttl_s: i64, timeout: Duration, prefix: String) -> EtcdBackend {
    EtcdBackend::new(options(endpoints, lease_ttl_s, timeout, prefix)).expect("there is an endpoint")
}

fn options(endpoints: &[Endpoint], lease_ttl_s: i64, timeout: Duration, prefix: String) -> EtcdOptions {
    EtcdOptions { endpoints: endpoints.to_vec(), lease_ttl_s, prefix, timeout, ..EtcdOptions::default() }
}
