//! The stores of a run besides the first, each in a role of its own.

use std::sync::Arc;

use super::provision::{self, Source, Started};
use super::{BackendError, NullStore, PostgresStore, SqliteStore, Store};
use crate::terms::{Role, StoreKind};

/// A store that a run wants besides the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedStore {
    pub role: Role,
    pub kind: StoreKind,
    /// Of a PostgreSQL database; without one it is a schema at the first store's server, or a server that is started. May hold a
    /// password: it goes nowhere but to the driver.
    pub url: Option<String>,
}

/// Where the first store's server is.
pub(super) struct FirstServer {
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
    /// The schema to drop at the end, if the server stays.
    postgres: Option<Arc<PostgresStore>>,
    /// The server, if it was started for this store alone.
    server: Option<Started>,
    /// Whether the server was there before the run, and stays.
    stays: bool,
}

impl MoreStores {
    /// Starts the stores that are wanted, or connects to them, for so many handlers. `first` is the first store's server.
    pub async fn start(wanted: &[WantedStore], first: Option<&FirstServer>, source: &Source, handlers: u16) -> Self {
        let mut stores = Vec::new();
        for store in wanted {
            stores.push((store.role, HeldStore::reach(store, first, source, handlers).await));
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
            let warnings = held.postgres.iter().flat_map(|postgres| postgres.warnings());
            warnings.map(move |warning| format!("{}: {warning}", role.name()))
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
            if let Some(postgres) = held.postgres.as_ref().filter(|_| held.stays) {
                let _ = postgres.remove().await;
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
        handlers: u16,
    ) -> Result<Self, BackendError> {
        let alone = |store: Arc<dyn Store>| HeldStore { store, postgres: None, server: None, stays: false };
        let (server, url) = match (wanted.kind, &wanted.url, first) {
            (StoreKind::Sqlite, ..) => return Ok(alone(Arc::new(SqliteStore::new()?))),
            (StoreKind::Null, ..) => return Ok(alone(Arc::new(NullStore::default()))),
            (StoreKind::Postgres, Some(url), _) => (None, Some(url.clone())),
            (StoreKind::Postgres, None, Some(first)) => (None, Some(first.url.clone())),
            (StoreKind::Postgres, None, None) => {
                let server = provision::postgres(source).await?;
                let url = server.urls().into_iter().next();
                (Some(server), url)
            }
        };
        let url = url.expect("a server that was started or named has a URL");
        let mut store = PostgresStore::connect_for(&url, handlers).await?;
        let beside = first.filter(|first| first.url == url);
        if beside.is_some() {
            store = store.beside_another();
        }
        let stays = server.is_none() && beside.is_none_or(|first| first.stays);
        let store = Arc::new(store);
        Ok(HeldStore { store: Arc::clone(&store) as Arc<dyn Store>, postgres: Some(store), server, stays })
    }
}
