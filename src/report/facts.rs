//! The figures of a run that sentences are made of, and what may be said of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::select::Which;
use crate::experiment::{Cell, Experiment, strategies};
use crate::fault::Level;
use crate::results::{CellSummary, Spread, Summary, TrialRow};
use crate::stats::{Interval, fisher_exact, wilson_95};
use crate::strategy::{Break, Registry};
use crate::terms::StoreKind;

/// With fewer repetitions no difference of speed is told.
pub(super) const LEAST_REPEATS: usize = 3;

/// From this probability on delays set the rate of a level, and not the strategy.
const MOST_ARE_DELAYED: f64 = 0.5;

/// Two counts are alike unless chance is less likely than this to part them so far.
const SIGNIFICANT: f64 = 0.05;

/// A row with all that sentences need of it.
pub(super) struct Fact {
    pub cell: CellSummary,
    /// The goodput of each repetition.
    speeds: BTreeMap<u16, f64>,
    /// Whether something else than the strategy sets the rate: an open loop, delays that most messages meet, or the machine, where the rows of
    /// a repetition were made on several.
    is_limited: bool,
}

/// A run, as sentences see it.
pub struct Facts {
    pub(super) rows: Vec<Fact>,
    pub(super) trials: usize,
    pub(super) trials_planned: usize,
    /// The trials that failed, each with the reason.
    pub(super) failed: BTreeMap<String, String>,
    /// The strategies of which no trial is finished although the run has them.
    pub(super) absent: Vec<String>,
    /// Of a strategy that breaks on another store in ways in which it does not break on the run's: both, in words.
    pub(super) store_conditions: BTreeMap<String, String>,
}

impl Facts {
    /// The figures of a run.
    #[must_use]
    pub fn new(summary: &Summary, experiment: &Experiment, rows: &[TrialRow], registry: &Registry) -> Arc<Self> {
        let mut speeds: BTreeMap<&Cell, BTreeMap<u16, f64>> = BTreeMap::new();
        for row in rows {
            speeds.entry(&row.cell).or_default().insert(row.repeat, row.goodput_per_s);
        }
        let fact = |cell: &CellSummary| {
            let name = Cell { strategy: cell.strategy.clone(), level: cell.faults.clone(), point: cell.point.clone() };
            Fact {
                cell: cell.clone(),
                speeds: speeds.get(&name).cloned().unwrap_or_default(),
                is_limited: summary.speeds_apart || is_limited(experiment, cell, registry),
            }
        };
        let facts: Vec<Fact> = summary.cells.iter().map(fact).collect();
        let seen: BTreeSet<&str> = summary.cells.iter().map(|cell| cell.strategy.as_str()).collect();
        let mut absent = strategies(experiment, registry);
        absent.retain(|name| !seen.contains(name.as_str()) && !summary.skipped.contains_key(name));
        let conditions = seen.iter().filter_map(|name| {
            let store = summary.cells.iter().find(|cell| cell.strategy == *name)?.store.as_str();
            Some(((*name).to_owned(), store_condition(name, store, registry)?))
        });
        Arc::new(Facts {
            store_conditions: conditions.collect(),
            rows: facts,
            trials: summary.trials,
            trials_planned: summary.trials_planned,
            failed: summary.failed.clone(),
            absent,
        })
    }

    /// Whether there are trials that the run has not come to.
    pub(super) fn is_interrupted(&self) -> bool {
        self.trials + self.failed.len() < self.trials_planned
    }

    /// Whether there are trials that are not judged.
    pub(super) fn is_partial(&self) -> bool {
        self.is_interrupted() || !self.failed.is_empty()
    }

    /// The rows that are meant; none if the run has none of them.
    pub(super) fn select(&self, strategy: &str, which: &Which) -> Option<Vec<&Fact>> {
        let rows: Vec<&Fact> = self.rows.iter().filter(|fact| which.means(strategy, &fact.cell)).collect();
        (!rows.is_empty()).then_some(rows)
    }

    /// The row that is meant, if it is one.
    pub(super) fn one(&self, strategy: &str, which: &Which) -> Option<&Fact> {
        match self.select(strategy, which)?.as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }
}

impl Fact {
    /// Whether this row's speed may be compared with others'.
    pub fn has_a_speed(&self) -> bool {
        !self.is_limited && self.cell.goodput.trials >= LEAST_REPEATS && self.cell.acknowledged > 0
    }

    /// Whether the intervals of both goodputs leave no doubt that this one is higher.
    pub fn is_above(&self, other: &Fact) -> bool {
        let ends = self.cell.goodput.low.zip(other.cell.goodput.high);
        self.has_a_speed() && other.has_a_speed() && ends.is_some_and(|(low, high)| low > high)
    }

