//! The overview: what each strategy does on each backend, over all fault levels of one run or of several.

mod forms;
mod page;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::results::{CellSummary, Meta, Schedules, Summary};
use crate::stats::upper_bound_95;
use crate::terms::{StoreKind, Violation};

pub use forms::{by_backend, by_violation};
pub use page::overview_to_html;

/// How to read the tables of an overview.
pub const LEGEND: &str = "✓: no violation that counts was found under any fault level; in brackets the share that it is below with 95 % confidence. \
    ✓ proved: and in the model none can be, with any number of deliveries and faults. ✗: found in so many requests. (n kind): found, and the \
    claim leaves it open. ?: not exercised: a fault never fired, or schedules show what the run does not. –: does not run there. per s, ops, \
    commits: acknowledged requests a second, operations and commits for each effect, without faults.";

/// A run on a backend, as the overview takes it.
pub struct OnBackend<'r> {
    pub summary: &'r Summary,
    pub meta: &'r Meta,
    pub schedules: &'r Schedules,
    /// From the overview's page to the run's folder; empty if the page lies in it.
    pub folder: String,
}

/// What runs on several backends say of every strategy.
#[derive(Debug, Clone, Serialize)]
pub struct Overview {
    pub experiment: String,
    pub question: String,
    pub backends: Vec<BackendView>,
    pub standings: Vec<Standing>,
}

/// A backend, with its run.
#[derive(Debug, Clone, Serialize)]
pub struct BackendView {
    /// Its short name, such as `PostgreSQL`.
    pub name: String,
    pub folder: String,
    pub seed: String,
    pub started: String,
    /// The command that makes the run again.
    pub command: String,
    /// Versions and settings.
    pub settings: BTreeMap<String, String>,
    pub machines: Vec<String>,
    /// From how many shards the run was merged; none if it was made in one piece.
    pub shards: Option<usize>,
    /// Whether the rows of a repetition come from several shards, so that speeds do not compare.
    pub speeds_apart: bool,
}

/// A strategy on a backend.
#[derive(Debug, Clone, Serialize)]
pub struct Standing {
    pub strategy: String,
    /// The name of the backend.
    pub backend: String,
    pub mark: Mark,
    /// Why it is not there, or what was not exercised.
    pub why: Option<String>,
    pub acknowledged: u64,
    /// With 95 % confidence the true share of violations that count is below this; none if there were some.
    pub upper_bound_95: Option<f64>,
    /// Whether it is proved for any number of deliveries, retries and faults, on the model of this store.
    pub proved: bool,
    /// By violation: what is to be said of it.
    pub marks: BTreeMap<&'static str, Mark>,
    pub findings: Vec<OverviewFinding>,
    pub price: Price,
}

/// What is to be said of a strategy, or of one violation of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// None was found.
    Holds,
    /// None was found, and none can be, on the model.
    Proved,
    /// Some were found.
    Breaks,
    /// Some were found, and the claim leaves them open.
    Tolerated,
    /// None was found, and the run could not have shown it, or did not show what schedules show.
    NotExercised,
    /// It cannot be judged there.
    NotJudged,
    /// It does not run there.
    Absent,
}

impl Mark {
    /// As one sign.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Mark::Holds | Mark::Proved => "✓",
            Mark::Breaks => "✗",
            Mark::Tolerated => "(✗)",
            Mark::NotExercised => "?",
            Mark::NotJudged => "",
            Mark::Absent => "–",
        }
    }
}

/// A violation that a strategy showed on a backend.
#[derive(Debug, Clone, Serialize)]
pub struct OverviewFinding {
    pub violation: &'static str,
    /// Whether the claim leaves it open.
    pub tolerated: bool,
    pub count: u64,
    /// By cause, the most frequent one first.
    pub causes: Vec<(&'static str, u64)>,
    /// By fault level.
    pub levels: Vec<AtLevel>,
    /// The shortest schedules that show it because of the same, each with the command that replays it.
    pub schedules: Vec<ScheduleOf>,
}

/// How often a violation was found under a fault level.
#[derive(Debug, Clone, Serialize)]
pub struct AtLevel {
    pub level: String,
    pub count: u64,
    pub requests: u64,
    /// The command that makes these trials again.
    pub command: String,
}

/// A schedule that shows a violation.
#[derive(Debug, Clone, Serialize)]
pub struct ScheduleOf {
    pub cause: String,
    pub schedule: String,
    pub command: String,
}

/// What a strategy costs without faults; nothing where the experiment has no such level.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Price {
    pub goodput_per_s: Option<f64>,
    pub p99_ms: Option<f64>,
    pub operations_per_effect: Option<f64>,
    pub commits_per_effect: Option<f64>,
}

