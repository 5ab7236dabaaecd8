//! The same seed makes the same decisions, for every strategy; another seed makes others.

use std::collections::BTreeMap;

use oncelab::history::What;
use oncelab::load::TrialRecord;
use oncelab::terms::{Delivery, FaultKind, MessageId};
use oncelab::world::OpKind;

use crate::common::Trial;

const LOSSY: &str = "
client = { request_lost = 0.05, reply_lost = 0.05, late_landing = 0.02, duplicated = 0.1, delayed = 0.1 }
store = { request_lost = 0.05, reply_lost = 0.05, late_landing = 0.02, duplicated = 0.02, delayed = 0.05 }
handler = { cancel = 0.01, crash = 0.01 }";

/// What a decision was about: a delivery, or the n-th operation of a kind within one.
type About = (MessageId, Delivery, Option<(OpKind, usize)>);

/// What was decided: the fault, and whether the message was delayed.
type Decided = (Option<FaultKind>, bool);

/// Every decision that shows in the history.
fn decisions(record: &TrialRecord) -> BTreeMap<About, Decided> {
    let mut made: BTreeMap<(MessageId, Delivery, OpKind), usize> = BTreeMap::new();
    let mut decisions = BTreeMap::new();
    for event in &record.events {
        let (about, decided) = match event.what {
            What::Sent { fault, delayed } => ((event.message, event.delivery, None), (fault, delayed)),
            What::Called { op, fault, delayed, .. } => {
                let nth = made.entry((event.message, event.delivery, op.kind())).or_default();
                *nth += 1;
                ((event.message, event.delivery, Some((op.kind(), *nth))), (fault, delayed))
            }
            _ => continue,
        };
        decisions.insert(about, decided);
    }
    decisions
}

/// The decisions that two runs both made, and how many of them differ.
fn compare(one: &TrialRecord, other: &TrialRecord) -> (usize, usize) {
    let (one, other) = (decisions(one), decisions(other));
    let both: Vec<_> = one.iter().filter_map(|(about, decided)| Some((decided, other.get(about)?))).collect();
    (both.len(), both.iter().filter(|(one, other)| one != other).count())
}

fn run(strategy: &'static str, seed: u64) -> TrialRecord {
    Trial { seed, ..Trial::new(strategy, LOSSY) }.run().0
}

#[test]
fn the_same_seed_decides_the_same() {
    let (one, again) = (run("dedup-table", 5), run("dedup-table", 5));
    assert_eq!(one.requests, again.requests);
    let (both, differ) = compare(&one, &again);
    // Timing decides how many retries there are, so not every decision is made twice; those that are agree.
    assert!(both > 1_500, "only {both} decisions were made in both runs");
    assert_eq!(differ, 0);
}

#[test]
fn another_seed_decides_otherwise() {
    let (one, other) = (run("dedup-table", 5), run("dedup-table", 6));
    assert_ne!(one.requests, other.requests);
    // Some 12 % of operations meet a fault or a delay: two independent seeds disagree on a fifth of them or so.
    let (both, differ) = compare(&one, &other);
    assert!(differ * 10 > both, "{differ} of {both} decisions differ");
}

#[test]
fn every_strategy_meets_the_same_faults() {
    let (bare, table) = (run("at-least-once", 5), run("dedup-table", 5));
    assert_eq!(bare.requests, table.requests);
    let (both, differ) = compare(&bare, &table);
    // What is common to them are the deliveries and `apply`. An operation can be repeated on its own and not within a
    // transaction: only there may they differ.
    let (bare, table) = (decisions(&bare), decisions(&table));
    let explained = bare.iter().filter(|(about, (fault, _))| {
        *fault == Some(FaultKind::Duplicated) && table.get(*about).is_some_and(|(fault, _)| fault.is_none())
    });
    assert!(both > 500, "only {both} decisions were made in both runs");
    assert_eq!(differ, explained.count());
}
