//! Results on disk: one folder per run. The types of the files are apart from those in memory, and versioned.

mod bounded;
mod course;
mod event_line;
mod files;
mod folder;
mod history_ends;
mod history_file;
mod history_lines;
mod meta;
mod row;
mod row_fault;
mod schedules;
mod summary;
mod text;
mod writer;

pub(crate) use course::OutageSpan;
pub(crate) use files::{LARGEST_DOCUMENT, read_text};
pub(crate) use folder::NoHistories;
pub(crate) use history_file::{Digest, Header, Recorded, write_history};
pub(crate) use row::LatencyMs;
pub(crate) use row::columns;
pub(crate) use schedules::{Breaking, Explored, Shortened};
pub(crate) use summary::{CellSummary, Spread, ViolationRate};

// Open to the tests and the benches, which are crates of their own.
pub use course::Course;
pub use files::{FileError, Files};
pub use folder::{OpenError, RunFolder, runs_below};
pub use history_file::{SavedTrial, read_history};
pub use meta::{Meta, ShardOrigin};
pub use row::TrialRow;
pub use schedules::Schedules;
pub use summary::Summary;

/// The version of everything below a run folder. A reader refuses a version that it does not know, by name.
pub const SCHEMA: u32 = 3;

/// The oldest version that is still read. What it does not record is not judged.
pub const OLDEST: u32 = 2;

/// Whether this version can be read.
fn is_known(schema: u32) -> bool {
    (OLDEST..=SCHEMA).contains(&schema)
}
