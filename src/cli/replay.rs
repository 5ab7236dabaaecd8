//! `oncelab replay`: a schedule, step by step, on real backends.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use super::explore::{Export, draw};
use super::hop::HopOption;
use super::mounted::Mounted;
use super::progress::Counter;
use super::requests::Requests;
use super::servers::{NeededServers, Real};
use super::uses::Uses;
use super::{explore_output, legend, output};
use crate::exit;
use crate::explore::{Bound, MAX_LANES, MAX_RETRIES, Reason, Schedule, ScheduleError, bound_of, tell, tell_with};
use crate::quote::shell_path;
use crate::replay::{Divergence, Kept, ReplayError, ReplayWork, Replayed, ToldReplay, replay_all, replay_and_tell};
use crate::report;
use crate::strategy::{Hazards, Registry, Strategy, claim_of};
use crate::terms::Role;
use crate::terms::{Entry, StoreKind, Violation};

#[derive(Debug, Args)]
#[command(after_help = legend::of_schedules())]
pub(super) struct Replay {
    /// The strategy: a name from `oncelab list strategies`
    strategy: String,
    /// The schedule, e.g. "a b b a"
    schedule: String,
    #[command(flatten)]
    real: Real,
    /// How often the schedule is replayed
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    times: u32,
    /// How many lanes (copies of the request), if there are more than the schedule names
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=i64::from(MAX_LANES)))]
    lanes: u8,
    /// How often the client of a lane may try again
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=i64::from(MAX_RETRIES)))]
    retries: u8,
    #[command(flatten)]
    requests: Requests,
    /// Let what the strategy keeps be forgotten, its ids by a reaper, or the keys of a Redis that crashes or fails over: its lanes come behind those of the
    /// deliveries, one for each request
    #[arg(long)]
    reaper: bool,
    #[command(flatten)]
    hop: HopOption,
    /// Wait until leases expire by themselves; without this flag the lab revokes them
    #[arg(long)]
    natural_expiry: bool,
    /// Keep the database so that you can look at it, and say how to connect
    #[arg(long)]
    keep: bool,
    /// Draw what happened as a space-time diagram: SVG, or text if the name ends in .txt
    #[arg(long, value_name = "FILE")]
    diagram: Option<PathBuf>,
    /// Print what happened in another form, and nothing else
    #[arg(long, value_enum, value_name = "FORM", conflicts_with = "json")]
    export: Option<Export>,
    /// Print one JSON document, and nothing else, on stdout
    #[arg(long)]
    json: bool,
}

/// What many replays came to.
#[derive(Default)]
struct Count {
    times: u32,
    /// Those that show every violation which the model shows.
    reproduced: u32,
    divergences: u32,
    first: Option<Divergence>,
    violations: BTreeMap<Violation, u32>,
}

impl Count {
    fn add(&mut self, replayed: Replayed, expected: &[Violation]) {
        self.times += 1;
        self.reproduced += u32::from(!expected.is_empty() && expected.iter().all(|kind| replayed.shows(*kind)));
        for violation in Violation::ALL {
            if replayed.shows(violation) {
                *self.violations.entry(violation).or_default() += 1;
            }
        }
        if let Some(divergence) = replayed.divergence {
            self.divergences += 1;
            self.first.get_or_insert(divergence);
        }
    }
}

impl Replay {
    /// Fills in which backends are meant.
    ///
    /// # Errors
    /// If they contradict each other.
    pub fn settle(&mut self) -> Result<(), super::UsageError> {
        self.real.settle()
    }

