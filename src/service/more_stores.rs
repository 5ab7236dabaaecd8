//! The stores of a run besides the first, each in a role of its own.

use std::sync::Arc;
use std::time::Duration;

use super::provision::{self, Source, Started};
use super::{BackendError, MariadbStore, NullStore, PostgresStore, SqliteStore, Store};
use crate::terms::{Role, StoreKind};

/// A store that a run wants besides the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedStore {
    pub role: Role,
    pub kind: StoreKind,
    /// Of a database at a server; without one it is a schema at the first store's server, or a server that is started. May hold a
    /// password: it goes nowhere but to the driver.
    pub url: Option<String>,
}

/// Where the first store's server is.
pub(super) struct FirstServer {
    pub kind: StoreKind,
    pub url: String,
    /// Whether it was there before the run, and stays.
    pub stays: bool,
}

/// The stores besides the first. One that cannot be had is an error for those who ask for it, and for nobody else.
#[derive(Default)]
pub(super) struct MoreStores(Vec<(Role, Result<HeldStore, BackendError>)>);

/// A store that is there.
struct HeldStore {
    store: Arc<dyn Store>,
    /// The server, if it was started for this store alone.
    server: Option<Started>,
    /// Whether the server was there before the run, and stays.
    stays: bool,
}

impl MoreStores {
    /// Starts the stores that are wanted, or connects to them, for so many handlers. `first` is the first store's server.
    /// Ids are taken for as long as a lease lives.
    pub async fn start(
        wanted: &[WantedStore],
        first: Option<&FirstServer>,
        source: &Source,
        (handlers, lease): (u16, Duration),
    ) -> Self {
        let mut stores = Vec::new();
        for store in wanted {
            stores.push((store.role, HeldStore::reach(store, first, source, (handlers, lease)).await));
        }
        MoreStores(stores)
    }

    /// The store in a role.
    ///
    /// # Errors
    /// [`BackendError`] if it could not be had, or the run has none.
    pub fn get(&self, role: Role) -> Result<Arc<dyn Store>, BackendError> {
        match self.0.iter().find(|(its, _)| *its == role) {
            Some((_, Ok(held))) => Ok(Arc::clone(&held.store)),
            Some((_, Err(error))) => Err(error.clone()),
            None => Err(BackendError {
                backend: role.name(),
                what: "the run has no store in this role".to_owned(),
                remedy: Some(format!("name one with --use {}=SERVICE", role.name())),
            }),
        }
    }

    /// What somebody should know of the servers before they are used.
    pub fn warnings(&self) -> impl Iterator<Item = String> + '_ {
        self.held().flat_map(|(role, held)| {
            held.store.warnings().to_vec().into_iter().map(move |warning| format!("{}: {warning}", role.name()))
        })
    }

    /// Versions and settings that matter: those of the first store under the names of the roles.
    pub fn describe(&self) -> Vec<(String, String)> {
        let mut settings = Vec::new();
        for (role, held) in self.held() {
            let own = |key: &str| key.replacen(Role::STORE.name(), role.name(), 1);
            settings.extend(held.store.describe().into_iter().map(|(key, value)| (own(&key), value)));
            settings.extend(held.server.iter().map(|server| (own("store_provision"), server.how.clone())));
        }
        settings
    }

    /// Drops the schemas in servers that stay. One that cannot be dropped now, since its server is gone, the next run there drops.
    pub async fn remove_traces(&self) {
        for (_, held) in self.held() {
            if held.stays {
                let _ = held.store.remove().await;
            }
        }
    }

    fn held(&self) -> impl Iterator<Item = (Role, &HeldStore)> {
        self.0.iter().filter_map(|(role, held)| Some((*role, held.as_ref().ok()?)))
    }
}

impl HeldStore {
    async fn reach(
        wanted: &WantedStore,
        first: Option<&FirstServer>,
        source: &Source,
        (handlers, lease): (u16, Duration),
    ) -> Result<Self, BackendError> {
        let alone = |store: Arc<dyn Store>| HeldStore { store, server: None, stays: false };
        match wanted.kind {
            StoreKind::Sqlite => return Ok(alone(Arc::new(SqliteStore::new()?.with_ttl(lease)))),
            StoreKind::Null => return Ok(alone(Arc::new(NullStore::default()))),
            StoreKind::Postgres | StoreKind::Mariadb => {}
        }
        let first = first.filter(|first| first.kind == wanted.kind);
        let (server, url) = match (&wanted.url, first) {
            (Some(url), _) => (None, Some(url.clone())),
            (None, Some(first)) => (None, Some(first.url.clone())),
            (None, None) => {
                let server = match wanted.kind {
                    StoreKind::Mariadb => provision::mariadb(source).await?,
                    StoreKind::Postgres | StoreKind::Sqlite | StoreKind::Null => provision::postgres(source).await?,
                };
                let url = server.urls().into_iter().next();
                (Some(server), url)
            }
        };
        let url = url.expect("a server that was started or named has a URL");
        let beside = first.filter(|first| first.url == url);
        let stays = server.is_none() && beside.is_none_or(|first| first.stays);
        let store: Arc<dyn Store> = if wanted.kind == StoreKind::Mariadb {
            Arc::new(MariadbStore::connect_for(&url, handlers).await?.with_ttl(lease))
        } else {
            let store = PostgresStore::connect_for(&url, handlers).await?.with_ttl(lease);
            Arc::new(if beside.is_some() { store.beside_another() } else { store })
        };
        Ok(HeldStore { store, server, stays })
    }
}
