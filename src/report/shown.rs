//! Everything that a report is made of.

use std::collections::BTreeMap;

use super::Facts;
use super::diagram::to_inline_svg;
use super::facts::LEAST_REPEATS;
use super::judged::unjudged;
use crate::experiment::Experiment;
use crate::explore::Story;
use crate::results::{Course, Meta, Schedules, Summary, TrialRow};
use std::sync::Arc;

/// What a run's folder holds, as far as reports show it.
pub struct Shown<'r> {
    pub summary: &'r Summary,
    /// The same for sentences.
    pub facts: &'r Arc<Facts>,
    pub experiment: &'r Experiment,
    pub meta: &'r Meta,
    pub schedules: &'r Schedules,
    pub rows: &'r [TrialRow],
    /// The courses of trials, by trial; of an older or incomplete folder some are missing.
    pub courses: BTreeMap<String, Course>,
    /// How to see each violation that counts, with each of its causes.
    pub stories: Vec<StoryView>,
}

/// How to see a violation, step by step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoryView {
    pub strategy: String,
    /// One, or several that the same schedule shows.
    pub violation: String,
    pub cause: String,
    /// Where the schedule is from.
    pub note: String,
    pub command: String,
    /// Its space-time diagram; empty if it cannot be drawn.
    pub svg: String,
}

/// What leads to a story on the page of its run.
#[must_use]
pub fn story_id(strategy: &str, violation: &str, cause: &str) -> String {
    format!("story-{strategy}-{violation}-{cause}").replace(|c: char| !c.is_ascii_alphanumeric(), "-")
}

impl StoryView {
    /// The story of a strategy's violation with its cause, drawn for a page.
    #[must_use]
    pub fn new(
        (strategy, violation, cause): (&str, &str, &str),
        note: String,
        command: String,
        story: Option<&Story>,
    ) -> Self {
        let svg = story.map(|story| to_inline_svg(story, &story_id(strategy, violation, cause)));
        let (strategy, violation, cause) = (strategy.to_owned(), violation.to_owned(), cause.to_owned());
        StoryView { strategy, violation, cause, note, command, svg: svg.unwrap_or_default() }
    }
}

impl Shown<'_> {
    /// What a reader must know before any figure.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let Shown { summary, meta, .. } = self;
        let mut warnings = unjudged(self.facts);
        if summary.cells.iter().any(|cell| cell.trials < LEAST_REPEATS) {
            warnings.push(format!(
                "A row with fewer than {LEAST_REPEATS} trials: no sentence compares its speed, and a difference from others may be chance."
            ));
        }
        let has_levels = self.experiment.faults.iter().any(|level| level.has_faults());
        if has_levels && !summary.cells.is_empty() && summary.cells.iter().all(|cell| cell.fired.is_empty()) {
            warnings.push("No fault fired: what is valid here was not put to the test.".to_owned());
        }
        if summary.cells.iter().any(|cell| !cell.met) {
            warnings.push("Not every expectation was met: see the rows marked '!'.".to_owned());
        }
        if meta.backends.get("store_durable").is_some_and(|durable| durable == "false") {
            warnings.push(
                "The servers kept their data in memory: what a commit costs on a disk is not in these speeds."
                    .to_owned(),
            );
        }
        if summary.speeds_apart {
            warnings.push(format!(
                "The trials of one repetition were made in several of {} shards, perhaps on several machines: do not compare the speeds of two rows.",
                meta.shards_in_all()
            ));
        }
        if let Some(shard) = meta.shard {
            warnings.push(format!(
                "This is shard {} of {}: whether all that should break does break can be seen when the shards are merged.",
                shard.number(),
                shard.of()
            ));
        }
        if meta.profile == "debug" {
            warnings.push("Made by a debug build: its speeds mean little.".to_owned());
        }
        warnings.extend(summary.skipped.iter().map(|(strategy, why)| format!("Skipped: {strategy}, because {why}")));
        warnings
    }

    /// Where and how the run was made.
    #[must_use]
    pub fn origin(&self) -> Vec<(String, String)> {
        let meta = self.meta;
        let dirty = if meta.git_dirty { " with changes" } else { "" };
        let revision = meta.git_revision.get(..10).unwrap_or(&meta.git_revision);
        let own = [
            ("made", meta.started.clone()),
            ("oncelab", format!("{} ({revision}{dirty}, {}, {})", meta.oncelab, meta.profile, meta.rustc)),
        ];
        let machines = meta.machines().into_iter().map(|machine| ("machine", machine));
        let shards = meta.shard.map(|shard| ("shard", format!("{} of {}", shard.number(), shard.of())));
        let merged = (!meta.shards.is_empty()).then(|| ("merged", format!("from {} shards", meta.shards.len())));
        let rest = shards.into_iter().chain(merged).chain([("seed", meta.seed.to_string())]);
        let own = own.into_iter().chain(machines).chain(rest).map(|(key, value)| (key.to_owned(), value));
        own.chain(meta.backends.iter().map(|(key, value)| (key.clone(), value.clone()))).collect()
    }
}
