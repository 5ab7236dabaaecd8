//! Schedules on real backends: what broke the model breaks the database, and what the model says holds there too.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use oncelab::explore::{Bound, Exploration, Flaws, Kinds, Limits, Schedule, bound_of};
use oncelab::replay::{
    ConformError, Conformance, Conformed, How, ReplayWork, Testbed, conform, replay_all, replay_and_tell, search,
};
use oncelab::service::provision::{self, Source};
use oncelab::service::store::model::StoreModelFlaw;
use oncelab::service::{LockKind, Servers, Wanted};
use oncelab::strategy::{Registry, Strategy};
use oncelab::terms::{Role, StoreKind, Target, Violation};

use crate::backends::{block_on, containers, or_skip, processes};
use crate::common::{command, oncelab, text};

/// Backends for replays, if they can be had. The rig goes before the runtime.
pub struct Mounted {
    rig: Option<Testbed>,
    runtime: tokio::runtime::Runtime,
}

impl Mounted {
    pub fn new(store: StoreKind, lock: LockKind, source: Source) -> Option<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let wanted = Wanted { store, lock, source, needs_lock: true, ..Wanted::default() };
        let rig = or_skip(runtime.block_on(Testbed::start(&wanted, false)))?;
        Some(Mounted { rig: Some(rig), runtime })
    }

    pub fn embedded() -> Self {
        Mounted::new(StoreKind::Sqlite, LockKind::Embedded, processes()).expect("nothing is needed for it")
    }

    pub fn rig(&self) -> &Testbed {
        self.rig.as_ref().unwrap()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let rig = self.rig.take();
        self.runtime.block_on(async { drop(rig) });
    }
}

/// Whether a strategy is replayed on a Kafka alone, which has tests of its own.
pub fn needs_a_broker(strategy: &dyn Strategy) -> bool {
    strategy.needs().iter().any(|need| need.role == Role::BROKER)
}

/// Replays the shortest schedule for each violation that there is, so often each, and says how many schedules there were.
fn replay_minimal_schedules(mounted: &Mounted, times: usize) -> usize {
    let store = mounted.rig().profile();
    let mut schedules = 0;
    for strategy in Registry::default()
        .on(store.store())
        .filter(|strategy| !needs_a_broker(strategy.as_ref()))
        .filter(|strategy| Bound { store, ..Bound::new(1, 0, 0) }.speaks_for(strategy.as_ref()))
    {
        for requests in [1, 2] {
            let bound = Bound { requests, kinds: Kinds::all(), store, ..Bound::new(2, 1, 2) };
            let explored = Exploration::new(strategy.as_ref(), bound, Limits::default(), &mut ()).unwrap();
            for minimal in explored.minimal {
                let replayed = replay(mounted, strategy.as_ref(), bound, &minimal.schedule, minimal.violation, times);
                assert_eq!(replayed, times, "{}: {} {}", strategy.name(), minimal.violation, minimal.schedule);
                schedules += 1;
            }
        }
    }
    schedules
}

/// How many of so many replays show a violation, and do not diverge.
pub fn replay(
    mounted: &Mounted,
    strategy: &dyn Strategy,
    bound: Bound,
    schedule: &Schedule,
    violation: Violation,
    times: usize,
) -> usize {
    let shown = Mutex::new(0);
    let work = ReplayWork {
        strategy,
        bound: bound_of(strategy, bound, schedule).unwrap(),
        flaws: mounted.rig().known_flaws(),
        schedules: std::slice::from_ref(schedule),
        times,
        workers: 2,
        has_model: mounted.rig().profile().has_own_model(),
    };
    replay_all(mounted.rig(), work, &|_, replayed| {
        assert_eq!(replayed.divergence, None, "{}: {schedule}", strategy.name());
        *shown.lock().unwrap() += usize::from(replayed.shows(violation));
        true
    })
    .unwrap();
    shown.into_inner().unwrap()
}

#[test]
fn every_minimal_schedule_breaks_sqlite_and_the_embedded_lock_server() {
    // Ten strategies and more that break in one way at least.
    assert!(replay_minimal_schedules(&Mounted::embedded(), 10) >= 20);
}

#[test]
fn every_minimal_schedule_breaks_postgres_and_etcd_as_processes() {
    let Some(mounted) = Mounted::new(StoreKind::Postgres, LockKind::Etcd, processes()) else { return };
    assert!(replay_minimal_schedules(&mounted, 3) >= 20);
}

