//! Rows of which every trial failed: a table says so, and leaves no blank.

use crate::results::Summary;

/// A strategy under a fault level of which every trial failed that was begun.
pub(super) struct FailedRow<'s> {
    pub strategy: &'s str,
    pub faults: &'s str,
    pub point: &'s str,
    pub trials: usize,
}

/// What has no row of its own, since its trials failed: in the order of the trials' names.
pub(super) fn without_a_row(summary: &Summary) -> Vec<FailedRow<'_>> {
    let mut rows: Vec<FailedRow<'_>> = Vec::new();
    for trial in summary.failed.keys() {
        // A trial's name: strategy, level, point if there is one, repetition. The first two have no dots.
        let Some((cell, _)) = trial.rsplit_once('.') else { continue };
        let Some((strategy, rest)) = cell.split_once('.') else { continue };
        let (faults, point) = rest.split_once('.').unwrap_or((rest, ""));
        if summary.cells.iter().any(|cell| cell.strategy == strategy && cell.faults == faults) {
            continue;
        }
        match rows.iter_mut().find(|row| (row.strategy, row.faults, row.point) == (strategy, faults, point)) {
            Some(row) => row.trials += 1,
            None => rows.push(FailedRow { strategy, faults, point, trials: 1 }),
        }
    }
    rows
}
