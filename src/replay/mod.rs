//! Replaying: the schedule that broke the model, step by step on the real backends.
//!
//! A gate stands before each operation of each lane, and releases one at a time in the schedule's order; faults are physical,
//! as far as there is a wire. The model goes along, and the first response that differs from the model's is a divergence. So a
//! violation that an exploration found is shown on a real database, and whole families of schedules show that the model may be
//! trusted.

mod conform;
mod gate;
mod lift;
mod search;
mod testbed;
mod touches;
mod with_model;
mod without_model;
mod workers;

pub use crate::service::Kept;
pub use conform::{ConformError, Conformance, Conformed, conform};
pub use lift::{LiftError, Lifted, Shortener, lift};
pub use search::{How, Searched, search};
pub use testbed::Testbed;
pub use with_model::{Divergence, ReplayError, Replayed};
pub use workers::{ReplayWork, ToldReplay, replay_all, replay_and_tell};