#[test]
fn every_minimal_schedule_breaks_postgres_and_etcd_as_containers() {
    let Some(mounted) = Mounted::new(StoreKind::Postgres, LockKind::Etcd, containers()) else { return };
    assert!(replay_minimal_schedules(&mounted, 1) >= 20);
}

fn conformance(mounted: &Mounted, flaws: Flaws, sample: usize) -> Conformance {
    let bound = Bound { kinds: Kinds::all(), store: mounted.rig().profile(), ..Bound::new(2, 1, 1) };
    Conformance {
        bound,
        flaws,
        shard: None,
        sample: Some(sample),
        max_classes: 100_000,
        seed: 7,
        workers: 2,
        until_divergence: flaws != Flaws::default(),
    }
}

fn conforms(mounted: &Mounted, sample: usize) {
    let profile = mounted.rig().profile();
    let registry = Registry::default();
    let without_broker = || registry.on(profile.store()).filter(|strategy| !needs_a_broker(strategy.as_ref()));
    let there = without_broker().count();
    let bound = Bound { store: profile, ..Bound::new(1, 0, 0) };
    let held: Vec<_> = without_broker().filter(|strategy| bound.speaks_for(strategy.as_ref())).collect();
    let left_out = if profile.has_own_model() { 0 } else { 4 };
    assert_eq!(held.len() + left_out, there, "three levels and the outbox are left out on MariaDB");
    for strategy in held {
        let of = conformance(mounted, Flaws::default(), sample);
        let conformed = conform(mounted.rig(), strategy.as_ref(), &of, &|_, _| true).unwrap();
        let Conformed { smallest, replayed, classes, waits, .. } = conformed;
        assert_eq!(smallest, None, "{}", strategy.name());
        let classes = usize::try_from(classes.unwrap()).unwrap();
        assert_eq!(replayed, classes.min(sample), "{}", strategy.name());
        // Whoever takes a lock, or begins to write on SQLite, is waited for.
        let locks = ["dedup-table", "check-then-act-transaction"].contains(&strategy.name());
        let waits_for_locks = strategy.needs_lock_service() && strategy.has_timers();
        assert!(waits > 0 || !(locks || waits_for_locks), "{}", strategy.name());
    }
}

#[test]
fn sqlite_and_the_embedded_lock_server_do_what_the_model_says() {
    conforms(&Mounted::embedded(), 300);
}

#[test]
fn postgres_and_etcd_do_what_the_model_says_as_processes() {
    let Some(mounted) = Mounted::new(StoreKind::Postgres, LockKind::Etcd, processes()) else { return };
    conforms(&mounted, 70);
}

#[test]
fn postgres_and_etcd_do_what_the_model_says_as_containers() {
    let Some(mounted) = Mounted::new(StoreKind::Postgres, LockKind::Etcd, containers()) else { return };
    conforms(&mounted, 20);
}

/// No model is of MariaDB, but every transaction of these strategies is at READ COMMITTED, and what stands alone is done as a whole:
/// there MariaDB and PostgreSQL say the same.
#[test]
fn mariadb_does_at_read_committed_what_the_model_of_postgresql_says() {
    let Some(mounted) = Mounted::new(StoreKind::Mariadb, LockKind::Etcd, processes()) else { return };
    conforms(&mounted, 60);
    // At REPEATABLE READ they do not: what PostgreSQL refuses is done.
    let strategy = Registry::default().get("check-then-act-repeatable-read").unwrap();
    let of = Conformance { until_divergence: true, ..conformance(&mounted, Flaws::default(), 100) };
    let conformed = conform(mounted.rig(), strategy.as_ref(), &of, &|_, _| true).unwrap();
    let (_, divergence) = conformed.smallest.unwrap();
    assert!(
        divergence.model.contains("serialization_failure") && divergence.real.contains("applied 20"),
        "{divergence}"
    );
}

#[test]
fn every_minimal_schedule_breaks_mariadb_and_etcd() {
    let Some(mounted) = Mounted::new(StoreKind::Mariadb, LockKind::Etcd, processes()) else { return };
    assert!(replay_minimal_schedules(&mounted, 5) >= 20);
}

/// Within how many schedules a mistake in the model is found.
fn found_after(mounted: &Mounted, strategy: &str, flaws: Flaws) -> usize {
    let strategy = Registry::default().get(strategy).unwrap();
    let of = conformance(mounted, flaws, 100);
    let conformed = conform(mounted.rig(), strategy.as_ref(), &of, &|_, _| true).unwrap();
    conformed.first_after.unwrap_or_else(|| panic!("{flaws:?} was not found with {}", strategy.name()))
}

