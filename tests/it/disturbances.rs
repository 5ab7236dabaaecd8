//! What is done to servers: as processes and as containers they are paused, killed and cut off, and come back.

use std::time::Duration;

use oncelab::fault::Disturber;
use oncelab::history;
use oncelab::service::etcd::{LockOp, LockResponse};
use oncelab::service::provision::{self, EtcdShape, Source};
use oncelab::service::store::StoreOp;
use oncelab::service::{Backend, Endpoint, EtcdBackend, EtcdOptions, MariadbStore, PostgresStore, Servers, Store};
use oncelab::terms::Target;
use oncelab::world::{Outcome, Response};
use tokio_util::sync::CancellationToken;

use crate::backends::{block_on, containers, on_mariadb, on_postgres, or_skip, processes, request, run};
use crate::common::{oncelab, text};

/// Long enough for an answer to come, if one comes.
const A_MOMENT: Duration = Duration::from_millis(300);

async fn a_store_that_is_paused_and_killed_keeps_its_data(source: Source) {
    let source = Source { restarts: true, ..source };
    let Some(started) = or_skip(provision::postgres(&source).await) else { return };
    let store = PostgresStore::connect(&started.urls()[0]).await.unwrap();
    keeps_its_data(&store, Servers::new(Some(started), None)).await;
}

async fn a_mariadb_that_is_paused_and_killed_keeps_its_data(source: Source) {
    let source = Source { restarts: true, ..source };
    let Some(started) = or_skip(provision::mariadb(&source).await) else { return };
    let store = MariadbStore::connect(&started.urls()[0]).await.unwrap();
    keeps_its_data(&store, Servers::new(Some(started), None)).await;
}

