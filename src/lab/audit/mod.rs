//! The audit: the folder of a run, held against itself. Says in which file, trial and column it contradicts itself, what stands
//! there, and what should.

mod course;
mod history;
mod plan;
mod strays;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::whole_of;
use crate::experiment::{TrialPlan, of_shard};
use crate::quote::shell_path;
use crate::results::{FileError, Files, OpenError, RunFolder, SCHEMA};
use crate::strategy::Registry;
use plan::Planned;
pub use values::differences;

/// A place where a folder says two different things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disagreement {
    /// The path of the file in the folder.
    pub file: String,
    pub trial: Option<String>,
    /// The column of a row, or the key of a document.
    pub column: Option<String>,
    /// What is wrong there, with both values.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl std::fmt::Display for Disagreement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Disagreement { file, trial, column, what, remedy } = self;
        write!(f, "{file}: ")?;
        trial.iter().try_for_each(|trial| write!(f, "{trial}: "))?;
        column.iter().try_for_each(|column| write!(f, "{column} "))?;
        f.write_str(what)?;
        if remedy.is_empty() { Ok(()) } else { write!(f, "; {remedy}") }
    }
}

/// What can be done about a disagreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Make the trial anew.
    MakeTrialAgain,
    /// Make a trial that has no row.
    Resume,
    /// Take a line out of `trials.csv`.
    RemoveLine,
    /// Take a column out of `trials.csv`.
    RemoveColumn,
    /// Take a file out of the folder.
    RemoveFile,
    /// Write what follows from the rows anew.
    SaveAgain,
    /// Make the whole run anew.
    MakeRunAgain,
    /// The message says it.
    Said,
}

impl Remedy {
    /// The remedy in words, with the command for this folder.
    #[must_use]
    pub fn text(self, folder: &RunFolder) -> String {
        let dir = shell_path(folder.path());
        if !folder.meta.shards.is_empty()
            && matches!(self, Remedy::MakeTrialAgain | Remedy::Resume | Remedy::RemoveLine)
        {
            return "merge the shards again, with `oncelab merge`".to_owned();
        }
        // A run of an older schema cannot be gone on with.
        let can_resume = folder.meta.schema == SCHEMA;
        match self {
            Remedy::MakeTrialAgain | Remedy::Resume if !can_resume => Remedy::MakeRunAgain.text(folder),
            Remedy::RemoveLine if !can_resume => "remove the line from trials.csv".to_owned(),
            Remedy::MakeTrialAgain => {
                format!("to make the trial again, remove its line from trials.csv and run `oncelab run --resume {dir}`")
            }
            Remedy::Resume => format!("`oncelab run --resume {dir}` makes the trial again"),
            Remedy::RemoveLine => {
                format!(
                    "remove the line from trials.csv; `oncelab run --resume {dir}` then makes the trials that are not there"
                )
            }
            Remedy::RemoveColumn => "remove the column from trials.csv".to_owned(),
            Remedy::RemoveFile => "remove the file".to_owned(),
            Remedy::SaveAgain => format!("`oncelab report {dir} --save` writes the file again"),
            Remedy::MakeRunAgain => format!("`{}` makes the run again", folder.meta.command()),
            Remedy::Said => String::new(),
        }
    }
}

/// What an audit has found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audit {
    /// How many trials the experiment and the run's seed plan.
    pub planned: usize,
    /// The events of the histories that were judged again.
    pub events: u64,
    /// How many histories were judged again.
    pub judged: usize,
    pub disagreements: Vec<Disagreement>,
    /// The planned trials that the run has not come to.
    pub missing: Vec<String>,
    /// The trials that failed, each with the reason.
    pub failed: BTreeMap<String, String>,
    /// What could not be judged, and why.
    pub not_judged: BTreeSet<String>,
}

impl Audit {
    /// Notes a disagreement.
    pub fn add(&mut self, folder: &RunFolder, place: Place<'_>, what: String, remedy: Remedy) {
        let owned = |part: Option<&str>| part.map(str::to_owned);
        self.disagreements.push(Disagreement {
            file: place.file.to_owned(),
            trial: owned(place.trial),
            column: owned(place.column),
            what,
            remedy: remedy.text(folder),
        });
    }

    /// Notes a file that cannot be read.
    fn unreadable(&mut self, folder: &RunFolder, file: &str, trial: &str, error: &FileError) {
        self.add(folder, Place::of(file).trial(trial), error.without_path(), Remedy::Said);
    }

