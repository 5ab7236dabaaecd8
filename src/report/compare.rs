//! Two runs of an experiment, side by side: violations by Fisher's test, speeds by the rank-sum test over trials, with the machine's
//! spells within a run and its pace over a whole run taken out, so that a slower machine is not taken for slower strategies.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::figure::{percent, three_digits};
use super::table::{Align, Table};
use crate::experiment::{Cell, Experiment};
use crate::results::{CellSummary, Meta, RunFolder, Summary, TrialRow};
use crate::stats::{differs_by_more, fisher_exact, holm, median, ratio_interval_95, smallest_p, without_spells};
use crate::terms::Violation;

/// Below this p-value, raised for the number of rows, a difference is shown.
const SIGNIFICANT: f64 = 0.05;

/// In what two runs differ.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    pub before: String,
    pub after: String,
    pub warnings: Vec<String>,
    /// How fast the run after was as a whole: the median over rows of goodput after over before. It is not judged: a machine that is
    /// busy does the same.
    pub pace: f64,
    pub rows: Vec<Compared>,
    /// Whether a guarantee that held before is broken after.
    pub broken: bool,
    /// Whether a strategy became slower.
    pub slower: bool,
}

/// One row of both runs.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    pub strategy: String,
    pub faults: String,
    pub at: String,
    pub verdict_before: &'static str,
    pub verdict_after: &'static str,
    /// Valid before, and not after; or something shows that the claim rules out.
    pub broken: bool,
    pub violations: Vec<ViolationChange>,
    /// Goodput after over before, the spells of the machine and the pace of the run as a whole taken out.
    pub goodput_ratio: f64,
    /// Its 95 % bootstrap interval.
    pub low: Option<f64>,
    pub high: Option<f64>,
    /// Of the rank-sum test for a difference of more than the least that matters, raised for the number of rows by Holm's procedure.
    pub p: Option<f64>,
    /// `faster`, `slower`, or `~` where nothing shows a difference.
    pub speed: &'static str,
    /// The 99th percentile of latency after over before; not judged.
    pub p99_ratio: f64,
}

/// How often a violation was found before and after, where that differs by more than chance.
#[derive(Debug, Clone, Serialize)]
pub struct ViolationChange {
    pub violation: &'static str,
    pub before: (u64, u64),
    pub after: (u64, u64),
    /// Of Fisher's exact test, raised for the number of tests by Holm's procedure.
    pub p: f64,
}

/// The first key in which two experiments ask for something else; none if they are the same, whatever their prose, their
/// expectations, and the number of their trials.
#[must_use]
pub fn different(before: &Experiment, after: &Experiment) -> Option<String> {
    let asked = |experiment: &Experiment| {
        let mut table = toml::Table::try_from(experiment).unwrap_or_default();
        for prose in [
            "question",
            "analysis",
            "references",
            "expect",
            "expect_by_claim",
            "repeats",
            "strategies",
            "only_points",
            "baseline",
        ] {
            table.remove(prose);
        }
        toml::Value::Table(table)
    };
    first_difference("", &asked(before), &asked(after))
}

/// Why two runs cannot be compared, although they ask the same: what one of them was made on is not what the other was made on, and no
/// difference could be told from that one. None if they can.
#[must_use]
pub fn incomparable(before: &Meta, after: &Meta) -> Option<String> {
    let pairs =
        [("stores", "--store", &before.store, &after.store), ("lock services", "--lock", &before.lock, &after.lock)];
    let (what, option, old, new) = pairs.into_iter().find(|(.., old, new)| old != new)?;
    let again = Meta { store: before.store.clone(), lock: before.lock.clone(), ..after.clone() };
    Some(format!(
        "the runs were made on different {what} ({option} {old} before, {option} {new} after): their speeds and violations differ for that reason alone. Make the run after on the same: `{}`",
        again.command()
    ))
}

fn first_difference(key: &str, before: &toml::Value, after: &toml::Value) -> Option<String> {
    let below = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
    match (before, after) {
        (toml::Value::Table(a), toml::Value::Table(b)) => {
            let mut names: Vec<&String> = a.keys().chain(b.keys()).collect();
            names.sort();
            names.dedup();
            names.into_iter().find_map(|name| match (a.get(name), b.get(name)) {
                (Some(a), Some(b)) => first_difference(&below(name), a, b),
                (Some(a), None) => Some(format!("{}: {a} before, nothing after", below(name))),
                (None, b) => b.map(|b| format!("{}: nothing before, {b} after", below(name))),
            })
        }
        (toml::Value::Array(a), toml::Value::Array(b)) if a.len() == b.len() => {
            let named = |n: usize, value: &toml::Value| {
                value.get("name").and_then(toml::Value::as_str).map_or_else(|| n.to_string(), str::to_owned)
            };
            a.iter().zip(b).enumerate().find_map(|(n, (a, b))| first_difference(&below(&named(n, a)), a, b))
        }
        (a, b) => (a != b).then(|| format!("{key}: {a} before, {b} after")),
    }
}