    /// The goodput of this row over that of another, repetition by repetition: the 95 % interval of the median, which is the range with
    /// few repetitions. Nothing if it is not clear of 1, or if there are too few.
    pub fn ratio_to(&self, other: &Fact) -> Option<Interval> {
        let beside = |(repeat, speed): (&u16, &f64)| {
            let other = other.speeds.get(repeat).filter(|other| **other > 0.0)?;
            Some(speed / other)
        };
        let ratios: Vec<f64> = self.speeds.iter().filter_map(beside).collect();
        let spread = Spread::of(&ratios);
        let (low, high) = spread.low.zip(spread.high)?;
        let is_told = self.has_a_speed() && other.has_a_speed() && ratios.len() >= LEAST_REPEATS;
        (is_told && (low > 1.0 || high < 1.0)).then_some(Interval { low, high })
    }
}

/// How many messages of some rows show a violation, because of this cause if one is named.
pub(super) fn count(rows: &[&Fact], violation: &str, cause: Option<&str>) -> u64 {
    let of = |cell: &CellSummary| match cause {
        None => cell.rates.get(violation).map_or(0, |rate| rate.count),
        Some(cause) => cell.causes.get(violation).and_then(|causes| causes.get(cause)).copied().unwrap_or(0),
    };
    rows.iter().map(|fact| of(&fact.cell)).sum()
}

/// How many requests some rows have.
pub(super) fn requests(rows: &[&Fact]) -> u64 {
    rows.iter().map(|fact| fact.cell.requests).sum()
}

/// Whether a violation comes more often from each value on an axis to the next, and more often at the last than at the first by more than
/// chance (their 95 % intervals are apart). None if there are fewer than three values to go by.
pub(super) fn rises(rows: &[&Fact], violation: &str, cause: Option<&str>, axis: &str) -> Option<bool> {
    let mut values: Vec<(f64, &str)> = rows
        .iter()
        .filter_map(|fact| fact.cell.point.on(axis))
        .filter_map(|text| Some((text.parse().ok()?, text)))
        .collect();
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    values.dedup();
    let at = |(_, value): &(f64, &str)| {
        let here: Vec<&Fact> = rows.iter().copied().filter(|fact| fact.cell.point.on(axis) == Some(*value)).collect();
        (count(&here, violation, cause), requests(&here))
    };
    let counts: Vec<(u64, u64)> = values.iter().map(at).collect();
    let (first, last) = (counts.first()?, counts.last()?);
    // a/b < c/d without a division.
    let is_more = |(a, of): (u64, u64), (b, others): (u64, u64)| {
        u128::from(a) * u128::from(others) < u128::from(b) * u128::from(of)
    };
    let every_step = counts.windows(2).all(|pair| is_more(pair[0], pair[1]));
    let is_clear = wilson_95(first.0, first.1).1 < wilson_95(last.0, last.1).0;
    (counts.len() >= 3).then_some(every_step && is_clear)
}

/// Whether two counts are no further apart than chance puts them.
pub(super) fn are_alike((a, of): (u64, u64), (b, others): (u64, u64)) -> bool {
    fisher_exact(a, of, b, others) >= SIGNIFICANT
}

fn is_limited(experiment: &Experiment, cell: &CellSummary, registry: &Registry) -> bool {
    // A point that cannot be made any more is not known to be without a limit.
    let Ok(here) = experiment.at(&cell.point, registry) else { return true };
    let is_delayed = |level: &Level| {
        let messages = [&level.client, &level.store, &level.lock].into_iter();
        let messages = messages.chain(level.for_ops.iter().filter_map(|exception| exception.message.as_ref()));
        messages.into_iter().any(|message| message.delayed.get() >= MOST_ARE_DELAYED)
    };
    here.load.rate_per_s.is_some() || here.faults.iter().any(|level| level.name == cell.faults && is_delayed(level))
}

/// What a strategy owes to its store, from its claims: the ways in which another store breaks it and this one does not.
fn store_condition(strategy: &str, store: &str, registry: &Registry) -> Option<String> {
    let strategy = registry.get(strategy).ok()?;
    let (here, _) = StoreKind::NAMES.into_iter().find(|(_, name)| *name == store)?;
    let breaks = strategy.claim(here).breaks;
    let is_new = |one: &Break| !breaks.contains(one);
    let worse = |kind: StoreKind| is_real(kind) && strategy.claim(kind).breaks.iter().any(is_new);
    let (other, _) = StoreKind::NAMES.into_iter().find(|(kind, _)| *kind != here && worse(*kind))?;
    let level = strategy.steps().rsplit_once(" at ").map_or(String::new(), |(_, level)| format!(" at {level}"));
    is_real(here).then(|| format!("on {}; it breaks on {}{level}", described(here), named(other)))
}

/// Whether it keeps anything.
fn is_real(store: StoreKind) -> bool {
    match store {
        StoreKind::Sqlite | StoreKind::Postgres | StoreKind::Mariadb => true,
        StoreKind::Null => false,
    }
}

fn named(store: StoreKind) -> &'static str {
    match store {
        StoreKind::Sqlite => "SQLite",
        StoreKind::Postgres => "PostgreSQL",
        StoreKind::Mariadb => "MariaDB",
        StoreKind::Null => "the null store",
    }
}

fn described(store: StoreKind) -> &'static str {
    match store {
        StoreKind::Sqlite => "SQLite, which has one writer",
        StoreKind::Postgres | StoreKind::Mariadb | StoreKind::Null => named(store),
    }
}
