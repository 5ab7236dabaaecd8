//! Stores: where effects are kept, with the ledger that tells what was applied.

mod argument;
mod client;
mod independence;
#[cfg(feature = "lab")]
pub(super) mod ledger;
pub mod model;
#[cfg(feature = "lab")]
pub(super) mod null;
mod op;
mod operations;
#[cfg(feature = "lab")]
pub(crate) mod postgres;
pub(super) mod program;
mod response;
mod service;
#[cfg(feature = "lab")]
pub(crate) mod sqlite;

pub use client::StoreClient;
use independence::StorePast;
pub use op::{Does, StoreOp};
pub use response::{StoreOutcome, StoreResponse};
pub use service::StoreService;

use std::sync::Arc;

use super::modelled::{ModelSettings, Modelled};
use super::reachable::{Reachable, ReplaySite};
use super::replayed::ReplayDriver;
use super::{Backend, BackendError, Backends};
use crate::terms::{Role, StoreKind};

impl Modelled for StoreService {
    type Model = model::Tables;
    type Past = StorePast;

    fn model(settings: &ModelSettings) -> Self::Model {
        model::Tables::of(settings)
    }
}

impl Reachable for StoreService {
    fn driver(site: ReplaySite<'_>) -> Result<Box<dyn ReplayDriver>, BackendError> {
        Ok(match site.backends.store_kind() {
            StoreKind::Postgres => {
                let url = site.store_url.expect("a server that was started or named has a URL");
                Box::new(postgres::replayed::ReplayedPostgres::new(site.runtime, url)?)
            }
            StoreKind::Sqlite => Box::new(sqlite::replayed::ReplayedSqlite::new()?),
            StoreKind::Null => unreachable!("nothing is replayed where nothing is kept"),
        })
    }

    fn backend(backends: &Backends, role: Role, _: &str) -> Result<Arc<dyn Backend>, BackendError> {
        if role == Role::STORE {
            return Ok(backends.store());
        }
        Err(BackendError {
            backend: role.name(),
            what: "a run has one store, and it is in the role 'store'".to_owned(),
            remedy: Some("explore or replay a strategy with two stores".to_owned()),
        })
    }
}
