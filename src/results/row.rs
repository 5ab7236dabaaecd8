//! One trial as a row of `trials.csv`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::files::{FileError, read, write_atomically};
use super::row_fault::fault;
use crate::check::{Fired, Made, Tally, Work};
use crate::experiment::Cell;
use crate::strategy::name_fault;
use crate::terms::{Cause, FaultKind, Leg, Role, Violation};
use crate::world::OpKind;

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

/// No count of a trial is higher: so many add up without an overflow.
pub(super) const MOST: u64 = 1 << 53;

/// The most letters of a trial's name: with what comes after it, it is the name of a file.
const LONGEST_TRIAL: usize = 240;

/// The columns before the counts of faults and violations.
const FIRST: [&str; 9] = ["trial", "strategy", "faults", "point", "repeat", "seed", "store", "lock", "requests"];
/// `refusals` was `refused` before that was the name of a violation.
const COUNTS: [&str; 7] = ["acknowledged", "refusals", "undecided", "deliveries", "operations", "effects", "events"];
const LAST: [&str; 14] = [
    "causes",
    "fired",
    "made",
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

/// Whether a file that was written before there was such a column is none the worse for it.
pub(super) fn may_be_absent(column: &str) -> bool {
    column.starts_with("fired") || column == "made" || Violation::from_name(column).is_some()
}

pub(crate) fn columns() -> Vec<String> {
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
    /// Its values, in the order of the columns.
    pub(crate) fn record(&self) -> Vec<String> {
        let TrialRow { cell, tally, latency, .. } = self;
        let causes = tally.violations.iter().map(|((kind, cause), count)| format!("{kind}: {cause} = {count}"));
        let at_stores = tally.at_stores.iter().map(|((role, kind, cause), count)| {
            let role = role.name();
            format!("{kind} at {role}: {cause} = {count}")
        });
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
        record.extend(FaultKind::ALL.map(|fault| tally.fired.of(fault).to_string()));
        record.extend(Violation::ALL.map(|violation| tally.count(violation).to_string()));
        record.push(causes.chain(at_stores).collect::<Vec<_>>().join("; "));
        record.push(show_fired(&tally.fired));
        record.push(show_made(&tally.made));
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
        let whole = |column: &str| values.get(column)?.parse::<u64>().ok().filter(|n| *n <= MOST || column == "seed");
        let figure = |column: &str| values.get(column)?.parse::<f64>().ok().filter(|value| value.is_finite());
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
        // A file that lacks a column was written before it was judged.
        let column = |kind: &Violation| if *kind == Violation::Refused { "refusals" } else { kind.name() };
        let is_judged = |kind: &Violation| values.contains_key(column(kind));
        let not_judged: BTreeSet<Violation> = Violation::ALL.into_iter().filter(|kind| !is_judged(kind)).collect();
        let Causes { violations, at_stores } = parse_causes(values.get("causes")?)?;
        let tally = Tally {
            requests: whole("requests")?,
            acknowledged: whole("acknowledged")?,
            refused: whole("refusals").or_else(|| whole("refused"))?,
            undecided: whole("undecided")?,
            deliveries: whole("deliveries")?,
            operations: whole("operations")?,
            effects: whole("effects")?,
            events: whole("events")?,
            work: Work::from_counts(work),
            fired: fired(values)?,
            made: values.get("made").map_or(Some(Made::default()), |text| parse_made(text))?,
            violations,
            at_stores,
            not_judged,
        };
        // The counts and their causes say the same thing twice; a file in which they do not was edited.
        let judged = Violation::ALL.into_iter().filter(|kind| !tally.not_judged.contains(kind));
        if judged.into_iter().any(|kind| whole(kind.name()) != Some(tally.count(kind))) {
            return None;
        }
        let name = |column: &str| text(column).filter(|name| name_fault(name).is_none());
        Some(TrialRow {
            trial: text("trial").filter(|trial| names_a_file(trial))?,
            cell: Cell {
                strategy: name("strategy")?,
                level: name("faults")?,
                point: values.get("point")?.parse().ok()?,
            },
            repeat: values.get("repeat")?.parse().ok()?,
            seed: whole("seed")?,
            store: name("store")?,
            lock: match *values.get("lock")? {
                "" => None,
                _ => Some(name("lock")?),
            },
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
            history_sha256: text("history_sha256").filter(|digest| digest.bytes().all(|c| c.is_ascii_hexdigit()))?,
        })
    }
}

/// Whether the name of a trial is one that a file in the run's folder can have: never the way to another folder.
pub(super) fn names_a_file(trial: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.=".contains(&byte);
    trial.len() <= LONGEST_TRIAL && trial.bytes().all(fits) && trial.starts_with(|c: char| c.is_ascii_alphanumeric())
}

fn parse_count(text: &str) -> Option<u64> {
    text.parse().ok().filter(|count| *count <= MOST)
}

/// The causes of violations, with their counts: of all, and of those that are at a store.
#[derive(Default)]
pub(super) struct Causes {
    pub violations: BTreeMap<(Violation, Cause), u64>,
    at_stores: BTreeMap<(Role, Violation, Cause), u64>,
}

/// Reads `duplicate: redelivery = 3; duplicate at second: redelivery = 2`. Whatever is at a store is among all.
pub(super) fn parse_causes(text: &str) -> Option<Causes> {
    let mut causes = Causes::default();
    for part in text.split("; ").filter(|part| !part.is_empty()) {
        let (kind, rest) = part.split_once(": ")?;
        let (cause, count) = rest.split_once(" = ")?;
        let (cause, count) = (Cause::from_name(cause)?, parse_count(count)?);
        match kind.split_once(" at ") {
            None => causes.violations.insert((Violation::from_name(kind)?, cause), count),
            Some((kind, role)) => {
                causes.at_stores.insert((Role::from_name(role)?, Violation::from_name(kind)?, cause), count)
            }
        };
    }
    let at_stores = |why: &(Violation, Cause)| {
        causes.at_stores.iter().filter(|((_, kind, cause), _)| (*kind, *cause) == *why).map(|(_, count)| count).sum()
    };
    let is_among_all = |why: (Violation, Cause)| {
        let there: u64 = at_stores(&why);
        causes.violations.get(&why).is_some_and(|all| there <= *all)
    };
    causes.at_stores.keys().all(|(_, kind, cause)| is_among_all((*kind, *cause))).then_some(causes)
}

/// Prints `request_lost on store = 3; crash = 4`.
fn show_fired(fired: &Fired) -> String {
    let one = |(fault, leg, count): (FaultKind, Option<Leg>, u64)| match leg {
        Some(leg) => format!("{fault} on {} = {count}", leg.name()),
        None => format!("{fault} = {count}"),
    };
    fired.iter().map(one).collect::<Vec<_>>().join("; ")
}

pub(super) fn parse_fired(text: &str) -> Option<Fired> {
    let mut fired = Fired::default();
    for part in text.split("; ").filter(|part| !part.is_empty()) {
        let (what, count) = part.split_once(" = ")?;
        let (fault, leg) = match what.split_once(" on ") {
            Some((fault, leg)) => (fault, Some(Leg::from_name(leg)?)),
            None => (what, None),
        };
        fired.add(FaultKind::from_name(fault)?, leg, parse_count(count)?);
    }
    Some(fired)
}

/// The faults of a row. A file that does not say where they fired says at least how often; a fault that it does not know never did.
fn fired(values: &BTreeMap<&str, &str>) -> Option<Fired> {
    let count =
        |fault: FaultKind| values.get(format!("fired_{fault}").as_str()).map_or(Some(0), |text| parse_count(text));
    let fired = match values.get("fired") {
        Some(text) => parse_fired(text)?,
        None => {
            let mut fired = Fired::default();
            for fault in FaultKind::ALL {
                fired.add(fault, None, count(fault)?);
            }
            fired
        }
    };
    FaultKind::ALL.into_iter().all(|fault| count(fault) == Some(fired.of(fault))).then_some(fired)
}

/// Prints `begin = 12; apply = 3, 2 alone`: how often, and how often outside a transaction.
fn show_made(made: &Made) -> String {
    let one = |(kind, times, alone): (OpKind, u64, u64)| format!("{} = {times}, {alone} alone", kind.name());
    made.iter().map(one).collect::<Vec<_>>().join("; ")
}

pub(super) fn parse_made(text: &str) -> Option<Made> {
    let mut made = Made::default();
    for part in text.split("; ").filter(|part| !part.is_empty()) {
        let (kind, counts) = part.split_once(" = ")?;
        let (times, alone) = counts.strip_suffix(" alone")?.split_once(", ")?;
        made.add(OpKind::from_name(kind)?, parse_count(times)?, parse_count(alone)?);
    }
    Some(made)
}

/// The most bytes of the rows of a run: more than the longest experiment's have.
const LARGEST_ROWS: u64 = 128 << 20;

/// The columns that the rows of a run have.
pub(super) fn columns_of(path: &Path) -> Result<Vec<String>, FileError> {
    let text = read(path, LARGEST_ROWS)?;
    let wrong = |error: csv::Error| FileError::Wrong { path: path.to_owned(), line: 1, what: error.to_string() };
    let mut csv = csv::Reader::from_reader(text.as_slice());
    Ok(csv.headers().map_err(wrong)?.iter().map(str::to_owned).collect())
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
    let text = read(path, LARGEST_ROWS)?;
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
        rows.push(row.ok_or_else(|| wrong(line, fault(&values)))?);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Point;

    fn row() -> TrialRow {
        let violations = [((Violation::Duplicate, Cause::LateLanding), 3), ((Violation::Lost, Cause::Unexplained), 1)];
        let mut tally = Tally {
            requests: 10,
            acknowledged: 9,
            refused: 1,
            work: Work { attempts: 12, raft_writes: 3, ..Work::default() },
            violations: violations.into(),
            at_stores: [((Role::SECOND, Violation::Duplicate, Cause::LateLanding), 2)].into(),
            ..Tally::default()
        };
        tally.fired.add(FaultKind::Crash, None, 4);
        tally.fired.add(FaultKind::ReplyLost, Some(Leg::LOCK), 2);
        tally.made.add(OpKind::named("apply"), 9, 3);
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
    fn what_is_at_a_store_is_among_all() {
        let all = "duplicate: redelivery = 3";
        let read = |text: &str| parse_causes(&format!("{all}; {text}")).map(|causes| causes.at_stores.len());
        assert_eq!(read("duplicate at second: redelivery = 3"), Some(1));
        for not_among in [
            "duplicate at second: redelivery = 4",
            "lost at second: redelivery = 1",
            "duplicate at third: redelivery = 1",
        ] {
            assert_eq!(read(not_among), None, "{not_among}");
        }
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

    #[test]
    fn what_an_older_file_lacks_is_not_judged() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("trials.csv");
        write_rows(&path, &[row()]).expect("written");
        let text = std::fs::read_to_string(&path).expect("read");
        let mut csv = csv::Reader::from_reader(text.as_bytes());
        let header = csv.headers().expect("a header").clone();
        let record = csv.records().next().expect("a row").expect("well formed");
        let new = ["wrong", "denied", "refused", "fired_partition", "fired", "made"];
        let mut older = csv::Writer::from_path(&path).expect("a file");
        let kept = |column: &&str| !new.contains(column);
        let name = |column| if column == "refusals" { "refused" } else { column };
        older.write_record(header.iter().filter(kept).map(name)).expect("written");
        let values = header.iter().zip(record.iter()).filter(|(column, _)| kept(column));
        older.write_record(values.map(|(_, value)| value)).expect("written");
        older.flush().expect("written");
        let tally = read_rows(&path).expect("read").remove(0).tally;
        let not_judged = [Violation::Wrong, Violation::Denied, Violation::Refused];
        assert_eq!(tally.not_judged, not_judged.into());
        assert_eq!((tally.refused, tally.fired.total()), (1, 6));
        assert_eq!(tally.made, Made::default());
        assert_eq!(tally.count(Violation::Duplicate), 3);
    }
}
