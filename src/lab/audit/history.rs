//! A history against its row: the header, the requests, every statistic, the course.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::judged;
use super::values::{both, differences, shown};
use super::{Audit, Place, Planned, Remedy};
use crate::check::Evidence;
use crate::load::{TrialRecord, requests};
use crate::results::{Files, Header, RunFolder, SCHEMA, SavedTrial, TrialRow, columns};
use crate::terms::{Request, Role, Violation};

/// The columns that follow from when requests started and ended.
const TIMED: [&str; 8] = [
    "elapsed_s",
    "goodput_per_s",
    "latency_ms_p50",
    "latency_ms_p99",
    "latency_ms_p999",
    "latency_ms_max",
    "available",
    "recovery_ms",
];
/// The columns that follow from what the store said of its work.
const USED: [&str; 2] = ["kept_bytes", "logged_bytes"];
const DIGEST: &str = "history_sha256";
const CAUSES: &str = "causes";

/// Holds a history against its row. Whether the times of the trial were judged too: an older history does not have them.
pub(super) fn hold(
    folder: &RunFolder,
    row: &TrialRow,
    planned: &Planned,
    columns: &[String],
    audit: &mut Audit,
) -> bool {
    let file = format!("{}/{}.jsonl.zst", Files::HISTORIES, row.trial);
    let before = audit.disagreements.len();
    let saved = match folder.history(&row.trial) {
        Ok(saved) => saved,
        Err(error) => {
            audit.unreadable(folder, &file, &row.trial, &error);
            return false;
        }
    };
    hold_header(folder, &file, &saved.header, planned, audit);
    if audit.disagreements.len() > before {
        // It is the history of something else: what it says of this trial says nothing.
        return false;
    }
    hold_requests(folder, &file, &saved.requests, planned, audit);
    let SavedTrial { header, requests, disturbed, events, finished, ledger, balances, usage, digest } = saved;
    let (has_times, has_usage, schema) = (finished.is_some(), usage.is_some(), header.schema);
    let (finished, usage) = (finished.unwrap_or_default(), usage.unwrap_or_default());
    let has_balances = balances.is_some();
    let balances = balances.unwrap_or_default();
    let record = TrialRecord { requests, events, ledger, balances, disturbed, finished, usage, hop: None };
    let evidence = Evidence {
        requests: &record.requests,
        events: &record.events,
        ledger: &record.ledger,
        balances: has_balances.then_some(&record.balances),
        effects: planned.effects,
        disturbed: &record.disturbed,
        retries: planned.retries,
        shape: planned.shape,
        lease: Duration::from_micros(header.lease_us),
    };
    let (right, course) = judged(&header, planned.plan.repeat, digest, &planned.load, &record, evidence);
    audit.events += right.tally.events;
    audit.judged += 1;
    if !has_balances {
        audit
            .not_judged
            .insert(format!("the last balances of accounts: histories of schema {schema} do not have them"));
    }
    if !has_times || !has_usage {
        let what = format!(
            "the speeds, waits and bytes of histories of schema {schema}, which did not keep what they follow from"
        );
        audit.not_judged.insert(what);
    }
    let is_judged = |column: &str| {
        columns.iter().any(|known| known == column)
            && (has_times || !TIMED.contains(&column))
            && (has_usage || !USED.contains(&column))
            && column != DIGEST
    };
    hold_columns(folder, row, &right, &is_judged, schema, audit);
    if has_times {
        hold_course(folder, &row.trial, &course, audit);
    }
    if audit.disagreements.len() == before && right.history_sha256 != row.history_sha256 {
        let what = format!(
            "was changed since the run, but nothing that is counted was changed: its digest is {}, and its row has {}",
            shown(&right.history_sha256),
            shown(&row.history_sha256)
        );
        audit.add(folder, Place::of(&file).trial(&row.trial), what, Remedy::MakeTrialAgain);
    }
    has_times
}

fn hold_header(folder: &RunFolder, file: &str, header: &Header, planned: &Planned, audit: &mut Audit) {
    let cell = &planned.plan.cell;
    let mut pairs = vec![
        ("trial", header.trial.clone(), planned.trial.clone()),
        ("strategy", header.strategy.clone(), cell.strategy.clone()),
        ("faults", header.faults.clone(), cell.level.clone()),
        ("point", header.point.to_string(), cell.point.to_string()),
        ("store", header.store.clone(), folder.meta.store.clone()),
        ("lock", header.lock.clone().unwrap_or_default(), planned.lock.clone().unwrap_or_default()),
        ("uses", in_words(&header.uses), in_words(&planned.uses)),
        ("seed", header.seed.to_string(), planned.plan.seed.to_string()),
        ("requests", header.requests.to_string(), planned.load.requests.to_string()),
        ("schema", header.schema.to_string(), folder.meta.schema.to_string()),
    ];
    // A run that was made before keys of Redis had a life of their own has that of a lease for them.
    let leases = [key_us(folder, planned), lease_us(folder)];
    if !leases.contains(&Some(header.lease_us)) {
        let right = leases.into_iter().flatten().next();
        pairs.extend(right.map(|right| ("lease_us", header.lease_us.to_string(), right.to_string())));
    }
    for (key, found, right) in pairs.into_iter().filter(|(_, found, right)| found != right) {
        let place = Place::of(file).trial(&planned.trial).column(key);
        let what = both(&shown(&found), &shown(&right), "the trial's plan has");
        audit.add(folder, place, format!("in its header {what}"), Remedy::MakeTrialAgain);
    }
}

