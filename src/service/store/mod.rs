//! Stores: where effects are kept, with the ledger that tells what was applied.

mod argument;
mod client;
mod independence;
mod ledger;
pub mod model;
mod null;
mod op;
mod operations;
pub(crate) mod postgres;
pub(super) mod program;
mod response;
mod service;
pub(crate) mod sqlite;

pub use client::StoreClient;
pub use independence::StorePast;
pub use ledger::Scope;
pub use null::NullStore;
pub use op::{Does, StoreOp};
pub use postgres::{PostgresOverseer, PostgresStore};
pub use response::{StoreOutcome, StoreResponse};
pub use service::StoreService;
pub use sqlite::{Immediate, ImmediateConnection, SqliteStore, StoreFlaw};

use super::modelled::{ModelSettings, Modelled};

impl Modelled for StoreService {
    type Model = model::Tables;
    type Past = StorePast;

    fn model(settings: &ModelSettings) -> Self::Model {
        model::Tables::of(settings)
    }
}
