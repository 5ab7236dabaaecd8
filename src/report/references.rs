//! What others have found, beside what was found here.

use crate::experiment::Reference;
use crate::results::Summary;

/// One line for each figure from elsewhere that a row of the run is to be compared with.
#[must_use]
pub fn references(summary: &Summary, references: &[Reference]) -> Vec<String> {
    let line = |reference: &Reference| {
        let here = |cell: &&crate::results::CellSummary| {
            cell.strategy == reference.strategy && cell.faults == reference.faults && cell.acknowledged > 0
        };
        let cell = summary.cells.iter().find(here)?;
        let count = cell.violations.get(reference.violation.as_str()).copied().unwrap_or(0);
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let share = count as f64 / cell.acknowledged as f64;
        Some(format!(
            "{} under '{}': {count} of {} acknowledged {} ({:.1} %); {}: {:.0} %. {}",
            cell.strategy,
            cell.faults,
            cell.acknowledged,
            reference.violation,
            share * 100.0,
            reference.source,
            reference.share * 100.0,
            reference.differs
        ))
    };
    references.iter().filter_map(line).collect()
}
