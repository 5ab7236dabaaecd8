//! What several tests need: the command line in a folder of its own, and trials without it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use oncelab::check::{Case, Evidence, Tally, findings};
use oncelab::experiment::LoadSettings;
use oncelab::fault::Level;
use oncelab::load::{Outside, Setting, TrialError, TrialRecord, backends_of, run_trial, stores_of};
use oncelab::service::etcd::model::LockModelFlaw;
use oncelab::service::{
    BackendSettings, Backends, ClockSpeed, EmbeddedLockServer, EmbeddedOptions, SqliteStore, StoreFlaw, TrialSite,
};
use oncelab::strategy::{Claim, Registry, Strategy};
use oncelab::terms::{HopSettings, Reply, Request, Retries, StoreKind};
use oncelab::world::World;

/// The command line, in this folder.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oncelab"));
    command.current_dir(folder);
    for variable in [
        "NO_COLOR",
        "ONCELAB_STORE_URL",
        "ONCELAB_LOCK_URL",
        "ONCELAB_SECOND_URL",
        "ONCELAB_ETCD_BINARY",
        "ONCELAB_ETCD_BINARIES",
    ] {
        command.env_remove(variable);
    }
    command
}

/// Runs the command line to its end.
pub fn oncelab(folder: &Path, arguments: &[&str]) -> Output {
    command(folder).args(arguments).output().unwrap()
}

/// What it printed.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A run of `quick` that is small enough for a test, and the folder that it was saved in.
pub fn small_run(folder: &Path, arguments: &[&str]) -> PathBuf {
    small_run_of("quick", folder, arguments)
}

/// A small run of an experiment. In a small run of `quick` not every fault fires, and a pass is inconclusive; those of `lost-reply` fire
/// in any.
pub fn small_run_of(experiment: &str, folder: &Path, arguments: &[&str]) -> PathBuf {
    let small = ["--set", "load.requests=150", "--set", "load.warmup=10", "--set", "repeats=1", "--json"];
    let output = oncelab(folder, &[&["run", experiment], arguments, &small].concat());
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", text(&output.stdout), text(&output.stderr)));
    folder.join(summary["dir"].as_str().unwrap())
}

/// What a trial of a test is made of; the rest is as usual.
pub struct Trial {
    pub strategy: &'static str,
    pub level: Level,
    pub seed: u64,
    pub load: LoadSettings,
    pub hop: HopSettings,
    pub clock_speed: f64,
    pub store_flaw: Option<StoreFlaw>,
    pub lock_flaw: Option<LockModelFlaw>,
}

impl Trial {
    /// A trial of this strategy under these faults, in TOML.
    pub fn new(strategy: &'static str, faults: &str) -> Self {
        Trial {
            strategy,
            level: toml::from_str(&format!("name = \"test\"\n{faults}")).unwrap(),
            seed: 1,
            load: LoadSettings { requests: 300.try_into().unwrap(), warmup: 0, ..LoadSettings::default() },
            hop: HopSettings::default(),
            clock_speed: 20.0,
            store_flaw: None,
            lock_flaw: None,
        }
    }

    /// Runs it, and counts what it shows.
    pub fn run(&self) -> (TrialRecord, Tally) {
        self.run_with(Registry::default().get(self.strategy).unwrap()).unwrap()
    }

    /// Runs it with a strategy that the lab does not know.
    pub fn run_with(&self, strategy: Arc<dyn Strategy>) -> Result<(TrialRecord, Tally), TrialError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let ran = runtime.block_on(self.run_here(strategy));
        runtime.shutdown_background();
        ran
    }

    async fn run_here(&self, strategy: Arc<dyn Strategy>) -> Result<(TrialRecord, Tally), TrialError> {
        let settings = BackendSettings {
            embedded_clock_speed: ClockSpeed::try_from(self.clock_speed).unwrap(),
            ..BackendSettings::default()
        };
        let options =
            EmbeddedOptions { clock_speed: self.clock_speed, flaw: self.lock_flaw, ..EmbeddedOptions::default() };
        let server = EmbeddedLockServer::start(options).unwrap();
        let store = Arc::new(SqliteStore::with_flaw(self.store_flaw).unwrap());
        let backends = Backends::new(StoreKind::Sqlite, store, server, &settings);
        let (retries, effects) = (strategy.claim(StoreKind::Sqlite).retries, strategy.effects_in());
        let shape = strategy.shape();
        let roles: Vec<_> = strategy.needs().iter().map(|need| need.role).collect();
        let site = TrialSite { prefix: "test", broker_client: settings.broker_client };
        let setting = Setting {
            backends: backends_of(strategy.as_ref(), &backends, site).unwrap(),
            stores: stores_of(strategy.as_ref(), &backends, "test").unwrap(),
            strategy,
            level: self.level.clone(),
            seed: self.seed,
            load: self.load.clone(),
            backend: settings,
            hop: self.hop.clone(),
            store_kind: StoreKind::Sqlite,
            lease: backends.lease_of(&roles),
            servers: Arc::downgrade(&backends.servers()),
            outside: Arc::new(Outside::here(self.load.handlers)),
        };
        let record = run_trial(&setting).await?;
        let case = Case::new(Evidence {
            requests: &record.requests,
            events: &record.events,
            ledger: &record.ledger,
            balances: Some(&record.balances),
            effects,
            disturbed: &record.disturbed,
            retries,
            shape,
            lease: setting.lease,
        });
        let tally = Tally::new(&case, &findings(&case));
        Ok((record, tally))
    }
}

/// A strategy with a bug that shows now and then.
pub struct Careless;

#[oncelab::strategy::async_trait]
impl Strategy for Careless {
    fn name(&self) -> &'static str {
        "careless"
    }

    fn steps(&self) -> &'static str {
        "[X], or a panic"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim { promise: "nothing", retries: Retries::UntilAcknowledged, rules_out: &[], tolerates: &[], breaks: &[] }
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        assert_ne!(request.id.0, 7, "message 7 is unlucky");
        world.store().apply(request).await
    }
}
