//! What is said of a trial: its row and its course. A pure function of what was recorded of it.

use super::figures::Figures;
use crate::check::{Case, Evidence, Tally, findings};
use crate::experiment::{Cell, LoadSettings};
use crate::load::TrialRecord;
use crate::results::{Course, Digest, Header, TrialRow};

/// Judges a trial, and sums it up: in a run when it is over, and in `check` from its history.
#[must_use]
pub fn judged(
    header: &Header,
    repeat: u16,
    history_sha256: Digest,
    load: &LoadSettings,
    record: &TrialRecord,
    evidence: Evidence<'_>,
) -> (TrialRow, Course) {
    let case = Case::new(evidence);
    let figures = Figures::of(record, load.warmup, load.timeout());
    let row = TrialRow {
        trial: header.trial.clone(),
        cell: Cell { strategy: header.strategy.clone(), level: header.faults.clone(), point: header.point.clone() },
        repeat,
        seed: header.seed,
        store: header.store.clone(),
        lock: header.lock.clone(),
        tally: Tally::new(&case, &findings(&case)),
        elapsed_s: figures.elapsed_s,
        goodput_per_s: figures.goodput_per_s,
        latency: figures.latency,
        available: figures.available,
        recovery_ms: figures.recovery_ms,
        kept_bytes: record.usage.kept_bytes,
        logged_bytes: record.usage.logged_bytes,
        history_sha256,
    };
    (row, figures.course)
}
