//! Which store a violation is at, where a strategy keeps effects elsewhere than in the first store alone.

use std::collections::BTreeMap;

use crate::results::{CellSummary, Summary};
use crate::terms::Role;

/// One line for each row in which a violation was found at a store of several.
#[must_use]
pub fn at_each_store(summary: &Summary) -> Vec<String> {
    summary.cells.iter().filter_map(line).collect()
}

fn line(cell: &CellSummary) -> Option<String> {
    let found = |(role, counts): (&&'static str, &BTreeMap<&'static str, u64>)| {
        let counts: Vec<String> =
            counts.iter().filter(|(_, count)| **count > 0).map(|(kind, count)| format!("{count} {kind}")).collect();
        let title = Role::from_name(role).map_or(*role, Role::title);
        let counts = if counts.is_empty() { "no violation".to_owned() } else { counts.join(", ") };
        format!("{counts} at the {title}")
    };
    let is_broken = cell.violations_by_role.values().flat_map(BTreeMap::values).any(|count| *count > 0);
    let at = if cell.point.0.is_empty() { String::new() } else { format!(" at {}", cell.point) };
    let stores: Vec<String> = cell.violations_by_role.iter().map(found).collect();
    is_broken.then(|| format!("{} under '{}'{at}: {}.", cell.strategy, cell.faults, stores.join("; ")))
}
