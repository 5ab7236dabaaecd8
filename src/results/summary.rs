//! The summary of a run: `summary.json`, and what `oncelab run --json` prints. A pure function of the rows.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Meta;
use super::row::{LatencyMs, TrialRow};
use crate::check::{Inconclusive, Tally, Verdict, Violation, is_met};
use crate::load::{Cell, Expected, Experiment};
use crate::stats::{median, upper_bound_95};
use crate::strategy::{Registry, StoreKind, UnknownStrategy};

/// A run in one document.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    pub schema: u32,
    pub experiment: String,
    pub question: String,
    pub dir: String,
    /// A string: it may be beyond 2^53.
    pub seed: String,
    /// The worst verdict of a cell that was not as expected, or `valid` if all were.
    pub verdict: &'static str,
    /// Whether every expectation was met.
    pub met: bool,
    pub trials: usize,
    /// How many trials the experiment has in all: more, if the run was interrupted.
    pub trials_planned: usize,
    pub cells: Vec<CellSummary>,
    /// The strategies that were not run, each with the reason.
    pub skipped: BTreeMap<String, String>,
}

/// One strategy under one fault level.
#[derive(Debug, Clone, Serialize)]
pub struct CellSummary {
    pub strategy: String,
    pub faults: String,
    pub store: String,
    pub lock: Option<String>,
    pub promise: &'static str,
    pub trials: usize,
    pub requests: u64,
    pub acknowledged: u64,
    pub refused: u64,
    pub undecided: u64,
    pub deliveries: u64,
    pub operations: u64,
    pub effects: u64,
    /// Every kind of violation with its count.
    pub violations: BTreeMap<&'static str, u64>,
    /// The violations that were found, with the counts of their causes.
    pub causes: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    /// The violations that are none for this strategy.
    pub tolerated: Vec<&'static str>,
    /// If nothing that counts was found: the rate that it stays under with 95 % confidence.
    pub upper_bound_95: Option<f64>,
    pub verdict: &'static str,
    /// Why the verdict is inconclusive, and what to do.
    pub inconclusive: Option<&'static str>,
    pub expected: Option<Expected>,
    pub met: bool,
    /// The median over trials.
    pub goodput_per_s: f64,
    /// Of each percentile the median over trials; of the maximum, the maximum.
    pub latency_ms: LatencyMs,
    pub fired: BTreeMap<&'static str, u64>,
    /// The command that makes this cell's trials again.
    pub reproduce: String,
}

impl Summary {
    /// Sums up the rows of a run, in the order of the registry and of the experiment's fault levels.
    ///
    /// # Errors
    /// [`UnknownStrategy`] if a row names one that the registry does not know.
    pub fn new(
        dir: String,
        meta: &Meta,
        experiment: &Experiment,
        rows: &[TrialRow],
        registry: &Registry,
    ) -> Result<Self, UnknownStrategy> {
        let mut by_cell: BTreeMap<&Cell, Vec<&TrialRow>> = BTreeMap::new();
        for row in rows {
            by_cell.entry(&row.cell).or_default().push(row);
        }
        for cell in by_cell.keys() {
            registry.get(&cell.strategy)?;
        }
        let points = experiment.points();
        let mut cells = Vec::new();
        for level in &experiment.faults {
            for strategy in registry.names() {
                for point in &points {
                    let cell = Cell { strategy: strategy.to_owned(), level: level.name.clone(), point: point.clone() };
                    if let Some(rows) = by_cell.get(&cell) {
                        cells.push(CellSummary::new(&cell, rows, meta, experiment, registry)?);
                    }
                }
            }
        }
        let met = cells.iter().all(|cell| cell.met);
        let failed = |verdict: &str| cells.iter().any(|cell| !cell.met && cell.verdict == verdict);
        let verdict = ["invalid", "unknown", "inconclusive"].into_iter().find(|verdict| failed(verdict));
        Ok(Summary {
            schema: super::SCHEMA,
            experiment: experiment.name.clone(),
            question: experiment.question.clone(),
            dir,
            seed: meta.seed.to_string(),
            verdict: match verdict {
                Some(verdict) => verdict,
                // A run of which every row was skipped shows nothing.
                None if cells.is_empty() => "inconclusive",
                None if met => "valid",
                None => "invalid",
            },
            met,
            trials: rows.len(),
            trials_planned: meta.trials_planned,
            cells,
            skipped: meta.skipped.clone(),
        })
    }
}

impl CellSummary {
    fn new(
        cell: &Cell,
        rows: &[&TrialRow],
        meta: &Meta,
        experiment: &Experiment,
        registry: &Registry,
    ) -> Result<Self, UnknownStrategy> {
        let mut tally = Tally::default();
        rows.iter().for_each(|row| tally.add(&row.tally));
        let store = meta.store_kind();
        let claim = registry.get(&cell.strategy)?.claim(store);
        let has_faults = experiment.faults.iter().any(|level| level.name == cell.level && level.has_faults());
        let verdict = Verdict::of(&tally, &claim, has_faults);
        let expected = expected(experiment, cell, store);
        let clean = Violation::ALL.iter().all(|kind| !claim.counts(*kind) || tally.count(*kind) == 0);
        let of = |figure: fn(&TrialRow) -> f64| median(rows.iter().map(|row| figure(row)));
        let caused = |kind: Violation| tally.causes(kind).map(|(cause, count)| (cause.name(), count)).collect();
        let found = Violation::ALL.into_iter().filter(|kind| tally.count(*kind) > 0);
        Ok(CellSummary {
            strategy: cell.strategy.clone(),
            faults: cell.level.clone(),
            store: store.name().to_owned(),
            lock: rows.first().and_then(|row| row.lock.clone()),
            promise: claim.promise,
            trials: rows.len(),
            requests: tally.requests,
            acknowledged: tally.acknowledged,
            refused: tally.refused,
            undecided: tally.undecided,
            deliveries: tally.deliveries,
            operations: tally.operations,
            effects: tally.effects,
            violations: Violation::ALL.into_iter().map(|kind| (kind.name(), tally.count(kind))).collect(),
            causes: found.map(|kind| (kind.name(), caused(kind))).collect(),
            tolerated: claim.tolerates.iter().map(|kind| kind.name()).collect(),
            upper_bound_95: clean.then(|| upper_bound_95(tally.acknowledged)).flatten(),
            verdict: verdict.name(),
            inconclusive: match verdict {
                Verdict::Inconclusive(why) => Some(Inconclusive::remedy(why)),
                _ => None,
            },
            met: is_met(verdict, expected.as_ref(), &tally, &claim),
            expected,
            goodput_per_s: of(|row| row.goodput_per_s),
            latency_ms: LatencyMs {
                p50: of(|row| row.latency.p50),
                p99: of(|row| row.latency.p99),
                p999: of(|row| row.latency.p999),
                max: rows.iter().map(|row| row.latency.max).fold(0.0, f64::max),
            },
            fired: tally.fired.iter().map(|(fault, count)| (fault.name(), *count)).collect(),
            reproduce: meta.command_for(
                std::slice::from_ref(&cell.strategy),
                std::slice::from_ref(&cell.level),
                std::slice::from_ref(&cell.point),
            ),
        })
    }
}

/// What the experiment expects of a cell on this store, if anything.
fn expected(experiment: &Experiment, cell: &Cell, store: StoreKind) -> Option<Expected> {
    experiment.expect.get(&cell.level)?.get(&cell.strategy)?.on(store).cloned()
}