impl Overview {
    /// What these runs of one experiment say. Strategies stand in the order of `names`.
    ///
    /// # Panics
    /// If there is no run.
    #[must_use]
    pub fn new<'n>(runs: &[OnBackend<'_>], names: impl Iterator<Item = &'n str>) -> Self {
        let labels = labels(runs);
        let is_there = |run: &&OnBackend<'_>, name: &str| {
            run.summary.skipped.contains_key(name) || run.summary.cells.iter().any(|cell| cell.strategy == name)
        };
        let mut standings = Vec::new();
        for name in names.filter(|name| runs.iter().any(|run| is_there(&run, name))) {
            standings.extend(runs.iter().zip(&labels).map(|(run, label)| standing(run, label, name)));
        }
        let backend = |(run, name): (&OnBackend<'_>, String)| BackendView {
            name,
            folder: run.folder.clone(),
            seed: run.meta.seed.to_string(),
            started: run.meta.started.clone(),
            command: run.meta.command(),
            settings: run.meta.backends.clone(),
            machines: run.meta.machines(),
            shards: (!run.meta.shards.is_empty()).then_some(run.meta.shards.len()),
            speeds_apart: run.summary.speeds_apart,
        };
        Overview {
            experiment: runs[0].summary.experiment.clone(),
            question: runs[0].summary.question.clone(),
            backends: runs.iter().zip(labels.clone()).map(backend).collect(),
            standings,
        }
    }

    /// The violations of which any strategy showed one, in the order of the vocabulary.
    #[must_use]
    pub fn shown(&self) -> Vec<&'static str> {
        let is_shown = |kind: &&str| {
            let mut marks = self.standings.iter().filter_map(|standing| standing.marks.get(kind));
            marks.any(|mark| matches!(mark, Mark::Breaks | Mark::Tolerated))
        };
        Violation::ALL.map(Violation::name).into_iter().filter(|kind| is_shown(kind)).collect()
    }

    /// Its strategies, in order.
    #[must_use]
    pub fn strategies(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.standings.iter().map(|standing| standing.strategy.as_str()).collect();
        names.dedup();
        names
    }

    /// How a strategy stands on each backend, in order.
    pub fn of<'o>(&'o self, strategy: &'o str) -> impl Iterator<Item = &'o Standing> {
        self.standings.iter().filter(move |standing| standing.strategy == strategy)
    }
}

/// A short name for each backend: that of its store, with the lock service and the start where that is not enough.
fn labels(runs: &[OnBackend<'_>]) -> Vec<String> {
    let store = |run: &OnBackend<'_>| match run.meta.store_kind() {
        StoreKind::Sqlite => "SQLite",
        StoreKind::Postgres => "PostgreSQL",
        StoreKind::Mariadb => "MariaDB",
        StoreKind::Null => "null",
    };
    let with_lock = |run: &OnBackend<'_>| format!("{} + {}", store(run), run.meta.lock);
    let with_start = |run: &OnBackend<'_>| format!("{} {}", with_lock(run), run.meta.started);
    let names: [Vec<String>; 3] = [
        runs.iter().map(|run| store(run).to_owned()).collect(),
        runs.iter().map(with_lock).collect(),
        runs.iter().map(with_start).collect(),
    ];
    let tells_apart = |names: &&Vec<String>| names.iter().enumerate().all(|(n, name)| !names[..n].contains(name));
    names.iter().find(tells_apart).unwrap_or(&names[2]).clone()
}