#[test]
fn a_wrong_model_is_caught_within_a_hundred_schedules() {
    let store = |flaw| Flaws { store: Some(flaw), ..Flaws::default() };
    let late = Flaws { no_landing: true, ..Flaws::default() };
    let embedded = Mounted::embedded();
    for (strategy, flaws) in [
        ("dedup-table-statement", store(StoreModelFlaw::NoUniqueConstraint)),
        ("etcd-lock-fenced", store(StoreModelFlaw::NoTokenComparison)),
        ("etcd-lock-marker", Flaws { no_expiry: true, ..Flaws::default() }),
        ("check-then-act", late),
    ] {
        assert!(found_after(&embedded, strategy, flaws) <= 100);
    }
    let Some(postgres) = Mounted::new(StoreKind::Postgres, LockKind::Etcd, processes()) else { return };
    for (strategy, flaws) in [
        ("dedup-table", store(StoreModelFlaw::NoUniqueConstraint)),
        ("check-then-act-transaction", store(StoreModelFlaw::NoRowLocks)),
        ("check-then-act-transaction", store(StoreModelFlaw::ReadsUncommitted)),
        ("advisory-lock-repeatable-read", store(StoreModelFlaw::SnapshotsAfterWaits)),
        ("etcd-lock-fenced", store(StoreModelFlaw::NoTokenComparison)),
        ("etcd-lock-marker", Flaws { no_expiry: true, ..Flaws::default() }),
        ("check-then-act-transaction", late),
    ] {
        assert!(found_after(&postgres, strategy, flaws) <= 100);
    }
}

#[test]
fn more_classes_than_asked_for_are_refused_and_a_sample_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let refused = oncelab(folder.path(), &["conform", "etcd-lock", "--max-classes", "1000"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = text(&refused.stderr);
    assert!(said.contains("etcd-lock has 1634 classes") && said.contains("--sample 1000"), "{said}");
    let embedded = Mounted::embedded();
    let of = Conformance { sample: None, max_classes: 1_000, ..conformance(&embedded, Flaws::default(), 0) };
    let strategy = Registry::default().get("etcd-lock").unwrap();
    let refused = conform(embedded.rig(), strategy.as_ref(), &of, &|_, _| true);
    assert!(matches!(refused, Err(ConformError::TooMany { max: 1_000, .. })));
    let drawn =
        oncelab(folder.path(), &["conform", "etcd-lock", "--lanes", "3", "--faults", "2", "--sample", "20", "--json"]);
    let document: serde_json::Value = serde_json::from_slice(&drawn.stdout).unwrap();
    assert_eq!((&document["strategies"][0]["replayed"], drawn.status.code()), (&20.into(), Some(0)), "{document}");
}

#[test]
fn the_printed_command_replays_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let first = oncelab(folder.path(), &["replay", "check-then-act", "a b b a", "--times", "20"]);
    let said = text(&first.stdout);
    assert_eq!(first.status.code(), Some(0), "{said}{}", text(&first.stderr));
    assert!(said.contains("duplicate, deviating: 20 of 20 times; 0 divergences"), "{said}");
    assert!(said.lines().filter(|line| !line.starts_with("again")).all(|line| line.chars().count() <= 80), "{said}");
    let again = said.lines().find_map(|line| line.strip_prefix("again: ")).unwrap();
    let again = Command::new("sh").args(["-c", again]).current_dir(folder.path()).output().unwrap();
    assert!(text(&again.stdout).contains("20 of 20 times; 0 divergences"), "{}", text(&again.stderr));
}

#[test]
fn a_fault_ends_the_servers_process_behind_the_connection() {
    let Some(mounted) = Mounted::new(StoreKind::Postgres, LockKind::Embedded, processes()) else { return };
    let strategy = Registry::default().get("check-then-act").unwrap();
    // Look, apply and mark again after each fault in the middle. Without one the lane keeps its process.
    for (schedule, cut) in [("a a a", false), ("a a! a", true), ("a a? a", true), ("a a~ a", true), ("a ax a", true)] {
        let schedule: Schedule = schedule.parse().unwrap();
        let work = ReplayWork {
            strategy: strategy.as_ref(),
            bound: bound_of(strategy.as_ref(), Bound::new(1, 1, 0), &schedule).unwrap(),
            flaws: Flaws::default(),
            schedules: std::slice::from_ref(&schedule),
            times: 1,
            workers: 1,
            has_model: true,
        };
        let told = replay_and_tell(mounted.rig(), work, None).unwrap();
        assert_eq!(told.replayed.divergence, None, "{schedule}");
        let pid = |n: usize| told.story.lines[n].learned.split("(pid ").nth(1).unwrap().to_owned();
        assert_eq!(pid(0) != pid(2), cut, "{schedule}");
    }
}

