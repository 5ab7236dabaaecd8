//! Load: clients that retry, a network that loses and repeats, handlers that run a strategy: one trial.

mod batches;
mod client;
mod error;
mod handler;
mod hop;
mod memory;
mod network;
mod outside;
mod patience;
mod pulse;
mod residents;
mod setting;
mod settle;
mod stores;
mod trial;
mod watched;

pub(crate) use patience::Patience;
pub(crate) use setting::{Finished, Resolution};
pub(crate) use trial::requests;
pub(crate) use watched::watched;

// Open to the tests and the benches, which are crates of their own.
pub use error::TrialError;
pub use memory::{MemoryError, require_memory};
pub use outside::Outside;
pub use setting::{HopCounts, Setting, Stores, TrialRecord, backends_of, stores_of};
pub use trial::run_trial;
