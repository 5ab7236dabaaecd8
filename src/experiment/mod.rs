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

pub use analysis::{Analysis, Sentence, sentence_fault};
pub use by_claim::ExpectedBy;
pub use expectation::{Expectation, Written};
pub use file::{ExperimentError, LARGEST_EXPERIMENT, NameFault, builtin_names, load, parse};
pub use matrix::{Cell, TrialPlan, matrix, strategies};
pub(crate) use question::DOUBLINGS;
pub use question::{Experiment, LoadSettings, Rate, Reference};
pub use sweep::{Axis, Point, UnknownPoint};
