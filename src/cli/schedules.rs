//! The schedules that a report shows: from the saved histories and the strategies' code alone.

use super::explore::explore_both;
use super::lift::case;
use crate::check::{Violation, findings};
use crate::explore::{Bound, Exploration, Kinds, Limits};
use crate::model::store::Profile;
use crate::replay::{Shortener, lift};
use crate::results::{Breaking, Explored, Files, RunFolder, Schedules, Shortened, Summary};
use crate::strategy::{Registry, StoreKind, Strategy};

/// How many violations of a strategy are tried before none is shown.
const TRIED: usize = 10;
/// What a search may use: a report is no place for long ones.
const LIMITS: Limits = Limits { memory_bytes: 256 << 20 };

/// The bound of explorations: that of the table in docs/explore.md.
const LANES: u8 = 2;
const RETRIES: u8 = 1;
const FAULTS: u8 = 2;

/// The schedules of a run: those that it has saved, or else made anew.
pub(super) fn of(folder: &RunFolder, summary: &Summary, registry: &Registry) -> Schedules {
    folder.read_json(Files::SCHEDULES).unwrap_or_else(|_| made(folder, summary, registry))
}

/// The schedules of a run, made from its histories and its strategies' code; without histories as much as was saved of them.
pub(super) fn made(folder: &RunFolder, summary: &Summary, registry: &Registry) -> Schedules {
    let Some(profile) = profile(folder) else { return Schedules::default() };
    let mut names: Vec<&str> = summary.cells.iter().map(|cell| cell.strategy.as_str()).collect();
    names.dedup();
    let explored = names.iter().filter_map(|name| explored(folder, registry, name, profile));
    let shortened = match folder.require_histories() {
        Ok(()) => shortened(folder, summary, registry, profile),
        // What was found while there were histories is kept.
        Err(_) => folder.read_json(Files::SCHEDULES).map_or_else(|_| Vec::new(), |saved: Schedules| saved.shortened),
    };
    Schedules { explored: explored.collect(), shortened }
}

/// The model of the run's kind of store; none if there is nothing in the store to break.
pub(super) fn profile(folder: &RunFolder) -> Option<Profile> {
    match folder.meta.store_kind() {
        StoreKind::Sqlite => Some(Profile::Sqlite),
        StoreKind::Postgres => Some(Profile::Postgres),
        StoreKind::Null => None,
    }
}

/// The bound within which a run's strategies are explored.
pub(super) fn bound(profile: Profile) -> Bound {
    Bound { kinds: Kinds::all(), store: profile, ..Bound::new(LANES, RETRIES, FAULTS) }
}

/// What an exploration shows; none of a strategy that no model knows.
fn explored(folder: &RunFolder, registry: &Registry, name: &str, profile: Profile) -> Option<Explored> {
    let strategy = registry.get(name).ok()?;
    let row = explore_both(&strategy, bound(profile), LIMITS, &mut ()).ok()?;
    let mut breaks: Vec<Breaking> = Vec::new();
    for exploration in row.both() {
        let new = breaking(exploration, strategy.as_ref(), folder);
        let is_new = |one: &Breaking| breaks.iter().all(|known| known.violation != one.violation);
        let new: Vec<Breaking> = new.into_iter().filter(is_new).collect();
        breaks.extend(new);
    }
    let model = if profile == Profile::Sqlite { " --store-model sqlite" } else { "" };
    Some(Explored {
        strategy: name.to_owned(),
        lanes: row.one.bound.lanes,
        retries: row.one.bound.retries,
        faults: FAULTS,
        schedules: row.one.census.schedules.to_string(),
        complete: row.both().all(|exploration| exploration.census.complete),
        breaks,
        command: format!("oncelab explore {name} --faults {FAULTS}{model}"),
    })
}

fn breaking(exploration: &Exploration, strategy: &dyn Strategy, folder: &RunFolder) -> Vec<Breaking> {
    let requests = exploration.bound.requests;
    let requests_option = if requests > 1 { format!(" --requests {requests}") } else { String::new() };
    let one = |minimal: &crate::explore::Minimal| Breaking {
        violation: minimal.violation.name().to_owned(),
        faults: u8::try_from(minimal.schedule.faults()).unwrap_or(u8::MAX),
        requests,
        schedule: minimal.schedule.to_string(),
        command: format!(
            "oncelab replay {} \"{}\"{requests_option}{}",
            strategy.name(),
            minimal.schedule,
            options(folder, strategy.needs_lock_service())
        ),
    };
    exploration.minimal.iter().map(one).collect()
}

/// For each strategy that broke, the shortest schedule of its foremost violation. What cannot be lifted, or whose history is not
/// there, is left out.
fn shortened(folder: &RunFolder, summary: &Summary, registry: &Registry, profile: Profile) -> Vec<Shortened> {
    let mut shown: Vec<Shortened> = Vec::new();
    for cell in &summary.cells {
        let counts = |kind: &Violation| {
            !cell.tolerated.contains(&kind.name()) && cell.violations.get(kind.name()).is_some_and(|count| *count > 0)
        };
        let Some(violation) = Violation::ALL.into_iter().find(counts) else { continue };
        if !shown.iter().any(|one| one.strategy == cell.strategy) {
            shown.extend(of_cell(folder, registry, (&cell.strategy, &cell.faults), violation, profile));
        }
    }
    shown
}

fn of_cell(
    folder: &RunFolder,
    registry: &Registry,
    (strategy, faults): (&str, &str),
    violation: Violation,
    profile: Profile,
) -> Option<Shortened> {
    let known = registry.get(strategy).ok()?;
    let of_cell = |row: &&crate::results::TrialRow| row.cell.strategy == strategy && row.cell.level == faults;
    let row = folder.rows().iter().filter(of_cell).find(|row| row.tally.count(violation) > 0)?;
    let saved = folder.history(&row.trial).ok()?;
    let case = case(folder, known.as_ref(), &saved);
    let found = findings(&case).into_iter().filter(|finding| finding.violation == violation).take(TRIED);
    let lifted = found.filter_map(|finding| lift(known.as_ref(), profile, &case, &finding).ok()).next()?;
    let least = Shortener::new(known.as_ref(), profile, LIMITS).shorten(&lifted, violation, &mut ()).ok()??;
    Some(Shortened {
        strategy: strategy.to_owned(),
        violation: violation.name().to_owned(),
        schedule: least.schedule.to_string(),
        command: least.command(strategy, &options(folder, known.needs_lock_service())),
    })
}

/// The options that replay on the backends of the run.
fn options(folder: &RunFolder, needs_lock: bool) -> String {
    let store = if folder.meta.store_kind() == StoreKind::Postgres { " --store postgres" } else { "" };
    let lock = if folder.meta.lock == "etcd" && needs_lock { " --lock etcd" } else { "" };
    format!("{store}{lock}")
}
