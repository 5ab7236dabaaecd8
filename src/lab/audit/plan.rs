//! The rows against the plan: the trials that the experiment and the run's seed give, each exactly once.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Place, trials_of};
use super::values::{both, shown};
use super::{Audit, Remedy};
use crate::experiment::{Experiment, ExperimentError, LoadSettings, Point, TrialPlan};
use crate::results::{Files, RunFolder, TrialRow};
use crate::strategy::Registry;
use crate::terms::{Retries, Role, Shape};

/// A trial as it was to be run.
pub(super) struct Planned {
    pub trial: String,
    pub plan: TrialPlan,
    pub load: LoadSettings,
    pub lock: Option<String>,
    pub retries: Retries,
    pub shape: Shape,
    /// The roles of the stores that keep the strategy's effects.
    pub effects: &'static [Role],
    /// The service in each role besides store and lock.
    pub uses: BTreeMap<String, String>,
}

/// The trials of a run in the order in which they run, without those of strategies that were skipped.
pub(super) fn planned(folder: &RunFolder, registry: &Registry) -> Result<Vec<Planned>, ExperimentError> {
    let RunFolder { meta, experiment, .. } = folder;
    let at = |point: Point| Ok((point.clone(), experiment.at(&point, registry)?));
    let points: BTreeMap<Point, Experiment> =
        experiment.points().into_iter().map(at).collect::<Result<_, ExperimentError>>()?;
    let mut planned = Vec::new();
    for plan in trials_of(meta, experiment, registry) {
        // The experiment names no strategy that the registry does not know: it was refused when it was read.
        let Ok(strategy) = registry.get(&plan.cell.strategy) else { continue };
        planned.push(Planned {
            trial: plan.id(),
            load: points[&plan.cell.point].load.clone(),
            lock: strategy.needs_lock_service().then(|| meta.lock.clone()),
            retries: strategy.claim(meta.store_kind()).retries,
            shape: strategy.shape(),
            effects: strategy.effects_in(),
            uses: meta.uses_of(strategy.as_ref()),
            plan,
        });
    }
    Ok(planned)
}

const BY: &str = "the experiment and the run's seed give";

/// Holds the rows against the plan, and the plan against the rows.
pub(super) fn hold(folder: &RunFolder, plan: &[Planned], audit: &mut Audit) {
    hold_all_but_absent(folder, plan, audit);
    let rows: BTreeSet<&str> = folder.rows().iter().map(|row| row.trial.as_str()).collect();
    let is_there = |planned: &&Planned| rows.contains(planned.trial.as_str());
    let last = plan.iter().rposition(|planned| is_there(&planned));
    for trial in folder.meta.failed.keys() {
        let place = || Place::of(Files::META).trial(trial).column("failed");
        if rows.contains(trial.as_str()) {
            audit.add(folder, place(), "is said to have failed, and has a row".to_owned(), Remedy::MakeRunAgain);
        } else if !plan.iter().any(|planned| planned.trial == *trial) {
            let what = "is not a trial of this run: the experiment and the run's seed plan no such trial".to_owned();
            audit.add(folder, place(), what, Remedy::MakeRunAgain);
        }
    }
    let failed = |planned: &Planned| folder.meta.failed.get(&planned.trial);
    for (n, planned) in plan.iter().enumerate().filter(|(_, planned)| !is_there(planned)) {
        if let Some(why) = failed(planned) {
            audit.failed.insert(planned.trial.clone(), why.clone());
        } else if !folder.meta.shards.is_empty() {
            let what = "is not there, and a merged run has all trials of its shards".to_owned();
            audit.add(folder, Place::of(Files::TRIALS).trial(&planned.trial), what, Remedy::Resume);
        } else if last.is_some_and(|last| n < last) {
            let what = "is not there, though trials that run after it are".to_owned();
            audit.add(folder, Place::of(Files::TRIALS).trial(&planned.trial), what, Remedy::Resume);
        } else {
            audit.missing.push(planned.trial.clone());
        }
    }
}

/// Holds the rows against the plan. Nothing is said of trials that have no row.
pub(super) fn hold_all_but_absent(folder: &RunFolder, plan: &[Planned], audit: &mut Audit) {
    audit.planned = plan.len();
    if folder.meta.trials_planned != plan.len() {
        let what = both(&folder.meta.trials_planned.to_string(), &plan.len().to_string(), "the experiment gives");
        audit.add(folder, Place::of(Files::META).column("trials_planned"), what, Remedy::MakeRunAgain);
    }
    if folder.meta.experiment != folder.experiment.name {
        let what = both(&shown(&folder.meta.experiment), &shown(&folder.experiment.name), "the experiment's name is");
        audit.add(folder, Place::of(Files::META).column("experiment"), what, Remedy::MakeRunAgain);
    }
    let mut rows: BTreeMap<&str, Vec<&TrialRow>> = BTreeMap::new();
    for row in folder.rows() {
        rows.entry(&row.trial).or_default().push(row);
    }
    for (trial, rows) in &rows {
        let place = Place::of(Files::TRIALS).trial(trial);
        match plan.iter().find(|planned| planned.trial == *trial) {
            None => {
                let what =
                    "is not a trial of this run: the experiment and the run's seed plan no such trial".to_owned();
                audit.add(folder, place, what, Remedy::RemoveLine);
            }
            Some(planned) => rows.iter().for_each(|row| hold_row(folder, row, planned, audit)),
        }
        if rows.len() > 1 {
            let what = format!("is there {} times, and each trial runs once", rows.len());
            audit.add(folder, place, what, Remedy::RemoveLine);
        }
    }
}

/// Holds a row against its plan.
fn hold_row(folder: &RunFolder, row: &TrialRow, planned: &Planned, audit: &mut Audit) {
    let Planned { plan, load, lock, .. } = planned;
    let pairs = [
        ("strategy", row.cell.strategy.clone(), plan.cell.strategy.clone()),
        ("faults", row.cell.level.clone(), plan.cell.level.clone()),
        ("point", row.cell.point.to_string(), plan.cell.point.to_string()),
        ("repeat", row.repeat.to_string(), plan.repeat.to_string()),
        ("seed", row.seed.to_string(), plan.seed.to_string()),
        ("store", row.store.clone(), folder.meta.store.clone()),
        ("lock", row.lock.clone().unwrap_or_default(), lock.clone().unwrap_or_default()),
        ("requests", row.tally.requests.to_string(), load.requests.to_string()),
    ];
    for (column, found, right) in pairs.into_iter().filter(|(_, found, right)| found != right) {
        let place = Place::of(Files::TRIALS).trial(&row.trial).column(column);
        audit.add(folder, place, both(&shown(&found), &shown(&right), BY), Remedy::MakeTrialAgain);
    }
    let (operations, work) = (row.tally.operations, row.tally.work);
    let sum = work.store_operations + work.lock_operations;
    if operations != sum {
        let place = Place::of(Files::TRIALS).trial(&row.trial).column("operations");
        let what = both(&operations.to_string(), &sum.to_string(), "store_operations and lock_operations add up to");
        audit.add(folder, place, what, Remedy::MakeTrialAgain);
    }
}
