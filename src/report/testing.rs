//! Small runs for the tests of sentences.

use std::path::Path;
use std::sync::Arc;

use super::Facts;
use crate::check::Tally;
use crate::experiment::{Cell, Experiment, Point, parse};
use crate::results::{Meta, RunFolder, Summary, TrialRow, runs_below};
use crate::strategy::Registry;
use crate::terms::{Cause, Violation};

/// A run that is made up row by row.
pub(super) struct MadeUp {
    pub experiment: Experiment,
    pub meta: Meta,
    rows: Vec<TrialRow>,
    /// What no test looks at is as in a trial of a committed run.
    like: TrialRow,
}

impl MadeUp {
    /// A run without rows of an experiment with one level, `f`, without faults, and these further lines. With faults, what fired would
    /// decide verdicts too.
    pub fn new(lines: &str) -> Self {
        let text = format!("name = \"x\"\nquestion = \"?\"\n{lines}\n[[faults]]\nname = \"f\"\n");
        let registry = Registry::default();
        let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
        let folder = RunFolder::open(&runs_below(&results)[0], &registry).unwrap();
        let mut like = folder.rows()[0].clone();
        like.tally.not_judged.clear();
        MadeUp {
            experiment: parse("x.toml", &text, &registry).unwrap(),
            meta: Meta { store: "sqlite".to_owned(), trials_planned: 0, skipped: [].into(), ..folder.meta.clone() },
            rows: Vec::new(),
            like,
        }
    }

    /// With one trial more, of 1,000 requests.
    pub fn with(self, strategy: &str, point: &str, goodput_per_s: f64, violations: &[(Violation, Cause, u64)]) -> Self {
        self.acknowledging(1_000, strategy, point, goodput_per_s, violations)
    }

    /// The same, of which so many are acknowledged.
    pub fn acknowledging(
        mut self,
        acknowledged: u64,
        strategy: &str,
        point: &str,
        goodput_per_s: f64,
        violations: &[(Violation, Cause, u64)],
    ) -> Self {
        let point: Point = point.parse().unwrap();
        let cell = Cell { strategy: strategy.to_owned(), level: "f".to_owned(), point };
        let repeat = self.rows.iter().filter(|row| row.cell == cell).count();
        let violations = violations.iter().map(|(violation, cause, count)| ((*violation, *cause), *count)).collect();
        let tally = Tally { requests: 1_000, acknowledged, violations, ..self.like.tally.clone() };
        let needs_lock = Registry::default().get(strategy).unwrap().needs_lock_service();
        self.rows.push(TrialRow {
            trial: format!("{strategy}.f.{}.{repeat}", cell.point),
            lock: needs_lock.then(|| "embedded".to_owned()),
            repeat: repeat.try_into().unwrap(),
            store: self.meta.store.clone(),
            cell,
            tally,
            goodput_per_s,
            ..self.like.clone()
        });
        self.meta.trials_planned += 1;
        self
    }

    /// As if it had been saved before the lab knew of this.
    pub fn without_looking_for(mut self, violation: Violation) -> Self {
        for row in &mut self.rows {
            row.tally.not_judged.insert(violation);
        }
        self
    }

    pub fn summary(&self) -> Summary {
        Summary::new("x".to_owned(), &self.meta, &self.experiment, &self.rows, &Registry::default()).unwrap()
    }

    pub fn facts(&self) -> Arc<Facts> {
        Facts::new(&self.summary(), &self.experiment, &self.rows, &Registry::default())
    }
}
