//! History: everything that happened in a trial, with the outcome of every operation.

mod event;
mod recorder;

pub use event::{Event, What};
pub use recorder::{Clock, Collector, LONG, Recorder, Recorders, SHORT, begin};
