//! A run in a few sentences: what held, which of it is fastest, what the lock cost.

use super::figure::{bound, grouped, three_digits};
use crate::results::{CellSummary, Summary};

/// The violations after which an effect did not happen exactly once, or its client was told something false about it.
const OF_EFFECTS: [&str; 7] = ["duplicate", "lost", "abandoned", "late", "deviating", "stuck", "reverted"];

/// Whether every effect happened once and every client was told so: also what the strategy's promise allows is looked at.
pub(super) fn is_exactly_once(cell: &CellSummary) -> bool {
    cell.verdict == "valid" && OF_EFFECTS.iter().all(|kind| !cell.rates.contains_key(kind))
}

/// The strategies that did every effect exactly once wherever the run tried them.
#[must_use]
pub fn held(summary: &Summary) -> Vec<&str> {
    let mut names: Vec<&str> = summary.cells.iter().map(|cell| cell.strategy.as_str()).collect();
    names.dedup();
    names.retain(|name| summary.cells.iter().filter(|cell| cell.strategy == *name).all(is_exactly_once));
    names
}

/// The sentences. A strategy is named as `[[name]]`, for a page to make links of.
#[must_use]
pub fn brief(summary: &Summary) -> Vec<String> {
    let mut groups: Vec<(String, Vec<&CellSummary>)> = Vec::new();
    for cell in &summary.cells {
        let name = [format!("'{}'", cell.faults), cell.point.to_string()].join(" ").trim_end().to_owned();
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, cells)) => cells.push(cell),
            None => groups.push((name, vec![cell])),
        }
    }
    let many = groups.len() > 1;
    if summary.cells.is_empty() {
        return vec!["No trial is finished: there is nothing to tell.".to_owned()];
    }
    if groups.len() > 4 {
        return across(summary);
    }
    let sentences = |(name, cells): (String, Vec<&CellSummary>)| {
        let under = if many { format!("Under {name}: ") } else { String::new() };
        of_group(&cells).into_iter().map(move |sentence| format!("{under}{sentence}"))
    };
    groups.into_iter().flat_map(sentences).collect()
}

/// What held at every point of a sweep.
fn across(summary: &Summary) -> Vec<String> {
    let mut names: Vec<&str> = summary.cells.iter().map(|cell| cell.strategy.as_str()).collect();
    names.dedup();
    let (mut held, mut broke) = (Vec::new(), Vec::new());
    for name in names {
        let cells: Vec<&CellSummary> = summary.cells.iter().filter(|cell| cell.strategy == name).collect();
        let good = cells.iter().filter(|cell| is_exactly_once(cell)).count();
        if good == cells.len() {
            held.push(format!("[[{name}]]"))
        } else {
            broke.push(format!("[[{name}]] ({} of {})", cells.len() - good, cells.len()))
        }
    }
    let list = |names: Vec<String>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    vec![
        format!("Exactly once at every point of the sweep: {}.", list(held)),
        format!("Not so, and at how many points: {}.", list(broke)),
    ]
}

fn of_group(cells: &[&CellSummary]) -> Vec<String> {
    let mut safe: Vec<&CellSummary> = cells.iter().copied().filter(|cell| is_exactly_once(cell)).collect();
    if safe.is_empty() {
        return vec!["No strategy did every effect exactly once.".to_owned()];
    }
    safe.sort_by(|a, b| b.goodput_per_s.total_cmp(&a.goodput_per_s));
    // Safest first: what no schedule breaks, and of that what needs the fewest services and has the lowest bound.
    let fewest = |cell: &CellSummary| {
        cell.explored.as_ref().map_or(0, |explored| {
            let of_effects = explored.breaks.iter().filter(|b| OF_EFFECTS.contains(&b.violation.as_str()));
            of_effects.map(|b| b.faults).min().unwrap_or(u8::MAX)
        })
    };
    let safest = safe.iter().map(|cell| fewest(cell)).max().unwrap_or(0);
    let best: Vec<&&CellSummary> = safe.iter().filter(|cell| fewest(cell) == safest).collect();
    let named = |cells: &[&&CellSummary]| {
        cells.iter().map(|cell| format!("[[{}]]", cell.strategy)).collect::<Vec<_>>().join(", ")
    };
    let mut out = Vec::new();
    let requests = best[0].acknowledged;
    let rate = best.iter().filter_map(|cell| cell.upper_bound_95).fold(0.0, f64::max);
    let covered = if safest == u8::MAX {
        let most =
            best.iter().filter_map(|cell| Some(&cell.explored.as_ref()?.schedules)).max_by_key(|digits| digits.len());
        most.map_or(String::new(), |digits| {
            format!(", and no schedule within the bound breaks them (up to {} gone through)", grouped(digits))
        })
    } else {
        String::new()
    };
    out.push(format!(
        "Safest: {}. No violation in {requests} requests each (below {} with 95 % confidence){covered}.",
        named(&best),
        bound(rate)
    ));
    let others: Vec<&&CellSummary> = safe.iter().filter(|cell| fewest(cell) < safest).collect();
    if !others.is_empty() {
        out.push(format!("Nothing was seen of {} either, but schedules show how they break.", named(&others)));
    }
    let fastest = best[0];
    out.push(format!(
        "The fastest of the safest: [[{}]], {:.0} effects a second, p99 {} ms.",
        fastest.strategy,
        fastest.goodput_per_s,
        three_digits(Some(fastest.latency_ms.p99))
    ));
    out.extend(lock_price(&best));
    out
}

/// What the lock cost: the fastest strategy with one beside the others that are as safe.
fn lock_price(best: &[&&CellSummary]) -> Option<String> {
    let locked = best.iter().find(|cell| cell.lock.is_some())?;
    let without: Vec<&&&CellSummary> = best.iter().filter(|cell| cell.lock.is_none()).collect();
    let beside = |cell: &&&&CellSummary| {
        format!(
            "[[{}]], which needs no lock service, makes {} times as many (p99 {} ms)",
            cell.strategy,
            three_digits(Some(cell.goodput_per_s / locked.goodput_per_s)),
            three_digits(Some(cell.latency_ms.p99))
        )
    };
    (!without.is_empty() && locked.goodput_per_s > 0.0).then(|| {
        format!(
            "What the lock cost: [[{}]], the fastest of them with one, makes {:.0} effects a second (p99 {} ms); {}.",
            locked.strategy,
            locked.goodput_per_s,
            three_digits(Some(locked.latency_ms.p99)),
            without.iter().map(beside).collect::<Vec<_>>().join("; ")
        )
    })
}

/// A sentence without the brackets around names.
#[must_use]
pub fn plain(sentence: &str) -> String {
    sentence.replace("[[", "").replace("]]", "")
}
