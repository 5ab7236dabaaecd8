//! The summary of a run: `summary.json`, and what `oncelab run --json` prints. A pure function of the rows.

use std::collections::BTreeMap;

use serde::Serialize;

use super::row::{LatencyMs, TrialRow};
use super::{Explored, Meta, Schedules};
use crate::check::{Inconclusive, Tally, Verdict, Work, is_met};
use crate::experiment::{Cell, ExpectedBy, Experiment, Point};
use crate::fault::Level;
use crate::stats::{mad, median, median_interval_95, upper_bound_95, wilson_95};
use crate::strategy::{Registry, UnknownStrategy, claim_of};
use crate::terms::{Expected, FaultKind, Leg, Role, Shard, Violation};

/// A run in one document.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    pub schema: u32,
    pub experiment: String,
    pub question: String,
    pub dir: String,
    /// A string: it may be beyond 2^53.
    pub seed: String,
    /// The worst verdict of a cell that was not as expected, or `valid` if all were; `failed` if all were and a trial failed.
    pub verdict: &'static str,
    /// Whether every expectation was met.
    pub met: bool,
    pub trials: usize,
    /// How many trials the experiment has in all: more, if the run was interrupted.
    pub trials_planned: usize,
    /// The part of the trials that the run has, if it does not have all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// Whether the trials of one repetition were dealt out to several shards, so that no speed is compared with another.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub speeds_apart: bool,
    pub cells: Vec<CellSummary>,
    /// The strategies that were not run, each with the reason.
    pub skipped: BTreeMap<String, String>,
    /// The trials that failed because of their strategy or of a service that they alone need, each with the reason.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub failed: BTreeMap<String, String>,
    /// The strategy that the others are compared with, trial by trial, if the experiment names one.
    pub baseline: Option<String>,
}

/// One strategy under one fault level, at one point of the sweep if there is one.
#[derive(Debug, Clone, Serialize)]
pub struct CellSummary {
    pub strategy: String,
    pub faults: String,
    /// The value on each axis of the sweep; empty without one.
    #[serde(serialize_with = "as_map")]
    pub point: Point,
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
    /// The violations that were not looked for, by a run that was saved before the lab knew them.
    pub not_judged: Vec<&'static str>,
    /// Every other kind of violation with its count.
    pub violations: BTreeMap<&'static str, u64>,
    /// The same at each store, of the kinds that are found at stores: where the strategy keeps effects elsewhere than in the first
    /// store alone.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub violations_by_role: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    /// The violations that were found, each with its share of the requests and the 95 % interval of that.
    pub rates: BTreeMap<&'static str, ViolationRate>,
    /// The violations that were found, with the counts of their causes.
    pub causes: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    /// The violations that are none for this strategy.
    pub tolerated: Vec<&'static str>,
    /// If nothing that counts was found: the rate that it stays under with 95 % confidence.
    pub upper_bound_95: Option<f64>,
    pub verdict: &'static str,
    /// Why the verdict is inconclusive, and what to do.
    pub inconclusive: Option<String>,
    pub expected: Option<Expected>,
    /// Whether the expectation follows from the strategy's claim, and is not written in the experiment.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub expected_by_claim: bool,
    pub met: bool,
    /// The median over trials.
    pub goodput_per_s: f64,
    pub goodput: Spread,
    /// Goodput over that of the baseline, of trials with the same repetition.
    pub ratio_to_baseline: Option<Spread>,
    /// Of each percentile the median over trials; of the maximum, the maximum.
    pub latency_ms: LatencyMs,
    pub cost: Cost,
    /// How often handlers told something else than an answer.
    pub told: BTreeMap<&'static str, u64>,
    /// The median over trials of the share of requests, begun while a server was down or cut off, that was acknowledged in time.
    pub available: Option<f64>,
    /// The median over trials of the time from the end of a disturbance to the next acknowledgement.
    pub recovery_ms: Option<f64>,
    pub fired: BTreeMap<&'static str, u64>,
    /// The same by leg; what happens to a handler is under `handler`.
    pub fired_on: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    /// What schedules show of the strategy, if it can be explored.
    pub explored: Option<Explored>,
    /// The command that makes this cell's trials again.
    pub reproduce: String,
}

