use super::{bound, by_reference, models_for};
use crate::explore::{Bound, Flaws, Limits, census, one_by_one};
use crate::strategy::{Registry, Strategy};

/// Both engines, and the automaton without any merging, on one strategy. Says how many schedules were compared.
fn agree(name: &str, bound: Bound) -> u64 {
    agree_on(Registry::default().get(name).expect("it is there").as_ref(), bound)
}

/// The most schedules within a bound that the reference engine is to execute here.
const MANY: u128 = 60_000;

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
    // With a retry and a fault two lanes of strategies with many operations have up to millions of schedules, each of which the
    // reference engine executes. Those are compared with a fault, and with a retry, and not with both.
    let of_long_ones = [(1, 0, 0), (1, 1, 1), (1, 1, 2), (2, 0, 0), (2, 1, 0), (2, 0, 1)];
    let of_others = [(1, 0, 0), (1, 1, 1), (1, 1, 2), (2, 0, 0), (2, 0, 1), (2, 1, 1)];
    let registry = Registry::default();
    let (mut bounds, mut schedules, mut stores) = (0, 0, 0);
    for name in registry.names() {
        let strategy = registry.get(name).expect("it is there");
        let has_lock = strategy.needs_lock_service();
        for store in models_for(strategy.as_ref()) {
            stores += 1;
            let is_long = has_lock || has_many(strategy.as_ref(), Bound { store, ..bound(2, 1, 1) });
            for (lanes, retries, faults) in if is_long { of_long_ones } else { of_others } {
                let compared = agree(name, Bound { store, ..bound(lanes, retries, faults) });
                if has_lock && (lanes, faults) == (2, 1) {
                    assert!(compared > 1_000, "{name} has {compared} schedules with a fault in two lanes");
                }
                (bounds, schedules) = (bounds + 1, schedules + compared);
            }
        }
    }
    assert_eq!(bounds, stores * 6);
    assert!(stores > registry.names().count());
    println!("{bounds} bounds, {schedules} schedules");
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