/// Compares two runs of one experiment. Differences of speed below `least` are none that matter.
#[must_use]
pub fn compare(before: (&RunFolder, &Summary), after: (&RunFolder, &Summary), least: f64) -> Comparison {
    let (old_speeds, mut new_speeds) = (speeds(before.0.rows()), speeds(after.0.rows()));
    let ratios = ratios(&old_speeds, &new_speeds);
    for (cell, speeds) in &mut new_speeds {
        let pace = pace_of(cell, &ratios);
        speeds.iter_mut().for_each(|speed| *speed /= pace);
    }
    let seed = before.0.meta.seed;
    let pairs: Vec<(&CellSummary, &CellSummary)> =
        before.1.cells.iter().filter_map(|a| Some((a, after.1.cells.iter().find(|b| cell(a) == cell(b))?))).collect();
    let speeds_of = |of: &BTreeMap<Cell, Vec<f64>>, one: &CellSummary| of.get(&cell(one)).cloned().unwrap_or_default();
    let raw: Vec<f64> = pairs
        .iter()
        .map(|(a, b)| differs_by_more(&speeds_of(&old_speeds, a), &speeds_of(&new_speeds, b), least).unwrap_or(1.0))
        .collect();
    let raised = holm(&raw);
    let changes = violation_changes(&pairs);
    let row = |((n, (a, b)), violations): ((usize, &(&CellSummary, &CellSummary)), Vec<ViolationChange>)| {
        let (old, new) = (speeds_of(&old_speeds, a), speeds_of(&new_speeds, b));
        let ratio = median(new.iter().copied()) / median(old.iter().copied());
        let interval = ratio_interval_95(&new, &old, seed);
        let is_shown = raised[n] < SIGNIFICANT;
        Compared {
            strategy: a.strategy.clone(),
            faults: a.faults.clone(),
            at: a.point.to_string(),
            verdict_before: a.verdict,
            verdict_after: b.verdict,
            broken: (a.verdict == "valid" && b.verdict == "invalid") || (a.met && !b.met && b.verdict == "invalid"),
            violations,
            goodput_ratio: ratio,
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
            p: (old.len() > 1 && new.len() > 1).then_some(raised[n]),
            speed: match is_shown {
                true if ratio < 1.0 => "slower",
                true => "faster",
                false => "~",
            },
            p99_ratio: b.latency_ms.p99 / a.latency_ms.p99,
        }
    };
    let rows: Vec<Compared> = pairs.iter().enumerate().zip(changes).map(row).collect();
    Comparison {
        before: before.1.dir.clone(),
        after: after.1.dir.clone(),
        warnings: warnings(before, after, pairs.len()),
        pace: pace(&ratios),
        broken: rows.iter().any(|row| row.broken),
        slower: rows.iter().any(|row| row.speed == "slower"),
        rows,
    }
}

fn cell(summary: &CellSummary) -> Cell {
    Cell { strategy: summary.strategy.clone(), level: summary.faults.clone(), point: summary.point.clone() }
}

/// The goodput of each trial, by row, the spells of the machine taken out. The rows are in the order in which the trials were made.
fn speeds(rows: &[TrialRow]) -> BTreeMap<Cell, Vec<f64>> {
    let rows: Vec<&TrialRow> = rows.iter().filter(|row| row.goodput_per_s > 0.0).collect();
    let cells: BTreeMap<&Cell, usize> =
        rows.iter().map(|row| &row.cell).collect::<BTreeSet<_>>().into_iter().zip(0..).collect();
    let trials: Vec<(usize, f64)> = rows.iter().map(|row| (cells[&row.cell], row.goodput_per_s)).collect();
    let mut speeds: BTreeMap<Cell, Vec<f64>> = BTreeMap::new();
    for (row, speed) in rows.into_iter().zip(without_spells(&trials)) {
        speeds.entry(row.cell.clone()).or_default().push(speed);
    }
    speeds
}

/// Of each row in both runs, the medians' ratio.
fn ratios(before: &BTreeMap<Cell, Vec<f64>>, after: &BTreeMap<Cell, Vec<f64>>) -> BTreeMap<Cell, f64> {
    let middle = |values: &Vec<f64>| median(values.iter().copied());
    let ratio = |(cell, old): (&Cell, &Vec<f64>)| Some((cell.clone(), middle(after.get(cell)?) / middle(old)));
    before.iter().filter_map(ratio).collect()
}

