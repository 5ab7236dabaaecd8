//! The tables of a run: which strategy held, what it cost, and why the others broke.

use super::table::{Align, Table};
use crate::check::Violation;
use crate::results::{CellSummary, Summary};

/// The front table: one row per strategy and fault level.
#[must_use]
pub fn matrix(summary: &Summary) -> Table {
    let many_levels = summary.cells.iter().any(|cell| cell.faults != summary.cells[0].faults);
    let mut columns = vec![("", Align::Left), ("strategy", Align::Left)];
    if many_levels {
        columns.push(("faults", Align::Left));
    }
    columns.extend([
        ("acked", Align::Right),
        ("per s", Align::Right),
        ("p99 ms", Align::Right),
        ("verdict", Align::Left),
        ("violations", Align::Left),
    ]);
    let mut table = Table::new(&columns);
    for cell in &summary.cells {
        let mut row = vec![if cell.met { "" } else { "!" }.to_owned(), cell.strategy.clone()];
        if many_levels {
            row.push(cell.faults.clone());
        }
        row.extend([
            cell.acknowledged.to_string(),
            format!("{:.0}", cell.goodput_per_s),
            format!("{:.1}", cell.latency_ms.p99),
            cell.verdict.to_owned(),
        ]);
        let mut row: Vec<Vec<String>> = row.into_iter().map(|value| vec![value]).collect();
        row.push(violations(cell));
        table.push(row);
    }
    table
}

/// What was found, one part per kind; or that nothing was, with the rate that it stays under.
fn violations(cell: &CellSummary) -> Vec<String> {
    let found = |tolerated: bool| {
        let kinds = Violation::ALL.into_iter().map(Violation::name);
        let kinds = kinds.filter(move |kind| cell.tolerated.contains(kind) == tolerated);
        kinds.filter_map(|kind| Some((kind, *cell.violations.get(kind)?))).filter(|(_, count)| *count > 0)
    };
    let mut parts: Vec<String> = found(false).map(|(kind, count)| format!("{count} {kind}")).collect();
    if parts.is_empty() {
        parts.push(match cell.upper_bound_95 {
            Some(bound) => format!("0 of {} (<{})", cell.acknowledged, percent(bound)),
            None => "none to count".to_owned(),
        });
    }
    parts.extend(found(true).map(|(kind, count)| format!("({count} {kind})")));
    parts
}

/// A share as per cent, with two significant digits, rounded up: it is a bound.
fn percent(share: f64) -> String {
    let digits = if share < 0.001 { 3 } else { usize::from(share < 0.1) + 1 };
    let scale = 10_f64.powi(i32::try_from(digits).unwrap_or(2));
    format!("{:.digits$}%", (share * 100.0 * scale).ceil() / scale)
}

/// Why, in short: for each strategy that broke, the causes of its foremost violation, most frequent first.
#[must_use]
pub fn foremost_causes(summary: &Summary) -> Table {
    let mut table = Table::new(&[("strategy", Align::Left), ("shows", Align::Left), ("because of", Align::Left)]);
    for cell in &summary.cells {
        let kinds = Violation::ALL.into_iter().map(Violation::name).filter(|kind| !cell.tolerated.contains(kind));
        let Some((kind, causes)) = kinds.filter_map(|kind| Some((kind, cell.causes.get(kind)?))).next() else {
            continue;
        };
        let mut causes: Vec<(&str, u64)> = causes.iter().map(|(cause, count)| (*cause, *count)).collect();
        causes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let causes = causes.iter().map(|(cause, count)| format!("{count} {cause}")).collect();
        table.push(vec![vec![cell.strategy.clone()], vec![kind.to_owned()], causes]);
    }
    table
}

/// Why: one row per strategy, fault level, violation and cause.
#[must_use]
pub fn causes(summary: &Summary) -> Table {
    let mut table = Table::new(&[
        ("strategy", Align::Left),
        ("faults", Align::Left),
        ("violation", Align::Left),
        ("cause", Align::Left),
        ("messages", Align::Right),
    ]);
    for cell in &summary.cells {
        for (violation, causes) in &cell.causes {
            for (cause, count) in causes {
                let row = [&cell.strategy, &cell.faults, *violation, *cause].map(|value| vec![value.to_owned()]);
                table.push(row.into_iter().chain([vec![count.to_string()]]).collect());
            }
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn bounds_are_rounded_up() {
        assert_eq!(percent(3.0 / 2_400.0), "0.13%");
        assert_eq!(percent(3.0 / 100.0), "3.00%");
        assert_eq!(percent(3.0 / 1_000_000.0), "0.001%");
        assert_eq!(percent(1.0), "100.0%");
    }
}