fn standing(run: &OnBackend<'_>, backend: &str, strategy: &str) -> Standing {
    let cells: Vec<&CellSummary> = run.summary.cells.iter().filter(|cell| cell.strategy == strategy).collect();
    let failed: Vec<String> = run
        .summary
        .failed
        .iter()
        .filter(|(trial, _)| trial.split('.').next() == Some(strategy))
        .map(|(trial, why)| format!("{trial} failed: {why}"))
        .collect();
    if cells.is_empty() {
        let why = run.summary.skipped.get(strategy).cloned().or_else(|| failed.first().cloned());
        return Standing {
            strategy: strategy.to_owned(),
            backend: backend.to_owned(),
            mark: if failed.is_empty() { Mark::Absent } else { Mark::NotExercised },
            why: Some(why.unwrap_or_else(|| "the run has no trial of it".to_owned())),
            acknowledged: 0,
            upper_bound_95: None,
            proved: false,
            marks: BTreeMap::new(),
            findings: Vec::new(),
            price: Price::default(),
        };
    }
    let findings: Vec<OverviewFinding> =
        Violation::ALL.into_iter().filter_map(|kind| finding(run, &cells, kind)).collect();
    let explored = cells[0].explored.as_ref();
    let proved = explored.is_some_and(|explored| explored.proved);
    let unsure: Vec<String> = cells
        .iter()
        .filter(|cell| cell.verdict == "inconclusive" || cell.verdict == "unknown")
        .map(|cell| format!("{}: {}", cell.faults, cell.inconclusive.as_deref().unwrap_or(cell.verdict)))
        .chain(failed)
        .collect();
    let counts = |finding: &&OverviewFinding| !finding.tolerated;
    let holds = if proved { Mark::Proved } else { Mark::Holds };
    let without = if unsure.is_empty() { holds } else { Mark::NotExercised };
    let mark_of = |kind: Violation| {
        let found = findings.iter().find(|finding| finding.violation == kind.name());
        let can_be =
            explored.is_some_and(|explored| explored.breaks.iter().any(|breaking| breaking.violation == kind.name()));
        match found {
            Some(finding) if finding.tolerated => Mark::Tolerated,
            Some(_) => Mark::Breaks,
            None if !cells.iter().any(|cell| cell.violations.contains_key(kind.name())) => Mark::NotJudged,
            None if can_be => Mark::NotExercised,
            None => without,
        }
    };
    let acknowledged = cells.iter().map(|cell| cell.acknowledged).sum();
    let breaks = findings.iter().any(|finding| counts(&finding));
    // A schedule that breaks it, and that the run did not show.
    let unshown: Vec<&str> = explored
        .into_iter()
        .flat_map(|explored| &explored.breaks)
        .map(|breaking| breaking.violation.as_str())
        .filter(|kind| !cells.iter().any(|cell| cell.tolerated.contains(kind)))
        .filter(|kind| !findings.iter().any(|finding| finding.violation == *kind))
        .collect();
    let mark = match breaks {
        true => Mark::Breaks,
        false if !unshown.is_empty() => Mark::NotExercised,
        false => without,
    };
    let not_shown =
        (!unshown.is_empty()).then(|| format!("schedules show {} and the run does not", unshown.join(", ")));
    let why: Vec<String> = unsure.into_iter().chain(not_shown).collect();
    Standing {
        strategy: strategy.to_owned(),
        backend: backend.to_owned(),
        mark,
        why: (!why.is_empty()).then(|| why.join("; ")),
        acknowledged,
        upper_bound_95: (!breaks).then(|| upper_bound_95(acknowledged)).flatten(),
        proved: proved && !breaks,
        marks: Violation::ALL.into_iter().map(|kind| (kind.name(), mark_of(kind))).collect(),
        findings,
        price: price(&cells),
    }
}

fn finding(run: &OnBackend<'_>, cells: &[&CellSummary], violation: Violation) -> Option<OverviewFinding> {
    let kind = violation.name();
    let mut levels: Vec<AtLevel> = Vec::new();
    let mut causes: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut tolerated = true;
    for cell in cells {
        let Some(rate) = cell.rates.get(kind) else { continue };
        tolerated &= cell.tolerated.contains(&kind);
        levels.push(AtLevel {
            level: cell.faults.clone(),
            count: rate.count,
            requests: cell.requests,
            command: cell.reproduce.clone(),
        });
        for (cause, count) in cell.causes.get(kind).into_iter().flatten() {
            *causes.entry(cause).or_default() += count;
        }
    }
    let mut causes: Vec<(&'static str, u64)> = causes.into_iter().collect();
    causes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let is_its = |one: &&crate::results::Shortened| one.strategy == cells[0].strategy && one.violation == kind;
    let schedules = run.schedules.shortened.iter().filter(is_its).map(|one| ScheduleOf {
        cause: one.cause.clone(),
        schedule: one.schedule.clone(),
        command: one.command.clone(),
    });
    (!levels.is_empty()).then(|| OverviewFinding {
        violation: kind,
        tolerated,
        count: levels.iter().map(|level| level.count).sum(),
        causes,
        levels,
        schedules: schedules.collect(),
    })
}

/// What it costs at the level without faults.
fn price(cells: &[&CellSummary]) -> Price {
    let Some(cell) = cells.iter().find(|cell| cell.fired.is_empty()) else { return Price::default() };
    Price {
        goodput_per_s: Some(cell.goodput.median),
        p99_ms: Some(cell.latency_ms.p99),
        operations_per_effect: cell.cost.operations_per_effect,
        commits_per_effect: cell.cost.commits_per_effect,
    }
}
