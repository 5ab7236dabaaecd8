//! Runs to hold sentences against: committed ones, parts of them, and random ones.

use std::path::Path;
use std::sync::Arc;

use oncelab::check::{Fired, Tally};
use oncelab::experiment::{Cell, Experiment, Sentence, builtin_names, load, strategies};
use oncelab::report::{Facts, unknown_name};
use oncelab::results::{Files, Meta, RunFolder, Schedules, Summary, TrialRow, runs_below};
use oncelab::strategy::Registry;
use oncelab::terms::{Cause, FaultKind, Leg, Violation};
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

/// A run, with the sentences that the experiment of its name has today.
pub struct Run {
    pub name: String,
    pub experiment: Experiment,
    pub meta: Meta,
    pub rows: Vec<TrialRow>,
    pub schedules: Schedules,
    pub summary: Summary,
}

impl Run {
    fn new(name: String, experiment: Experiment, meta: Meta, rows: Vec<TrialRow>, schedules: Schedules) -> Self {
        let summary = Summary::new(name.clone(), &meta, &experiment, &rows, &Registry::default()).unwrap();
        let summary = summary.with_schedules(&schedules);
        Run { name, experiment, meta, rows, schedules, summary }
    }

    pub fn facts(&self) -> Arc<Facts> {
        Facts::new(&self.summary, &self.experiment, &self.rows, &Registry::default())
    }

    /// Whether every row has an expectation.
    pub fn expects_all(&self) -> bool {
        self.summary.cells.iter().all(|cell| cell.expected.is_some())
    }

    fn part(&self, what: &str, planned: Option<usize>, keep: impl Fn(&TrialRow) -> bool) -> Run {
        let rows: Vec<TrialRow> = self.rows.iter().filter(|row| keep(row)).cloned().collect();
        let meta = Meta { trials_planned: planned.unwrap_or(rows.len()), ..self.meta.clone() };
        let name = format!("{} {what}", self.name);
        Run::new(name, self.experiment.clone(), meta, rows, self.schedules.clone())
    }

    /// The run restricted to all of its strategies but one, for each of them.
    pub fn without_each_strategy(&self) -> Vec<Run> {
        let mut names: Vec<&str> = self.rows.iter().map(|row| row.cell.strategy.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let without = |name: &&str| self.part(&format!("without {name}"), None, |row| row.cell.strategy != **name);
        names.iter().map(without).collect()
    }

    /// The run as it is after half of its trials.
    pub fn cut_short(&self) -> Run {
        let half: Vec<&str> = self.rows[..self.rows.len() / 2].iter().map(|row| row.trial.as_str()).collect();
        self.part("cut short", Some(self.rows.len()), |row| half.contains(&row.trial.as_str()))
    }
}

/// The sentences that an experiment of the lab's has.
pub fn sentences_of(name: &str) -> Vec<Sentence> {
    load(name, &[], &Registry::default(), unknown_name).unwrap().analysis.sentences().to_vec()
}

/// The runs that are in the repository.
pub fn committed() -> Vec<Run> {
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
    let registry = Registry::default();
    let run = |path: &std::path::PathBuf| {
        let folder = RunFolder::open(path, &registry).unwrap();
        let mut experiment = folder.experiment.clone();
        assert!(builtin_names().contains(&experiment.name.as_str()), "{}", path.display());
        experiment.analysis = load(&experiment.name, &[], &registry, unknown_name).unwrap().analysis;
        let schedules = schedules_of(&folder);
        let name = path.strip_prefix(&results).unwrap().display().to_string();
        Run::new(name, experiment, folder.meta.clone(), folder.rows().to_vec(), schedules)
    };
    runs_below(&results).iter().map(run).collect()
}

/// What schedules show of a run's strategies. No sentence speaks of the shortened ones, and older runs say less of them.
fn schedules_of(folder: &RunFolder) -> Schedules {
    let mut saved: serde_json::Value = folder.read_json(Files::SCHEDULES).unwrap();
    saved["shortened"] = serde_json::json!([]);
    serde_json::from_value(saved).unwrap()
}

/// How random a table is.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    /// Any figure in any row, and rows that are missing.
    Wild,
    /// Most strategies are right, and speeds differ by strategy: so that the sentences on what holds are met.
    Tame,
}

