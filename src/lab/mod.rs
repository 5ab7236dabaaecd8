//! The laboratory: brings the trials of a run to their end, judges them, and says what follows from a run.

mod audit;
mod both;
mod derived;
mod figures;
mod judged;
mod merge;
#[cfg(test)]
mod outbox_tests;
mod planned;
mod resume;
mod runner;
mod schedules;
#[cfg(test)]
mod tests;

pub(crate) use audit::{Audit, Disagreement, Place, Remedy, differences};
pub(crate) use both::{Both, explore_both};
pub(crate) use derived::Derived;
pub(crate) use judged::judged;
pub(crate) use merge::MergeError;
pub(crate) use planned::{trials_of, whole_of};
pub(crate) use resume::{ResumeError, Resumed};
pub(crate) use runner::hop_of;

// Open to the tests and the benches, which are crates of their own.
pub use audit::audit;
pub use merge::merge;
pub use runner::{Ending, RunError, RunWatch, lock_prefix, run};
