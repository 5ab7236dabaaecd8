//! Reports: one table model, many renderers. A report is a pure function of a run's folder.

mod analysis;
mod brief;
mod compare;
mod csv;
mod diagram;
mod figure;
mod guide;
mod html;
mod isolationtester;
mod latex;
mod lifts;
mod markdown;
mod plot;
mod references;
mod shown;
mod sweep;
mod table;
mod tables;
mod text;

pub use self::csv::to_csv;
pub use analysis::{fill, syntax_error};
pub use brief::{brief, held, plain};
pub use compare::{Compared, Comparison, ViolationChange, compare, different};
pub use diagram::{to_diagram, to_mermaid, to_svg};
pub use guide::{Advice, guide};
pub use html::{table_to_html, to_html};
pub use isolationtester::{NoIsolationTest, to_isolationtester};
pub use latex::to_latex;
pub use lifts::lifts_to_markdown;
pub use markdown::{document, to_markdown};
pub use references::references;
pub use shown::{Shown, StoryView};
pub use sweep::{SweepView, sweep};
pub use table::{Align, Column, Table};
pub use tables::{Section, TABLES, causes, data, foremost_causes, matrix, sections, table};
pub use text::to_text;
