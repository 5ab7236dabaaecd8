//! One trial as a row of `trials.csv`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::files::{FileError, write_atomically};
use crate::check::{Cause, Tally, Violation, Work};
use crate::fault::FaultKind;
use crate::load::Cell;

/// What is kept of a trial besides its history.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialRow {
    /// Unique within the run, and the name of the history's file.
    pub trial: String,
    pub cell: Cell,
    pub repeat: u16,
    pub seed: u64,
    pub store: String,
    pub lock: Option<String>,
    pub tally: Tally,
    /// From the first request after the warm-up to the last answer.
    pub elapsed_s: f64,
    /// Acknowledged requests a second of that time.
    pub goodput_per_s: f64,
    pub latency: LatencyMs,
    /// Of the requests that started while a server was down or cut off, the share acknowledged within one client time-out.
    pub available: Option<f64>,
    /// The median time from the end of a disturbance to the first acknowledgement of a request that started after it.
    pub recovery_ms: Option<f64>,
    /// What the store keeps at the end besides accounts and ledger; none where it cannot tell.
    pub kept_bytes: Option<u64>,
    /// What the store has written to its log; none where it cannot tell.
    pub logged_bytes: Option<u64>,
    /// The SHA-256 of the history's lines.
    pub history_sha256: String,
}

/// How long clients waited for an acknowledged request, retries included, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct LatencyMs {
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

/// The columns before the counts of faults and violations.
const FIRST: [&str; 9] = ["trial", "strategy", "faults", "point", "repeat", "seed", "store", "lock", "requests"];
const COUNTS: [&str; 7] = ["acknowledged", "refused", "undecided", "deliveries", "operations", "effects", "events"];
const LAST: [&str; 12] = [
    "causes",
    "elapsed_s",
    "goodput_per_s",
    "latency_ms_p50",
    "latency_ms_p99",
    "latency_ms_p999",
    "latency_ms_max",
    "available",
    "recovery_ms",
    "kept_bytes",
    "logged_bytes",
    "history_sha256",
];

fn columns() -> Vec<String> {
    let fired = FaultKind::ALL.iter().map(|fault| format!("fired_{fault}"));
    let violations = Violation::ALL.iter().map(|violation| violation.name().to_owned());
    let fixed = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    fixed(&FIRST)
        .into_iter()
        .chain(fixed(&COUNTS))
        .chain(fixed(&Work::NAMES))
        .chain(fired)
        .chain(violations)
        .chain(fixed(&LAST))
        .collect()
}

impl TrialRow {
    fn record(&self) -> Vec<String> {
        let TrialRow { cell, tally, latency, .. } = self;
        let causes = tally.violations.iter().map(|((kind, cause), count)| format!("{kind}: {cause} = {count}"));
        let mut record = vec![
            self.trial.clone(),
            cell.strategy.clone(),
            cell.level.clone(),
            cell.point.to_string(),
            self.repeat.to_string(),
            self.seed.to_string(),
            self.store.clone(),
            self.lock.clone().unwrap_or_default(),
        ];
        let counts = [
            tally.requests,
            tally.acknowledged,
            tally.refused,
            tally.undecided,
            tally.deliveries,
            tally.operations,
            tally.effects,
            tally.events,
        ];
        record.extend(counts.into_iter().chain(tally.work.counts()).map(|count| count.to_string()));
        record.extend(FaultKind::ALL.map(|fault| tally.fired.get(&fault).copied().unwrap_or_default().to_string()));
        record.extend(Violation::ALL.map(|violation| tally.count(violation).to_string()));
        record.push(causes.collect::<Vec<_>>().join("; "));
        let figures = [self.elapsed_s, self.goodput_per_s, latency.p50, latency.p99, latency.p999, latency.max];
        record.extend(figures.map(|figure| figure.to_string()));
        let or_empty = |value: Option<String>| value.unwrap_or_default();
        record.push(or_empty(self.available.map(|share| share.to_string())));
        record.push(or_empty(self.recovery_ms.map(|ms| ms.to_string())));
        record.push(or_empty(self.kept_bytes.map(|bytes| bytes.to_string())));
        record.push(or_empty(self.logged_bytes.map(|bytes| bytes.to_string())));
        record.push(self.history_sha256.clone());
        record
    }

