//! The laboratory: brings the trials of a run to their end, judges them, and says what follows from a run.

mod audit;
mod both;
mod derived;
mod figures;
mod judged;
mod resume;
mod runner;
mod schedules;
#[cfg(test)]
mod tests;

pub use audit::{Audit, Disagreement, Place, Remedy, audit, differences};
pub use both::{Both, explore_both};
pub use derived::Derived;
pub use judged::judged;
pub use resume::{ResumeError, Resumed};
pub use runner::{Ending, RunError, RunWatch, lock_prefix, run};
