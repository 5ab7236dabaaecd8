//! The schedules that a report shows: from the rows of a run and the strategies' code alone.

use super::explore_both;
use crate::explore::{Bound, Caused, Exploration, Kinds, Limits, Why, by_cause, is_proved_within};
use crate::parallel::in_parallel;
use crate::results::{Breaking, CellSummary, Explored, Files, RunFolder, Schedules, Shortened, Summary};
use crate::strategy::{Registry, Strategy};
use crate::terms::{Cause, FaultKind, Profile, Violation};

/// What a search may use: a report is no place for long ones.
const LIMITS: Limits = Limits { memory_bytes: 256 << 20, caused_states: 20_000 };

/// The bound of explorations: that of the table in docs/explore.md.
const LANES: u8 = 2;
const RETRIES: u8 = 1;
const FAULTS: u8 = 2;

/// The schedules of a run: those that it has saved, or else made anew.
pub(super) fn of(folder: &RunFolder, summary: &Summary, registry: &Registry) -> Schedules {
    saved(folder).unwrap_or_else(|| made(folder, summary, registry))
}

/// The schedules that a run has saved; none if the file is not one of the lab's: its commands are printed to be typed.
fn saved(folder: &RunFolder) -> Option<Schedules> {
    folder.read_json(Files::SCHEDULES).ok().filter(Schedules::is_sound)
}

/// The schedules of a run, made from its histories and its strategies' code; without histories as much as was saved of them.
pub(super) fn made(folder: &RunFolder, summary: &Summary, registry: &Registry) -> Schedules {
    // What was found while there were histories is kept.
    let kept =
        folder.require_histories().is_err().then(|| saved(folder).map_or_else(Vec::new, |saved| saved.shortened));
    of_rows(folder, summary, registry, kept)
}

/// The schedules of a run, made from its rows and its strategies' code, whatever was saved of them.
pub(super) fn anew(folder: &RunFolder, summary: &Summary, registry: &Registry) -> Schedules {
    of_rows(folder, summary, registry, None)
}

/// The schedules of a run; those that its violations were shortened to as they are, if they are given.
fn of_rows(folder: &RunFolder, summary: &Summary, registry: &Registry, kept: Option<Vec<Shortened>>) -> Schedules {
    let Some(profile) = profile(folder) else { return Schedules::default() };
    let mut names: Vec<&str> = summary.cells.iter().map(|cell| cell.strategy.as_str()).collect();
    names.dedup();
    // One that did not come to an end with servers would not here.
    let has_failed = |name: &str| folder.meta.failed.keys().any(|trial| trial.split('.').next() == Some(name));
    names.retain(|name| !has_failed(name));
    let explored = in_parallel(&names, |name| explored(folder, registry, name, profile));
    let shortened = kept.unwrap_or_else(|| shortened(folder, summary, registry, (&names, profile)));
    Schedules { explored: explored.into_iter().flatten().collect(), shortened }
}

/// The model of the run's kind of store; none if there is nothing in the store to break.
pub(super) fn profile(folder: &RunFolder) -> Option<Profile> {
    folder.meta.store_kind().model()
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
    let model = match profile {
        Profile::Sqlite => " --store-model sqlite",
        Profile::Postgres => "",
        Profile::Mariadb => " --store-model mariadb",
    };
    Some(Explored {
        strategy: name.to_owned(),
        lanes: row.one.bound.lanes,
        retries: row.one.bound.retries,
        faults: FAULTS,
        schedules: row.one.census.schedules.to_string(),
        complete: row.both().all(|exploration| exploration.census.is_whole()),
        proved: is_proved(strategy.as_ref(), profile, &breaks),
        breaks,
        command: format!("oncelab explore {name} --faults {FAULTS}{model}"),
    })
}

/// More views than these are left to `oncelab explore --lanes any`.
const MOST_VIEWS: u64 = 5_000;

/// Whether a strategy of which no schedule within the bound breaks what counts holds for any number, on a model of the store itself.
fn is_proved(strategy: &dyn Strategy, profile: Profile, breaks: &[Breaking]) -> bool {
    let bound = bound(profile);
    let claim = bound.claim_of(strategy);
    let counts = |b: &Breaking| Violation::from_name(&b.violation).is_none_or(|violation| claim.counts(violation));
    profile.has_own_model() && !breaks.iter().any(counts) && is_proved_within(strategy, bound, MOST_VIEWS)
}

