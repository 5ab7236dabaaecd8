//! Runs that are interrupted, killed, or end in a panic leave nothing behind; what a killed one leaves, the next one removes.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use oncelab::experiment::{self, Cell, Point, TrialPlan};
use oncelab::lab::{self, Ending, RunWatch};
use oncelab::load::TrialError;
use oncelab::report::unknown_name;
use oncelab::results::{Meta, RunFolder, TrialRow};
use oncelab::service::provision::{self, EtcdShape};
use oncelab::service::{Backends, Endpoint, Wanted};
use oncelab::strategy::Registry;
use oncelab::terms::StoreKind;
use tokio_util::sync::CancellationToken;

use crate::backends::{block_on, containers, or_skip, processes};
use crate::common::{Careless, command, text};

const STRATEGIES: &str = "dedup-table,etcd-lock";

/// A run that takes longer than the test lets it.
fn start(folder: &Path, arguments: &[&str]) -> Child {
    let mut run = command(folder);
    run.args(["run", "quick", "--store", "postgres", "--lock", "etcd", "--strategies", STRATEGIES]).args(arguments);
    run.args(["--set", "backend.durable=true", "--set", "repeats=50"]).env("TMPDIR", folder);
    run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// A run that is over soon.
fn run_once(folder: &Path, arguments: &[&str]) {
    let mut run = command(folder);
    run.args(["run", "quick", "--store", "postgres", "--lock", "etcd", "--strategies", "dedup-table"]).args(arguments);
    run.args(["--set", "repeats=1", "--set", "load.requests=150"]).env("TMPDIR", folder);
    let output = run.output().unwrap();
    // With so few requests not every fault fires: then the run is inconclusive.
    assert!([Some(0), Some(3)].contains(&output.status.code()), "{}", text(&output.stderr));
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap().success());
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The folders that labs have made in this one and not removed.
fn folders(folder: &Path) -> usize {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with("oncelab-")).count()
}

/// The schemas of labs in a database, as many as there are.
fn schemas(url: &str) -> i64 {
    block_on(async {
        let mut connection = <sqlx::postgres::PgConnection as sqlx::Connection>::connect(url).await.unwrap();
        let query = "SELECT count(*) FROM information_schema.schemata WHERE schema_name LIKE 'oncelab%'";
        sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
    })
}

/// The keys under the lab's prefix.
fn keys(endpoint: &str) -> i64 {
    block_on(async {
        let options = etcd_client::GetOptions::new().with_prefix().with_count_only();
        let mut client = Endpoint::from(endpoint).client(Duration::from_secs(10)).await.unwrap();
        client.get("oncelab/", Some(options)).await.unwrap().count()
    })
}

