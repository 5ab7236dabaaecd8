//! History: everything that happened in a trial, with the outcome of every operation.

mod event;
mod recorder;

pub(crate) use recorder::{Clock, Recorder, Recorders, SHORT};

// Open to the tests and the benches, which are crates of their own.
pub use event::{Event, What};
pub use recorder::{LONG, begin};
