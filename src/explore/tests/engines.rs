use super::{bound, by_reference, models_for};
use crate::explore::{Bound, Flaws, Limits, census, one_by_one};
use crate::strategy::{Registry, Strategy};

/// Both engines, and the automaton without any merging, on one strategy. Says how many schedules were compared.
fn agree(name: &str, bound: Bound) -> u64 {
    agree_on(Registry::default().get(name).expect("it is there").as_ref(), bound)
}

/// The most schedules within a bound that the reference engine is to execute here.
const MANY: u128 = 20_000;

/// Whether a strategy has more schedules within a bound than are executed here.
pub(super) fn has_many(strategy: &dyn Strategy, bound: Bound) -> bool {
    let counted = census(strategy, bound, Flaws::default(), Limits::default(), &mut ()).expect("explorable");
    counted.schedules > MANY
}

/// The same on a strategy that is at hand.
pub(super) fn agree_on(strategy: &dyn Strategy, bound: Bound) -> u64 {
    let name = strategy.name();
    let (schedules, violations) = by_reference(strategy, bound);
    let counted = census(strategy, bound, Flaws::default(), Limits::default(), &mut ()).expect("explorable");
    assert!(counted.complete);
    assert_eq!(
        (counted.schedules, &counted.violations),
        (schedules.into(), &violations),
        "census of {name}, {bound:?}"
    );
    let singly = one_by_one(strategy, bound, Flaws::default()).expect("explorable");
    assert_eq!(singly, (schedules, violations), "one by one of {name}, {bound:?}");
    schedules
}

#[test]
fn the_engines_agree_on_every_strategy_and_every_small_bound() {
    // Each schedule is executed by the reference engine, so that a bound with many of them is left out: of the strategies with the most
    // operations some with a fault, or with a retry of one of two lanes.
    let bounds_of_all = [(1, 0, 0), (1, 1, 1), (1, 1, 2), (2, 0, 0), (2, 1, 0), (2, 0, 1), (2, 1, 1)];
    let registry = Registry::default();
    let (mut bounds, mut schedules, mut left_out) = (0, 0, Vec::new());
    for strategy in registry.iter().map(|strategy| strategy.as_ref()) {
        for store in models_for(strategy) {
            for (lanes, retries, faults) in bounds_of_all {
                let bound = Bound { store, ..bound(lanes, retries, faults) };
                if has_many(strategy, bound) {
                    left_out.push((strategy.name(), lanes, retries, faults));
                } else {
                    schedules += agree_on(strategy, bound);
                    bounds += 1;
                }
            }
        }
    }
    assert!(left_out.iter().all(|(_, lanes, retries, faults)| *faults > 0 || lanes * retries > 1), "{left_out:?}");
    assert!(left_out.len() < bounds / 10 && schedules > 300_000, "{bounds} bounds, {schedules} schedules");
    println!("{bounds} bounds, {schedules} schedules; left out: {left_out:?}");
}

#[test]
fn the_engines_agree_on_copies_that_something_on_the_way_makes() {
    // One request sent once: alone it is done, and lost, done unheard, late in two orders, or its handler dead. With a copy of it a
    // fault is spent: two orders of the two.
    assert_eq!(agree("at-most-once", bound(2, 1, 1)), 5 + 2);
    // A copy is no lane of its own where nothing repeats.
    let never = Bound { kinds: crate::explore::Kinds::NONE, ..bound(2, 1, 1) };
    assert_eq!(agree("at-most-once", never), 1);
    agree("at-most-once", bound(3, 1, 3));
    agree("at-most-once", Bound { requests: 2, ..bound(4, 0, 2) });
}