/// How often a violation was found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ViolationRate {
    pub count: u64,
    pub of: u64,
    pub rate: f64,
    /// The 95 % interval (Wilson's).
    pub low: f64,
    pub high: f64,
}

/// A figure over trials.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    pub median: f64,
    /// The median absolute deviation from the median.
    pub mad: f64,
    /// The 95 % bootstrap interval of the median; none of a single trial.
    pub low: Option<f64>,
    pub high: Option<f64>,
    pub trials: usize,
}

/// What an effect costs; nothing where it is not known or there is no effect.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Cost {
    pub attempts_per_effect: Option<f64>,
    pub operations_per_effect: Option<f64>,
    pub commits_per_effect: Option<f64>,
    pub raft_writes_per_effect: Option<f64>,
    /// What the store wrote to its log: PostgreSQL's WAL.
    pub logged_bytes_per_effect: Option<f64>,
    /// What the store keeps besides accounts and ledger.
    pub kept_bytes_per_message: Option<f64>,
}

impl ViolationRate {
    fn new(count: u64, of: u64) -> Self {
        let (low, high) = wilson_95(count, of);
        ViolationRate { count, of, rate: ratio(count, of).unwrap_or(0.0), low, high }
    }
}

impl Spread {
    /// The spread of a figure over trials.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let interval = median_interval_95(values);
        Spread {
            median: median(values.iter().copied()),
            mad: mad(values),
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
            trials: values.len(),
        }
    }
}

