//! A run's cells as CSV: one row per strategy and fault level, a column per figure.

use crate::check::Violation;
use crate::fault::FaultKind;
use crate::results::{CellSummary, Summary};

const FIRST: [&str; 15] = [
    "strategy",
    "faults",
    "store",
    "lock",
    "verdict",
    "expected",
    "met",
    "trials",
    "requests",
    "acknowledged",
    "goodput_per_s",
    "latency_ms_p50",
    "latency_ms_p99",
    "latency_ms_p999",
    "latency_ms_max",
];

/// The cells of a run as CSV.
#[must_use]
pub fn to_csv(summary: &Summary) -> String {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let fired = FaultKind::ALL.iter().map(|fault| format!("fired_{fault}"));
    let violations = Violation::ALL.iter().map(|violation| violation.name().to_owned());
    let header = FIRST.iter().map(|name| (*name).to_owned()).chain(violations).chain(fired);
    let records = std::iter::once(header.collect()).chain(summary.cells.iter().map(record));
    for record in records {
        let record: Vec<String> = record;
        csv.write_record(record).expect("memory takes every record");
    }
    let bytes = csv.into_inner().expect("memory takes every record");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn record(cell: &CellSummary) -> Vec<String> {
    let latency = cell.latency_ms;
    let mut record = vec![
        cell.strategy.clone(),
        cell.faults.clone(),
        cell.store.clone(),
        cell.lock.clone().unwrap_or_default(),
        cell.verdict.to_owned(),
        cell.expected.as_ref().map(ToString::to_string).unwrap_or_default(),
        cell.met.to_string(),
        cell.trials.to_string(),
        cell.requests.to_string(),
        cell.acknowledged.to_string(),
    ];
    let figures = [cell.goodput_per_s, latency.p50, latency.p99, latency.p999, latency.max];
    record.extend(figures.map(|figure| figure.to_string()));
    let count = |kind: &str| cell.violations.get(kind).copied().unwrap_or_default().to_string();
    record.extend(Violation::ALL.iter().map(|kind| count(kind.name())));
    let fired = |fault: &FaultKind| cell.fired.get(fault.name()).copied().unwrap_or_default().to_string();
    record.extend(FaultKind::ALL.iter().map(fired));
    record
}
