//! The options that say where real servers are, or how they are had.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};

use crate::experiment::Experiment;
use crate::fault::Level;
use crate::quote::shell_path;
use crate::service::provision::{Images, Keeps, Provision, Source};
use crate::service::{LockKind, Wanted, WantedKafka, WantedRedis};
use crate::strategy::{Strategy, servers_of};
use crate::terms::{Disturbance, Layer, Profile, Role, StoreKind, Target};

use super::UsageError;
use super::urls::{LOCK_VARIABLE, STORE_VARIABLE, Urls};
use super::uses::Uses;

/// Where real servers are.
#[derive(Debug, Clone, Args)]
pub(super) struct ServerOptions {
    /// How the lab starts servers that have no URL: in containers, as processes of the installed binaries, or not at all
    /// (embedded). auto uses containers if a Docker engine answers and has the image, else processes, and says which
    /// [default: auto]
    #[arg(long, value_name = "HOW", value_parser = ["auto", "container", "process", "embedded"])]
    pub provision: Option<String>,
    #[command(flatten)]
    pub urls: Urls,
    /// The image for PostgreSQL containers
    #[arg(long, value_name = "IMAGE", env = "ONCELAB_POSTGRES_IMAGE", default_value = Images::POSTGRES)]
    postgres_image: String,
    /// The image for MariaDB containers
    #[arg(long, value_name = "IMAGE", env = "ONCELAB_MARIADB_IMAGE", default_value = Images::MARIADB)]
    mariadb_image: String,
    /// The image for Redis containers
    #[arg(long, value_name = "IMAGE", env = "ONCELAB_REDIS_IMAGE", default_value = Images::REDIS)]
    redis_image: String,
    /// The image for etcd containers
    #[arg(long, value_name = "IMAGE", env = "ONCELAB_ETCD_IMAGE", default_value = Images::ETCD)]
    etcd_image: String,
    /// The image for Kafka containers
    #[arg(long, value_name = "IMAGE", env = "ONCELAB_KAFKA_IMAGE", default_value = Images::KAFKA)]
    kafka_image: String,
    /// The folder of the Kafka that runs as a process: that with libs/ in it; implies --provision process for Kafka
    /// [default: the one that ONCELAB_KAFKA_HOME names, where no container can be had]
    #[arg(long, value_name = "FOLDER")]
    kafka_home: Option<PathBuf>,
    /// The etcd that runs as a process, e.g. a newer one than that of the distribution; implies --provision process for etcd
    /// [default: the one that is installed] [env: ONCELAB_ETCD_BINARY]
    #[arg(long, value_name = "PATH")]
    etcd_binary: Option<PathBuf>,
}

/// The variable that names etcd's program when no flag does.
const ETCD_BINARY_VARIABLE: &str = "ONCELAB_ETCD_BINARY";

impl ServerOptions {
    /// The program that etcd runs as, if one is named.
    ///
    /// # Errors
    /// If there is no such program, or a container was asked for beside it.
    fn etcd_binary(&self) -> Result<Option<PathBuf>, UsageError> {
        let in_container = self.provision.as_deref() == Some(Provision::Container.name());
        let (path, by) = match &self.etcd_binary {
            Some(_) if in_container => {
                return Err(UsageError(
                    "--etcd-binary names a program to run as a process, and --provision asks for a container: leave one of them out, or \
                     name an image with --etcd-image"
                        .to_owned(),
                ));
            }
            Some(path) => (path.clone(), "--etcd-binary"),
            None if in_container => return Ok(None),
            None => match std::env::var_os(ETCD_BINARY_VARIABLE).filter(|path| !path.is_empty()) {
                Some(path) => (PathBuf::from(path), ETCD_BINARY_VARIABLE),
                None => return Ok(None),
            },
        };
        let cannot = |why: &str| UsageError(format!("{by} {}: {why}", path.display()));
        let found = std::fs::metadata(&path).map_err(|error| cannot(&error.to_string()))?;
        if !found.is_file() || found.permissions().mode() & 0o111 == 0 {
            return Err(cannot("this is not a program"));
        }
        // The server starts in a folder of its own.
        std::path::absolute(&path).map(Some).map_err(|error| cannot(&error.to_string()))
    }

