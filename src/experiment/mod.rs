//! The question to the lab: an experiment in a file, its trials, and the answers that are expected.

mod analysis;
mod by_claim;
mod expectation;
mod expression;
mod file;
mod matrix;
mod overrides;
mod question;
mod sweep;

pub(crate) use analysis::sentence_fault;
pub(crate) use by_claim::ExpectedBy;
pub(crate) use expectation::Expectation;
pub(crate) use file::LARGEST_EXPERIMENT;
pub(crate) use question::DOUBLINGS;
pub(crate) use question::Reference;
pub(crate) use sweep::{Axis, UnknownPoint};

// Open to the tests and the benches, which are crates of their own.
pub use analysis::{Analysis, Sentence};
pub use expectation::Written;
pub use file::{ExperimentError, builtin_names, load, parse};
pub use matrix::{Cell, TrialPlan, matrix, of_shard, splits_repeats, strategies};
pub use question::{Experiment, LoadSettings, Rate};
pub use sweep::Point;
