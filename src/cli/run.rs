//! `oncelab run`: runs an experiment, judges it, saves it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::progress::Progress;
use super::servers::{self, NeededServers, ServerOptions};
use super::usage::shard;
use super::uses::Uses;
use super::{UsageError, broker_client, default_results, legend, limits, output, place, signals};
use crate::exit;
use crate::experiment::{self, Experiment, Point};
use crate::explore;
use crate::lab::Derived;
use crate::lab::{self, Ending};
use crate::lab::{ResumeError, Resumed};
use crate::load;
use crate::report::unknown_name;
use crate::results::{Files, Meta, RunFolder, Summary};
use crate::service::provision::Provision;
use crate::service::{BackendError, Backends, LockKind, Wanted, WantedKafka};
use crate::strategy::Registry;
use crate::suggest::{did_you_mean, nearest};
use crate::terms::{Shard, StoreKind};

#[derive(Debug, Args)]
#[command(after_help = legend::violations())]
pub(super) struct Run {
    /// The experiment: a name from `oncelab list experiments`, or the path of a file [default: quick]
    experiment: Option<String>,
    /// Run the experiment "all": each strategy once under each kind of fault
    #[arg(long, conflicts_with = "experiment")]
    all: bool,
    /// The seed; it decides the requests and their faults [default: drawn at random]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Change a setting of the experiment, e.g. load.requests=500 or faults.lossy.store.reply_lost=0.1
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Run only these strategies
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    strategies: Vec<String>,
    /// Run only these fault levels; a level says how likely each fault is
    #[arg(long, value_name = "LEVEL", value_delimiter = ',')]
    faults: Vec<String>,
    /// Run only this point of the experiment's sweep, as axis=value,axis=value; may be given more than once
    #[arg(long = "at", value_name = "POINT")]
    points: Vec<Point>,
    /// The store of the effects: sqlite, postgres, mariadb, or null, which keeps nothing and measures the lab itself
    /// [default: sqlite, or the one that a URL names]
    #[arg(long, value_name = "STORE", value_parser = ["sqlite", "postgres", "mariadb", "null"])]
    store: Option<String>,
    /// The lock service: embedded or etcd [default: embedded, or etcd if a URL names one]
    #[arg(long, value_name = "SERVICE", value_parser = ["embedded", "etcd"])]
    lock: Option<String>,
    /// The service in another role, as ROLE=SERVICE or ROLE=SERVICE@URL, e.g. second=sqlite or
    /// second=postgres@postgres://user@host:5432/database. Keep the password in PGPASSFILE, or the URL in a variable
    /// [env: ONCELAB_SECOND_URL] [default: the same kind as the first store]
    #[arg(long = "use", value_name = "ROLE=SERVICE")]
    uses: Vec<String>,
    #[command(flatten)]
    servers: ServerOptions,
    /// Run only one of n equal parts of the trials, as i/n; i is from 1 to n. The parts may be run on different machines, and
    /// `oncelab merge` makes one run of them. Needs --seed
    #[arg(long, value_name = "I/N")]
    shard: Option<String>,
    /// If a backend is unavailable, leave out its rows and say so; without this flag the run ends
    #[arg(long, conflicts_with = "shard")]
    skip_unavailable: bool,
    /// The folder in which runs are saved
    #[arg(long, value_name = "DIR", default_value_os_t = default_results())]
    out: PathBuf,
    /// Finish an interrupted run: the folder of the run
    #[arg(long, value_name = "DIR", conflicts_with_all = ["experiment", "seed", "settings", "strategies", "faults", "points", "store", "lock", "provision", "out", "shard", "all"])]
    resume: Option<PathBuf>,
    /// Print one JSON document, and nothing else, on stdout
    #[arg(long)]
    json: bool,
}