impl Cost {
    fn of(tally: &Tally, rows: &[&TrialRow]) -> Self {
        let total = |bytes: fn(&TrialRow) -> Option<u64>| rows.iter().map(|row| bytes(row)).sum::<Option<u64>>();
        Cost {
            attempts_per_effect: ratio(tally.work.attempts, tally.effects),
            operations_per_effect: ratio(tally.operations, tally.effects),
            commits_per_effect: ratio(tally.work.commits, tally.effects),
            raft_writes_per_effect: ratio(tally.work.raft_writes, tally.effects),
            logged_bytes_per_effect: total(|row| row.logged_bytes).and_then(|bytes| ratio(bytes, tally.effects)),
            kept_bytes_per_message: total(|row| row.kept_bytes).and_then(|bytes| ratio(bytes, tally.requests)),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn ratio(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

fn as_map<S: serde::Serializer>(point: &Point, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(point.0.iter().map(|(axis, value)| (axis, value)))
}

impl Summary {
    /// The same, with what schedules show of each strategy.
    #[must_use]
    pub fn with_schedules(mut self, schedules: &Schedules) -> Self {
        for cell in &mut self.cells {
            cell.explored = schedules.explored(&cell.strategy).cloned();
        }
        self
    }

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
        let speeds_apart = meta.splits_repeats(experiment);
        if let Some(baseline) = experiment.baseline.as_ref().filter(|_| !speeds_apart) {
            compare_with(baseline.get_ref(), &mut cells, &by_cell);
        }
        if meta.shard.is_none() {
            require_somewhere(&mut cells);
        }
        let met = meta.failed.is_empty() && cells.iter().all(|cell| cell.met);
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
                None if !meta.failed.is_empty() => "failed",
                // A run of which every row was skipped shows nothing.
                None if cells.is_empty() => "inconclusive",
                None if met => "valid",
                None => "invalid",
            },
            met,
            trials: rows.len(),
            trials_planned: meta.trials_planned,
            shard: meta.shard,
            speeds_apart,
            cells,
            skipped: meta.skipped.clone(),
            failed: meta.failed.clone(),
            baseline: experiment.baseline.as_ref().map(|name| name.get_ref().clone()),
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
        let strategy = registry.get(&cell.strategy)?;
        // At a point of a sweep there may be no fault left.
        let here = experiment.at(&cell.point, registry).unwrap_or_else(|_| experiment.clone());
        let level = here.faults.iter().find(|level| level.name == cell.level).cloned().unwrap_or_else(Level::none);
        let claim = claim_of(strategy.as_ref(), store, level.hazards());
        let effects = strategy.effects_in();
        let verdict = Verdict::of(&tally, &claim, &level);
        let expected = experiment.expected(&cell.level, &cell.strategy, store);
        let expected_by_claim = expected.is_some_and(|(_, by)| by == ExpectedBy::Claim);
        let expected = expected.map(|(expected, _)| expected.clone());
        let judged = || Violation::ALL.into_iter().filter(|kind| !tally.not_judged.contains(kind));
        let clean = Violation::ALL.iter().all(|kind| !claim.counts(*kind) || tally.count(*kind) == 0);
        let of = |figure: fn(&TrialRow) -> f64| median(rows.iter().map(|row| figure(row)));
        let caused = |kind: Violation| tally.causes(kind).map(|(cause, count)| (cause.name(), count)).collect();
        let found = || Violation::ALL.into_iter().filter(|kind| tally.count(*kind) > 0);
        // With a sweep, what should break need not break at every point: see `require_somewhere`.
        // Nor does it in every shard.
        let is_whole = cell.point.0.is_empty() && meta.shard.is_none();
        let required = expected.as_ref().filter(|expected| is_whole || **expected == Expected::Valid);
        let maybe = |figure: fn(&TrialRow) -> Option<f64>| {
            let known: Vec<f64> = rows.iter().filter_map(|row| figure(row)).collect();
            (!known.is_empty()).then(|| median(known))
        };
        let goodput: Vec<f64> = rows.iter().map(|row| row.goodput_per_s).collect();
        Ok(CellSummary {
            strategy: cell.strategy.clone(),
            faults: cell.level.clone(),
            point: cell.point.clone(),
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
            violations: judged().map(|kind| (kind.name(), tally.count(kind))).collect(),
            violations_by_role: by_role(&tally, effects),
            not_judged: tally.not_judged.iter().filter(|kind| can_be(**kind, &level)).map(|kind| kind.name()).collect(),
            rates: found().map(|kind| (kind.name(), rate(&tally, kind, effects))).collect(),
            causes: found().map(|kind| (kind.name(), caused(kind))).collect(),
            tolerated: claim.tolerates.iter().map(|kind| kind.name()).collect(),
            upper_bound_95: clean.then(|| upper_bound_95(tally.acknowledged)).flatten(),
            verdict: verdict.name(),
            inconclusive: match verdict {
                Verdict::Inconclusive(why) => Some(Inconclusive::remedy(why)),
                _ => None,
            },
            met: is_met(verdict, required, &tally, &claim),
            expected,
            expected_by_claim,
            goodput_per_s: of(|row| row.goodput_per_s),
            goodput: Spread::of(&goodput),
            ratio_to_baseline: None,
            latency_ms: LatencyMs {
                p50: of(|row| row.latency.p50),
                p99: of(|row| row.latency.p99),
                p999: of(|row| row.latency.p999),
                max: rows.iter().map(|row| row.latency.max).fold(0.0, f64::max),
            },
            cost: Cost::of(&tally, rows),
            told: told(&tally.work),
            available: maybe(|row| row.available),
            recovery_ms: maybe(|row| row.recovery_ms),
            explored: None,
            fired: fired_by_kind(&tally),
            fired_on: fired_by_leg(&tally),
            reproduce: meta.command_for(
                std::slice::from_ref(&cell.strategy),
                std::slice::from_ref(&cell.level),
                std::slice::from_ref(&cell.point),
            ),
        })
    }
}

/// Whether a violation can be under a level: one that comes of one fault alone cannot without the fault.
fn can_be(violation: Violation, level: &Level) -> bool {
    violation.comes_of().is_none_or(|fault| level.can_happen(fault, Leg::Client))
}

/// How often each kind that is found at stores was found at each of them; nothing where effects are kept in the first store alone.
fn by_role(tally: &Tally, effects: &[Role]) -> BTreeMap<&'static str, BTreeMap<&'static str, u64>> {
    let at = |role: Role| {
        let kinds = Violation::ALL.into_iter().filter(|kind| kind.is_at_a_store() && !tally.not_judged.contains(kind));
        kinds.map(|kind| (kind.name(), tally.count_at(role, kind))).collect()
    };
    let is_judged = |role: &Role| effects.contains(role) || tally.at_stores.keys().any(|(at, ..)| at == role);
    let is_first_alone = effects == [Role::STORE] && tally.at_stores.is_empty();
    let roles = Role::ALL.into_iter().filter(|role| !is_first_alone && is_judged(role));
    roles.map(|role| (role.name(), at(role))).collect()
}

/// How often a violation was found: of the requests, or where each can be at several stores, of the effects that should be.
fn rate(tally: &Tally, kind: Violation, effects: &[Role]) -> ViolationRate {
    let places = if kind.is_at_a_store() { effects.len() as u64 } else { 1 };
    ViolationRate::new(tally.count(kind), tally.requests * places)
}

fn fired_by_kind(tally: &Tally) -> BTreeMap<&'static str, u64> {
    let all = FaultKind::ALL.into_iter().map(|fault| (fault.name(), tally.fired.of(fault)));
    all.filter(|(_, count)| *count > 0).collect()
}

fn fired_by_leg(tally: &Tally) -> BTreeMap<&'static str, BTreeMap<&'static str, u64>> {
    let mut by_leg: BTreeMap<&'static str, BTreeMap<&'static str, u64>> = BTreeMap::new();
    // A run that was saved before legs were written down does not say.
    let known = tally.fired.iter().filter(|_| tally.made.iter().next().is_some());
    for (fault, leg, count) in known {
        by_leg.entry(leg.map_or("handler", Leg::name)).or_default().insert(fault.name(), count);
    }
    by_leg
}

fn told(work: &Work) -> BTreeMap<&'static str, u64> {
    let counts = [
        ("in_progress", work.told_in_progress),
        ("refused", work.told_refused),
        ("failed", work.told_failed),
        ("unknown", work.told_unknown),
    ];
    counts.into()
}

