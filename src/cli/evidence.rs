//! `oncelab evidence`: for each strategy what stands behind its claim, in one table.

use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Instant;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use super::evidence_row::{EvidenceRow, Hit, RunCell};
use super::mounted::Mounted;
use super::output;
use super::servers::{NeededServers, Real};
use super::usage::{UsageError, shard};
use super::uses::Uses;
use crate::exit;
use crate::explore::{Bound, Caused, ExploreError, Flaws, Kinds, Limits, Reason, bound_of};
use crate::lab::explore_both;
use crate::replay::{ConformError, Conformance, Conformed, ReplayWork, conform, replay_all};
use crate::report::{Align, Table, to_text};
use crate::strategy::{Registry, Strategy};
use crate::terms::{Role, Shape, Shard};

#[derive(Debug, Args)]
pub(super) struct GatherEvidence {
    /// The strategies [default: all that run on the store]
    strategies: Vec<String>,
    #[command(flatten)]
    real: Real,
    /// Take only the I-th of every N strategies, such as 2/8: other machines take the others
    #[arg(long, value_name = "I/N")]
    shard: Option<String>,
    /// How often each shortest schedule is replayed
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    times: u32,
    /// Hold at most this many schedules of each strategy against the model, drawn at random from its classes; 0 leaves it out
    #[arg(long, value_name = "NUMBER", default_value_t = 2_000)]
    sample: usize,
    /// How many requests a run of each strategy makes, under the faults of the experiment 'quick'; 0 leaves it out
    #[arg(long, value_name = "NUMBER", default_value_t = 2_500)]
    run_requests: u32,
    /// Print one JSON document, and nothing else, on stdout
    #[arg(long)]
    json: bool,
}

/// The bound of the schedules that are gone through, and of those that are held against the model.
fn explored() -> Bound {
    Bound { kinds: Kinds::all(), ..Bound::new(2, 1, 2) }
}

fn conformed() -> Bound {
    Bound { faults: 1, ..explored() }
}

/// How many lanes with a request a replay must be told of: the letters of what works for the system come behind those of an exploration.
fn lanes_of(strategy: &dyn Strategy, requests: u8) -> u8 {
    if strategy.residents().is_empty() { requests } else { explored().lanes }
}

fn has_own_sql(error: &ExploreError) -> bool {
    matches!(error.reason(), Reason::OwnSql { .. })
}

impl GatherEvidence {
    /// Fills in which backends are meant.
    ///
    /// # Errors
    /// If they contradict each other.
    pub fn settle(&mut self) -> Result<(), super::UsageError> {
        self.real.settle()
    }

    /// Gathers what there is, and prints the table.
    pub fn execute(&self, registry: &Registry) -> anyhow::Result<ExitCode> {
        let uses = Uses::parse(&self.real.uses)?;
        let mut strategies: Vec<Arc<dyn Strategy>> = if self.strategies.is_empty() {
            registry.on(self.real.store_kind()).cloned().collect()
        } else {
            self.strategies.iter().map(|name| registry.get(name)).collect::<Result<_, _>>()?
        };
        let shard = shard(self.shard.as_deref())?;
        if let Some(shard) = shard {
            let enough = shard.require_at_most(strategies.len() as u128, "strategies");
            enough.map_err(|error| UsageError(format!("--shard {error}")))?;
            let (mut place, all) = (0.., strategies.len());
            strategies.retain(|_| place.next().is_some_and(|place| shard.has(place)));
            output::tell(&format!(
                "shard {} of {}: {} of {all} strategies",
                shard.number(),
                shard.of(),
                strategies.len()
            ));
        }
        let mut skipped = Vec::new();
        if self.strategies.is_empty() {
            skipped.extend(strategies.iter().filter_map(|strategy| uses.lacks(strategy.as_ref())));
            strategies.retain(|strategy| uses.lacks(strategy.as_ref()).is_none());
        }
        strategies.iter().try_for_each(|strategy| uses.require(strategy.as_ref()))?;
        let began = Instant::now();
        let needs = NeededServers::of(strategies.iter().map(AsRef::as_ref));
        let mounted = Mounted::start(&self.real, usize::MAX, needs, false)?;
        let mut rows = Vec::new();
        for strategy in &strategies {
            output::tell(strategy.name());
            match self.row(&mounted, strategy) {
                Ok(row) => rows.push(row),
                // Where all are wanted, those that no model knows are left out.
                Err(error) if self.strategies.is_empty() && error.downcast_ref().is_some_and(has_own_sql) => {
                    skipped.push(error.to_string());
                }
                Err(error) => return Err(error),
            }
            if mounted.is_stopped() {
                break;
            }
        }
        let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        output::print(&if self.json {
            serde_json::to_string_pretty(&self.as_json(&rows, shard, &skipped, elapsed_ms))? + "\n"
        } else {
            self.as_text(&rows, &skipped)
        })?;
        if mounted.is_stopped() {
            return Ok(ExitCode::from(exit::INTERRUPTED));
        }
        let any = |code: u8| rows.iter().any(|row| row.code() == code);
        let code = [exit::BROKEN, exit::INCONCLUSIVE].into_iter().find(|code| any(*code));
        Ok(ExitCode::from(code.unwrap_or(exit::MET)))
    }