fn breaking(exploration: &Exploration, strategy: &dyn Strategy, folder: &RunFolder) -> Vec<Breaking> {
    let requests = exploration.bound.requests;
    let requests_option = if requests > 1 { format!(" --requests {requests}") } else { String::new() };
    let one = |minimal: &crate::explore::Minimal| Breaking {
        violation: minimal.violation.name().to_owned(),
        faults: u8::try_from(minimal.faults).unwrap_or(u8::MAX),
        requests,
        schedule: minimal.schedule.to_string(),
        command: format!(
            "oncelab replay {} \"{}\"{requests_option}{}",
            strategy.name(),
            minimal.schedule,
            options(folder, strategy)
        ),
    };
    exploration.minimal.iter().map(one).collect()
}

/// For each violation that a strategy showed and that counts, with each of its causes: the shortest schedule that shows the same
/// because of the same. The faults in it are those that the run had, as far as there is such a schedule.
fn shortened(
    folder: &RunFolder,
    summary: &Summary,
    registry: &Registry,
    (names, profile): (&[&str], Profile),
) -> Vec<Shortened> {
    let in_order: Vec<&str> = registry.names().filter(|name| names.contains(name)).collect();
    in_parallel(&in_order, |name| of_strategy(folder, summary, registry, (name, profile))).concat()
}

fn of_strategy(
    folder: &RunFolder,
    summary: &Summary,
    registry: &Registry,
    (name, profile): (&str, Profile),
) -> Vec<Shortened> {
    let Ok(strategy) = registry.get(name) else { return Vec::new() };
    let cells: Vec<&CellSummary> = summary.cells.iter().filter(|cell| cell.strategy == name).collect();
    let mut left = shown(&cells);
    let mut found: Vec<(Caused, Bound)> = Vec::new();
    let had = cells.iter().flat_map(|cell| cell.fired.keys()).filter_map(|fault| FaultKind::from_name(fault));
    let had = had.map(Kinds::of).fold(Kinds::NONE, Kinds::and);
    // With the faults of the run, on one request, then on two; then with any fault. Bodies are mixed only where there are two.
    let of = |kinds, requests| Bound { kinds, requests, ..bound(profile) };
    let with_other_body = of(had, 1).with_other_body(true);
    for bound in [with_other_body, of(had, 1), of(had, 2), of(Kinds::all(), 1)] {
        let wanted = left.iter().filter(|(violation, _)| (*violation == Violation::Mixed) == bound.other_body);
        let wanted: Vec<Why> = wanted.copied().collect();
        if wanted.is_empty() {
            continue;
        }
        let Ok(more) = by_cause(strategy.as_ref(), bound, Some(&wanted), LIMITS, &mut ()) else { continue };
        left.retain(|why| !more.found.iter().any(|caused| caused.why() == *why));
        found.extend(more.found.into_iter().map(|caused| (caused, bound)));
    }
    found.sort_by_key(|(caused, _)| caused.why());
    let command = |caused: &Caused, bound: &Bound| {
        let requests = if bound.ids() > 1 { format!(" --requests {}", bound.ids()) } else { String::new() };
        let requests = requests + if bound.other_body { " --other-body" } else { "" };
        let options = options(folder, strategy.as_ref());
        format!("oncelab replay {name} \"{}\"{requests}{options}", caused.schedule)
    };
    let one = |(caused, bound): (Caused, Bound)| Shortened {
        strategy: name.to_owned(),
        violation: caused.violation.name().to_owned(),
        cause: caused.cause.name().to_owned(),
        faults: u8::try_from(caused.faults).unwrap_or(u8::MAX),
        requests: bound.ids(),
        other_body: bound.other_body,
        command: command(&caused, &bound),
        schedule: caused.schedule.to_string(),
    };
    found.into_iter().map(one).collect()
}

/// The violations that count and were shown, with their causes.
fn shown(cells: &[&CellSummary]) -> Vec<Why> {
    let mut shown = Vec::new();
    for violation in Violation::ALL {
        for cell in cells.iter().filter(|cell| !cell.tolerated.contains(&violation.name())) {
            let causes = cell.causes.get(violation.name()).into_iter().flat_map(|causes| causes.keys());
            let new = causes.filter_map(|cause| Cause::from_name(cause)).map(|cause| (violation, cause));
            shown.extend(new);
        }
    }
    shown.sort_unstable();
    shown.dedup();
    shown
}

/// The options that replay on the backends of the run.
fn options(folder: &RunFolder, strategy: &dyn Strategy) -> String {
    let kind = folder.meta.store_kind();
    let store = if kind.is_server() { &format!(" --store {}", kind.name()) } else { "" };
    let lock = if folder.meta.lock == "etcd" && strategy.needs_lock_service() { " --lock etcd" } else { "" };
    format!("{store}{lock}{}", strategy.broker_option())
}
