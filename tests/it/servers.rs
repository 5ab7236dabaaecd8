//! PostgreSQL and etcd as processes: operation by operation, and through the command line.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use oncelab::service::etcd::{LockOp, LockResponse};
use oncelab::service::store::{StoreOp, StoreResponse};
use oncelab::service::{Backend, Endpoint, EtcdBackend, EtcdOptions, PostgresStore, Servers, Store, provision};
use oncelab::terms::{AccountId, Answer, Failure, Isolation, LeaseId, LockKey, MessageId, Target, Token};
use oncelab::world::{Outcome, Response};

use crate::backends::{
    DONE, LOCK_DONE, block_on, containers, on_etcd, on_mariadb, on_postgres, or_skip, processes, request, run,
};
use crate::common::{command, oncelab, text};

fn token(value: i64) -> Token {
    Token(value.try_into().unwrap())
}

#[test]
fn postgres_carries_out_every_operation() {
    on_postgres(|url| async move {
        let store = PostgresStore::connect(&url).await.unwrap();
        store.reset(2).await.unwrap();
        let mut session = store.connect().await.unwrap();
        let applied = |balance| Outcome::Ok(Response::Store(StoreResponse::Applied(Some(Answer(balance)))));
        let id = MessageId(0);
        for (op, expected) in [
            (StoreOp::read_mark(id).into(), Outcome::Ok(Response::Store(StoreResponse::Found(None)))),
            (StoreOp::apply(&request(0)).into(), applied(10)),
            (StoreOp::write_mark(id, Answer(10)).into(), DONE),
            (StoreOp::read_mark(id).into(), Outcome::Ok(Response::Store(StoreResponse::Found(Some(Answer(10)))))),
            (StoreOp::begin(Isolation::ReadCommitted).into(), DONE),
            (StoreOp::claim(id).into(), Outcome::Ok(Response::Store(StoreResponse::Claimed(true)))),
            (StoreOp::apply(&request(0)).into(), applied(20)),
            (StoreOp::rollback().into(), DONE),
            (StoreOp::rollback().into(), Outcome::Failed(Failure::NoTransaction)),
            (StoreOp::claim_and_apply(&request(1)).into(), applied(20)),
            (StoreOp::claim_and_apply(&request(1)).into(), Outcome::Ok(Response::Store(StoreResponse::Applied(None)))),
            (
                StoreOp::read_answer(MessageId(1)).into(),
                Outcome::Ok(Response::Store(StoreResponse::Found(Some(Answer(20))))),
            ),
            (StoreOp::claim(MessageId(1)).into(), Outcome::Ok(Response::Store(StoreResponse::Claimed(false)))),
            (StoreOp::store_answer(id, Answer(7)).into(), DONE),
            (StoreOp::check_token(AccountId(0), token(5)).into(), DONE),
            (StoreOp::check_token(AccountId(0), token(4)).into(), Outcome::Failed(Failure::StaleToken)),
            (StoreOp::apply_fenced(&request(2), token(4)).into(), Outcome::Failed(Failure::StaleToken)),
            (StoreOp::apply_fenced(&request(2), token(6)).into(), applied(30)),
            (StoreOp::apply_fenced(&request(3), token(5)).into(), Outcome::Failed(Failure::StaleToken)),
            (StoreOp::apply_under_lease(&request(4), LeaseId(5)).into(), applied(40)),
            (StoreOp::apply_under_lease(&request(5), LeaseId(6)).into(), Outcome::Failed(Failure::OtherLease)),
        ] {
            assert_eq!(run(&mut session, op).await, expected, "{op}");
        }
        // Three effects were applied outside of the transaction that was rolled back, and one under a lease: 10 to 40.
        let balances: Vec<i64> = store.ledger().await.unwrap().iter().map(|entry| entry.balance).collect();
        assert_eq!(balances, [10, 20, 30, 40]);
        store.remove().await.unwrap();
    });
}

