//! `oncelab lift`: violations of a run as schedules, replayed on real backends and shortened.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use super::mounted::Mounted;
use super::progress::{Counter, Spinner};
use super::servers::{NeededServers, Real, ServerOptions};
use super::{UsageError, broker_client, legend, output};
use crate::check::{Case, Finding, findings};
use crate::exit;
use crate::experiment::Cell;
use crate::explore::{Flaws, Limits, Schedule};
use crate::replay::{LiftError, Lifted, ReplayWork, Replayed, Shortener, lift, replay_all};
use crate::results::{RunFolder, SavedTrial};
use crate::strategy::{Registry, Strategy};
use crate::terms::{Profile, Violation};

#[derive(Debug, Args)]
#[command(after_help = legend::of_schedules())]
pub(super) struct Lift {
    /// The folder of a run
    dir: PathBuf,
    /// Lift only violations of this strategy
    #[arg(long, value_name = "NAME")]
    strategy: Option<String>,
    /// Lift only violations of this kind, e.g. duplicate
    #[arg(long, value_name = "KIND")]
    violation: Option<String>,
    /// Lift at most this many violations, taken in turn from each strategy and kind
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    limit: usize,
    /// How often each schedule is replayed
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    times: u32,
    /// The store of the effects: sqlite (in memory) or postgres [default: the store of the run]
    #[arg(long, value_name = "STORE", value_parser = ["sqlite", "postgres"])]
    store: Option<String>,
    /// The lock service: embedded or etcd [default: the lock service of the run]
    #[arg(long, value_name = "SERVICE", value_parser = ["embedded", "etcd"])]
    lock: Option<String>,
    #[command(flatten)]
    servers: ServerOptions,
    /// How many schedules are replayed at the same time [default: one for each core]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..=64))]
    workers: Option<u8>,
    /// Print one JSON document, and nothing else, on stdout
    #[arg(long)]
    json: bool,
}

/// A violation of the run.
struct RecordedViolation {
    trial: String,
    cell: Cell,
    finding: Finding,
}

/// What became of it.
struct LiftOutcome {
    recorded: RecordedViolation,
    strategy: Arc<dyn Strategy>,
    lifted: Result<Lifted, LiftError>,
    minimal: Option<Lifted>,
    times: u32,
    /// The replays that went as the model does and show the violation.
    reproduced: u32,
    divergences: u32,
}

impl Lift {
    /// Lifts, replays and shortens.
    pub fn execute(&self, registry: &Registry) -> anyhow::Result<ExitCode> {
        let began = Instant::now();
        let folder = RunFolder::open(&self.dir, registry)?;
        folder.require_histories()?;
        broker_client::require_one_request_each(&folder, registry)?;
        let real = self.real(&folder)?;
        let profile = real.model();
        let chosen = in_turn(self.recorded(&folder, registry)?, self.limit);
        let mut outcomes = lift_all(&folder, registry, profile, chosen)?;
        let stopped = replay_each(&real, self.times, &mut outcomes)?;
        if !stopped {
            shorten_each(profile, &mut outcomes)?;
        }
        output::print(&if self.json {
            serde_json::to_string_pretty(&self.as_json(&real, &outcomes, began.elapsed()))? + "\n"
        } else {
            as_text(&real, &outcomes)
        })?;
        let holds = |outcome: &LiftOutcome| outcome.lifted.is_err() || outcome.reproduced == outcome.times;
        Ok(ExitCode::from(match outcomes.iter().all(holds) {
            _ if stopped => exit::INTERRUPTED,
            true => exit::MET,
            false => exit::BROKEN,
        }))
    }

    /// Where the schedules are replayed: on what the run was made on, unless something else is asked for.
    fn real(&self, folder: &RunFolder) -> Result<Real, UsageError> {
        let store = self.store.as_ref().unwrap_or(&folder.meta.store);
        if !["sqlite", "postgres"].contains(&store.as_str()) {
            return Err(UsageError(format!(
                "a schedule cannot be replayed on the store '{store}' of the run: add --store sqlite or --store postgres"
            )));
        }
        // Where the run was made elsewhere than at the server that is named, that must be asked for.
        let store = self.servers.urls.store(Some(store), store)?;
        let lock = self.lock.as_ref().unwrap_or(&folder.meta.lock);
        let lock = self.servers.urls.lock(Some(lock), lock)?;
        self.servers.urls.warn();
        Ok(Real::new(&store, &lock, &self.servers, self.workers))
    }

