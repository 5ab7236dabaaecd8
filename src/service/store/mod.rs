//! Stores: where effects are kept, with the ledger that tells what was applied.

mod argument;
#[cfg(feature = "lab")]
mod batch;
mod client;
mod independence;
#[cfg(feature = "lab")]
mod inlined;
#[cfg(feature = "lab")]
pub(super) mod ledger;
#[cfg(feature = "lab")]
pub(crate) mod mariadb;
pub mod model;
#[cfg(feature = "lab")]
pub(super) mod null;
mod op;
mod operations;
#[cfg(feature = "lab")]
pub(crate) mod postgres;
pub(super) mod program;
#[cfg(feature = "lab")]
mod reached;
mod response;
mod service;
#[cfg(feature = "lab")]
pub(crate) mod sqlite;
#[cfg(feature = "lab")]
mod unreachable;

pub use argument::AlsoRequest;
pub use client::StoreClient;
use independence::StorePast;
pub use op::{Does, StoreOp};
pub use response::{StoreOutcome, StoreResponse, TwoAnswers};
pub use service::StoreService;

use super::modelled::{ModelSettings, Modelled};

/// Whether the store's server at a URL answers and lets this machine in. The URL's scheme says which store.
///
/// # Errors
/// Why it does not.
#[cfg(feature = "lab")]
pub(super) async fn ping(url: &str) -> Result<(), super::BackendError> {
    use crate::terms::StoreKind;
    match url.split_once("://").and_then(|(scheme, _)| StoreKind::of_scheme(scheme)) {
        Some(StoreKind::Mariadb) => mariadb::ping(url).await,
        Some(StoreKind::Postgres | StoreKind::Sqlite | StoreKind::Null) | None => postgres::ping(url).await,
    }
}

impl Modelled for StoreService {
    type Model = model::Tables;
    type Past = StorePast;

    fn model(settings: &ModelSettings) -> Self::Model {
        model::Tables::of(settings)
    }
}