/// How fast the run after was where this row is: the median of the ratios of the rows under the same faults at the same point,
/// since those that wait for time-outs feel the machine less; of all rows where these are fewer than three. A strategy that became slower
/// does not move it, as long as most did not.
fn pace_of(cell: &Cell, ratios: &BTreeMap<Cell, f64>) -> f64 {
    let is_alike = |other: &Cell| other.level == cell.level && other.point == cell.point;
    let alike: Vec<f64> = ratios.iter().filter(|(other, _)| is_alike(other)).map(|(_, ratio)| *ratio).collect();
    if alike.len() >= 3 { median(alike) } else { pace(ratios) }
}

/// How fast the run after was as a whole. With a single row there is nothing to tell it from the machine by, and the pace is 1.
fn pace(ratios: &BTreeMap<Cell, f64>) -> f64 {
    if ratios.len() > 1 { median(ratios.values().copied()) } else { 1.0 }
}

/// For each pair of rows the violations that came more or less often, by more than chance.
fn violation_changes(pairs: &[(&CellSummary, &CellSummary)]) -> Vec<Vec<ViolationChange>> {
    let mut all = Vec::new();
    for (n, (a, b)) in pairs.iter().enumerate() {
        for kind in Violation::ALL.map(Violation::name) {
            let count = |cell: &CellSummary| cell.rates.get(kind).map_or(0, |rate| rate.count);
            if count(a) + count(b) > 0 {
                let p = fisher_exact(count(a), a.requests, count(b), b.requests);
                let change = ViolationChange {
                    violation: kind,
                    before: (count(a), a.requests),
                    after: (count(b), b.requests),
                    p,
                };
                all.push((n, change));
            }
        }
    }
    let raised = holm(&all.iter().map(|(_, change)| change.p).collect::<Vec<_>>());
    let mut by_pair = vec![Vec::new(); pairs.len()];
    for ((n, change), p) in all.into_iter().zip(raised) {
        if p < SIGNIFICANT {
            by_pair[n].push(ViolationChange { p, ..change });
        }
    }
    by_pair
}

fn warnings((a, before): (&RunFolder, &Summary), (b, after): (&RunFolder, &Summary), shared: usize) -> Vec<String> {
    let (old, new) = (&a.meta, &b.meta);
    let mut warnings = Vec::new();
    let pairs = [
        ("kernel", &old.kernel, &new.kernel),
        ("version of oncelab", &old.oncelab, &new.oncelab),
        ("revision", &old.git_revision, &new.git_revision),
        ("compiler", &old.rustc, &new.rustc),
        ("profile", &old.profile, &new.profile),
    ];
    for (what, before, after) in pairs.into_iter().filter(|(_, before, after)| before != after) {
        warnings.push(format!("another {what}: {before} before, {after} after"));
    }
    if (old.cores, old.memory_mib) != (new.cores, new.memory_mib) {
        let size = |meta: &Meta| format!("{} cores and {} MiB", meta.cores, meta.memory_mib);
        warnings.push(format!("another size of the machine: {} before, {} after", size(old), size(new)));
    }
    let processors = |meta: &Meta| {
        let mut all: Vec<&str> =
            meta.shards.iter().map(|origin| origin.cpu.as_str()).chain([meta.cpu.as_str()]).collect();
        all.sort_unstable();
        all.dedup();
        all.join(" and ")
    };
    if processors(old) != processors(new) {
        warnings.push(format!("another machine: {} before, {} after", processors(old), processors(new)));
    }
    for (which, _) in [("before", before), ("after", after)].into_iter().filter(|(_, summary)| summary.speeds_apart) {
        warnings
            .push(format!("the speeds of the run {which} come from several shards, and perhaps from several machines"));
    }
    let keys: Vec<&String> = old.backends.keys().chain(new.backends.keys()).collect();
    for key in
        keys.into_iter().filter(|key| key.ends_with("version") || key.ends_with("server") || key.ends_with("durable"))
    {
        if old.backends.get(key) != new.backends.get(key)
            && !warnings.iter().any(|warning| warning.contains(key.as_str()))
        {
            let of = |meta: &Meta| meta.backends.get(key).cloned().unwrap_or_else(|| "none".to_owned());
            warnings.push(format!("another {key}: {} before, {} after", of(old), of(new)));
        }
    }
    for (which, summary) in [("before", before), ("after", after)] {
        if summary.trials < summary.trials_planned {
            warnings.push(format!(
                "the run {which} is not complete: {} of {} trials",
                summary.trials, summary.trials_planned
            ));
        }
    }
    let only = before.cells.len() + after.cells.len() - 2 * shared;
    if only > 0 {
        warnings.push(format!("{only} rows are in one of the runs only, and left out"));
    }
    let trials = |summary: &Summary| summary.cells.iter().map(|cell| cell.trials).min().unwrap_or(0);
    let (n, m) = (trials(before), trials(after));
    #[expect(clippy::cast_precision_loss, reason = "a number of rows")]
    let least = smallest_p(n, m) * shared as f64;
    if shared > 0 && least >= SIGNIFICANT {
        warnings.push(format!(
            "{n} and {m} trials of a row cannot show a difference of speed among {shared} rows (the smallest p is {}): raise repeats, e.g. --set repeats=10",
            three_digits(Some(least.min(1.0)))
        ));
    }
    warnings
}

