//! Reports: one table model, many renderers. A report is a pure function of a run's folder.

mod csv;
mod diagram;
mod isolationtester;
mod lifts;
mod markdown;
mod references;
mod table;
mod tables;
mod text;

pub use self::csv::to_csv;
pub use diagram::{to_diagram, to_mermaid, to_svg};
pub use isolationtester::{NoIsolationTest, to_isolationtester};
pub use lifts::{Shortened, lifts_to_markdown};
pub use markdown::{document, to_markdown};
pub use references::references;
pub use table::{Align, Column, Table};
pub use tables::{causes, foremost_causes, matrix};
pub use text::to_text;