#[test]
fn postgres_never_reports_the_commit_of_a_failed_transaction_as_done() {
    on_postgres(|url| async move {
        let store = PostgresStore::connect(&url).await.unwrap();
        store.reset(1).await.unwrap();
        let (mut one, mut other) = (store.connect().await.unwrap(), store.connect().await.unwrap());
        // Both read the account's row by adding to it; the second must wait, and fails when the first has committed.
        for session in [&mut one, &mut other] {
            assert_eq!(run(session, StoreOp::begin(Isolation::Serializable).into()).await, DONE);
            run(session, StoreOp::read_mark(MessageId(0)).into()).await;
        }
        run(&mut one, StoreOp::apply(&request(0)).into()).await;
        assert_eq!(run(&mut one, StoreOp::commit().into()).await, DONE);
        assert_eq!(
            run(&mut other, StoreOp::apply(&request(1)).into()).await,
            Outcome::Failed(Failure::SerializationFailure)
        );
        // PostgreSQL itself answers this COMMIT with a rollback and no error.
        assert_eq!(run(&mut other, StoreOp::commit().into()).await, Outcome::Failed(Failure::NoTransaction));
        assert_eq!(store.ledger().await.unwrap().len(), 1);
        store.remove().await.unwrap();
    });
}

#[test]
fn quick_on_postgres_shows_what_serializability_had_hidden() {
    on_postgres(|url| async move {
        let folder = tempfile::tempdir().unwrap();
        let password = password_of(&url);
        let strategies = "check-then-act-transaction,dedup-table,dedup-table-statement";
        let arguments = ["run", "quick", "--store", "postgres", "--strategies", strategies, "--seed", "5", "--json"];
        let output = command(folder.path()).args(arguments).env("ONCELAB_STORE_URL", &url).output().unwrap();
        let summary: serde_json::Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
        let cell =
            |name: &str| summary["cells"].as_array().unwrap().iter().find(|cell| cell["strategy"] == name).unwrap();
        // Two thousand requests, one in thirty repeated at once: at READ COMMITTED neither sees the other's mark.
        assert_eq!(cell("check-then-act-transaction")["verdict"], "invalid");
        assert_eq!(cell("dedup-table")["verdict"], "valid");
        assert_eq!(cell("dedup-table-statement")["verdict"], "valid");
        assert_eq!(output.status.code(), Some(0), "every expectation is met");

        assert!(!holds(folder.path(), &password) && !text(&output.stderr).contains(&password), "no password in a file");
        assert_eq!(schemas(&url).await, 0, "the schema is dropped");
    });
}

fn password_of(url: &str) -> String {
    Endpoint::from(url).user().unwrap().1.clone()
}

/// Whether any file below a folder holds this text.
fn holds(folder: &Path, needle: &str) -> bool {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| match path.is_dir() {
        true => holds(&path, needle),
        false => text(&std::fs::read(&path).unwrap()).contains(needle),
    })
}

async fn schemas(url: &str) -> i64 {
    let mut connection = <sqlx::postgres::PgConnection as sqlx::Connection>::connect(url).await.unwrap();
    let query = "SELECT count(*) FROM information_schema.schemata WHERE schema_name LIKE 'oncelab%'";
    sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
}

#[test]
fn a_server_that_is_not_there_is_exit_4_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody listens on port 1.
    let arguments = ["run", "quick", "--store", "postgres", "--store-url", "postgres://me:hunter2@127.0.0.1:1/db"];
    let output = oncelab(folder.path(), &arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("check that the server runs there") && !said.contains("hunter2"), "{said}");
}

/// The children of a process, as its kernel lists them: the guardian's shell and the servers.
fn children(parent: u32) -> Vec<(u32, String)> {
    let of = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (name, rest) = stat.rsplit_once(") ")?;
        let is_child = rest.split(' ').nth(1)? == parent.to_string();
        is_child.then(|| (pid, name.split_once('(').map_or("", |(_, name)| name).to_owned()))
    };
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    pids.filter_map(|entry| of(entry.file_name().to_str()?.parse().ok()?)).collect()
}

/// Whether a process has ended, even if nobody has asked for its exit code yet.
fn has_ended(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z'))
}

/// With its guardian a killed run leaves nothing; without it, what the next run removes.
#[test]
fn what_a_killed_run_has_left_is_removed_by_its_guardian_or_by_the_next_run() {
    on_postgres(|_| async { a_killed_run_leaves_nothing("postgres", "postgres", "home/data/postmaster.pid") });
    on_mariadb(|_| async { a_killed_run_leaves_nothing("mariadb", "mariadbd", "home/pid") });
}