async fn keeps_its_data(store: &dyn Store, servers: Servers) {
    store.reset(1).await.unwrap();
    let mut session = store.connect().await.unwrap();
    assert!(matches!(run(&mut session, StoreOp::apply(&request(1)).into()).await, Outcome::Ok(_)));
    let server = servers.at(Target::Store).await[0];

    server.pause().await.unwrap();
    let mut paused = Box::pin(run(&mut session, StoreOp::apply(&request(2)).into()));
    assert!(tokio::time::timeout(A_MOMENT, &mut paused).await.is_err(), "it answers nothing");
    server.resume().await.unwrap();
    assert!(matches!(paused.await, Outcome::Ok(_)), "it goes on as if nothing had been");

    server.kill().await.unwrap();
    assert_eq!(run(&mut session, StoreOp::apply(&request(3)).into()).await, Outcome::Unknown);
    server.restart().await.unwrap();
    servers.wait_until_healthy().await.unwrap();
    let ledger = store.ledger().await.unwrap();
    assert_eq!(ledger.iter().map(|entry| entry.message.0).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn postgres_as_a_process_keeps_its_data() {
    block_on(a_store_that_is_paused_and_killed_keeps_its_data(processes()));
}

#[test]
fn postgres_as_a_container_keeps_its_data() {
    block_on(a_store_that_is_paused_and_killed_keeps_its_data(containers()));
}

#[test]
fn mariadb_as_a_process_keeps_its_data() {
    block_on(a_mariadb_that_is_paused_and_killed_keeps_its_data(processes()));
}

#[test]
fn mariadb_as_a_container_keeps_its_data() {
    block_on(a_mariadb_that_is_paused_and_killed_keeps_its_data(containers()));
}

async fn a_cluster_elects_another_leader(source: Source) {
    let source = Source { restarts: true, ..source };
    let shape = EtcdShape { members: 3, election: Duration::from_millis(500), partitions: true };
    let Some(started) = or_skip(provision::etcd(&source, &shape).await) else { return };
    let endpoints: Vec<Endpoint> = started.urls().into_iter().map(Endpoint::from).collect();
    assert_eq!(endpoints.len(), 3);
    let servers = Servers::new(None, Some(started));
    let options = EtcdOptions { endpoints, lease_ttl_s: 60, ..EtcdOptions::default() };
    let etcd = EtcdBackend::new(options).unwrap();
    etcd.probe().await.unwrap();

    let killed = servers.at(Target::LockLeader).await[0];
    killed.kill().await.unwrap();
    let next = servers.at(Target::LockLeader).await[0];
    assert_ne!(next.name(), killed.name());
    killed.restart().await.unwrap();
    servers.wait_until_healthy().await.unwrap();

    let cut_off = servers.at(Target::LockLeader).await[0];
    cut_off.isolate().await.unwrap();
    // The member that was cut off still believes that it leads, until an election time-out has passed.
    tokio::time::sleep(shape.election * 4).await;
    let next = servers.at(Target::LockLeader).await[0];
    assert_ne!(next.name(), cut_off.name());
    cut_off.rejoin().await.unwrap();
    servers.wait_until_healthy().await.unwrap();
    etcd.probe().await.unwrap();
    let mut session = etcd.connect().await.unwrap();
    assert!(matches!(
        run(&mut session, LockOp::GrantLease.into()).await,
        Outcome::Ok(Response::Etcd(LockResponse::Granted(_)))
    ));
}

#[test]
fn three_processes_elect_another_leader() {
    block_on(a_cluster_elects_another_leader(processes()));
}

#[test]
fn three_containers_elect_another_leader() {
    block_on(a_cluster_elects_another_leader(containers()));
}

#[test]
fn a_disturber_undoes_what_it_did() {
    block_on(async {
        let Some(started) = or_skip(provision::postgres(&Source { restarts: true, ..processes() }).await) else {
            return;
        };
        let url = started.urls().remove(0);
        let (recorders, _collector) = history::begin();
        let faults = "
            backend = [{ fault = 'pause', target = 'store', at_ms = 0, for_ms = 60000 },
                       { fault = 'kill', target = 'store', every_ms = 60000, for_ms = 10 }]";
        let level: oncelab::fault::Level = toml::from_str(&format!("name = 'test'\n{faults}")).unwrap();
        let servers = std::sync::Arc::new(Servers::new(Some(started), None));
        let disturber = Disturber { faults: level.backend, servers, clock: recorders.clock() };
        let stop = CancellationToken::new();
        let stopper = stop.clone();
        tokio::spawn(async move {
            tokio::time::sleep(A_MOMENT).await;
            stopper.cancel();
        });
        let disturbed = disturber.run(&stop).await.unwrap();
        assert_eq!(disturbed.len(), 1, "the kill was never due: {disturbed:?}");
        assert!(
            disturbed[0].until_ns - disturbed[0].from_ns < 10_000_000_000,
            "it did not wait for the end of its pause"
        );
        assert!(PostgresStore::connect(&url).await.is_ok(), "it answers again");
    });
}

/// An experiment in which something is done to the backends, in seconds.
fn disturbed(folder: &std::path::Path, backend: &str, settings: &str, arguments: &[&str]) -> std::process::Output {
    let experiment = format!(
        "name = 'disturbed'\nquestion = '?'\nstrategies = ['dedup-table', 'etcd-lock-fenced-transaction']
        [load]\nrequests = 400\nwarmup = 0\nrate_per_s = 50\naccounts = 400\ntimeout_ms = 300\nattempts = 100\nhandlers = 12
        [backend]\noperation_timeout_ms = 500\n{settings}
        [[faults]]\nname = 'disturbed'\nbackend = [{backend}]\n"
    );
    std::fs::write(folder.join("disturbed.toml"), experiment).unwrap();
    oncelab(folder, &[&["run", "disturbed.toml", "--json", "--seed", "1"], arguments].concat())
}

#[test]
fn a_killed_store_and_a_partition_break_nothing_that_is_safe() {
    on_postgres(|_| async { a_killed_store_breaks_nothing_that_is_safe("postgres") });
    on_mariadb(|_| async { a_killed_store_breaks_nothing_that_is_safe("mariadb") });
}

fn a_killed_store_breaks_nothing_that_is_safe(store: &str) {
    let folder = tempfile::tempdir().unwrap();
    let backend = "{ fault = 'kill', target = 'store', every_ms = 2000, for_ms = 200 },
                       { fault = 'partition', target = 'store', at_ms = 1200, for_ms = 200 },
                       { fault = 'partition', target = 'lock', at_ms = 500, for_ms = 400 }";
    let output = disturbed(folder.path(), backend, "", &["--store", store, "--provision", "process"]);
    let summary: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    for cell in summary["cells"].as_array().unwrap() {
        assert_eq!(cell["verdict"], "valid", "{cell:#}");
        assert_eq!(cell["acknowledged"], 400, "{cell:#}");
        assert!(cell["fired"]["server_killed"].as_u64().unwrap() >= 2, "{cell:#}");
        assert_eq!(cell["fired"]["partition"], 2, "{cell:#}");
    }
    // What was done to the backends is in the saved history, and is counted again.
    let dir = folder.path().join(summary["dir"].as_str().unwrap());
    let again = oncelab(folder.path(), &["check", dir.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(0), "{}", text(&again.stderr));
}

#[test]
fn what_cannot_be_done_to_a_backend_is_refused_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let url = ["--store", "postgres", "--store-url", "postgres://127.0.0.1:1/x"];
    for (backend, settings, arguments, remedy) in [
        ("{ fault = 'kill', target = 'store', for_ms = 1 }", "", &[][..], "add --store postgres"),
        ("{ fault = 'kill', target = 'store', for_ms = 1 }", "", &url, "leave the URL out"),
        ("{ fault = 'pause', target = 'lock-leader', for_ms = 1 }", "", &[], "add --lock etcd"),
        ("{ fault = 'partition', target = 'lock-leader', for_ms = 1 }", "", &["--lock", "etcd"], "lock_members=3"),
        ("{ fault = 'kill', target = 'lock', for_ms = 1 }", "durable = false", &["--lock", "etcd"], "durable=true"),
        ("{ fault = 'kill', target = 'stor', for_ms = 1 }", "", &[], "store"),
        ("{ fault = 'kill', target = 'store' }", "", &[], "for_ms"),
        ("{ fault = 'kill', target = 'cache', for_ms = 1 }", "", &[], "add --use cache=redis"),
        (
            "{ fault = 'partition', target = 'cache', for_ms = 1 }",
            "",
            &["--use", "cache=redis", "--strategies", "redis-lock"],
            "ask for a pause or a kill",
        ),
        ("", "lock_members = 2", &[], "1 member or 3"),
    ] {
        let output = disturbed(folder.path(), backend, settings, arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{backend}: {said}");
        assert!(said.contains(remedy), "{backend}: {said}");
    }
}
