//! What follows from a run's folder and is saved in it: the summary, the schedules, the reports.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::schedules;
use crate::explore::{Schedule, tell};
use crate::report::{Facts, Shown, StoryView, document, to_html};
use crate::results::{Course, Files, RunFolder, Schedules, Shortened, Summary};
use crate::strategy::Registry;
use crate::terms::Violation;

/// A run, summed up.
pub struct Derived {
    pub summary: Summary,
    facts: Arc<Facts>,
    schedules: Schedules,
    courses: BTreeMap<String, Course>,
    stories: Vec<StoryView>,
}

impl Derived {
    /// Sums up a run from its folder; schedules that it has saved are taken as they are.
    ///
    /// # Errors
    /// An unknown strategy in a row.
    pub fn open(folder: &RunFolder, registry: &Registry) -> anyhow::Result<Self> {
        Self::new(folder, registry, schedules::of)
    }

    /// Sums up a run and saves all that follows from it: also after an interruption, and after an error.
    ///
    /// # Errors
    /// An unknown strategy in a row, or files that cannot be written.
    pub fn save(folder: &RunFolder, registry: &Registry) -> anyhow::Result<Self> {
        Self::made(folder, registry)?.saved(folder)
    }

    /// The same of a merged run. Its schedules follow from the rows also where the shards have left their histories out.
    ///
    /// # Errors
    /// As [`save`](Derived::save).
    pub fn save_merged(folder: &RunFolder, registry: &Registry) -> anyhow::Result<Self> {
        Self::new(folder, registry, schedules::anew)?.saved(folder)
    }

    /// The same, with its files written.
    fn saved(self, folder: &RunFolder) -> anyhow::Result<Self> {
        for (name, text) in self.files(folder)? {
            folder.write(name, text.as_bytes())?;
        }
        Ok(self)
    }

    /// Sums up a run from its rows and histories alone.
    ///
    /// # Errors
    /// An unknown strategy in a row.
    pub fn made(folder: &RunFolder, registry: &Registry) -> anyhow::Result<Self> {
        Self::new(folder, registry, schedules::made)
    }

    /// The files that are saved of it, each with its text.
    ///
    /// # Errors
    /// None that is known: documents that cannot be written as JSON.
    pub fn files(&self, folder: &RunFolder) -> anyhow::Result<[(&'static str, String); 4]> {
        let shown = self.shown(folder);
        Ok([
            (Files::SCHEDULES, serde_json::to_string_pretty(&self.schedules)? + "\n"),
            (Files::SUMMARY, serde_json::to_string_pretty(&self.summary)? + "\n"),
            (Files::REPORT, document(&shown)),
            (Files::PAGE, to_html(&shown)),
        ])
    }

    fn new(
        folder: &RunFolder,
        registry: &Registry,
        schedules: fn(&RunFolder, &Summary, &Registry) -> Schedules,
    ) -> anyhow::Result<Self> {
        let dir = folder.path().display().to_string();
        let summary = Summary::new(dir, &folder.meta, &folder.experiment, folder.rows(), registry)?;
        let schedules = schedules(folder, &summary, registry);
        let summary = summary.with_schedules(&schedules);
        // A course that is missing is a picture less, no error.
        let course = |trial: &String| Some((trial.clone(), folder.course(trial).ok()?));
        let courses = folder.rows().iter().filter_map(|row| course(&row.trial)).collect();
        let stories = stories(folder, &summary, &schedules, registry);
        let facts = Facts::new(&summary, &folder.experiment, folder.rows(), registry);
        Ok(Derived { summary, facts, schedules, courses, stories })
    }

    /// What reports are made of.
    pub fn shown<'r>(&'r self, folder: &'r RunFolder) -> Shown<'r> {
        Shown {
            summary: &self.summary,
            facts: &self.facts,
            experiment: &folder.experiment,
            meta: &folder.meta,
            schedules: &self.schedules,
            rows: folder.rows(),
            courses: self.courses.clone(),
            stories: self.stories.clone(),
        }
    }
}

/// For each violation that a strategy showed and that counts, with each of its causes, how to see it: the shortest schedule that shows
/// it because of the same, or else the command that makes the row again.
fn stories(folder: &RunFolder, summary: &Summary, schedules: &Schedules, registry: &Registry) -> Vec<StoryView> {
    let view = |(violations, one): (Vec<&str>, &Shortened)| {
        let names = violations.join(" and ");
        let note = format!("The shortest schedule that shows it because of the same: {}.", one.cause);
        let story = told(folder, one, registry);
        StoryView::new((&one.strategy, &names, &one.cause), note, one.command.clone(), story.as_ref())
    };
    let mut stories: Vec<StoryView> = schedules.stories().into_iter().map(view).collect();
    for cell in &summary.cells {
        let counts = |kind: &&Violation| cell.rates.contains_key(kind.name()) && !cell.tolerated.contains(&kind.name());
        for kind in Violation::ALL.iter().filter(counts) {
            for cause in cell.causes.get(kind.name()).into_iter().flat_map(|causes| causes.keys()) {
                let is_it = |one: &Shortened| {
                    (one.strategy.as_str(), one.violation.as_str(), one.cause.as_str())
                        == (cell.strategy.as_str(), kind.name(), *cause)
                };
                let is_told = |story: &StoryView| {
                    (story.strategy.as_str(), story.violation.as_str(), story.cause.as_str())
                        == (cell.strategy.as_str(), kind.name(), *cause)
                };
                if schedules.shortened.iter().any(is_it) || stories.iter().any(is_told) {
                    continue;
                }
                let note = format!(
                    "No schedule within the bound shows it because of the same ({cause}): the trials of the row, made again."
                );
                let of = (cell.strategy.as_str(), kind.name(), *cause);
                stories.push(StoryView::new(of, note, cell.reproduce.clone(), None));
            }
        }
    }
    stories
}

/// The story of a schedule, if it can be told.
fn told(folder: &RunFolder, known: &Shortened, registry: &Registry) -> Option<crate::explore::Story> {
    let strategy = registry.get(&known.strategy).ok()?;
    let schedule: Schedule = known.schedule.parse().ok()?;
    let bound = schedules::bound(schedules::profile(folder)?);
    let bound = crate::explore::Bound { requests: known.requests, ..bound }.with_other_body(known.other_body);
    let lanes = u8::try_from(schedule.lanes()).unwrap_or(1).max(bound.requests);
    let bound = crate::explore::Bound { lanes, ..bound };
    tell(strategy.as_ref(), bound, &schedule).ok()
}