/// The server's process has this name, and writes its number into this file when it is up.
fn a_killed_run_leaves_nothing(store: &str, process: &str, pid_file: &str) {
    let folder = tempfile::tempdir().unwrap();
    let temporary = folder.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    // The server runs as another user when the lab runs as root, and must get through.
    std::fs::set_permissions(&temporary, std::os::unix::fs::PermissionsExt::from_mode(0o1777)).unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
    let folders = || {
        let entries = std::fs::read_dir(&temporary).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.to_string_lossy().contains("oncelab-data")).collect::<Vec<_>>()
    };
    let arguments = [
        ["run", "quick", "--store", store, "--provision", "process"].as_slice(),
        &["--strategies", "dedup-table", "--set", "backend.durable=true"],
    ]
    .concat();
    for has_guardian in [true, false] {
        let mut killed = command(folder.path());
        killed.args(&arguments).env("TMPDIR", &temporary).stdout(Stdio::null()).stderr(Stdio::null());
        let mut killed = killed.spawn().unwrap();
        let server = wait_for("a server", || {
            let is_up = folders().iter().any(|folder| folder.join(pid_file).exists());
            is_up.then(|| children(killed.id()).into_iter().find(|(_, name)| name == process))?
        });
        if !has_guardian {
            for (guardian, _) in children(killed.id()).into_iter().filter(|(_, name)| name == "sh") {
                let kill = std::process::Command::new("kill").args(["-KILL", &guardian.to_string()]).status();
                assert!(kill.unwrap().success());
            }
        }
        killed.kill().unwrap();
        killed.wait().unwrap();
        if has_guardian {
            wait_for("an end", || (folders().is_empty() && has_ended(server.0)).then_some(()));
            continue;
        }
        assert_eq!(folders().len(), 1);
        let mut next = command(folder.path());
        next.args(&arguments).args(["--set", "load.requests=120", "--set", "repeats=1"]).env("TMPDIR", &temporary);
        let next = next.output().unwrap();
        // With so few requests not every fault fires: then the run is inconclusive.
        assert!([Some(0), Some(3)].contains(&next.status.code()), "{}", text(&next.stderr));
        assert_eq!(folders(), Vec::<std::path::PathBuf>::new(), "neither the killed run's nor its own");
        wait_for("an end", || has_ended(server.0).then_some(()));
    }
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} was waited for in vain");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn etcd_grants_a_lock_under_a_lease_and_forgets_both() {
    on_etcd(|url| async move {
        let options = EtcdOptions { endpoints: vec![url.into()], lease_ttl_s: 2, ..EtcdOptions::default() };
        let etcd = EtcdBackend::new(options).unwrap();
        let mut session = etcd.connect().await.unwrap();
        let Outcome::Ok(Response::Etcd(LockResponse::Granted(lease))) =
            run(&mut session, LockOp::GrantLease.into()).await
        else {
            panic!("no lease")
        };
        let key = LockKey { account: AccountId(3), lease };
        let Outcome::Ok(Response::Etcd(LockResponse::Held(first))) =
            run(&mut session, LockOp::acquire(key).into()).await
        else {
            panic!("no lock")
        };
        assert_eq!(run(&mut session, LockOp::release(key).into()).await, LOCK_DONE);
        assert_eq!(run(&mut session, LockOp::Revoke(lease).into()).await, LOCK_DONE);
        assert_eq!(run(&mut session, LockOp::Revoke(lease).into()).await, Outcome::Failed(Failure::LeaseExpired));
        assert_eq!(run(&mut session, LockOp::acquire(key).into()).await, Outcome::Failed(Failure::LeaseExpired));

        let Outcome::Ok(Response::Etcd(LockResponse::Granted(lease))) =
            run(&mut session, LockOp::GrantLease.into()).await
        else {
            panic!("no lease")
        };
        let acquired = run(&mut session, LockOp::acquire(LockKey { account: AccountId(3), lease }).into()).await;
        let Outcome::Ok(Response::Etcd(LockResponse::Held(second))) = acquired else { panic!("no lock") };
        assert!(second > first, "tokens grow from holder to holder");
    });
}

#[test]
fn the_next_run_removes_nothing_of_a_run_that_lives() {
    on_postgres(|url| async move {
        let living = PostgresStore::connect(&url).await.unwrap();
        let other = PostgresStore::connect(&url).await.unwrap();
        assert_eq!(schemas(&url).await, 2);
        other.remove().await.unwrap();
        living.reset(1).await.unwrap();
        living.remove().await.unwrap();
        assert_eq!(schemas(&url).await, 0);
    });
}

