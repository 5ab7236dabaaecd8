//! Reports: one table model, many renderers. A report is a pure function of a run's folder.

mod analysis;
mod at_each_store;
mod brief;
mod compare;
mod csv;
mod diagram;
mod facts;
mod failed;
mod figure;
mod guide;
mod html;
mod isolationtester;
mod judged;
mod latex;
mod lifts;
mod markdown;
mod overview;
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

pub(crate) use self::csv::to_csv;
pub(crate) use brief::held;
pub(crate) use compare::{Comparison, compare, different, incomparable};
pub(crate) use diagram::{to_diagram, to_mermaid, to_svg};
pub(crate) use figure::grouped;
pub(crate) use guide::Advice;
pub(crate) use html::table_to_html;
pub(crate) use isolationtester::{NoIsolationTest, to_isolationtester};
pub(crate) use latex::{Around, to_latex};
pub(crate) use markdown::to_markdown;
pub(crate) use overview::{LEGEND as OVERVIEW_LEGEND, OnBackend, Overview, by_backend, by_violation, overview_to_html};
pub(crate) use shown::{StoryView, story_id};
pub(crate) use splice::{COMMENT_BEGINS, COMMENT_ENDS};
pub(crate) use sweep::sweep;
pub(crate) use table::{Align, Column, Table};
pub(crate) use tables::{TABLES, data, foremost_causes, legend_of, table};

// Open to the tests and the benches, which are crates of their own.
pub use analysis::{told, unknown_name};
pub use at_each_store::at_each_store;
pub use brief::{brief, plain};
pub use facts::Facts;
pub use guide::guide;
pub use html::to_html;
pub use judged::{outcome, unjudged};
pub use markdown::document;
pub use references::references;
pub use shown::Shown;
pub use splice::with_tables;
pub use tables::matrix;
pub use text::to_text;