    fn images(&self) -> Images {
        Images {
            postgres: self.postgres_image.clone(),
            mariadb: self.mariadb_image.clone(),
            redis: self.redis_image.clone(),
            etcd: self.etcd_image.clone(),
            kafka: self.kafka_image.clone(),
        }
    }

    /// The backends that an experiment's run wants.
    ///
    /// # Errors
    /// If the URL of the store cannot be had.
    pub fn wanted(
        &self,
        provision: &str,
        store: StoreKind,
        lock: LockKind,
        experiment: &Experiment,
    ) -> Result<Wanted, UsageError> {
        let store_url = if store.is_server() { self.urls.store_url(store)? } else { None };
        let lock_urls = if lock == LockKind::Etcd { self.urls.lock_urls() } else { Vec::new() };
        let provision = Provision::NAMES.iter().find(|(_, name)| *name == provision);
        Ok(Wanted {
            store,
            lock,
            source: Source {
                provision: provision.map(|(way, _)| *way).unwrap_or_default(),
                images: self.images(),
                etcd_binary: if lock == LockKind::Etcd { self.etcd_binary()? } else { None },
                kafka_home: self.kafka_home.clone(),
                restarts: experiment.faults.iter().any(|level| !level.backend.is_empty()),
                keeps: if experiment.backend.durable { Keeps::OnDisk } else { Keeps::InMemory },
            },
            store_url,
            lock_urls,
            more_stores: Vec::new(),
            redis: WantedRedis::Embedded,
            kafka: WantedKafka::Unused,
            needs_lock: false,
            handlers: experiment.load.handlers.get(),
            disturbances: experiment.faults.iter().flat_map(|level| level.backend.clone()).collect(),
        })
    }
}

/// Which servers the replays of some strategies need.
#[derive(Debug, Clone, Copy)]
pub(super) struct NeededServers {
    pub lock: bool,
    /// How many masters of Redis.
    pub masters: u8,
}

impl NeededServers {
    /// What they need together.
    pub fn of<'s>(strategies: impl IntoIterator<Item = &'s dyn Strategy>) -> Self {
        let none = NeededServers { lock: false, masters: 1 };
        strategies.into_iter().fold(none, |all, strategy| NeededServers {
            lock: all.lock || strategy.needs_lock_service(),
            masters: all.masters.max(servers_of(strategy.needs(), Role::CACHE)),
        })
    }
}

/// The real backends that schedules are replayed on.
#[derive(Debug, Clone, Args)]
pub(super) struct Real {
    /// The store of the effects: sqlite (in memory), postgres or mariadb [default: sqlite, or the one that a URL names]
    #[arg(long, value_name = "STORE", default_value = "", hide_default_value = true, value_parser = one_of(["sqlite", "postgres", "mariadb"]))]
    pub store: String,
    /// The lock service: embedded or etcd [default: embedded, or etcd if a URL names one]
    #[arg(long, value_name = "SERVICE", default_value = "", hide_default_value = true, value_parser = one_of(["embedded", "etcd"]))]
    pub lock: String,
    /// Which service plays a role besides store and lock, e.g. cache=redis; in replays a second store is of the kind of the first
    #[arg(long = "use", value_name = "ROLE=SERVICE[@URL]")]
    pub uses: Vec<String>,
    #[command(flatten)]
    servers: ServerOptions,
    /// How many schedules are replayed at the same time [default: one for each core, or one on SQLite alone]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..=64))]
    workers: Option<u8>,
}

impl Real {
    /// These backends, of servers that are had so.
    pub fn new(store: &str, lock: &str, servers: &ServerOptions, workers: Option<u8>) -> Self {
        Real { store: store.to_owned(), lock: lock.to_owned(), uses: Vec::new(), servers: servers.clone(), workers }
    }

    /// Whether a store was asked for by its name.
    pub fn names_store(&self) -> bool {
        !self.store.is_empty()
    }

    /// The store, once it is settled.
    pub fn store_kind(&self) -> StoreKind {
        StoreKind::from_name(&self.store).expect("the command line takes no other")
    }

    /// Its model, once it is settled.
    pub fn model(&self) -> Profile {
        self.store_kind().model().expect("whatever is replayed on has a model")
    }

