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
#[cfg(feature = "lab")]
mod reached;
mod response;
mod service;
#[cfg(feature = "lab")]
pub(crate) mod sqlite;

pub use client::StoreClient;
use independence::StorePast;
pub use op::{Does, StoreOp};
pub use response::{StoreOutcome, StoreResponse};
pub use service::StoreService;

use super::modelled::{ModelSettings, Modelled};

impl Modelled for StoreService {
    type Model = model::Tables;
    type Past = StorePast;

    fn model(settings: &ModelSettings) -> Self::Model {
        model::Tables::of(settings)
    }
}