    fn row(&self, mounted: &Mounted, strategy: &Arc<dyn Strategy>) -> anyhow::Result<EvidenceRow> {
        let profile = self.real.model();
        let bound = Bound { store: profile, ..explored() };
        let limits = Limits::default();
        let both = explore_both(strategy, bound, limits, &mut ())?;
        let explored = both.verdict(strategy.as_ref());
        let mut schedules = Vec::new();
        for exploration in [Some(both.one), both.two].into_iter().flatten() {
            let requests = exploration.asked.requests;
            let exploration = exploration.with_causes(strategy.as_ref(), limits, &mut ())?;
            for caused in exploration.causes.iter().flat_map(|causes| &causes.found) {
                schedules.push(self.replay(mounted, strategy.as_ref(), caused, requests)?);
            }
        }
        let conformed = if self.sample > 0 && profile.has_own_model() {
            Some(self.conform(mounted, strategy.as_ref())?)
        } else {
            None
        };
        let run = if self.run_requests > 0 { Some(self.run(strategy.as_ref())?) } else { None };
        let has_residents = !strategy.residents().is_empty();
        Ok(EvidenceRow { strategy: strategy.name(), has_residents, explored, schedules, conformed, run })
    }

    fn workers(&self, strategy: &dyn Strategy) -> usize {
        self.real.workers(strategy.needs_lock_service())
    }

    fn replay(&self, mounted: &Mounted, strategy: &dyn Strategy, caused: &Caused, requests: u8) -> anyhow::Result<Hit> {
        let profile = self.real.model();
        let bound = Bound { requests, store: profile, ..Bound::new(lanes_of(strategy, requests), 1, 0) };
        let schedules = [caused.schedule.clone()];
        let work = ReplayWork {
            strategy,
            bound: bound_of(strategy, bound, &caused.schedule)?,
            flaws: mounted.testbed().known_flaws(),
            schedules: &schedules,
            times: self.times as usize,
            workers: self.workers(strategy),
            has_model: profile.has_own_model(),
        };
        let counted = Mutex::new((0, 0, 0));
        replay_all(mounted.testbed(), work, &|_, replayed| {
            let mut counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
            let shows = replayed.shows_because(caused.why());
            *counted =
                (counted.0 + 1, counted.1 + usize::from(shows), counted.2 + usize::from(replayed.divergence.is_some()));
            !mounted.is_stopped()
        })?;
        let (times, hits, divergences) = counted.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (violation, cause) = caused.why();
        Ok(Hit { violation, cause, requests, schedule: caused.schedule.to_string(), hits, times, divergences })
    }

    fn conform(&self, mounted: &Mounted, strategy: &dyn Strategy) -> Result<Conformed, ConformError> {
        let of = Conformance {
            bound: Bound { store: mounted.testbed().profile(), ..conformed() },
            flaws: Flaws::default(),
            shard: None,
            sample: Some(self.sample),
            max_classes: usize::MAX,
            seed: 1,
            workers: self.workers(strategy),
            until_divergence: false,
        };
        conform(mounted.testbed(), strategy, &of, &|_, _| !mounted.is_stopped())
    }

