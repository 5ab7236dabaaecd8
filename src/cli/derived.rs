//! What follows from a run's folder and is saved in it: the summary, the schedules, the reports.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::schedules;
use crate::check::Violation;
use crate::explore::{Schedule, tell};
use crate::report::{Facts, Shown, StoryView, document, to_html};
use crate::results::{Breaking, Course, Files, RunFolder, Schedules, Summary};
use crate::strategy::Registry;

/// A run, summed up.
pub(super) struct Derived {
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
        let derived = Self::made(folder, registry)?;
        for (name, text) in derived.files(folder)? {
            folder.write(name, text.as_bytes())?;
        }
        Ok(derived)
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

/// For each violation that a strategy showed and that counts, how to see it: the schedule that its own history led to, or else the
/// shortest that the exploration knows, or else the command that makes the row again.
fn stories(folder: &RunFolder, summary: &Summary, schedules: &Schedules, registry: &Registry) -> Vec<StoryView> {
    let mut stories: Vec<StoryView> = Vec::new();
    for cell in &summary.cells {
        let kinds = Violation::ALL.into_iter().map(Violation::name);
        for kind in kinds.filter(|kind| cell.rates.contains_key(kind) && !cell.tolerated.contains(kind)) {
            if stories.iter().any(|story| story.strategy == cell.strategy && story.violation == kind) {
                continue;
            }
            let lifted = schedules.shortened.iter().find(|one| one.strategy == cell.strategy && one.violation == kind);
            let known = schedules
                .explored(&cell.strategy)
                .and_then(|explored| explored.breaks.iter().find(|b| b.violation == kind));
            let (note, command) = match (lifted, known) {
                (Some(lifted), _) => {
                    ("The shortest schedule that shows what this run recorded.".to_owned(), lifted.command.clone())
                }
                (None, Some(known)) => ("The shortest schedule that shows it.".to_owned(), known.command.clone()),
                (None, None) => (
                    "No schedule within the bound shows it: the trials of the row, made again.".to_owned(),
                    cell.reproduce.clone(),
                ),
            };
            let story = known.and_then(|known| told(folder, &cell.strategy, known, registry));
            stories.push(StoryView::new(&cell.strategy, kind, note, command, story.as_ref()));
        }
    }
    stories
}

/// The story of a schedule, if it can be told.
fn told(folder: &RunFolder, strategy: &str, known: &Breaking, registry: &Registry) -> Option<crate::explore::Story> {
    let strategy = registry.get(strategy).ok()?;
    let schedule: Schedule = known.schedule.parse().ok()?;
    let bound = crate::explore::Bound { requests: known.requests, ..schedules::bound(schedules::profile(folder)?) };
    tell(strategy.as_ref(), bound.for_strategy(strategy.as_ref()), &schedule).ok()
}
