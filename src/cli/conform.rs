//! `oncelab conform`: holds real backends against the model.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use serde_json::json;

use super::explore::count;
use super::hop::HopOption;
use super::mounted::Mounted;
use super::output;
use super::progress::Counter;
use super::requests::Requests;
use super::servers::{NeededServers, Real};
use super::uses::Uses;
use crate::exit;
use crate::explore::{Bound, ExploreError, Flaws, Kinds, MAX_LANES, MAX_RETRIES, Reason};
use crate::replay::{ConformError, Conformance, Conformed, conform};
use crate::report::{Align, Table, to_text};
use crate::strategy::{Registry, Strategy};

#[derive(Debug, Args)]
pub(super) struct Conform {
    /// The strategies [default: all of them]
    strategies: Vec<String>,
    #[command(flatten)]
    real: Real,
    /// How many lanes; a lane is one copy of the request on its way, with its retries
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=i64::from(MAX_LANES)))]
    lanes: u8,
    /// How often the client of a lane may try again
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=i64::from(MAX_RETRIES)))]
    retries: u8,
    /// The most faults that one schedule may have
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=8))]
    faults: u8,
    #[command(flatten)]
    requests: Requests,
    /// Let what the strategies keep be forgotten, where they keep anything: ids by a reaper, or the keys of a Redis that crashes or fails over. Its lanes come
    /// behind those of the deliveries
    #[arg(long)]
    reaper: bool,
    /// Replay at most this many schedules of each strategy, drawn at random from its classes
    #[arg(long, value_name = "NUMBER")]
    sample: Option<usize>,
    /// Refuse a strategy that has more classes than this; with --sample there is no such limit
    #[arg(long, value_name = "NUMBER", default_value_t = 100_000)]
    max_classes: usize,
    /// The seed of the sample and of the order
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    hop: HopOption,
    /// Wait until leases expire by themselves; without this flag the lab revokes them
    #[arg(long)]
    natural_expiry: bool,
    /// Print one JSON document, and nothing else, on stdout
    #[arg(long)]
    json: bool,
}

fn is_left_out(error: &ExploreError) -> bool {
    matches!(error.reason(), Reason::OwnSql { .. } | Reason::NotOnStore { .. })
}

impl Conform {
    /// Fills in which backends are meant.
    ///
    /// # Errors
    /// If they contradict each other.
    pub fn settle(&mut self) -> Result<(), super::UsageError> {
        self.real.settle()
    }

