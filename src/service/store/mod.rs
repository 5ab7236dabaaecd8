//! Stores: where effects are kept, with the ledger that tells what was applied.

mod independence;
mod ledger;
pub mod model;
mod null;
pub(crate) mod postgres;
pub(super) mod program;
mod sqlite;

pub use independence::StorePast;
pub use ledger::Scope;
pub use null::NullStore;
pub use postgres::{PostgresOverseer, PostgresStore};
pub use sqlite::{Immediate, ImmediateConnection, SqliteStore, StoreFlaw};