    /// The rows that nothing contradicts.
    #[must_use]
    pub fn agree(&self, folder: &RunFolder) -> usize {
        let names = |trial: &str| self.disagreements.iter().any(|found| found.trial.as_deref() == Some(trial));
        folder.rows().iter().filter(|row| !names(&row.trial)).count()
    }
}

/// Where something is said.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    file: &'a str,
    trial: Option<&'a str>,
    column: Option<&'a str>,
}

impl<'a> Place<'a> {
    /// In this file.
    #[must_use]
    pub fn of(file: &'a str) -> Self {
        Place { file, trial: None, column: None }
    }

    /// About this trial.
    #[must_use]
    pub fn trial(self, trial: &'a str) -> Self {
        Place { trial: Some(trial), ..self }
    }

    /// In this column, or under this key.
    #[must_use]
    pub fn column(self, column: &'a str) -> Self {
        Place { column: Some(column), ..self }
    }
}

/// A column that this version does not know says what nobody reads, and of one that stands twice only one is read.
fn hold_columns(folder: &RunFolder, columns: &[String], audit: &mut Audit) {
    for (n, column) in columns.iter().enumerate() {
        let place = Place::of(Files::TRIALS).column(column);
        if !crate::results::columns().contains(column) {
            audit.add(folder, place, "is not a column that this version knows".to_owned(), Remedy::RemoveColumn);
        }
        if columns[..n].contains(column) {
            audit.add(folder, place, "stands there twice".to_owned(), Remedy::RemoveColumn);
        }
    }
}

/// The experiment is the one that the run was begun with.
fn hold_experiment(folder: &RunFolder, audit: &mut Audit) -> Result<(), FileError> {
    if let Some(begun) = &folder.meta.experiment_sha256
        && *begun != folder.experiment_digest()?
    {
        let what = format!("is not the file that the run was begun with: its digest is not the one in {}", Files::META);
        audit.add(folder, Place::of(Files::EXPERIMENT), what, Remedy::MakeRunAgain);
    }
    Ok(())
}

/// What keeps a run from being gone on with: what its rows contradict, of the experiment, the seed and the plan.
///
/// # Errors
/// [`OpenError`] if the experiment cannot be read, or has no such point.
pub(super) fn hindrances(folder: &RunFolder, registry: &Registry) -> Result<Vec<Disagreement>, OpenError> {
    let mut audit = Audit::default();
    let plan = plan::planned(folder, registry)?;
    plan::hold_all_but_absent(folder, &plan, &mut audit);
    hold_experiment(folder, &mut audit)?;
    Ok(audit.disagreements)
}

/// The trials of a merged run whose shards had left their histories out.
fn without_histories(folder: &RunFolder, registry: &Registry, audit: &mut Audit) -> BTreeSet<String> {
    let RunFolder { meta, experiment, .. } = folder;
    let mut trials = BTreeSet::new();
    for origin in meta.shards.iter().filter(|origin| !origin.histories) {
        let number = origin.shard.number();
        audit
            .not_judged
            .insert(format!("the trials of shard {number}: its histories were left out when the shards were merged"));
        let own = of_shard(whole_of(meta, experiment, registry), origin.shard, experiment.repeats.get());
        trials.extend(own.iter().map(TrialPlan::id));
    }
    trials
}

/// Holds a folder against itself: the rows against the plan, every history against its row, every course against its history.
///
/// # Errors
/// [`OpenError`] if `trials.csv` cannot be read, or if the experiment has no such point.
pub fn audit(folder: &RunFolder, registry: &Registry) -> Result<Audit, OpenError> {
    let mut audit = Audit::default();
    let plan = plan::planned(folder, registry)?;
    plan::hold(folder, &plan, &mut audit);
    hold_experiment(folder, &mut audit)?;
    strays::hold(folder, &plan, &mut audit);
    let columns = folder.columns()?;
    hold_columns(folder, &columns, &mut audit);
    let has_histories = folder.require_histories().is_ok();
    let left_out = if has_histories { without_histories(folder, registry, &mut audit) } else { BTreeSet::new() };
    for (n, row) in folder.rows().iter().enumerate() {
        let is_first = folder.rows()[..n].iter().all(|before| before.trial != row.trial);
        // The name of a trial that was not planned is no name of a file either.
        let Some(planned) = plan.iter().find(|planned| planned.trial == row.trial).filter(|_| is_first) else {
            continue;
        };
        let is_left_out = left_out.contains(row.trial.as_str());
        let timed = has_histories && !is_left_out && history::hold(folder, row, planned, &columns, &mut audit);
        if !timed {
            course::hold(folder, row, &mut audit);
        }
    }
    Ok(audit)
}
