//! Reports: one table model, many renderers. A report is a pure function of a run's folder.

mod analysis;
mod brief;
mod compare;
mod csv;
mod diagram;
mod facts;
mod figure;
mod guide;
mod html;
mod isolationtester;
mod judged;
mod latex;
mod lifts;
mod markdown;
mod plot;
mod references;
mod select;
mod shown;
mod splice;
mod sweep;
mod table;
mod tables;
#[cfg(test)]
mod testing;
mod text;

pub use self::csv::to_csv;
pub use analysis::{told, unknown_name};
pub use brief::{brief, held, plain};
pub use compare::{Compared, Comparison, ViolationChange, compare, different, incomparable};
pub use diagram::{to_diagram, to_mermaid, to_svg};
pub use facts::Facts;
pub use figure::grouped;
pub use guide::{Advice, guide};
pub use html::{table_to_html, to_html};
pub use isolationtester::{NoIsolationTest, to_isolationtester};
pub use judged::{outcome, unjudged};
pub use latex::to_latex;
pub use lifts::lifts_to_markdown;
pub use markdown::{document, to_markdown};
pub use references::references;
pub use shown::{Shown, StoryView};
pub use splice::{COMMENT_BEGINS, COMMENT_ENDS, with_tables};
pub use sweep::{SweepView, sweep};
pub use table::{Align, Column, Table};
pub use tables::{Section, TABLES, causes, data, foremost_causes, matrix, sections, table};
pub use text::to_text;