#[test]
fn a_signal_leaves_nothing_behind_and_the_next_run_removes_what_a_kill_leaves() {
    let servers = block_on(async {
        let store = or_skip(provision::postgres(&processes()).await)?;
        Some((store, or_skip(provision::etcd(&processes(), &EtcdShape::default()).await)?))
    });
    let Some((store, lock)) = servers else { return };
    let (store_url, lock_url) = (store.urls().remove(0), lock.urls().remove(0));
    let folder = tempfile::tempdir().unwrap();
    let urls = ["--store-url", &store_url, "--lock-url", &lock_url];
    for (name, after, signals) in [("INT", 0, 1), ("TERM", 700, 1), ("HUP", 1200, 2), ("INT", 1900, 1)] {
        let mut run = start(folder.path(), &urls);
        wait_until("no schema was made", || schemas(&store_url) == 1);
        std::thread::sleep(Duration::from_millis(after));
        for _ in 0..signals {
            signal(&run, name);
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(run.wait().unwrap().code(), Some(130), "{name} after {after} ms");
        let left = (schemas(&store_url), keys(&lock_url), folders(folder.path()));
        assert_eq!(left, (0, 0, 0), "schemas, keys, folders after {name}");
    }
    let mut run = start(folder.path(), &urls);
    wait_until("no schema was made", || schemas(&store_url) == 1);
    run.kill().unwrap();
    run.wait().unwrap();
    // The server notices that its clients have gone when it next hears from them.
    wait_until("the killed run's schema stays", || {
        run_once(folder.path(), &urls);
        schemas(&store_url) == 0
    });
    assert_eq!(folders(folder.path()), 0);
    // The leases of the killed run's locks run out.
    wait_until("the killed run's keys stay", || keys(&lock_url) == 0);
}

/// The containers of the lab with this process number: each one's network.
fn containers_of(lab: u32) -> Vec<String> {
    let format = "--format={{.Label \"oncelab.lab\"}} {{.Networks}}";
    let output = Command::new("docker").args(["ps", "-a", "--filter", "label=oncelab.lab", format]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let all = text(&output.stdout);
    let own = all.lines().filter(|label| label.starts_with(&format!("{lab} ")));
    own.map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn containers_go_with_their_run_or_with_the_next_one() {
    if !block_on(async { or_skip(provision::postgres(&containers()).await).is_some() }) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let three = ["--provision", "container", "--set", "backend.lock_members=3"];
    // In the middle of starting (two of the four containers are there), and when all are.
    for (name, containers) in [("TERM", 2), ("INT", 4)] {
        let mut run = start(folder.path(), &three);
        wait_until("no container was started", || containers_of(run.id()).len() >= containers);
        if containers == 4 {
            // Nobody comes to etcd but through a folder of the lab's.
            let without = |run: &Child| containers_of(run.id()).iter().filter(|network| *network == "none").count();
            wait_until("etcd has a network", || without(&run) == 3);
        }
        signal(&run, name);
        assert_eq!(run.wait().unwrap().code(), Some(130));
        assert_eq!((containers_of(run.id()).len(), folders(folder.path())), (0, 0), "after {name}");
    }
    let mut run = start(folder.path(), &three);
    wait_until("no container was started", || containers_of(run.id()).len() >= 4);
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(!containers_of(run.id()).is_empty());
    run_once(folder.path(), &["--provision", "container"]);
    assert_eq!(containers_of(run.id()).len(), 0);
}

struct Nobody;

impl RunWatch for Nobody {
    fn begins(&mut self, _: usize, _: usize, _: &TrialPlan) {}
    fn has_done(&mut self, _: u64) {}
    fn ended(&mut self, _: &TrialRow) {}
    fn failed(&mut self, _: &str, _: &TrialError) {}
}

#[test]
fn a_panic_in_a_strategy_leaves_nothing_behind_and_keeps_the_finished_trials() {
    let mut registry = Registry::default();
    registry.register(Careless);
    let mut experiment = experiment::load("quick", &["load.requests=150".to_owned()], &registry, unknown_name).unwrap();
    experiment.strategies = ["dedup-table", "careless"].map(|name| toml::Spanned::new(0..0, name.to_owned())).to_vec();
    let folder = tempfile::tempdir().unwrap();
    let meta = Meta { seed: 5, store: "postgres".to_owned(), trials_planned: 6, ..Meta::of_this_machine() };
    let settings = experiment.backend.clone();
    let mut run = RunFolder::create(folder.path(), meta, experiment).unwrap();
    let mut url = String::new();
    let ended = block_on(async {
        let started = or_skip(provision::postgres(&processes()).await)?;
        url = started.urls().remove(0);
        let wanted = Wanted { store: StoreKind::Postgres, store_url: Some(url.clone()), ..Wanted::default() };
        let backends = Backends::start(&wanted, &settings).await.unwrap();
        let ended = lab::run(&mut run, &registry, &backends, &CancellationToken::new(), &mut Nobody).await;
        backends.remove_traces(&lab::lock_prefix(run.path())).await.unwrap();
        Some((started, ended))
    });
    let Some((_started, ended)) = ended else { return };
    assert_eq!(ended.unwrap(), Ending::Complete);
    assert_eq!(schemas(&url), 0);
    let finished = RunFolder::open(run.path(), &registry).unwrap();
    let careless = Cell { strategy: "careless".to_owned(), level: "lossy".to_owned(), point: Point::default() };
    assert!(finished.rows().iter().all(|row| row.cell != careless));
    assert_eq!((finished.rows().len(), finished.meta.failed.len()), (3, 3));
    assert!(
        finished.meta.failed.values().all(|why| why.contains("message 7 is unlucky")),
        "{:?}",
        finished.meta.failed
    );
}
