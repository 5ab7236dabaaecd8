//! The open loop: requests come when they are due, and latency counts from then.

use oncelab::experiment::{LoadSettings, Rate};

use crate::common::Trial;

#[test]
fn latency_counts_from_the_intended_start() {
    // One handler that pauses 150 ms (1.5 lives of a 100 ms lease) now and then, and a request every 2 ms: while it stands
    // still, some 75 requests come due and wait. A closed loop of few clients would see only the few that were sent.
    let load = LoadSettings {
        requests: 400.try_into().unwrap(),
        warmup: 0,
        handlers: 1.try_into().unwrap(),
        rate_per_s: Some(Rate::try_from(500.0).unwrap()),
        timeout_ms: 5_000.try_into().unwrap(),
        ..LoadSettings::default()
    };
    let (record, tally) = Trial { load, ..Trial::new("dedup-table-statement", "handler = { pause = 0.01 }") }.run();
    assert_eq!(tally.acknowledged, 400);
    let waited = record.finished.iter().filter(|end| end.ended_ns - end.started_ns > 50_000_000).count();
    let pauses = tally.fired.total();
    assert!(pauses > 0 && waited as u64 > 10 * pauses, "{waited} requests waited for {pauses} pauses");
}

#[test]
fn requests_come_at_the_rate_that_was_asked_for() {
    let load = LoadSettings {
        requests: 500.try_into().unwrap(),
        warmup: 0,
        rate_per_s: Some(Rate::try_from(1_000.0).unwrap()),
        timeout_ms: 5_000.try_into().unwrap(),
        ..LoadSettings::default()
    };
    let (record, _) = Trial { load, ..Trial::new("at-most-once", "") }.run();
    let starts: Vec<u64> = record.finished.iter().map(|end| end.started_ns).collect();
    let span_s = (starts[starts.len() - 1] - starts[0]) as f64 / 1e9;
    // The sum of 499 exponential gaps of 1 ms has a standard deviation of 4.5 %; the intended starts follow from the seed.
    assert!((0.8..1.25).contains(&(span_s / 0.499)), "500 requests at 1000/s took {span_s} s");
}
