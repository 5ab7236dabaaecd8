//! Load: clients that retry, a network that loses and repeats, handlers that run a strategy; trials, and the matrix of them.

mod client;
mod expectation;
mod experiment;
mod experiment_analysis;
mod experiment_file;
mod figures;
mod handler;
mod judged;
mod matrix;
mod memory;
mod network;
mod outside;
mod overrides;
mod patience;
mod pulse;
mod runner;
mod settle;
mod sweep;
mod trial;
mod watched;

pub use expectation::Expectation;
pub use experiment::{BackendSettings, ClockSpeed, ElectionMs, Experiment, LoadSettings, Members, Rate, Reference};
pub use experiment_analysis::{Analysis, Sentence};
pub use experiment_file::{ExperimentError, LARGEST_EXPERIMENT, builtin_names, load, parse};
pub use judged::judged;
pub use matrix::{Cell, TrialPlan, matrix};
pub use memory::{DoesNotFit, MemoryError, require_memory};
pub use outside::Outside;
pub use patience::Patience;
pub use pulse::{AtWork, Pulse};
pub use runner::{Ending, RunError, Watch, lock_prefix, run, strategies};
pub use sweep::{Axis, Point, UnknownPoint};
pub use trial::{Finished, Resolution, Setting, TrialError, TrialRecord, requests, run_trial};