#[test]
fn what_is_kept_can_be_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let kept = oncelab(folder.path(), &["replay", "check-then-act", "a b b a", "--keep", "--json"]);
    let document: serde_json::Value = serde_json::from_slice(&kept.stdout).unwrap();
    assert_eq!(document["ledger"].as_array().unwrap().len(), 2);
    assert!(text(&kept.stderr).contains("kept: sqlite3 "), "{}", text(&kept.stderr));
    let database = std::fs::read(folder.path().join("replay.db")).unwrap();
    assert!(database.starts_with(b"SQLite format 3"));
}

#[test]
fn leases_that_expire_by_themselves_do_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["replay", "etcd-lock-marker", "a a a a* b b b b a", "--natural-expiry", "--json"];
    let began = std::time::Instant::now();
    let replayed = oncelab(folder.path(), &arguments);
    let document: serde_json::Value = serde_json::from_slice(&replayed.stdout).unwrap();
    assert_eq!((&document["reproduced"], &document["divergences"]), (&1.into(), &0.into()), "{document}");
    // A lease of two seconds was waited for.
    assert!(began.elapsed().as_secs_f64() > 1.0);
}

#[test]
fn a_queued_request_for_a_lock_is_refused_when_its_lease_has_gone() {
    // The embedded server follows etcd 3.5; that etcd 3.4 grants it is a row of the track record.
    let folder = tempfile::tempdir().unwrap();
    let replayed = oncelab(folder.path(), &["replay", "etcd-lock", "a a b b& b* a a b", "--times", "5", "--json"]);
    let document: serde_json::Value = serde_json::from_slice(&replayed.stdout).unwrap();
    let told = document["steps"].as_array().unwrap().iter().map(|step| step["learned"].as_str().unwrap());
    assert!(told.clone().any(|learned| learned == "waits in the queue"), "{document}");
    assert!(told.clone().any(|learned| learned == "refused: lease expired"), "{document}");
    assert_eq!(document["divergences"], 0);
}

#[test]
fn a_statement_that_waits_goes_on_before_another_one_can_overtake_it() {
    let Some(mounted) = Mounted::new(StoreKind::Postgres, LockKind::Embedded, processes()) else { return };
    let times = |name: &str, line: &str, times| {
        let (strategy, schedule) = (Registry::default().get(name).unwrap(), line.parse().unwrap());
        let bound = Bound { kinds: Kinds::all(), ..Bound::new(2, 1, 1) };
        replay(&mounted, strategy.as_ref(), bound, &schedule, Violation::Duplicate, times)
    };
    // The snapshot of b is older than its wait, whatever the server does meanwhile.
    assert_eq!(times("advisory-lock-repeatable-read", "a a a a a b b& a b b b b b", 100), 100);
    // When the request of the first attempt lands, b goes on by itself, and the retry of a has to wait for it.
    assert_eq!(times("dedup-table-repeatable-read", "a a a a~ a b b& a+ a& b b b b a", 30), 0);
    // Both wait for the first attempt, and the server chooses who goes on first: it is asked until that is b.
    assert_eq!(times("dedup-table-repeatable-read", "a a a b b& a~ a a& a+ b b b b a", 20), 0);
}

#[test]
fn a_step_that_cannot_be_made_is_named_with_what_can() {
    let folder = tempfile::tempdir().unwrap();
    for (schedule, said) in [
        ("a b c+", "step 3 of the schedule, 'c+', cannot be made there; what can: "),
        ("a&", "step 1 of the schedule, 'a&', cannot be made there"),
        ("a ?", "step 2 of the schedule, '?', is no token"),
    ] {
        let refused = oncelab(folder.path(), &["replay", "check-then-act", schedule]);
        assert_eq!(refused.status.code(), Some(2), "{schedule}");
        assert!(text(&refused.stderr).contains(said), "{}", text(&refused.stderr));
    }
}

