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

pub use course::{Course, OutageSpan};
pub use files::{FileError, Files};
pub(crate) use files::{LARGEST_DOCUMENT, read_text};
pub use folder::{NoHistories, OpenError, RunFolder, runs_below};
pub use history_file::{Digest, Header, Recorded, SavedTrial, read_history, write_history};
pub use meta::Meta;
pub(crate) use row::columns;
pub use row::{LatencyMs, TrialRow};
pub use schedules::{Breaking, Explored, Schedules, Shortened};
pub use summary::{CellSummary, Cost, Spread, Summary, ViolationRate};

/// The version of everything below a run folder. A reader refuses a version that it does not know, by name.
pub const SCHEMA: u32 = 3;

/// The oldest version that is still read. What it does not record is not judged.
pub const OLDEST: u32 = 2;

/// Whether this version can be read.
fn is_known(schema: u32) -> bool {
    (OLDEST..=SCHEMA).contains(&schema)
}
