//! Replaying: the schedule that broke the model, step by step on the real backends.
//!
//! A gate stands before each operation of each lane, and releases one at a time in the schedule's order; faults are physical,
//! as far as there is a wire. The model goes along, and the first response that differs from the model's is a divergence. So a
//! violation that an exploration found is shown on a real database, and whole families of schedules show that the model may be
//! trusted.

mod class_digest;
mod conform;
mod gate;
mod lift;
mod search;
mod selection;
mod testbed;
mod touches;
mod with_model;
mod without_model;
mod workers;

pub(crate) use crate::service::Kept;
pub(crate) use lift::{LiftError, Lifted, Shortener, lift};
pub(crate) use search::Searched;
pub(crate) use with_model::{Divergence, Replayed};
pub(crate) use workers::ToldReplay;

// Open to the tests and the benches, which are crates of their own.
pub use class_digest::ClassDigest;
pub use conform::{ConformError, Conformance, Conformed, conform};
pub use search::{How, search};
pub use selection::{Selected, select};
pub use testbed::Testbed;
pub use with_model::ReplayError;
pub use workers::{ReplayWork, replay_all, replay_and_tell};