/// The services in roles, as a line.
fn in_words(uses: &BTreeMap<String, String>) -> String {
    uses.iter().map(|(role, service)| format!("{role}={service}")).collect::<Vec<_>>().join(" ")
}

/// How long keys of Redis lived, of a strategy that holds those for a time and no leases.
fn key_us(folder: &RunFolder, planned: &Planned) -> Option<u64> {
    let player = planned.uses.get(Role::CACHE.name()).filter(|_| planned.lock.is_none())?;
    let settings = &folder.experiment.backend;
    let life = Duration::from_secs(settings.lease_ttl_s.get().into());
    // A server of its own has the time of everybody.
    let life = if player == "embedded" { life.div_f64(settings.embedded_clock_speed.get()) } else { life };
    u64::try_from(life.as_micros()).ok()
}

/// How long leases lived: what etcd granted, or what the embedded server was told.
fn lease_us(folder: &RunFolder) -> Option<u64> {
    if let Some(granted_s) = folder.meta.backends.get("lock_lease_ttl_granted_s") {
        return granted_s.parse::<u64>().ok()?.checked_mul(1_000_000);
    }
    let settings = &folder.experiment.backend;
    u64::try_from(settings.lease(settings.embedded_clock_speed.get()).as_micros()).ok()
}

/// The requests follow from the seed.
fn hold_requests(folder: &RunFolder, file: &str, found: &[Request], planned: &Planned, audit: &mut Audit) {
    let right = requests(planned.plan.seed, &planned.load);
    let Some((one, other)) = found.iter().zip(&right).find(|(one, other)| one != other) else { return };
    let text = |request: &Request| {
        let Request { client, sequence, effect, .. } = request;
        format!("client {}, its request {sequence}: {:+} to {}", client.0, effect.amount, effect.account.0)
    };
    let column = format!("request {}", one.id.0);
    let place = Place::of(file).trial(&planned.trial).column(&column);
    audit.add(folder, place, both(&text(one), &text(other), "the trial's seed gives"), Remedy::MakeTrialAgain);
}

fn hold_columns(
    folder: &RunFolder,
    row: &TrialRow,
    right: &TrialRow,
    is_judged: &dyn Fn(&str) -> bool,
    schema: u32,
    audit: &mut Audit,
) {
    let is_of_violations = |column: &str| column == CAUSES || Violation::from_name(column).is_some();
    let columns = columns();
    let values = columns.iter().zip(row.record().into_iter().zip(right.record()));
    let differing = values.filter(|(column, (found, right))| found != right && is_judged(column));
    let differing: Vec<_> = differing.collect();
    let counts_differ = differing.iter().any(|(column, _)| is_of_violations(column) && *column != CAUSES);
    for (column, (found, right)) in differing {
        if schema < SCHEMA && is_of_violations(column) {
            let what = format!(
                "violations of {}: schema {schema} counted them by older definitions, and today's definitions give other counts",
                row.trial
            );
            audit.not_judged.insert(what);
            continue;
        }
        // The causes of a violation change with its count, which has been told.
        if column == CAUSES && counts_differ {
            continue;
        }
        // What the row has of the trial itself has been held against the plan.
        let place = Place::of(Files::TRIALS).trial(&row.trial).column(column);
        let was_told = audit.disagreements.iter().any(|told| {
            told.file == Files::TRIALS
                && told.trial.as_deref() == Some(&row.trial)
                && told.column.as_deref() == Some(column)
        });
        if !was_told {
            audit.add(folder, place, both(&shown(&found), &shown(&right), "its history gives"), Remedy::MakeTrialAgain);
        }
    }
}

fn hold_course(folder: &RunFolder, trial: &str, right: &crate::results::Course, audit: &mut Audit) {
    let file = format!("{}/{trial}.json", Files::COURSES);
    let found = match folder.course(trial) {
        Ok(found) => found,
        Err(error) => return audit.unreadable(folder, &file, trial, &error),
    };
    let value = |course| serde_json::to_value(course).unwrap_or_default();
    for difference in differences(&value(&found), &value(right)).into_iter().take(1) {
        let place = Place::of(&file).trial(trial).column(&difference.path);
        audit.add(folder, place, difference.what("its history gives"), Remedy::MakeTrialAgain);
    }
}