#[test]
fn a_wrong_password_is_exit_4_with_a_remedy() {
    on_postgres(|url| async move {
        let folder = tempfile::tempdir().unwrap();
        let wrong = url.replace(&password_of(&url), "hunter2");
        let output = oncelab(folder.path(), &["run", "quick", "--store", "postgres", "--store-url", &wrong]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{said}");
        assert!(said.contains("check the user and the password") && !said.contains("hunter2"), "{said}");
        assert!(!holds(folder.path(), "hunter2"));
    });
}

#[test]
fn a_server_that_dies_in_the_middle_is_exit_4_and_finished_trials_stay() {
    block_on(async {
        let Some(started) = or_skip(provision::postgres(&processes()).await) else {
            return;
        };
        let url = started.urls().remove(0);
        let servers = Servers::new(Some(started), None);
        let folder = tempfile::tempdir().unwrap();
        let mut run = command(folder.path());
        run.args(["run", "quick", "--store", "postgres", "--store-url", &url, "--strategies", "dedup-table"]);
        run.args(["--set", "load.requests=200", "--set", "repeats=30"]).stdout(Stdio::null()).stderr(Stdio::piped());
        let run = run.spawn().unwrap();
        let finished = || {
            let runs = std::fs::read_dir(folder.path().join("results/quick")).into_iter().flatten().flatten();
            runs.map(|run| std::fs::read_to_string(run.path().join("trials.csv")).unwrap_or_default().lines().count())
                .max()
                .unwrap_or(0)
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        while finished() < 3 {
            assert!(Instant::now() < deadline, "no trial was finished in time");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        servers.at(Target::Store).await[0].kill().await.unwrap();
        let output = tokio::task::block_in_place(|| run.wait_with_output()).unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{said}");
        assert!(finished() >= 3, "what was finished stays");
        let dir = std::fs::read_dir(folder.path().join("results/quick")).unwrap().next().unwrap().unwrap().path();
        let report = oncelab(folder.path(), &["report", dir.to_str().unwrap()]);
        assert!(text(&report.stdout).contains("dedup-table"), "{}", text(&report.stdout));
    });
}

#[test]
fn what_cannot_be_had_is_exit_4_or_a_row_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str], engine: &str| {
        let mut run = command(folder.path());
        // As large as it is by default: each fault fires, so that the verdict is the only reason for another exit code.
        run.args(["run", "quick", "--seed", "42"]).args(arguments);
        run.env("DOCKER_HOST", engine).output().unwrap()
    };
    let nowhere = "unix:///nonexistent/docker.sock";
    for (arguments, remedy) in [
        (&["--store", "postgres", "--provision", "container"][..], "--provision process or a URL"),
        (&["--store", "postgres", "--provision", "embedded"], "leave out --provision embedded"),
        (&["--lock", "etcd", "--lock-url", "http://127.0.0.1:1"], "check that etcd runs there"),
        (&["--lock", "etcd", "--lock-url", "what is this"], "endpoints look like"),
    ] {
        let output = run(arguments, nowhere);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{arguments:?}: {said}");
        assert!(said.contains(remedy), "{arguments:?}: {said}");
    }
    // Without the lock service there are still the strategies that need none.
    let without = ["--lock", "etcd", "--lock-url", "http://127.0.0.1:1", "--skip-unavailable"];
    let output = run(&[&without[..], &["--strategies", "etcd-lock,dedup-table"]].concat(), nowhere);
    let said = text(&output.stdout);
    assert!(said.contains("skipped: etcd-lock, because etcd:") && said.contains("dedup-table"), "{said}");
    assert_eq!(output.status.code(), Some(0), "{said}");
    // Without the store there are none.
    let without = ["--store", "postgres", "--store-url", "postgres://127.0.0.1:1/x", "--skip-unavailable"];
    let output = run(&[&without[..], &["--strategies", "dedup-table"]].concat(), nowhere);
    let said = text(&output.stdout);
    assert!(said.contains("skipped: dedup-table, because postgres:"), "{said}");
    assert_eq!(output.status.code(), Some(3), "{said}");
}

#[test]
fn an_image_that_is_not_there_is_exit_4_with_a_remedy() {
    if !block_on(async { or_skip(provision::postgres(&containers()).await).is_some() }) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let image = ["--postgres-image", "oncelab.invalid/no-such-image:1"];
    let arguments = ["run", "quick", "--store", "postgres", "--provision", "container"];
    let output = oncelab(folder.path(), &[&arguments[..], &image].concat());
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("--postgres-image") && said.contains("images/README.md"), "{said}");
    // Where it was not insisted on containers, it says what it took instead.
    let auto = ["run", "quick", "--store", "postgres", "--strategies", "dedup-table", "--set", "load.requests=150"];
    let output = oncelab(folder.path(), &[&auto[..], &image, &["--set", "repeats=1"]].concat());
    let said = text(&output.stderr);
    assert!(said.contains("store: process") && said.contains("has no image oncelab.invalid"), "{said}");
}