impl Run {
    /// Runs the experiment.
    pub fn execute(self, registry: &Registry) -> anyhow::Result<ExitCode> {
        // From here on a signal leaves a folder that can be gone on with.
        let _ = signals::stop_on_signals();
        let uses = Uses::parse(&self.uses)?;
        uses.warn();
        let (mut folder, again) = match &self.resume {
            Some(path) => {
                let Resumed { folder, again } = RunFolder::resume(path, registry)?;
                require_room(&folder.experiment, registry)?;
                broker_client::require(&folder.experiment, registry)?;
                uses.require_those_of(&folder.meta)?;
                self.require_whole(folder.meta.shard)?;
                (folder, again)
            }
            None => (self.begin(registry, &uses)?, Vec::new()),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let ending = runtime.block_on(run_to_the_end(
            &mut folder,
            &again,
            registry,
            &self.servers,
            &uses,
            self.skip_unavailable,
        ));
        // What is refused is left as it was.
        let ending = match ending {
            Err(error) if error.is::<ResumeError>() => return Err(error),
            ending => ending,
        };
        // Whatever still hangs in a backend's connection must not keep the process.
        runtime.shutdown_background();
        signals::must_undo(false);
        // Also after an error, so that what was finished can be read; but the error that came first is the one to tell.
        let saved = Derived::save(&folder, registry);
        let (ending, derived) = (ending?, saved?);
        self.print(&derived, &folder)?;
        Ok(ExitCode::from(code(&derived.summary, ending)))
    }

    /// Makes the folder of a new run.
    fn begin(&self, registry: &Registry, uses: &Uses) -> anyhow::Result<RunFolder> {
        let source = self.experiment.as_deref().unwrap_or(if self.all { "all" } else { "quick" });
        let shard = self.part()?;
        let mut experiment = experiment::load(source, &self.settings, registry, unknown_name)?;
        self.select(&mut experiment, registry)?;
        require_room(&experiment, registry)?;
        broker_client::require(&experiment, registry)?;
        let store = self.servers.urls.store(self.store.as_deref(), StoreKind::Sqlite.name())?;
        let lock = self.servers.urls.lock(self.lock.as_deref(), LockKind::Embedded.name())?;
        self.servers.urls.warn();
        let provision = self.servers.provision.clone().unwrap_or_else(|| Provision::default().name().to_owned());
        let mut meta = Meta {
            experiment: experiment.name.clone(),
            source: source.to_owned(),
            seed: self.seed.unwrap_or_else(rand::random),
            settings: self.settings.clone(),
            only_strategies: self.strategies.clone(),
            only_faults: self.faults.clone(),
            only_points: self.points.clone(),
            shard,
            uses: uses.of_strategies(&experiment::strategies(&experiment, registry), registry, &store)?,
            store,
            lock,
            provision,
            ..Meta::of_this_machine()
        };
        let strategies = experiment::strategies(&experiment, registry);
        meta.skipped = not_on(meta.store_kind(), &strategies, registry);
        let lacking = |name: &String| Some((name.clone(), uses.lacks(registry.get(name).ok()?.as_ref())?));
        meta.skipped.extend(strategies.iter().filter_map(lacking));
        if meta.skipped.len() == strategies.len() {
            let reasons: Vec<String> = meta.skipped.iter().map(|(name, why)| format!("{name}: {why}")).collect();
            return Err(UsageError(format!("no strategy is left to run: {}", reasons.join("; "))).into());
        }
        if let Some(shard) = shard {
            let trials = lab::whole_of(&meta, &experiment, registry).len();
            let what = format!("trials of '{}'", experiment.name);
            shard.require_at_most(trials as u128, &what).map_err(|error| UsageError(format!("--shard {error}")))?;
        }
        meta.trials_planned = lab::trials_of(&meta, &experiment, registry).len();
        let mut wanted = self.servers.wanted(&meta.provision, meta.store_kind(), meta.lock_kind(), &experiment)?;
        wanted.more_stores = uses.wanted(&meta);
        wanted.redis = uses.wanted_redis(&meta, masters(&strategies, registry));
        wanted.kafka = uses.wanted_kafka(&meta);
        servers::check(&experiment, &wanted)?;
        meta.etcd_binary = wanted.source.etcd_binary.as_ref().map(|path| path.display().to_string());
        experiment.derive_expectations(registry, meta.store_kind())?;
        Ok(RunFolder::create(&self.out, meta, experiment)?)
    }

    /// The part of the trials that is to be run; the shards of one run have one seed.
    fn part(&self) -> Result<Option<Shard>, UsageError> {
        match shard(self.shard.as_deref())? {
            Some(shard) if self.seed.is_none() => Err(UsageError(format!(
                "--shard {shard} needs --seed: all shards of a run have one seed, e.g. --shard {shard} --seed 42"
            ))),
            shard => Ok(shard),
        }
    }

    /// That no shard is run on a part of its backends.
    fn require_whole(&self, shard: Option<Shard>) -> Result<(), UsageError> {
        match shard {
            Some(shard) if self.skip_unavailable => Err(UsageError(format!(
                "--skip-unavailable: the run is shard {shard}, and a shard without some of its rows cannot be merged with the others; start the backend"
            ))),
            _ => Ok(()),
        }
    }

    /// Leaves only the strategies and fault levels that were asked for.
    fn select(&self, experiment: &mut Experiment, registry: &Registry) -> anyhow::Result<()> {
        if !self.strategies.is_empty() {
            for (n, name) in self.strategies.iter().enumerate() {
                registry.get(name)?;
                if self.strategies[..n].contains(name) {
                    return Err(
                        UsageError(format!("--strategies names '{name}' twice: name each strategy once")).into()
                    );
                }
            }
            experiment.strategies = self.strategies.iter().map(|name| toml::Spanned::new(0..0, name.clone())).collect();
        }
        if !self.faults.is_empty() {
            let levels: Vec<String> = experiment.faults.iter().map(|level| level.name.clone()).collect();
            if let Some(name) = self.faults.iter().find(|name| !levels.contains(name)) {
                let hint = did_you_mean(nearest(name, levels.iter().map(String::as_str)));
                let known = levels.join(", ");
                return Err(UsageError(format!(
                    "--faults: no level of '{}' is named '{name}'{hint}; there are: {known}",
                    experiment.name
                ))
                .into());
            }
            experiment.faults.retain(|level| self.faults.contains(&level.name));
            experiment.expect.retain(|level, _| self.faults.contains(level));
        }
        experiment.restrict(&self.points)?;
        Ok(())
    }

    fn print(&self, derived: &Derived, folder: &RunFolder) -> anyhow::Result<()> {
        if self.json {
            return output::print(&(serde_json::to_string_pretty(&derived.summary)? + "\n"));
        }
        output::print(&output::run_as_text(&derived.shown(folder)))
    }
}

/// The strategies that do not run on a kind of store, each with the reason.
fn not_on(store: StoreKind, strategies: &[String], registry: &Registry) -> BTreeMap<String, String> {
    let refused = |name: &String| {
        let error = explore::require_store(registry.get(name).ok()?.as_ref(), store).err()?;
        Some((name.clone(), error.to_string()))
    };
    strategies.iter().filter_map(refused).collect()
}

/// That the machine has the memory and the open files that an experiment takes.
fn require_room(experiment: &Experiment, registry: &Registry) -> anyhow::Result<()> {
    load::require_memory(experiment, registry)?;
    for point in experiment.points() {
        limits::require(&experiment.at(&point, registry)?)?;
    }
    Ok(())
}

/// The most handlers that a trial of an experiment has.
fn most_handlers(experiment: &Experiment, registry: &Registry) -> u16 {
    let points = experiment.points().into_iter().filter_map(|point| experiment.at(&point, registry).ok());
    points.map(|here| here.load.handlers.get()).max().unwrap_or(0)
}

/// How many masters of Redis these strategies want.
fn masters(strategies: &[String], registry: &Registry) -> u8 {
    let named: Vec<_> = strategies.iter().filter_map(|name| registry.get(name).ok()).collect();
    NeededServers::of(named.iter().map(AsRef::as_ref)).masters
}

/// Runs the trials that the folder does not have, and those that must be made again.
async fn run_to_the_end(
    folder: &mut RunFolder,
    again: &[(String, String)],
    registry: &Registry,
    servers: &ServerOptions,
    uses: &Uses,
    skip_unavailable: bool,
) -> anyhow::Result<Ending> {
    let (store, lock) = (folder.meta.store_kind(), folder.meta.lock_kind());
    let strategies = experiment::strategies(&folder.experiment, registry);
    // A run that went on without its lock service goes on without it.
    let skipped: Vec<String> = folder.meta.skipped.keys().cloned().collect();
    let needing_lock = |name: &&String| {
        !skipped.contains(*name) && registry.get(name).is_ok_and(|strategy| strategy.needs_lock_service())
    };
    let mut wanted = servers.wanted(&folder.meta.provision, store, lock, &folder.experiment)?;
    wanted.more_stores = uses.wanted(&folder.meta);
    wanted.redis = uses.wanted_redis(&folder.meta, masters(&strategies, registry));
    wanted.kafka = uses.wanted_kafka(&folder.meta);
    wanted.handlers = most_handlers(&folder.experiment, registry);
    wanted.needs_lock = strategies.iter().any(|name| needing_lock(&name));
    let stop = signals::stop_on_signals();
    let backends = match start(&wanted, folder, &stop).await {
        Some(Ok(backends)) => backends,
        None => return Ok(Ending::Interrupted),
        Some(Err(error)) if skip_unavailable => {
            // Without the lock service there are still the strategies that need none; without the store there are none.
            let is_lock = error.backend == "etcd";
            let skipped = strategies.iter().filter(|name| !is_lock || needing_lock(name));
            folder.meta.skipped.extend(skipped.map(|name| (name.clone(), error.to_string())));
            folder.meta.trials_planned = lab::trials_of(&folder.meta, &folder.experiment, registry).len();
            wanted.needs_lock = false;
            match start(&wanted, folder, &stop).await {
                Some(Ok(backends)) if is_lock => backends,
                None => return Ok(Ending::Interrupted),
                _ => return Ok(Ending::Complete),
            }
        }
        Some(Err(error)) => return Err(error.into()),
    };
    let ending = go_on(folder, again, &wanted, registry, &backends, &stop).await;
    let removed = backends.remove_traces(&lab::lock_prefix(folder.path())).await;
    let ending = ending?;
    removed?;
    Ok(ending)
}

/// Runs the trials on backends that are there.
async fn go_on(
    folder: &mut RunFolder,
    again: &[(String, String)],
    wanted: &Wanted,
    registry: &Registry,
    backends: &Backends,
    stop: &CancellationToken,
) -> anyhow::Result<Ending> {
    let hop = lab::hop_of(&folder.experiment)?;
    let client =
        broker_client::described(&folder.experiment, registry)?.filter(|_| wanted.kafka != WantedKafka::Unused);
    let settings = backends.describe().into_iter().chain(place::of_servers(wanted)).chain(hop).chain(client).collect();
    folder.require_servers(&settings)?;
    for (trial, why) in again {
        output::tell(&format!("made again: {trial}: {why}"));
    }
    folder.forget(&again.iter().map(|(trial, _)| trial.clone()).collect::<Vec<_>>())?;
    folder.meta.backends = settings;
    folder.write_json(Files::META, &folder.meta)?;
    let mut progress = Progress::new(&folder.experiment, &folder.meta, folder.rows().len());
    let ending = lab::run(folder, registry, backends, stop, &mut progress).await;
    progress.finish();
    Ok(ending?)
}

/// The backends, or nothing if the run was stopped meanwhile. What is being started then is waited for, so that it can be
/// stopped in order: a container that is only half made could be overlooked.
async fn start(
    wanted: &Wanted,
    folder: &RunFolder,
    stop: &CancellationToken,
) -> Option<Result<Backends, BackendError>> {
    let backends = Backends::start(wanted, &folder.experiment.backend).await;
    if let Ok(backends) = &backends {
        for (role, how) in backends.describe().into_iter().filter(|(key, _)| key.ends_with("_provision")) {
            output::tell(&format!("{}: {how}", role.trim_end_matches("_provision")));
        }
        backends.warnings().iter().for_each(|warning| output::tell(&format!("warning: {warning}")));
    }
    if !stop.is_cancelled() {
        return Some(backends);
    }
    if let Ok(backends) = backends
        && let Err(error) = backends.remove_traces(&lab::lock_prefix(folder.path())).await
    {
        output::tell(&format!("warning: {error}"));
    }
    None
}

pub(super) fn code(summary: &Summary, ending: Ending) -> u8 {
    if ending == Ending::Interrupted {
        return exit::INTERRUPTED;
    }
    let inconclusive = |verdict: &str| verdict == "inconclusive" || verdict == "unknown";
    let unmet = || summary.cells.iter().filter(|cell| !cell.met);
    let of_a_service = ending == Ending::WithoutService;
    if !summary.failed.is_empty() && !of_a_service || unmet().any(|cell| !inconclusive(cell.verdict)) {
        exit::BROKEN
    } else if of_a_service {
        exit::UNAVAILABLE
    } else if summary.cells.is_empty() || summary.cells.iter().any(|cell| inconclusive(cell.verdict)) {
        exit::INCONCLUSIVE
    } else {
        exit::MET
    }
}
