//! What a lock costs here: the embedded lock server's acquire-release cycles a second, through the port and beside it a
//! bare etcd-client loop that makes the same four calls of the same server. The distance between the two is the port's.

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use etcd_client::{Client, LockOptions};
use oncelab::service::etcd::{LockOp, LockResponse};
use oncelab::service::{Backend, Connection, EmbeddedLockServer, EmbeddedOptions, Endpoint, EtcdBackend, EtcdOptions};
use oncelab::terms::{AccountId, Delivery, LockKey};
use oncelab::world::{Outcome, Response};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// Grant, acquire, release and revoke as a strategy's operations.
async fn cycle_through_the_port(session: &mut Box<dyn Connection>, account: AccountId) {
    let Ok(Outcome::Ok(Response::Etcd(LockResponse::Granted(lease)))) =
        session.execute(LockOp::GrantLease.into(), Delivery::FIRST).await
    else {
        panic!("the server grants no lease")
    };
    let key = LockKey { account, lease };
    for op in [LockOp::acquire(key).into(), LockOp::release(key).into(), LockOp::Revoke(lease).into()] {
        let outcome = session.execute(op, Delivery::FIRST).await.expect("the server is sound");
        assert!(matches!(outcome, Outcome::Ok(_)), "{op}: {outcome:?}");
    }
}

/// The same four calls, made by etcd-client alone.
async fn bare_cycle(client: &mut Client, name: &str) {
    let lease = client.lease_grant(10, None).await.expect("a lease").id();
    let held = client.lock(name, Some(LockOptions::new().with_lease(lease))).await.expect("a lock");
    client.unlock(held.key()).await.expect("an unlock");
    client.lease_revoke(lease).await.expect("a revocation");
}

/// Each connection has a lock of its own, so that calls and not queues are measured.
async fn through_the_port(endpoint: Endpoint, connections: u32, cycles: u64) -> Duration {
    let backend =
        EtcdBackend::new(EtcdOptions { endpoints: vec![endpoint], ..EtcdOptions::default() }).expect("an endpoint");
    let mut sessions = Vec::new();
    for account in (0..connections).map(AccountId) {
        let mut session = backend.connect().await.expect("a connection");
        // Opens the connection.
        cycle_through_the_port(&mut session, account).await;
        sessions.push((session, account));
    }
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for (mut session, account) in sessions {
        tasks.spawn(async move {
            for _ in 0..cycles.div_ceil(connections.into()) {
                cycle_through_the_port(&mut session, account).await;
            }
        });
    }
    tasks.join_all().await;
    began.elapsed()
}

async fn bare(endpoint: Endpoint, connections: u32, cycles: u64) -> Duration {
    let mut clients = Vec::new();
    for account in 0..connections {
        let mut client = endpoint.client(Duration::from_secs(2)).await.expect("a connection");
        let name = format!("oncelab/bare/{account}");
        bare_cycle(&mut client, &name).await;
        clients.push((client, name));
    }
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for (mut client, name) in clients {
        tasks.spawn(async move {
            for _ in 0..cycles.div_ceil(connections.into()) {
                bare_cycle(&mut client, &name).await;
            }
        });
    }
    tasks.join_all().await;
    began.elapsed()
}

fn lock_cycles(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let server = {
        let _inside = runtime.enter();
        EmbeddedLockServer::start(EmbeddedOptions::default()).expect("a free port")
    };
    let mut group = criterion.benchmark_group("embedded lock server's acquire-release cycles");
    group.throughput(Throughput::Elements(1));
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2)).sample_size(10);
    for connections in [1, 8] {
        group.bench_function(BenchmarkId::new("through the port", connections), |bencher| {
            bencher.iter_custom(|cycles| runtime.block_on(through_the_port(server.endpoint(), connections, cycles)));
        });
        group.bench_function(BenchmarkId::new("bare etcd-client loop", connections), |bencher| {
            bencher.iter_custom(|cycles| runtime.block_on(bare(server.endpoint(), connections, cycles)));
        });
    }
    group.finish();
}

criterion_group!(benches, lock_cycles);
criterion_main!(benches);
