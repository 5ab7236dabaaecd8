//! How a store is reached, under load and in replays.

use std::sync::Arc;

use super::{StoreService, mariadb, postgres, sqlite};
use crate::service::reachable::{LedgerOf, Reachable, ReplaySite, TrialSite};
use crate::service::replayed::ReplayDriver;
use crate::service::{Backend, BackendError, Backends, Store};
use crate::terms::{Role, StoreKind};

impl Reachable for StoreService {
    fn driver(site: ReplaySite<'_>) -> Result<Box<dyn ReplayDriver>, BackendError> {
        let url = || site.store_url.expect("a server that was started or named has a URL");
        Ok(match site.backends.store_kind() {
            StoreKind::Postgres => Box::new(postgres::replayed::ReplayedPostgres::new(site.runtime, url())?),
            StoreKind::Mariadb => Box::new(mariadb::replayed::ReplayedMariadb::new(site.runtime, url())?),
            StoreKind::Sqlite => Box::new(sqlite::replayed::ReplayedSqlite::new()?),
            StoreKind::Null => unreachable!("nothing is replayed where nothing is kept"),
        })
    }

    fn backend(backends: &Backends, role: Role, _: TrialSite<'_>) -> Result<Arc<dyn Backend>, BackendError> {
        Ok(backends.store_in(role)?)
    }

    /// A store is emptied and read also where it keeps marks alone.
    fn store(backends: &Backends, role: Role, _: LedgerOf<'_>) -> Result<Option<Arc<dyn Store>>, BackendError> {
        backends.store_in(role).map(Some)
    }
}
