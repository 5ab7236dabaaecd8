//! Two bugs of etcd's lock as scenarios: call by call, and as experiments.

use oncelab::service::etcd::{LockOp, LockResponse};
use oncelab::service::{Backend, Connection, EmbeddedLockServer, EmbeddedOptions, Endpoint, EtcdBackend, EtcdOptions};
use oncelab::terms::{AccountId, Failure, LeaseId, LockKey};
use oncelab::world::{Outcome, Response};

use crate::backends::{LOCK_DONE, on_etcd, run};
use crate::common::{oncelab, text};

const ACCOUNT: AccountId = AccountId(1);

fn backend(endpoint: Endpoint) -> EtcdBackend {
    EtcdBackend::new(EtcdOptions { endpoints: vec![endpoint], lease_ttl_s: 60, ..EtcdOptions::default() }).unwrap()
}

async fn lease(session: &mut Box<dyn Connection>) -> LeaseId {
    match run(session, LockOp::GrantLease.into()).await {
        Outcome::Ok(Response::Etcd(LockResponse::Granted(lease))) => lease,
        other => panic!("no lease: {other:?}"),
    }
}

fn is_held(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Ok(Response::Etcd(LockResponse::Held(_))))
}

/// etcd#22082, in five calls: lock, unlock, lock again, unlock again (a retry of the first), another client's lock succeeds.
async fn a_retried_unlock_deletes_the_newer_lock(endpoint: Endpoint) {
    let etcd = backend(endpoint);
    let (mut one, mut other) = (etcd.connect().await.unwrap(), etcd.connect().await.unwrap());
    let (ours, theirs) = (lease(&mut one).await, lease(&mut other).await);
    let key = LockKey { account: ACCOUNT, lease: ours };
    assert!(is_held(run(&mut one, LockOp::acquire(key).into()).await));
    assert_eq!(run(&mut one, LockOp::release(key).into()).await, LOCK_DONE);
    assert!(is_held(run(&mut one, LockOp::acquire(key).into()).await));
    assert_eq!(run(&mut one, LockOp::release(key).into()).await, LOCK_DONE);
    let acquired = run(&mut other, LockOp::acquire(LockKey { account: ACCOUNT, lease: theirs }).into()).await;
    assert!(is_held(acquired), "and the first client believes that it holds the lock: {acquired:?}");
}

/// etcd#11456: a waiter's lease ends while it queues; then it is its turn. What it is told.
async fn what_a_dead_waiter_is_told(etcd: &EtcdBackend) -> Outcome {
    let (mut holder, mut waiter) = (etcd.connect().await.unwrap(), etcd.connect().await.unwrap());
    let (held, dead) = (lease(&mut holder).await, lease(&mut waiter).await);
    assert!(is_held(run(&mut holder, LockOp::acquire(LockKey { account: ACCOUNT, lease: held }).into()).await));
    let waiting = tokio::spawn(async move {
        run(&mut waiter, LockOp::acquire(LockKey { account: ACCOUNT, lease: dead }).into()).await
    });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    // The same transition as its expiry.
    assert_eq!(run(&mut holder, LockOp::Revoke(dead).into()).await, LOCK_DONE);
    assert_eq!(run(&mut holder, LockOp::release(LockKey { account: ACCOUNT, lease: held }).into()).await, LOCK_DONE);
    waiting.await.unwrap()
}

#[tokio::test]
async fn the_embedded_lock_server_deletes_the_newer_lock_as_etcd_does() {
    let server = EmbeddedLockServer::start(EmbeddedOptions::default()).unwrap();
    a_retried_unlock_deletes_the_newer_lock(server.endpoint()).await;
}

#[test]
fn etcd_deletes_the_newer_lock() {
    on_etcd(|url| a_retried_unlock_deletes_the_newer_lock(url.into()));
}

#[tokio::test]
async fn the_embedded_lock_server_refuses_a_dead_waiter() {
    let server = EmbeddedLockServer::start(EmbeddedOptions::default()).unwrap();
    let told = what_a_dead_waiter_is_told(&backend(server.endpoint())).await;
    assert_eq!(told, Outcome::Failed(Failure::LeaseExpired));
}

#[test]
fn etcd_3_4_grants_a_lock_to_a_dead_waiter_and_later_versions_refuse_it() {
    on_etcd(|url| async move {
        let etcd = backend(url.into());
        let version = etcd.probe().await.unwrap().version;
        let told = what_a_dead_waiter_is_told(&etcd).await;
        if version.starts_with("3.4") {
            assert!(is_held(told), "{version}: {told:?}");
        } else {
            assert_eq!(told, Outcome::Failed(Failure::LeaseExpired), "{version}");
        }
    });
}

/// The causes of the overlaps that an experiment shows for a strategy, with their counts.
fn overlaps(arguments: &[&str], strategy: &str) -> serde_json::Map<String, serde_json::Value> {
    let folder = tempfile::tempdir().unwrap();
    let output = oncelab(folder.path(), &[&["run", "--json", "--seed", "1"], arguments].concat());
    let summary: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    assert_eq!(output.status.code(), Some(0), "{summary:#}");
    let cells = summary["cells"].as_array().unwrap();
    let cell = cells.iter().find(|cell| cell["strategy"] == strategy).unwrap();
    cell["causes"]["overlap"].as_object().cloned().unwrap_or_default()
}

#[test]
fn late_unlocks_let_others_in() {
    let causes = overlaps(&["stale-unlock"], "etcd-lock-twice");
    // A fifth of 600 unlocks is late, and whoever is next in one of the four queues comes in.
    let stale = causes["stale unlock"].as_u64().unwrap();
    let all: u64 = causes.values().filter_map(serde_json::Value::as_u64).sum();
    assert!(stale >= 20 && stale * 20 >= all * 19, "{causes:?}");
}

#[test]
fn a_long_queue_lets_two_in_and_no_dead_waiter_on_the_embedded_server() {
    const DEAD: &str = "granted to a dead waiter";
    let causes = overlaps(&["dead-waiter"], "etcd-lock");
    assert!(!causes.contains_key(DEAD), "{causes:?}");
    on_etcd(|url| async move {
        let version = backend(url.as_str().into()).probe().await.unwrap().version;
        let arguments = ["dead-waiter", "--lock", "etcd", "--lock-url", &url];
        let causes = tokio::task::block_in_place(|| overlaps(&arguments, "etcd-lock"));
        // How many of the overlaps are dead waiters' depends on how fast the queue moves; that there can be some on 3.4 and none
        // later is shown call by call above.
        assert!(!causes.is_empty(), "{version}");
        assert!(version.starts_with("3.4") || !causes.contains_key(DEAD), "{version}: {causes:?}");
    });
}