    /// Fills in what was not asked for: the services that URLs name, or the defaults.
    ///
    /// # Errors
    /// If a URL and a name contradict each other.
    pub fn settle(&mut self) -> Result<(), UsageError> {
        let asked = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
        self.store = self.servers.urls.store(asked(&self.store).as_deref(), "sqlite")?;
        self.lock = self.servers.urls.lock(asked(&self.lock).as_deref(), "embedded")?;
        self.servers.urls.warn();
        Ok(())
    }

    /// The backends that replays want.
    ///
    /// # Errors
    /// If the URL of the store cannot be had.
    pub fn wanted(&self, of: NeededServers) -> Result<Wanted, UsageError> {
        let provision = self.servers.provision.as_deref().unwrap_or_default();
        let provision = Provision::NAMES.iter().find(|(_, name)| *name == provision);
        let urls = &self.servers.urls;
        Ok(Wanted {
            store: self.store_kind(),
            lock: LockKind::from_name(&self.lock).expect("the command line takes no other"),
            source: Source {
                provision: provision.map(|(way, _)| *way).unwrap_or_default(),
                images: self.servers.images(),
                etcd_binary: if self.lock == LockKind::Etcd.name() { self.servers.etcd_binary()? } else { None },
                kafka_home: self.servers.kafka_home.clone(),
                restarts: false,
                keeps: Keeps::InMemory,
            },
            store_url: if self.store_kind().is_server() { urls.store_url(self.store_kind())? } else { None },
            lock_urls: if self.lock == "etcd" { urls.lock_urls() } else { Vec::new() },
            // A second store in replays is of the same kind as the first, at the same server.
            more_stores: Vec::new(),
            redis: Uses::parse(&self.uses)?.redis(of.masters),
            kafka: Uses::parse(&self.uses)?.kafka(),
            needs_lock: of.lock,
            handlers: 0,
            disturbances: Vec::new(),
        })
    }

    /// The options that say again what differs from the defaults, for a command to repeat.
    pub fn options(&self) -> String {
        let mut options = String::new();
        let mut add = |name: &str, value: &str, default: &str| {
            if value != default {
                options.push_str(&format!(" --{name} {value}"));
            }
        };
        add("store", &self.store, "sqlite");
        add("lock", &self.lock, "embedded");
        let cache = self.uses.iter().filter_map(|text| text.strip_prefix("cache=")).next().unwrap_or("embedded");
        let cache = cache.split('@').next().unwrap_or(cache);
        add("use", &format!("cache={cache}"), "cache=embedded");
        if self.uses.iter().any(|text| text.starts_with("broker=")) {
            add("use", "broker=kafka", "");
        }
        add("provision", self.servers.provision.as_deref().unwrap_or("auto"), "auto");
        if let Some(binary) = self.servers.etcd_binary.as_ref().filter(|_| self.lock == LockKind::Etcd.name()) {
            add("etcd-binary", &shell_path(binary), "");
        }
        if let Some(home) = &self.servers.kafka_home {
            add("kafka-home", &shell_path(home), "");
        }
        options
    }

    /// Hands these backends on to another command of the lab's. What may be secret goes through its environment.
    ///
    /// # Errors
    /// If the URL of the store cannot be had.
    pub fn hand_on(&self, command: &mut std::process::Command) -> Result<(), UsageError> {
        command.args(["--store", &self.store, "--lock", &self.lock]);
        if let Some(how) = &self.servers.provision {
            command.args(["--provision", how]);
        }
        if let Some(binary) = &self.servers.etcd_binary {
            command.arg("--etcd-binary").arg(binary);
        }
        if let Some(home) = &self.servers.kafka_home {
            command.arg("--kafka-home").arg(home);
        }
        let images = [
            ("ONCELAB_POSTGRES_IMAGE", &self.servers.postgres_image),
            ("ONCELAB_MARIADB_IMAGE", &self.servers.mariadb_image),
            ("ONCELAB_REDIS_IMAGE", &self.servers.redis_image),
            ("ONCELAB_ETCD_IMAGE", &self.servers.etcd_image),
            ("ONCELAB_KAFKA_IMAGE", &self.servers.kafka_image),
        ];
        command.envs(images);
        if let Some(url) = self.wanted(NeededServers { lock: true, masters: 1 })?.store_url {
            command.env(STORE_VARIABLE, url);
        }
        if let Some(urls) = self.servers.urls.lock_urls_in_words() {
            command.env(LOCK_VARIABLE, urls);
        }
        Ok(())
    }

