//! What the port and the fault plan cost around an operation that does nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use oncelab::fault::{Alarm, FaultyPort, Level, Outage, Plan, Surroundings};
use oncelab::history::{self, LONG};
use oncelab::service::store::StoreOp;
use oncelab::service::{Backend, NullStore, Timeouts};
use oncelab::terms::{AccountId, ByRole, ClientId, Delivery, Effect, Layer, MessageId, Request, Role};
use oncelab::world::Port;
use tokio_util::task::TaskTracker;

/// Every fault possible, and none likely: each decision is drawn.
const DRAWN: &str = "
name = \"drawn\"
store = { request_lost = 1e-12, reply_lost = 1e-12, late_landing = 1e-12, duplicated = 1e-12, delayed = 1e-12 }
handler = { pause = 1e-12, cancel = 1e-12, crash = 1e-12 }";

fn request(n: u32) -> Request {
    let effect = Effect { account: AccountId(0), amount: 1 };
    Request { id: MessageId(n), client: ClientId(0), sequence: n, effect }
}

/// Time per operation through the port, recorded, one delivery per operation.
async fn through_the_port(level: Level, operations: u64) -> Duration {
    let (recorders, collector) = history::begin();
    let mut backends: ByRole<Option<Arc<dyn Backend>>> = ByRole::default();
    backends[Role::STORE] = Some(Arc::new(NullStore::default()));
    let around = Arc::new(Surroundings {
        plan: Plan::new(1, level, Duration::from_secs(2)),
        layer: Layer::Port,
        limits: Timeouts {
            operation: Duration::from_secs(5),
            lock: Duration::from_secs(1),
            loss_noticed: Duration::ZERO,
        },
        backends,
        recorders: recorders.clone(),
        landings: TaskTracker::new(),
        alarm: Alarm::default(),
        outages: ByRole::new(|_| Outage::new(Duration::ZERO)),
    });
    let mut port = FaultyPort::new(around, 0, recorders.recorder(LONG));
    let start = Instant::now();
    for n in (0..u32::MAX).zip(0..operations).map(|(n, _)| n) {
        port.begin(MessageId(n), Delivery::FIRST);
        let _ = port.call(StoreOp::apply(&request(n)).into()).await;
        port.end();
    }
    let taken = start.elapsed();
    drop((port, recorders));
    drop(collector.collect());
    taken
}

/// The same operation on the session alone.
async fn without_it(operations: u64) -> Duration {
    let mut session = NullStore::default().connect().await.expect("nothing can go wrong");
    let start = Instant::now();
    for n in (0..u32::MAX).zip(0..operations).map(|(n, _)| n) {
        let _ = session.execute(StoreOp::apply(&request(n)).into(), Delivery::FIRST).await;
    }
    start.elapsed()
}

fn port(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let drawn: Level = toml::from_str(DRAWN).expect("a level");
    let mut group = criterion.benchmark_group("an operation that does nothing");
    group.bench_function("without the port", |b| b.iter_custom(|n| runtime.block_on(without_it(n))));
    group.bench_function("through the port, no faults", |b| {
        b.iter_custom(|n| runtime.block_on(through_the_port(Level::none(), n)));
    });
    group.bench_function("through the port, every fault drawn", |b| {
        b.iter_custom(|n| runtime.block_on(through_the_port(drawn.clone(), n)));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_secs(1));
    targets = port
}
criterion_main!(benches);