#[test]
fn a_server_that_dies_in_the_middle_is_exit_4_and_what_was_counted_is_printed() {
    block_on(async {
        let Some(started) = or_skip(provision::postgres(&processes()).await) else { return };
        let url = started.urls().remove(0);
        let servers = Servers::new(Some(started), None);
        let folder = tempfile::tempdir().unwrap();
        let mut replaying = command(folder.path());
        replaying.args(["replay", "check-then-act", "a b b a", "--store", "postgres", "--store-url", &url]);
        replaying.args(["--times", "1000000", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let replaying = replaying.spawn().unwrap();
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        servers.at(Target::Store).await[0].kill().await.unwrap();
        let ended = tokio::task::block_in_place(|| replaying.wait_with_output()).unwrap();
        assert_eq!(ended.status.code(), Some(4), "{}", text(&ended.stderr));
        let document: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
        assert!(document["reproduced"].as_u64().unwrap() > 0, "{document}");
        assert!(text(&ended.stderr).contains("error: in step "), "{}", text(&ended.stderr));
    });
}

/// The example with SQL of its own, which cargo builds beside the binary that is under test: its command line, and what it prints.
fn own_sql(arguments: &[&str]) -> (serde_json::Value, String, Option<i32>) {
    let example = Path::new(env!("CARGO_BIN_EXE_oncelab")).parent().unwrap().join("examples/own_sql_strategy");
    let folder = tempfile::tempdir().unwrap();
    let ran = Command::new(&example).current_dir(folder.path()).args(arguments).arg("--json").output().unwrap();
    let document = serde_json::from_slice(&ran.stdout).unwrap_or_else(|_| panic!("{}", text(&ran.stderr)));
    (document, text(&ran.stderr), ran.status.code())
}

#[test]
fn the_bug_in_the_sql_of_its_own_is_found_on_postgres_and_replays() {
    let server = block_on(async { or_skip(provision::postgres(&processes()).await) });
    let Some(server) = server else { return };
    let url = server.urls().remove(0);
    let there = ["--store", "postgres", "--store-url", &url];
    for how in [&["--runs", "60"][..], &["--runs", "60", "--walk", "random", "--seed", "1"]] {
        let (found, said, code) = own_sql(&[&["explore", "insert-if-absent"][..], &there, how].concat());
        let duplicate = found["violations"].as_array().unwrap().iter().find(|it| it["kind"] == "duplicate");
        let schedule = duplicate.unwrap_or_else(|| panic!("{found}{said}"))["minimal"].as_str().unwrap();
        assert_eq!(code, Some(1), "its claim rules duplicates out");
        let again = [&["replay", "insert-if-absent", schedule, "--times", "100"][..], &there].concat();
        let (replayed, ..) = own_sql(&again);
        assert_eq!(
            (&replayed["violations"]["duplicate"], &replayed["divergences"]),
            (&100.into(), &0.into()),
            "{schedule}"
        );
    }
}

#[test]
fn sleep_sets_lose_nothing_that_the_model_knows() {
    // Of a strategy that the model knows too, the search on the real database finds the same violations.
    let embedded = Mounted::embedded();
    for name in ["check-then-act", "dedup-table", "claim-then-act"] {
        let strategy = Registry::default().get(name).unwrap();
        let store = embedded.rig().profile();
        let bound = Bound { kinds: Kinds::all(), store, ..Bound::new(2, 0, 1) };
        let searched = search(embedded.rig(), strategy.as_ref(), bound, How::Every, 50_000, &|_| true).unwrap();
        let explored = Exploration::new(strategy.as_ref(), bound, Limits::default(), &mut ()).unwrap();
        assert!(searched.complete, "{name}");
        let (real, model): (Vec<_>, Vec<_>) =
            (searched.violations.keys().collect(), explored.census.violations.keys().collect());
        assert_eq!(real, model, "{name}");
    }
}

#[test]
fn a_strategy_with_sql_of_its_own_is_searched_on_the_real_sqlite_and_holds_there() {
    let (found, said, code) = own_sql(&["explore", "insert-if-absent"]);
    assert!(said.contains("issues SQL of its own, which no model knows: searching on the real sqlite"), "{said}");
    // One writer at a time: nothing comes in between.
    assert_eq!((&found["complete"], code), (&true.into(), Some(0)), "{found}");
    // Among all the others it is left out, and said to be.
    let (_, said, code) = own_sql(&["explore", "--all"]);
    assert!(said.contains("skipped: 'insert-if-absent' issues SQL"), "{said}");
    assert_eq!(code, Some(0));
}