    /// A row from its values by column; none if a value is missing or cannot be what the column holds.
    fn from_values(values: &BTreeMap<&str, &str>) -> Option<Self> {
        let text = |column: &str| values.get(column).map(|value| (*value).to_owned());
        let whole = |column: &str| values.get(column)?.parse::<u64>().ok();
        let figure = |column: &str| values.get(column)?.parse::<f64>().ok().filter(|value| value.is_finite());
        let fired = |fault: FaultKind| Some((fault, whole(&format!("fired_{fault}"))?));
        let fired: Option<BTreeMap<FaultKind, u64>> = FaultKind::ALL.into_iter().map(fired).collect();
        let mut fired = fired?;
        // Empty is a value; there and unreadable is an error.
        let maybe_figure = |column: &str| match *values.get(column)? {
            "" => Some(None),
            _ => figure(column).map(Some),
        };
        let maybe_whole = |column: &str| match *values.get(column)? {
            "" => Some(None),
            _ => whole(column).map(Some),
        };
        let mut work = [0; Work::NAMES.len()];
        for (count, name) in work.iter_mut().zip(Work::NAMES) {
            *count = whole(name)?;
        }
        fired.retain(|_, count| *count > 0);
        let tally = Tally {
            requests: whole("requests")?,
            acknowledged: whole("acknowledged")?,
            refused: whole("refused")?,
            undecided: whole("undecided")?,
            deliveries: whole("deliveries")?,
            operations: whole("operations")?,
            effects: whole("effects")?,
            events: whole("events")?,
            work: Work::from_counts(work),
            fired,
            violations: parse_causes(values.get("causes")?)?,
        };
        // The counts and their causes say the same thing twice; a file in which they do not was edited.
        if Violation::ALL.into_iter().any(|kind| whole(kind.name()) != Some(tally.count(kind))) {
            return None;
        }
        Some(TrialRow {
            trial: text("trial")?,
            cell: Cell {
                strategy: text("strategy")?,
                level: text("faults")?,
                point: values.get("point")?.parse().ok()?,
            },
            repeat: values.get("repeat")?.parse().ok()?,
            seed: whole("seed")?,
            store: text("store")?,
            lock: text("lock").filter(|lock| !lock.is_empty()),
            tally,
            elapsed_s: figure("elapsed_s")?,
            goodput_per_s: figure("goodput_per_s")?,
            latency: LatencyMs {
                p50: figure("latency_ms_p50")?,
                p99: figure("latency_ms_p99")?,
                p999: figure("latency_ms_p999")?,
                max: figure("latency_ms_max")?,
            },
            available: maybe_figure("available")?,
            recovery_ms: maybe_figure("recovery_ms")?,
            kept_bytes: maybe_whole("kept_bytes")?,
            logged_bytes: maybe_whole("logged_bytes")?,
            history_sha256: text("history_sha256")?,
        })
    }
}

fn parse_causes(text: &str) -> Option<BTreeMap<(Violation, Cause), u64>> {
    let parse = |part: &str| {
        let (kind, rest) = part.split_once(": ")?;
        let (cause, count) = rest.split_once(" = ")?;
        Some(((Violation::from_name(kind)?, Cause::from_name(cause)?), count.parse().ok()?))
    };
    text.split("; ").filter(|part| !part.is_empty()).map(parse).collect()
}

/// Writes the rows of a run.
///
/// # Errors
/// [`FileError`] if the file cannot be written; then the old one is still there.
pub(super) fn write_rows(path: &Path, rows: &[TrialRow]) -> Result<(), FileError> {
    write_atomically(path, |file| {
        let mut csv = csv::Writer::from_writer(file);
        csv.write_record(columns())?;
        for row in rows {
            csv.write_record(row.record())?;
        }
        csv.flush()
    })
}

/// Reads the rows of a run.
///
/// # Errors
/// [`FileError`], naming the line, if the file cannot be read or holds what no run holds.
pub(super) fn read_rows(path: &Path) -> Result<Vec<TrialRow>, FileError> {
    let text = std::fs::read(path).map_err(|source| FileError::unreadable(path, source))?;
    let wrong = |line: u64, what: String| FileError::Wrong { path: path.to_owned(), line, what };
    let mut csv = csv::Reader::from_reader(text.as_slice());
    let header = csv.headers().map_err(|error| wrong(1, error.to_string()))?.clone();
    let mut rows = Vec::new();
    for record in csv.records() {
        let record =
            record.map_err(|error| wrong(error.position().map_or(0, csv::Position::line), error.to_string()))?;
        let line = record.position().map_or(0, csv::Position::line);
        let values = header.iter().zip(record.iter()).collect();
        let row = TrialRow::from_values(&values);
        rows.push(row.ok_or_else(|| wrong(line, "not a row as the lab writes it".to_owned()))?);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Point;

    fn row() -> TrialRow {
        let violations = [((Violation::Duplicate, Cause::LateLanding), 3), ((Violation::Lost, Cause::Unexplained), 1)];
        let tally = Tally {
            requests: 10,
            acknowledged: 9,
            work: Work { attempts: 12, raft_writes: 3, ..Work::default() },
            fired: [(FaultKind::Crash, 4)].into(),
            violations: violations.into(),
            ..Tally::default()
        };
        TrialRow {
            trial: "a.b.0".to_owned(),
            cell: Cell {
                strategy: "a".to_owned(),
                level: "b".to_owned(),
                point: Point(vec![("loss".to_owned(), "0.1".to_owned())]),
            },
            repeat: 0,
            seed: u64::MAX,
            store: "sqlite".to_owned(),
            lock: None,
            tally,
            elapsed_s: 0.1 + 0.2,
            goodput_per_s: 1e-9,
            latency: LatencyMs { p50: 1.5, p99: 2.5, p999: 3.5, max: 4.5 },
            available: Some(0.25),
            recovery_ms: None,
            kept_bytes: Some(8_192),
            logged_bytes: None,
            history_sha256: "00ff".to_owned(),
        }
    }

    #[test]
    fn rows_read_back_as_they_were_written() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("trials.csv");
        let rows = vec![row(), TrialRow { lock: Some("embedded".to_owned()), ..row() }];
        write_rows(&path, &rows).expect("written");
        assert_eq!(read_rows(&path).expect("read"), rows);
    }

    #[test]
    fn a_changed_count_is_noticed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("trials.csv");
        write_rows(&path, &[row()]).expect("written");
        let text = std::fs::read_to_string(&path).expect("read");
        std::fs::write(&path, text.replace("late landing = 3", "late landing = 2")).expect("written");
        let error = read_rows(&path).expect_err("the counts disagree");
        assert!(error.to_string().contains("trials.csv:2"), "{error}");
    }
}
