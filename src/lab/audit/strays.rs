//! Files of trials that have no row.

use super::super::Place;
use super::{Audit, Planned, Remedy};
use crate::results::{Files, RunFolder};

/// What follows from the rows: it is written when a run ends, also by an interruption.
const DERIVED: [&str; 4] = [Files::SUMMARY, Files::SCHEDULES, Files::REPORT, Files::PAGE];

/// Looks for histories and courses without a row.
pub(super) fn hold(folder: &RunFolder, plan: &[Planned], audit: &mut Audit) {
    // A run that is killed may have saved the history of its next trial, and not its row. Such a run has not written what follows
    // from the rows either.
    let was_killed = !DERIVED.iter().any(|name| folder.path().join(name).is_file());
    let next = audit.missing.first().cloned().filter(|_| was_killed);
    for (kind, ends) in [(Files::HISTORIES, ".jsonl.zst"), (Files::COURSES, ".json")] {
        for name in names(folder, kind) {
            let Some(trial) = name.strip_suffix(ends).filter(|trial| !trial.starts_with('.')) else { continue };
            if folder.rows().iter().any(|row| row.trial == trial) || next.as_deref() == Some(trial) {
                continue;
            }
            let file = format!("{kind}/{name}");
            let place = Place::of(&file).trial(trial);
            if plan.iter().any(|planned| planned.trial == trial) {
                let what = format!("is there, and {} has no row of the trial", Files::TRIALS);
                audit.add(folder, place, what, Remedy::Resume);
            } else {
                audit.add(folder, place, "belongs to no trial of this run".to_owned(), Remedy::RemoveFile);
            }
        }
    }
}

/// The names of the files in a folder of the run's, sorted.
fn names(folder: &RunFolder, inner: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path().join(inner)).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}