    /// The violations that were asked for, judged again.
    fn recorded(&self, folder: &RunFolder, registry: &Registry) -> anyhow::Result<Vec<RecordedViolation>> {
        let kind = match &self.violation {
            None => None,
            Some(name) => Some(Violation::from_name(name).ok_or_else(|| {
                let known = Violation::ALL.map(Violation::name).join(", ");
                UsageError(format!("--violation: no violation is named '{name}'; there are: {known}"))
            })?),
        };
        if let Some(name) = &self.strategy {
            registry.get(name)?;
        }
        let mut recorded = Vec::new();
        for row in folder.rows() {
            let is_wanted = self.strategy.as_ref().is_none_or(|name| *name == row.cell.strategy);
            let counted = |kind: &Violation| row.tally.count(*kind) > 0;
            if !is_wanted || !kind.map_or_else(|| Violation::ALL.iter().any(counted), |kind| counted(&kind)) {
                continue;
            }
            let strategy = registry.get(&row.cell.strategy)?;
            let saved = folder.history(&row.trial)?;
            let found = findings(&case(folder, strategy.as_ref(), &saved));
            let wanted = found.into_iter().filter(|finding| kind.is_none_or(|kind| kind == finding.violation));
            recorded.extend(wanted.map(|finding| RecordedViolation {
                trial: row.trial.clone(),
                cell: row.cell.clone(),
                finding,
            }));
        }
        Ok(recorded)
    }