/// A random table for each experiment. What no sentence looks at is as in a trial of this run.
pub fn random(seed: u64, kind: Kind, first: &Run) -> impl Iterator<Item = Run> {
    let registry = Registry::default();
    let mut like = first.rows[0].clone();
    // Everything is judged, and every fault fired, or no row would be valid.
    like.tally.not_judged.clear();
    like.tally.fired = Fired::default();
    for fault in FaultKind::ALL {
        for leg in Leg::ALL.into_iter().map(Some).chain([None]) {
            like.tally.fired.add(fault, leg, 10);
        }
    }
    let store = if seed.is_multiple_of(2) { "sqlite" } else { "postgres" };
    let meta = Meta { store: store.to_owned(), ..first.meta.clone() };
    let schedules = first.schedules.clone();
    builtin_names().into_iter().enumerate().map(move |(n, name)| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed * 1_000 + n as u64 * 2 + u64::from(kind == Kind::Wild));
        let experiment = load(name, &[], &registry, unknown_name).unwrap();
        let mut rows = Vec::new();
        let repeats = rng.random_range(1..=7);
        for strategy in strategies(&experiment, &registry) {
            let chance = Chance::drawn(&mut rng, kind);
            for level in &experiment.faults {
                for (at, point) in experiment.points().into_iter().enumerate() {
                    if kind == Kind::Wild && rng.random_bool(0.1) {
                        continue;
                    }
                    for repeat in 0..repeats {
                        let cell = Cell { strategy: strategy.clone(), level: level.name.clone(), point: point.clone() };
                        let row = TrialRow {
                            trial: format!("{strategy}.{}.{point}.{repeat}", level.name),
                            lock: registry.get(&strategy).unwrap().needs_lock_service().then(|| "embedded".to_owned()),
                            repeat,
                            store: store.to_owned(),
                            ..chance.row(&mut rng, &like, cell, at)
                        };
                        rows.push(row);
                    }
                }
            }
        }
        let planned = if rng.random_bool(0.1) { rows.len() + 1 } else { rows.len() };
        let meta = Meta { trials_planned: planned, ..meta.clone() };
        Run::new(format!("{name}, random table {seed}"), experiment, meta, rows, schedules.clone())
    })
}

/// What the rows of a strategy are drawn from.
struct Chance {
    violations: Vec<(Violation, Cause)>,
    speed: f64,
    noise: f64,
    /// Whether violations come more often at each further point.
    rises: bool,
    is_dead: bool,
}

/// What sentences speak of: it comes more often than the rest.
const SPOKEN_OF: [(Violation, Cause); 14] = [
    (Violation::Duplicate, Cause::RetryAfterLostReply),
    (Violation::Duplicate, Cause::RetryAfterLostReply),
    (Violation::Duplicate, Cause::CheckThenActRace),
    (Violation::Duplicate, Cause::RepeatedOnTheWay),
    (Violation::Duplicate, Cause::Redelivery),
    (Violation::Duplicate, Cause::ZombiePastLease),
    (Violation::Duplicate, Cause::CrashBetweenStores),
    (Violation::Overlap, Cause::ZombiePastLease),
    (Violation::Overlap, Cause::StaleUnlock),
    (Violation::Overlap, Cause::DeadWaiter),
    (Violation::Stuck, Cause::CrashBetweenStores),
    (Violation::Stuck, Cause::CrashBetweenStores),
    (Violation::Reverted, Cause::LateLanding),
    (Violation::Denied, Cause::RetryAfterLostReply),
];

impl Chance {
    fn drawn(rng: &mut ChaCha8Rng, kind: Kind) -> Self {
        let most = if kind == Kind::Wild { 5 } else { rng.random_range(0..=3) };
        let violations = (0..most).map(|_| {
            let any = (*Violation::ALL.choose(rng).unwrap(), *Cause::ALL.choose(rng).unwrap());
            if rng.random_bool(0.8) { *SPOKEN_OF.choose(rng).unwrap() } else { any }
        });
        let violations = violations.collect();
        Chance {
            violations,
            speed: 10_f64.powf(rng.random_range(0.0..4.0)),
            noise: *[0.01, 0.2, 1.0].choose(rng).unwrap(),
            rises: rng.random_bool(0.5),
            is_dead: kind == Kind::Wild && rng.random_bool(0.05),
        }
    }

    fn row(&self, rng: &mut ChaCha8Rng, like: &TrialRow, cell: Cell, at: usize) -> TrialRow {
        let requests = rng.random_range(50..=1_000_u64);
        let acknowledged = if self.is_dead { 0 } else { requests - rng.random_range(0..=1) * rng.random_range(0..50) };
        let mut violations = std::collections::BTreeMap::new();
        for (violation, cause) in &self.violations {
            let count =
                if self.rises { requests * at as u64 / 20 } else { rng.random_range(0..=1) * rng.random_range(0..30) };
            if count > 0 {
                violations.insert((*violation, *cause), count);
            }
        }
        let speed = self.speed * (1.0 + self.noise * rng.random_range(0.0..1.0)) * (1.0 + at as f64 * self.noise);
        let tally = Tally { requests, acknowledged, violations, ..like.tally.clone() };
        let mut row = TrialRow { cell, tally, goodput_per_s: if self.is_dead { 0.0 } else { speed }, ..like.clone() };
        row.latency.p99 = rng.random_range(1.0..2_000.0);
        row.available = rng.random_bool(0.9).then(|| rng.random_range(0.0..=1.0));
        row.recovery_ms = rng.random_bool(0.9).then(|| rng.random_range(1.0..5_000.0));
        row
    }
}