    /// Replays, and prints what happened.
    pub fn execute(&self, registry: &Registry) -> anyhow::Result<ExitCode> {
        let strategy = self.hop.put_before(registry).get(&self.strategy)?;
        let strategy = strategy.as_ref();
        let schedule: Schedule = self.schedule.parse()?;
        let needs = NeededServers::of([strategy]);
        let store = self.real.model();
        super::explore::require_reaper(strategy, self.reaper)?;
        self.requests.require_lanes(u8::MAX)?;
        self.requests.require_batches(strategy)?;
        let bound = Bound { store, reaps: self.reaper, ..Bound::new(self.lanes, self.retries, 0) };
        let bound = self.requests.make_room_in(bound);
        let bound = bound_of(strategy, bound, &schedule)?;
        // Whatever is wrong with the schedule is said before a server is started.
        let told = if store.has_own_model() { Some(tell(strategy, bound, &schedule)) } else { None };
        let expected = match told.transpose() {
            Ok(story) => story.map(|story| kinds(&story.findings)),
            Err(ScheduleError::Explore(error)) if matches!(error.reason(), Reason::OwnSql { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        Uses::parse(&self.real.uses)?.require(strategy)?;
        let mounted = Mounted::start(&self.real, self.times as usize, needs, self.natural_expiry)?;
        // An old server does what the model has forgiven it.
        let flaws = mounted.testbed().known_flaws();
        let expected = match expected {
            Some(_) => Some(kinds(&tell_with(strategy, bound, &schedule, flaws)?.findings)),
            None => None,
        };
        let schedules = [schedule];
        let work = ReplayWork {
            strategy,
            bound,
            flaws,
            schedules: &schedules,
            times: self.times as usize,
            workers: self.real.workers(needs.lock),
            has_model: expected.is_some(),
        };
        let folder = std::env::current_dir()?;
        let told = replay_and_tell(mounted.testbed(), work, self.keep.then_some(folder.as_path()))?;
        // Where there is no model, the first replay tells what is expected of the others.
        let expected = expected.unwrap_or_else(|| kinds(&told.replayed.findings));
        let mut count = Count::default();
        let began = Instant::now();
        let ended = if self.times == 1 {
            count.add(told.replayed.clone(), &expected);
            Ok(())
        } else {
            self.replay_many(&mounted, work, &expected, &mut count)
        };
        let elapsed = began.elapsed();
        if let Some(file) = &self.diagram {
            draw(file, &told.story)?;
        }
        output::print(&if let Some(form) = self.export {
            form.of(&told.story)?
        } else if self.json {
            serde_json::to_string_pretty(&self.as_json(
                &told,
                &count,
                &expected,
                elapsed,
                &mounted.testbed().backends().describe(),
            ))? + "\n"
        } else {
            self.as_text(&told, &count, &expected, elapsed)
        })?;
        if let Some(kept) = &told.kept {
            self.say_how_to_connect(kept, &mounted);
        }
        ended?;
        Ok(ExitCode::from(if mounted.is_stopped() && !self.keep {
            exit::INTERRUPTED
        } else {
            self.code(strategy, &bound, &count, &expected)
        }))
    }

    fn replay_many(
        &self,
        mounted: &Mounted,
        work: ReplayWork<'_>,
        expected: &[Violation],
        count: &mut Count,
    ) -> Result<(), ReplayError> {
        let counter = Counter::new(work.strategy.name());
        let counted = Mutex::new(count);
        replay_all(mounted.testbed(), work, &|_, replayed| {
            let mut count = counted.lock().unwrap_or_else(PoisonError::into_inner);
            count.add(replayed, expected);
            counter.tell(count.times as usize, work.times);
            !mounted.is_stopped()
        })
    }

    fn code(&self, strategy: &dyn Strategy, bound: &Bound, count: &Count, expected: &[Violation]) -> u8 {
        let asked = Hazards { reaps: bound.reaps, other_bodies: bound.other_body };
        let claim = claim_of(strategy, self.real.store_kind(), asked);
        let is_ruled_out = |violation: &Violation| claim.rules_out.contains(violation);
        let misses = !expected.is_empty() && count.reproduced < count.times;
        if count.divergences > 0 || misses || count.violations.keys().any(is_ruled_out) {
            exit::BROKEN
        } else {
            exit::MET
        }
    }

    /// The command that does this again.
    fn command(&self) -> String {
        let mut options = self.real.options();
        for (name, value) in [("lanes", self.lanes), ("retries", self.retries)] {
            if value != 1 {
                options.push_str(&format!(" --{name} {value}"));
            }
        }
        options.push_str(&self.requests.options());
        if self.reaper {
            options.push_str(" --reaper");
        }
        options.push_str(self.hop.option());
        if self.times > 1 {
            options.push_str(&format!(" --times {}", self.times));
        }
        format!("oncelab replay {}{options} \"{}\"", self.strategy, self.schedule)
    }

    fn as_json(
        &self,
        told: &ToldReplay,
        count: &Count,
        expected: &[Violation],
        elapsed: Duration,
        backends: &[(String, String)],
    ) -> Value {
        let lock_server = backends.iter().find(|(key, _)| key == "lock_server").map(|(_, value)| value);
        let names = |kinds: &[Violation]| kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>();
        let violations: BTreeMap<_, _> = count.violations.iter().map(|(kind, times)| (kind.name(), times)).collect();
        let mut document = json!({
            "strategy": self.strategy,
            "schedule": self.schedule,
            "store": self.real.store,
            "lock": self.real.lock,
            "lock_server": lock_server,
            "times": count.times,
            "expected": names(expected),
            "reproduced": count.reproduced,
            "violations": violations,
            "causes": told.replayed.findings.iter().map(|finding| json!({
                "kind": finding.violation.name(),
                "cause": finding.cause.name(),
            })).collect::<Vec<_>>(),
            "divergences": count.divergences,
            "first_divergence": count.first.as_ref().map(ToString::to_string),
            "elapsed_ms": u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            "per_second": per_second(count.times, elapsed).round(),
            "steps": told.story.lines.iter().map(|line| json!({
                "step": line.step.to_string(),
                "did": line.did,
                "learned": line.learned,
                "told": line.told,
                "shows": names(&line.shows),
            })).collect::<Vec<_>>(),
            "ledger": told.rows.iter().map(|row| json!({
                "number": row.number,
                "message": row.message.0,
                "account": row.account.0,
                "amount": row.amount,
                "balance": row.balance,
                "token": row.token.map(|token| token.0.get()),
                "attempt": row.by.attempt,
                "copy": row.by.copy,
            })).collect::<Vec<_>>(),
        });
        self.hop.say_in(&mut document);
        document
    }

    fn as_text(&self, told: &ToldReplay, count: &Count, expected: &[Violation], elapsed: Duration) -> String {
        let mut out = format!("\n{}\n", report::to_diagram(&told.story));
        if told.replayed.divergence.is_none() {
            out.push_str(&format!("{}\n", told.story.as_text()));
        }
        out.push_str(&ledger(&told.rows));
        if let Some(divergence) = &count.first {
            out.push_str(&format!("\n{}\n", output::wrap(&format!("DIVERGES: {divergence}"))));
        }
        let what = match expected {
            [] => "no violation, as expected".to_owned(),
            kinds => {
                let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
                format!("{}: {} of {} times", names.join(", "), count.reproduced, count.times)
            }
        };
        let on = if told.story.roles.contains(&Role::LOCK) {
            format!("{} and {}", self.real.store, self.real.lock)
        } else {
            self.real.store.clone()
        };
        let divergences =
            if count.divergences == 1 { "1 divergence" } else { &format!("{} divergences", count.divergences) };
        out.push_str(&format!("\n{}\n", output::wrap(&format!("on {on}, {what}; {divergences}"))));
        out.push_str(&explore_output::because(&told.replayed.findings));
        if count.times > 1 {
            out.push_str(&format!("{:.0} replays a second\n", per_second(count.times, elapsed)));
        }
        out.push_str(&format!("again: {}\n", output::here(&self.command())));
        out
    }

    /// Tells where the database is, and waits with it if it goes with this process.
    fn say_how_to_connect(&self, kept: &Kept, mounted: &Mounted) {
        match kept {
            Kept::File(path) => output::tell(&format!("kept: sqlite3 {}", shell_path(path))),
            Kept::Schema(schema) => {
                let started = mounted.testbed().backends().started_store_url();
                let url = started.clone().unwrap_or_else(|| "(the URL of --store-url)".to_owned());
                let drop = if self.real.store_kind() == StoreKind::Mariadb {
                    output::tell(&format!("kept: SELECT * FROM {schema}.ledger; at {url}"));
                    format!("DROP DATABASE {schema}")
                } else {
                    output::tell(&format!("kept: psql '{url}' -c 'SET search_path = {schema}' -c 'TABLE ledger'"));
                    format!("DROP SCHEMA {schema} CASCADE")
                };
                match started {
                    None => output::tell(&format!("      when you have seen enough: {drop}")),
                    Some(_) => {
                        output::tell("      the server was started for this replay: it stays until Ctrl-C");
                        mounted.wait_for_signal();
                    }
                }
            }
        }
    }
}

fn per_second(times: u32, elapsed: Duration) -> f64 {
    f64::from(times) / elapsed.as_secs_f64().max(1e-6)
}

/// The kinds of these findings, each once.
fn kinds(findings: &[crate::check::Finding]) -> Vec<Violation> {
    Violation::ALL.into_iter().filter(|kind| findings.iter().any(|finding| finding.violation == *kind)).collect()
}

/// The ledger's rows as they stand in the database.
fn ledger(rows: &[Entry]) -> String {
    if rows.is_empty() {
        return "the ledger is empty\n".to_owned();
    }
    let mut out = "the ledger:  number  message  account  amount  balance         token  delivery\n".to_owned();
    for row in rows {
        let token = row.token.map_or_else(String::new, |token| token.0.to_string());
        let (number, message, account) = (row.number, row.message.0, row.account.0);
        let (amount, balance, by) = (row.amount, row.balance, row.by);
        out.push_str(&format!(
            "             {number:>6}  {message:>7}  {account:>7}  {amount:>+6}  {balance:>7}  {token:>12}  {by}\n"
        ));
    }
    out
}
