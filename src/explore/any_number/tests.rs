//! Proofs are held against explorations, and against strategies and models with planted mistakes.

mod explored;
mod planted;

use super::{AnyNumber, Bound, ExploreError, Flaws, ForAny, ProofLines, any_number};
use crate::explore::{Kinds, Limits};
use crate::strategy::{Registry, Strategy};

/// Any number, of so many requests, with every kind of fault.
fn any(requests: u8) -> Bound {
    Bound { requests, kinds: Kinds::all(), ..Bound::new(1, 0, 1) }
}

fn without_faults(bound: Bound) -> Bound {
    Bound { kinds: Kinds::NONE, faults: 0, ..bound }
}

fn answer(strategy: &dyn Strategy, bound: Bound, flaws: Flaws) -> Result<AnyNumber, ExploreError> {
    any_number(strategy, bound, flaws, Limits::default(), &mut ())
}

fn proof(name: &str, bound: Bound, flaws: Flaws) -> Option<ProofLines> {
    let strategy = Registry::default().get(name).expect("it is there");
    match answer(&*strategy, bound, flaws).expect("explorable").answer {
        ForAny::Proved { lines, .. } => Some(lines),
        ForAny::Broken(_) | ForAny::NotProved { .. } => None,
    }
}

/// The strategies that hold without a condition on time, and are proved: for one request, and for two.
const PROVED: [(&str, u8); 12] = [
    ("dedup-table", 2),
    ("dedup-table-statement", 2),
    ("dedup-table-batched", 2),
    ("row-lock", 2),
    ("advisory-lock", 2),
    ("check-then-act-repeatable-read", 2),
    ("idempotency-key", 1),
    ("idempotency-key-peer", 1),
    ("transfer-two-stores-keyed", 1),
    ("etcd-transaction", 2),
    ("outbox-inbox", 1),
    ("kafka-offset-in-store", 1),
];
