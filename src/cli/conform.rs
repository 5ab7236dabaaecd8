//! `oncelab conform`: holds real backends against the model.

use std::ops::Range;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use serde_json::{Value, json};

use super::explore::count;
use super::explore_output::grouped;
use super::hop::HopOption;
use super::mounted::Mounted;
use super::output;
use super::progress::Counter;
use super::requests::Requests;
use super::servers::{NeededServers, Real};
use super::usage::shard;
use super::uses::Uses;
use crate::exit;
use crate::explore::{Bound, ExploreError, Flaws, Kinds, MAX_LANES, MAX_RETRIES, Reason};
use crate::replay::{ConformError, Conformance, Conformed, Selected, conform, select};
use crate::report::{Align, Table, to_text};
use crate::strategy::{Registry, Strategy};
use crate::terms::{Profile, Shard};

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
    /// Take only the I-th of N equal parts of each strategy's classes, such as 2/8; needs --seed, the same for all parts. With
    /// --sample, the sample is drawn from the part
    #[arg(long, value_name = "I/N")]
    shard: Option<String>,
    /// Replay at most this many schedules of each strategy, drawn at random from its classes
    #[arg(long, value_name = "NUMBER")]
    sample: Option<usize>,
    /// Refuse a strategy that has more classes than this, in the shard if there is one; with --sample there is no such limit
    #[arg(long, value_name = "NUMBER", default_value_t = 100_000)]
    max_classes: usize,
    /// The seed of the sample and of the order [default: 1]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Replay nothing, and start no server: count the classes and print their digest, to which the digests of all shards add up
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    hop: HopOption,
    /// Wait until leases expire by themselves; without this flag the lab revokes them
    #[arg(long)]
    natural_expiry: bool,
    /// Print one JSON document, and nothing else, on stdout
    #[arg(long)]
    json: bool,
}

/// The first number of a range and the one after the last.
fn range_as_json(range: Option<&Range<u128>>) -> Value {
    range.map_or(Value::Null, |range| json!([count(range.start), count(range.end)]))
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
        if let Some(shard) = self.part()?
            && self.seed.is_none()
        {
            return Err(super::UsageError(format!(
                "--shard {shard} needs a --seed, the same for all shards: add --seed 1, or another number"
            )));
        }
        self.real.settle()
    }

    fn part(&self) -> Result<Option<Shard>, super::UsageError> {
        shard(self.shard.as_deref())
    }

    /// What is to be held against the model, on a store with this model.
    fn asked(&self, store: Profile) -> Result<Conformance, super::UsageError> {
        let bound = self.requests.put_into(Bound {
            kinds: Kinds::all(),
            store,
            reaps: self.reaper,
            ..Bound::new(self.lanes, self.retries, self.faults)
        });
        Ok(Conformance {
            bound,
            flaws: Flaws::default(),
            shard: self.part()?,
            sample: self.sample,
            max_classes: self.max_classes,
            seed: self.seed.unwrap_or(1),
            workers: 1,
            until_divergence: false,
        })
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
        if self.dry_run {
            return self.select(&strategies);
        }
        let began = Instant::now();
        let needs = NeededServers::of(strategies.iter().map(AsRef::as_ref));
        let mounted = Mounted::start(&self.real, usize::MAX, needs, self.natural_expiry)?;
        let of = self.asked(mounted.testbed().profile())?;
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

    /// Says which classes would be replayed.
    fn select(&self, strategies: &[Arc<dyn Strategy>]) -> anyhow::Result<ExitCode> {
        let of = self.asked(self.real.model())?;
        let mut rows = Vec::new();
        for strategy in strategies {
            match select(strategy.as_ref(), &of) {
                Ok(row) => rows.push(row),
                Err(ConformError::Explore(error)) if self.strategies.is_empty() && is_left_out(&error) => {
                    output::tell(&format!("skipped: {error}"));
                }
                Err(error) => return Err(error.into()),
            }
        }
        output::print(&if self.json {
            let row = |row: &Selected| {
                json!({
                    "strategy": row.strategy,
                    "classes": row.classes.map(count),
                    "range": range_as_json(row.range.as_ref()),
                    "selected": count(row.selected),
                    "digest": row.digest.to_string(),
                })
            };
            let mut document = self.head(&of);
            document["dry_run"] = json!(true);
            document["strategies"] = rows.iter().map(row).collect();
            serde_json::to_string_pretty(&document)? + "\n"
        } else {
            let mut out = String::new();
            for row in &rows {
                let (name, selected, digest) = (row.strategy, grouped(row.selected), row.digest);
                out.push_str(&self.shard_line(&of, name, row.range.as_ref()));
                out.push_str(&format!("{name}: {selected} classes, digest {digest}; nothing was replayed\n"));
            }
            out
        })?;
        Ok(ExitCode::from(exit::MET))
    }

    /// Which of a strategy's classes a shard has; nothing where there are no shards.
    fn shard_line(&self, of: &Conformance, strategy: &str, range: Option<&Range<u128>>) -> String {
        let (Some(shard), Some(range)) = (of.shard, range) else { return String::new() };
        let (first, last) = (grouped(range.start), grouped(range.end.saturating_sub(1)));
        let of_those = if self.sample.is_some() { ", from which the sample is drawn" } else { "" };
        let (number, all) = (shard.number(), shard.of());
        format!("{strategy}, shard {number} of {all}: classes {first} to {last}{of_those}\n")
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

    fn as_json(&self, rows: &[Conformed], of: &Conformance, elapsed_ms: u64) -> Value {
        let row = |row: &Conformed| {
            json!({
                "strategy": row.strategy,
                "classes": row.classes.map(count),
                "range": range_as_json(row.range.as_ref()),
                "replayed": row.replayed,
                "digest": row.digest.to_string(),
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
        let mut document = self.head(of);
        document["strategies"] = rows.iter().map(row).collect();
        document["elapsed_ms"] = json!(elapsed_ms);
        document
    }

    /// What a document says first: what was asked for.
    fn head(&self, of: &Conformance) -> Value {
        let mut document = json!({
            "store": self.real.store,
            "lock": self.real.lock,
            "bound": {
                "lanes": self.lanes,
                "retries": self.retries,
                "faults": self.faults,
                "requests": of.bound.ids(),
                "other_body": of.bound.other_body,
                "batch": of.bound.batch,
            },
            "shard": of.shard,
            "sample": self.sample,
            "seed": of.seed,
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
            out.push_str(&self.shard_line(of, row.strategy, row.range.as_ref()));
        }
        for row in rows {
            if let Some((schedule, divergence)) = &row.smallest {
                out.push_str(&format!("\n{}\n", output::wrap(&format!("{}: {divergence}", row.strategy))));
                out.push_str(&format!("  {}\n", output::here(&self.command(row.strategy, schedule))));
            }
        }
        let replayed: usize = rows.iter().map(|row| row.replayed).sum();
        let divergences: usize = rows.iter().map(|row| row.divergences).sum();
        let sampled = rows
            .iter()
            .any(|row| row.range.as_ref().is_none_or(|range| range.end - range.start > row.replayed as u128));
        let of_which = if sampled { format!(" (a sample, --seed {})", of.seed) } else { String::new() };
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