impl Comparison {
    /// The rows as a table.
    #[must_use]
    pub fn table(&self) -> Table {
        let columns = [
            ("", Align::Left),
            ("strategy", Align::Left),
            ("faults", Align::Left),
            ("at", Align::Left),
            ("verdict", Align::Left),
            ("speed", Align::Right),
            ("95 %", Align::Right),
            ("p99", Align::Right),
            ("violations", Align::Left),
        ];
        let mut table = Table::new(&columns);
        let many_levels = self.rows.iter().any(|row| row.faults != self.rows[0].faults);
        for row in &self.rows {
            let share = |(count, of): (u64, u64)| {
                #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
                let share = count as f64 / of.max(1) as f64;
                percent(share)
            };
            let verdict = if row.verdict_before == row.verdict_after {
                row.verdict_after.to_owned()
            } else {
                format!("{} → {}", row.verdict_before, row.verdict_after)
            };
            let times = |ratio: f64| three_digits(Some(ratio)) + "×";
            let changes = row
                .violations
                .iter()
                .map(|change| format!("{}: {} → {}", change.violation, share(change.before), share(change.after)));
            let mut changes: Vec<String> = changes.collect();
            if changes.is_empty() {
                changes.push("~".to_owned());
            }
            let values = [
                if row.broken { "!" } else { "" }.to_owned(),
                row.strategy.clone(),
                if many_levels { row.faults.clone() } else { String::new() },
                row.at.clone(),
                verdict,
                if row.speed == "~" { "~".to_owned() } else { times(row.goodput_ratio) },
                row.low.zip(row.high).map_or(String::new(), |(low, high)| {
                    format!("{}–{}", three_digits(Some(low)), three_digits(Some(high)))
                }),
                times(row.p99_ratio),
            ];
            table.push(values.map(|value| vec![value]).into_iter().chain([changes]).collect());
        }
        table.without_empty_columns()
    }

    /// How to read it, and what it comes to.
    #[must_use]
    pub fn legend(&self) -> Vec<String> {
        if self.rows.is_empty() {
            return vec!["No row is in both runs: there is nothing to compare.".to_owned()];
        }
        let mut lines = vec![
            "speed: goodput after over before, the machine's pace taken out; ~: nothing shows a difference that matters (rank-sum test, Holm, p < 0.05). 95 %: \
             bootstrap interval of that ratio. p99: latency after over before, not judged. violations: those that differ (Fisher's exact test, Holm)."
                .to_owned(),
            format!("The run as a whole went {} times as fast as the one before: not judged, since a busy machine does that.", three_digits(Some(self.pace))),
        ];
        lines.push(if self.broken {
            "A guarantee that held before is broken: see the rows marked '!'.".to_owned()
        } else {
            "No guarantee that held before is broken.".to_owned()
        });
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Point;

    fn cells(levels: &[(&str, &[f64])]) -> BTreeMap<Cell, f64> {
        let of_level = |(level, ratios): &(&str, &[f64])| {
            let level = (*level).to_owned();
            let cell = move |(n, ratio): (usize, &f64)| {
                let cell = Cell { strategy: format!("strategy-{n}"), level: level.clone(), point: Point::default() };
                (cell, *ratio)
            };
            ratios.iter().enumerate().map(cell).collect::<Vec<_>>()
        };
        levels.iter().flat_map(of_level).collect()
    }

    #[test]
    fn the_pace_is_that_of_the_rows_under_the_same_faults() {
        // A machine that is slower by a fifth, and rows that wait for time-outs.
        let ratios = cells(&[("none", &[0.8, 0.8, 0.6, 0.8]), ("lossy", &[1.0, 1.01, 0.99, 1.0])]);
        let pace_of = |level: &str| {
            let cell = ratios.keys().find(|cell| cell.level == level).unwrap();
            pace_of(cell, &ratios)
        };
        assert_eq!((pace_of("none"), pace_of("lossy")), (0.8, 1.0));
    }

    #[test]
    fn where_few_rows_are_alike_the_pace_is_that_of_all() {
        let ratios = cells(&[("none", &[0.8, 0.9]), ("lossy", &[0.7, 0.8, 0.8])]);
        let first = ratios.keys().find(|cell| cell.level == "none").unwrap();
        assert_eq!(pace_of(first, &ratios), 0.8);
        // One row: what is the machine and what is the strategy cannot be told.
        let one = cells(&[("none", &[0.5])]);
        assert_eq!(pace_of(one.keys().next().unwrap(), &one), 1.0);
    }
}
