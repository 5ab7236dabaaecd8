//! Load: clients that retry, a network that loses and repeats, handlers that run a strategy: one trial.

mod client;
mod error;
mod handler;
mod memory;
mod network;
mod outside;
mod patience;
mod pulse;
mod setting;
mod settle;
mod trial;
mod watched;

pub use error::TrialError;
pub use memory::{DoesNotFit, MemoryError, require_memory};
pub use outside::Outside;
pub use patience::Patience;
pub use pulse::{AtWork, Pulse};
pub use setting::{Finished, Resolution, Setting, TrialRecord, backends_of};
pub use trial::{requests, run_trial};
pub(crate) use watched::watched;