    /// Runs `quick` with this strategy alone, in a process of its own, as anybody would.
    fn run(&self, strategy: &dyn Strategy) -> anyhow::Result<Vec<RunCell>> {
        let folder = tempfile::tempdir().context("a folder for the run")?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["run", "quick", "--json", "--strategies", strategy.name()]);
        command.args(["--set", &format!("load.requests={}", self.run_requests), "--set", "repeats=1"]);
        if strategy.shape() == Shape::Register {
            // Only the one client that writes a value knows which version it has.
            command.args(["--set", "load.own_accounts=true"]);
        }
        self.real.hand_on(&mut command)?;
        let is_needed = |used: &&String| {
            strategy
                .needs()
                .iter()
                .any(|need| used.split('=').next() == Some(need.role.name()) && need.role != Role::STORE)
        };
        for used in self.real.uses.iter().filter(is_needed) {
            command.args(["--use", used]);
        }
        command.arg("--out").arg(folder.path());
        let done = command.stderr(Stdio::piped()).output()?;
        let document: Value = serde_json::from_slice(&done.stdout).map_err(|_| {
            let said = String::from_utf8_lossy(&done.stderr);
            let why = said.lines().last().unwrap_or("it said nothing").trim_start_matches("error: ").to_owned();
            anyhow::anyhow!("a run of '{}': {why}", strategy.name())
        })?;
        let cells = document["cells"].as_array().context("a run has cells")?;
        Ok(cells.iter().map(cell).collect())
    }

    fn as_json(&self, rows: &[EvidenceRow], shard: Option<Shard>, skipped: &[String], elapsed_ms: u64) -> Value {
        json!({
            "store": self.real.store,
            "lock": self.real.lock,
            "shard": shard,
            "times": self.times,
            "explored": bound_as_json(explored()),
            "conformed": bound_as_json(conformed()),
            "rows": rows.iter().map(EvidenceRow::as_json).collect::<Vec<_>>(),
            "skipped": skipped,
            "elapsed_ms": elapsed_ms,
        })
    }

    fn as_text(&self, rows: &[EvidenceRow], skipped: &[String]) -> String {
        let columns = [
            ("strategy", Align::Left),
            ("explored", Align::Left),
            ("replays", Align::Left),
            ("diverge", Align::Right),
            ("run", Align::Left),
        ];
        let mut table = Table::new(&columns);
        rows.iter().for_each(|row| table.push(row.cells()));
        let mut out = format!("\n{}\n", to_text(&table, 80));
        let legend = format!(
            "explored: whether all schedules within {} say what the claim says. replays: each shortest schedule (there is one for each \
             violation with each of its causes) was replayed {} times on {}; so many replays showed both. diverge: schedules within {}, one of \
             each class, on which a server did not do what its model does. run: what was seen under the faults of `quick`.",
            explored(),
            self.times,
            self.real.store,
            conformed()
        );
        out.push_str(&format!("{}\n", output::wrap(&legend)));
        for hit in rows.iter().flat_map(|row| row.schedules.iter().map(move |hit| (row, hit))) {
            let (row, hit) = hit;
            if hit.hits < hit.times || hit.divergences > 0 {
                let requests = if hit.requests > 1 { format!(" --requests {}", hit.requests) } else { String::new() };
                let lanes = if row.has_residents { format!(" --lanes {}", explored().lanes) } else { String::new() };
                let options = self.real.options();
                let again = format!(
                    "oncelab replay {} \"{}\"{requests}{lanes}{options} --times {}",
                    row.strategy, hit.schedule, self.times
                );
                out.push_str(&format!("! {} of {}:\n  {}\n", hit.hits, hit.times, output::here(&again)));
            }
        }
        for cell in rows.iter().flat_map(|row| row.run.iter().flatten()).filter(|cell| !cell.met) {
            out.push_str(&format!("! not as expected:\n  {}\n", output::here(&cell.command)));
        }
        skipped.iter().for_each(|why| out.push_str(&format!("{}\n", output::wrap(&format!("skipped: {why}")))));
        out
    }
}

fn bound_as_json(bound: Bound) -> Value {
    json!({ "lanes": bound.lanes, "retries": bound.retries, "faults": bound.faults })
}

/// A cell of a run's summary.
fn cell(cell: &Value) -> RunCell {
    let counts = cell["violations"].as_object().into_iter().flatten();
    let counts = counts.map(|(name, count)| (name.clone(), count.as_u64().unwrap_or(0)));
    RunCell {
        acknowledged: cell["acknowledged"].as_u64().unwrap_or(0),
        violations: counts.filter(|(_, count)| *count > 0).collect(),
        met: cell["met"].as_bool().unwrap_or(false),
        inconclusive: !cell["inconclusive"].is_null(),
        command: cell["reproduce"].as_str().unwrap_or_default().to_owned(),
    }
}
