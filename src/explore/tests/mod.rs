//! The engines against each other, against closed forms, and against strategies made for it.

mod actors;
mod batches;
mod causes;
mod claims;
mod effects_in_etcd;
mod engines;
mod hop;
mod kafka;
mod minimal;
mod other_body;
pub(crate) mod outbox;
mod peer;
mod redis;
mod residents;
mod strangers;
mod traces;
mod two_stores;

use std::collections::BTreeMap;

use super::execution::{Execution, Executor};
use super::{Bound, Flaws, Kinds, Schedule, Step, reference};
use crate::strategy::Strategy;
use crate::terms::{Profile, StoreKind, Violation};

/// The models of the stores that a strategy runs on.
pub(crate) fn models_for(strategy: &dyn Strategy) -> Vec<Profile> {
    let stores = [(StoreKind::Sqlite, Profile::Sqlite), (StoreKind::Postgres, Profile::Postgres)];
    stores.into_iter().filter(|(store, _)| strategy.runs_on(*store)).map(|(_, model)| model).collect()
}

/// What the reference engine finds: the number of schedules, and how many show each violation.
pub(crate) fn by_reference(strategy: &dyn Strategy, bound: Bound) -> (u64, BTreeMap<Violation, u128>) {
    let mut violations: BTreeMap<Violation, u128> = BTreeMap::new();
    let mut judge = |execution: &mut Execution<'_>, _: &[Step]| {
        let mut kinds: Vec<Violation> = execution.settle()?.findings().iter().map(|found| found.violation).collect();
        kinds.sort_unstable();
        kinds.dedup();
        for kind in kinds {
            *violations.entry(kind).or_default() += 1;
        }
        Ok(())
    };
    let mut schedules = 0;
    for part in bound.parts(strategy) {
        let executor = Executor::new(strategy, part, Flaws::default());
        let more = reference::every_schedule(&executor, &mut judge, true);
        schedules += more.expect("the lab's strategies can be explored");
    }
    (schedules, violations)
}

/// A bound with late landings.
pub(crate) fn bound(lanes: u8, retries: u8, faults: u8) -> Bound {
    Bound { kinds: Kinds::all(), ..Bound::new(lanes, retries, faults) }
}

/// Every schedule of a strategy within a bound of one part, in the order of the reference engine.
pub(crate) fn every_schedule(strategy: &dyn Strategy, bound: Bound) -> Vec<Schedule> {
    let mut all = Vec::new();
    let mut keep = |_: &mut Execution<'_>, steps: &[Step]| {
        all.push(Schedule(steps.to_vec()));
        Ok(())
    };
    let executor = Executor::new(strategy, bound, Flaws::default());
    reference::every_schedule(&executor, &mut keep, false).expect("it can be explored");
    all
}
