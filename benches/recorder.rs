//! What it costs to write an event down.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use oncelab::history::{self, Event, LONG, What};
use oncelab::service::store::{StoreOp, StoreResponse};
use oncelab::terms::{AccountId, Answer, ClientId, Delivery, Effect, MessageId, Request};
use oncelab::world::{Outcome, Response};

/// Events that one iteration writes: a batch, so that what a trial's end costs is spread as it is in a trial.
const EVENTS: u32 = 100_000;

fn event(n: u32, at_ns: u64) -> Event {
    let effect = Effect { account: AccountId(n % 64), amount: 5 };
    let op = StoreOp::apply(&Request { id: MessageId(n), client: ClientId(0), sequence: n, effect }).into();
    let outcome = Some(Outcome::Ok(Response::Store(StoreResponse::Applied(Some(Answer(i64::from(n)))))));
    let what = What::Called { op, outcome, fault: None, delayed: false, took_us: 12 };
    Event { at_ns, message: MessageId(n), delivery: Delivery::FIRST, handler: 3, what }
}

fn recorder(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("recorder");
    group.throughput(Throughput::Elements(EVENTS.into()));

    // The hot path: reading the clock, writing the event, and handing full pages over while another thread gathers them.
    group.bench_function("record", |bencher| {
        bencher.iter_custom(|iterations| {
            let mut taken = Duration::ZERO;
            for _ in 0..iterations {
                let (recorders, collector) = history::begin();
                let mut recorder = recorders.recorder(LONG);
                let start = Instant::now();
                for n in 0..EVENTS {
                    let at_ns = recorder.clock().now_ns();
                    recorder.record(black_box(event(n, at_ns)));
                }
                taken += start.elapsed();
                drop((recorder, recorders));
                black_box(collector.collect());
            }
            taken
        });
    });

    // The same, with the gathering and sorting at the end of the trial, from eight tasks whose events interleave.
    group.bench_function("record and collect", |bencher| {
        bencher.iter(|| {
            let (recorders, collector) = history::begin();
            let mut tasks: Vec<_> = (0..8).map(|_| recorders.recorder(LONG)).collect();
            for n in 0..EVENTS {
                let recorder = &mut tasks[n as usize % 8];
                let at_ns = recorder.clock().now_ns();
                recorder.record(black_box(event(n, at_ns)));
            }
            drop((tasks, recorders));
            black_box(collector.collect())
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_secs(1));
    targets = recorder
}
criterion_main!(benches);