/// Compares each cell with the baseline's under the same level and at the same point, trial by trial: those of one repetition
/// ran next to each other, so that a slow spell of the machine slows both.
fn compare_with(baseline: &str, cells: &mut [CellSummary], by_cell: &BTreeMap<&Cell, Vec<&TrialRow>>) {
    for cell in cells {
        let at = |strategy: &str| Cell {
            strategy: strategy.to_owned(),
            level: cell.faults.clone(),
            point: cell.point.clone(),
        };
        let (Some(own), Some(base)) = (by_cell.get(&at(&cell.strategy)), by_cell.get(&at(baseline))) else { continue };
        let beside = |row: &&TrialRow| {
            let base = base.iter().find(|base| base.repeat == row.repeat && base.goodput_per_s > 0.0)?;
            Some(row.goodput_per_s / base.goodput_per_s)
        };
        let ratios: Vec<f64> = own.iter().filter_map(beside).collect();
        cell.ratio_to_baseline = (!ratios.is_empty()).then(|| Spread::of(&ratios));
    }
}

/// What a sweep expects to break must show at one of its points at least. Otherwise none of them is as expected: the
/// experiment has lost its teeth.
fn require_somewhere(cells: &mut [CellSummary]) {
    let shows = |cell: &CellSummary, kinds: &[Violation]| {
        kinds.iter().all(|kind| cell.violations.get(kind.name()).is_some_and(|count| *count > 0))
    };
    let lacking: Vec<bool> = cells
        .iter()
        .map(|cell| match &cell.expected {
            Some(Expected::Shows(kinds)) if !cell.point.0.is_empty() => {
                let same = |other: &&CellSummary| other.strategy == cell.strategy && other.faults == cell.faults;
                !cells.iter().filter(same).any(|other| shows(other, kinds))
            }
            _ => false,
        })
        .collect();
    for (cell, lacking) in cells.iter_mut().zip(lacking) {
        cell.met &= !lacking;
    }
}