    /// How many schedules are replayed at a time. On SQLite alone one worker is faster than two: they would share one cache of
    /// pages under one lock, since the library is one.
    pub fn workers(&self, needs_lock: bool) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        let useful = if self.store == "sqlite" && !needs_lock { 1 } else { cores() };
        self.workers.map_or(useful, usize::from)
    }
}

/// One of these names, or nothing: what is not asked for is filled in later.
fn one_of<const N: usize>(names: [&'static str; N]) -> PossibleValuesParser {
    let named = names.into_iter().map(PossibleValue::new);
    named.chain(std::iter::once(PossibleValue::new("").hide(true))).collect::<Vec<_>>().into()
}

/// Whether these backends can have done to them what the experiment's fault levels say.
///
/// # Errors
/// Which key asks for what cannot be done, and what to change.
pub(super) fn check(experiment: &Experiment, wanted: &Wanted) -> Result<(), UsageError> {
    let kills = |level: &&Level| level.backend.iter().any(|fault| fault.fault == Disturbance::Kill);
    if let Some(level) = experiment.faults.iter().find(kills)
        && !experiment.backend.durable
    {
        return Err(UsageError(format!(
            "the fault level '{}' kills servers, and a killed server needs its data on disk: set backend.durable=true",
            level.name
        )));
    }
    experiment.faults.iter().try_for_each(|level| check_level(level, wanted, experiment.backend.lock_members.get()))
}

fn check_level(level: &Level, wanted: &Wanted, members: u8) -> Result<(), UsageError> {
    let name = &level.name;
    if level.layer == Layer::Wire && !wanted.store.has_wire() {
        let store = wanted.store.name();
        let why = if wanted.store.is_server() {
            format!("the lab has no proxy that knows the protocol of {store}")
        } else {
            format!("a {store} store has no network connection")
        };
        return Err(UsageError(format!(
            "the fault level '{name}' has where = \"wire\", but {why}: add --store postgres, or --set faults.{name}.where=port"
        )));
    }
    if let Some(more) =
        wanted.more_stores.iter().find(|more| level.layer == Layer::Wire && more.kind != StoreKind::Postgres)
    {
        let (role, kind) = (more.role.name(), more.kind.name());
        return Err(UsageError(format!(
            "the fault level '{name}' has where = \"wire\", but the {} is {kind}, which has no network connection: add --use {role}=postgres, or --set faults.{name}.where=port",
            more.role.title()
        )));
    }
    for fault in &level.backend {
        let (is_there, add, url) = match fault.target {
            Target::Store => (wanted.store.is_server(), "--store postgres", wanted.store_url.is_some()),
            Target::Lock | Target::LockLeader => {
                (wanted.lock == LockKind::Etcd, "--lock etcd", !wanted.lock_urls.is_empty())
            }
            Target::Cache => {
                let is_at = matches!(wanted.redis, WantedRedis::At(_));
                (matches!(wanted.redis, WantedRedis::Started { .. }) || is_at, "--use cache=redis", is_at)
            }
        };
        let (what, target) = (fault.fault.kind(), fault.target);
        let is_way = fault.fault == Disturbance::Partition && target != Target::LockLeader;
        let has_way = target == Target::Lock || is_there && target != Target::Cache;
        let wrong =
            |why: &str| Err(UsageError(format!("the fault level '{name}' asks for {what} of the {target}, {why}")));
        if is_way && has_way {
            continue;
        }
        if is_way && target == Target::Cache {
            return wrong(
                "and the lab has no way to cut it off: ask for a pause or a kill, or lose its messages (cache = { … })",
            );
        }
        if !is_there {
            return wrong(&format!("which needs a server: add {add}"));
        }
        if url {
            return wrong("but the lab does that only to servers that it has started: leave the URL out");
        }
        if target == Target::LockLeader && fault.fault == Disturbance::Partition && members < 3 {
            return wrong("which has no peers: add --set backend.lock_members=3");
        }
    }
    Ok(())
}