    fn as_json(&self, real: &Real, outcomes: &[LiftOutcome], elapsed: Duration) -> Value {
        let about = |outcome: &LiftOutcome| {
            let RecordedViolation { cell, finding, .. } = &outcome.recorded;
            let Value::Object(about) = json!({
                "strategy": cell.strategy,
                "faults": cell.level,
                "message": finding.message.0,
                "violation": finding.violation.name(),
                "cause": finding.cause.name(),
            }) else {
                unreachable!("it is an object")
            };
            about
        };
        let (mut lifted, mut failed) = (Vec::new(), Vec::new());
        for outcome in outcomes {
            let mut about = about(outcome);
            match &outcome.lifted {
                Err(why) => {
                    about.insert("why".to_owned(), json!(why.to_string()));
                    failed.push(about);
                }
                Ok(schedule) => {
                    let minimal = outcome.minimal.as_ref().map(|minimal| minimal.schedule.to_string());
                    about.extend([
                        ("schedule".to_owned(), json!(schedule.schedule.to_string())),
                        ("minimal".to_owned(), json!(minimal)),
                        ("times".to_owned(), json!(outcome.times)),
                        ("reproduced".to_owned(), json!(outcome.reproduced)),
                        ("divergences".to_owned(), json!(outcome.divergences)),
                        (
                            "replay".to_owned(),
                            json!(schedule.command(&outcome.recorded.cell.strategy, &real.options())),
                        ),
                    ]);
                    lifted.push(about);
                }
            }
        }
        json!({
            "dir": self.dir.display().to_string(),
            "store": real.store,
            "lock": real.lock,
            "lifted": lifted,
            "failed": failed,
            "elapsed_ms": u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

/// The evidence of a saved trial.
pub(super) fn case<'s>(folder: &RunFolder, strategy: &dyn Strategy, saved: &'s SavedTrial) -> Case<'s> {
    let retries = strategy.claim(folder.meta.store_kind()).retries;
    Case::new(saved.evidence(retries, strategy.shape(), strategy.effects_in()))
}

/// The first of each strategy, fault level and kind, then the second of each, until there are so many; those of a trial together.
fn in_turn(recorded: Vec<RecordedViolation>, limit: usize) -> Vec<RecordedViolation> {
    let mut counts: BTreeMap<(Cell, Violation), usize> = BTreeMap::new();
    let mut ranked: Vec<(usize, RecordedViolation)> = Vec::new();
    for one in recorded {
        let count = counts.entry((one.cell.clone(), one.finding.violation)).or_default();
        ranked.push((*count, one));
        *count += 1;
    }
    // The sort keeps the order of the run within a turn.
    ranked.sort_by_key(|(turn, _)| *turn);
    ranked.truncate(limit);
    let mut chosen: Vec<RecordedViolation> = ranked.into_iter().map(|(_, one)| one).collect();
    chosen.sort_by(|one, other| one.trial.cmp(&other.trial));
    chosen
}

fn lift_all(
    folder: &RunFolder,
    registry: &Registry,
    profile: Profile,
    chosen: Vec<RecordedViolation>,
) -> anyhow::Result<Vec<LiftOutcome>> {
    let mut outcomes: Vec<LiftOutcome> = Vec::new();
    let mut chosen = chosen.into_iter().peekable();
    while let Some(trial) = chosen.peek().map(|one| one.trial.clone()) {
        let saved = folder.history(&trial)?;
        while let Some(recorded) = chosen.next_if(|one| one.trial == trial) {
            let strategy = registry.get(&recorded.cell.strategy)?;
            let lifted = lift(strategy.as_ref(), profile, &case(folder, strategy.as_ref(), &saved), &recorded.finding);
            outcomes.push(LiftOutcome {
                recorded,
                strategy,
                lifted,
                minimal: None,
                times: 0,
                reproduced: 0,
                divergences: 0,
            });
        }
    }
    Ok(outcomes)
}

/// Replays what was lifted, schedules of one bound together. Says whether a signal has stopped it.
fn replay_each(real: &Real, times: u32, outcomes: &mut [LiftOutcome]) -> anyhow::Result<bool> {
    let mut together: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (place, outcome) in outcomes.iter().enumerate() {
        if let Ok(lifted) = &outcome.lifted {
            let key = format!("{} {:?}", outcome.strategy.name(), lifted.bound);
            together.entry(key).or_default().push(place);
        }
    }
    if together.is_empty() {
        return Ok(false);
    }
    let needs = NeededServers::of(together.values().flatten().map(|place| outcomes[*place].strategy.as_ref()));
    let total = together.values().map(Vec::len).sum::<usize>() * times as usize;
    let mounted = Mounted::start(real, total, needs, false)?;
    let counter = Counter::new("lift");
    let mut done = 0;
    for places in together.values() {
        let lifted = |place: &usize| outcomes[*place].lifted.as_ref().ok();
        let Some(bound) = places.iter().find_map(lifted).map(|lifted| lifted.bound) else { continue };
        let schedules: Vec<Schedule> = places.iter().filter_map(lifted).map(|lifted| lifted.schedule.clone()).collect();
        let strategy = Arc::clone(&outcomes[places[0]].strategy);
        let work = ReplayWork {
            strategy: strategy.as_ref(),
            bound,
            flaws: Flaws::default(),
            has_model: true,
            schedules: &schedules,
            times: times as usize,
            workers: real.workers(strategy.needs_lock_service()),
        };
        let counted = Mutex::new((&mut *outcomes, &mut done));
        replay_all(mounted.testbed(), work, &|at, replayed: Replayed| {
            let mut counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
            let outcome = &mut counted.0[places[at]];
            outcome.times += 1;
            let shows = replayed.divergence.is_none() && replayed.shows(outcome.recorded.finding.violation);
            outcome.reproduced += u32::from(shows);
            outcome.divergences += u32::from(replayed.divergence.is_some());
            *counted.1 += 1;
            counter.tell(*counted.1, total);
            !mounted.is_stopped()
        })?;
        if mounted.is_stopped() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn shorten_each(profile: Profile, outcomes: &mut [LiftOutcome]) -> anyhow::Result<()> {
    let strategies: BTreeMap<&'static str, Arc<dyn Strategy>> =
        outcomes.iter().map(|outcome| (outcome.strategy.name(), Arc::clone(&outcome.strategy))).collect();
    let shortener = |strategy: &'static str| Shortener::new(strategies[strategy].as_ref(), profile, Limits::default());
    let mut shorteners: BTreeMap<&'static str, Shortener<'_>> = BTreeMap::new();
    let mut watch = Spinner::new("lift");
    for outcome in outcomes {
        let Ok(lifted) = &outcome.lifted else { continue };
        let name = outcome.strategy.name();
        let shortener = shorteners.entry(name).or_insert_with(|| shortener(name));
        let finding = &outcome.recorded.finding;
        outcome.minimal = shortener.shorten(lifted, (finding.violation, finding.cause), &mut watch)?;
    }
    watch.finish();
    Ok(())
}

fn as_text(real: &Real, outcomes: &[LiftOutcome]) -> String {
    let mut out = String::new();
    for outcome in outcomes {
        let RecordedViolation { cell, finding, .. } = &outcome.recorded;
        out.push_str(&output::wrap(&format!(
            "{} under '{}', m{}: {} ({})",
            cell.strategy, cell.level, finding.message.0, finding.violation, finding.cause
        )));
        out.push('\n');
        match &outcome.lifted {
            Err(why) => out.push_str(&output::hanging("  not lifted: ", &why.to_string())),
            Ok(lifted) => {
                let LiftOutcome { times, reproduced, divergences, .. } = outcome;
                let minimal = outcome.minimal.as_ref().map(|minimal| minimal.schedule.to_string());
                let replay = lifted.command(&cell.strategy, &real.options());
                out.push_str(&output::hanging("  lifted:   ", &lifted.schedule.to_string()));
                out.push_str(&format!("  replayed: {reproduced} of {times}, {divergences} divergences\n"));
                out.push_str(&output::hanging("  minimal:  ", minimal.as_deref().unwrap_or("not found")));
                out.push_str(&format!("  again:    {}\n", output::here(&replay)));
            }
        }
    }
    let lifted = outcomes.iter().filter(|outcome| outcome.lifted.is_ok());
    let (times, reproduced) = lifted
        .clone()
        .fold((0, 0), |(times, reproduced), outcome| (times + outcome.times, reproduced + outcome.reproduced));
    let divergences: u32 = lifted.clone().map(|outcome| outcome.divergences).sum();
    let has_lock = outcomes.iter().any(|outcome| outcome.strategy.needs_lock_service());
    let on = if has_lock { format!("{} and {}", real.store, real.lock) } else { real.store.clone() };
    out.push_str(&output::wrap(&format!(
        "{} of {} violations lifted; on {on}, {reproduced} of {times} replays show them, {divergences} divergences",
        lifted.count(),
        outcomes.len()
    )));
    out.push('\n');
    out
}