    /// Holds the backends against the model.
    pub fn execute(&self, registry: &Registry) -> anyhow::Result<ExitCode> {
        self.requests.require_lanes(self.lanes)?;
        if !self.real.model().has_own_model() {
            let store = &self.real.store;
            return Err(super::UsageError(format!(
                "--store {store}: conform holds a server against its model, and there is none of {store}: use --store sqlite or --store \
                 postgres, or search on the server itself with `oncelab explore STRATEGY --on-real --store {store}`"
            ))
            .into());
        }
        let registry = &self.hop.put_before(registry);
        let uses = Uses::parse(&self.real.uses)?;
        let strategies: Vec<_> = if self.strategies.is_empty() {
            let is_had = |strategy: &&Arc<dyn Strategy>| match uses.lacks(strategy.as_ref()) {
                Some(why) => {
                    output::tell(&format!("skipped: {why}"));
                    false
                }
                None => true,
            };
            registry.iter().filter(is_had).cloned().collect()
        } else {
            self.strategies.iter().map(|name| registry.get(name)).collect::<Result<_, _>>()?
        };
        if !self.strategies.is_empty() {
            strategies.iter().try_for_each(|strategy| uses.require(strategy.as_ref()))?;
            strategies.iter().try_for_each(|strategy| self.requests.require_batches(strategy.as_ref()))?;
        }
        let began = Instant::now();
        let needs = NeededServers::of(strategies.iter().map(AsRef::as_ref));
        let mounted = Mounted::start(&self.real, usize::MAX, needs, self.natural_expiry)?;
        let bound = self.requests.put_into(Bound {
            kinds: Kinds::all(),
            store: mounted.testbed().profile(),
            reaps: self.reaper,
            ..Bound::new(self.lanes, self.retries, self.faults)
        });
        let of = Conformance {
            bound,
            flaws: Flaws::default(),
            sample: self.sample,
            max_classes: self.max_classes,
            seed: self.seed,
            workers: 1,
            until_divergence: false,
        };
        let mut rows = Vec::new();
        let mut failed = None;
        for strategy in &strategies {
            let counter = Counter::new(strategy.name());
            let goes_on = |done, total| {
                counter.tell(done, total);
                !mounted.is_stopped()
            };
            let workers = self.real.workers(strategy.needs_lock_service());
            match conform(mounted.testbed(), strategy.as_ref(), &Conformance { workers, ..of }, &goes_on) {
                Ok(row) => rows.push(row),
                Err(ConformError::Replay { source, so_far }) => {
                    rows.push(*so_far);
                    failed = Some(source);
                    break;
                }
                // Where all are wanted, those that no model knows are left out.
                Err(ConformError::Explore(error)) if self.strategies.is_empty() && is_left_out(&error) => {
                    output::tell(&format!("skipped: {error}"));
                }
                Err(error) => return Err(error.into()),
            }
            if mounted.is_stopped() {
                break;
            }
        }
        let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        output::print(&if self.json {
            serde_json::to_string_pretty(&self.as_json(&rows, &of, elapsed_ms))? + "\n"
        } else {
            self.as_text(&rows, &of, elapsed_ms)
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        Ok(ExitCode::from(if mounted.is_stopped() {
            exit::INTERRUPTED
        } else if rows.iter().any(|row| row.divergences > 0) {
            exit::BROKEN
        } else {
            exit::MET
        }))
    }

    fn command(&self, strategy: &str, schedule: &crate::explore::Schedule) -> String {
        let mut options = self.real.options();
        if self.retries != 1 {
            options.push_str(&format!(" --retries {}", self.retries));
        }
        options.push_str(&self.requests.options());
        if self.reaper {
            options.push_str(&format!(" --lanes {} --reaper", self.lanes));
        }
        options.push_str(self.hop.option());
        format!("oncelab replay {strategy}{options} \"{schedule}\"")
    }

    fn as_json(&self, rows: &[Conformed], of: &Conformance, elapsed_ms: u64) -> serde_json::Value {
        let row = |row: &Conformed| {
            json!({
                "strategy": row.strategy,
                "classes": row.classes.map(count),
                "replayed": row.replayed,
                "waits": row.waits,
                "divergences": row.divergences,
                "elapsed_ms": u64::try_from(row.elapsed.as_millis()).unwrap_or(u64::MAX),
                "smallest": row.smallest.as_ref().map(|(schedule, divergence)| json!({
                    "schedule": schedule.to_string(),
                    "divergence": divergence.to_string(),
                    "replay": self.command(row.strategy, schedule),
                })),
            })
        };
        let bound = json!({
            "lanes": self.lanes,
            "retries": self.retries,
            "faults": self.faults,
            "requests": of.bound.ids(),
            "other_body": of.bound.other_body,
            "batch": of.bound.batch,
        });
        let mut document = json!({
            "store": self.real.store,
            "lock": self.real.lock,
            "bound": bound,
            "sample": self.sample,
            "seed": self.seed,
            "strategies": rows.iter().map(row).collect::<Vec<_>>(),
            "elapsed_ms": elapsed_ms,
        });
        self.hop.say_in(&mut document);
        document
    }

    fn as_text(&self, rows: &[Conformed], of: &Conformance, elapsed_ms: u64) -> String {
        let columns = [
            ("strategy", Align::Left),
            ("classes", Align::Right),
            ("replayed", Align::Right),
            ("waits", Align::Right),
            ("diverge", Align::Right),
            ("s", Align::Right),
            ("a second", Align::Right),
        ];
        let mut table = Table::new(&columns);
        for row in rows {
            let seconds = row.elapsed.as_secs_f64();
            #[expect(clippy::cast_precision_loss, reason = "a rate for people to look at")]
            let rate = row.replayed as f64 / seconds.max(1e-6);
            let values = [
                row.strategy.to_owned(),
                row.classes.map_or_else(|| "?".to_owned(), |classes| classes.to_string()),
                row.replayed.to_string(),
                row.waits.to_string(),
                row.divergences.to_string(),
                format!("{seconds:.1}"),
                format!("{rate:.0}"),
            ];
            table.push(values.map(|value| vec![value]).to_vec());
        }
        let mut out = format!("\n{} and {}: {}\n\n", self.real.store, self.real.lock, of.bound);
        out.push_str(&to_text(&table, 80));
        for row in rows {
            if let Some((schedule, divergence)) = &row.smallest {
                out.push_str(&format!("\n{}\n", output::wrap(&format!("{}: {divergence}", row.strategy))));
                out.push_str(&format!("  {}\n", output::here(&self.command(row.strategy, schedule))));
            }
        }
        let replayed: usize = rows.iter().map(|row| row.replayed).sum();
        let divergences: usize = rows.iter().map(|row| row.divergences).sum();
        let sampled = rows.iter().any(|row| row.classes.is_none_or(|classes| classes > row.replayed as u128));
        let of_which = if sampled { format!(" (a sample, --seed {})", self.seed) } else { String::new() };
        #[expect(clippy::cast_precision_loss, reason = "seconds for people to look at")]
        let seconds = elapsed_ms as f64 / 1e3;
        out.push_str(&format!(
            "\n{replayed} schedules{of_which}, one of a class, in {seconds:.1} s: {}\n",
            match divergences {
                0 => "the real backends did what the model says, every time.".to_owned(),
                n => format!("{n} of them DIVERGE from the model."),
            }
        ));
        out
    }
}
