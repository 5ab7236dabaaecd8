use super::{bound, by_reference};
use crate::explore::{Bound, Flaws, Limits, census, one_by_one};
use crate::model::store::Profile;
use crate::strategy::Registry;

/// Both engines, and the automaton without any merging, on one strategy.
fn agree(name: &str, bound: Bound) {
    let strategy = Registry::default().get(name).expect("it is there");
    let (schedules, violations) = by_reference(strategy.as_ref(), bound);
    let counted = census(strategy.as_ref(), bound, Flaws::default(), Limits::default(), &mut ()).expect("explorable");
    assert!(counted.complete);
    assert_eq!(
        (counted.schedules, &counted.violations),
        (schedules.into(), &violations),
        "census of {name}, {bound:?}"
    );
    let singly = one_by_one(strategy.as_ref(), bound, Flaws::default()).expect("explorable");
    assert_eq!(singly, (schedules, violations), "one by one of {name}, {bound:?}");
    println!("{name} {bound}: {schedules} schedules, {} states, {:?}", counted.states, counted.violations);
}

#[test]
fn the_engines_agree_on_every_strategy_and_every_small_bound() {
    let registry = Registry::default();
    for name in registry.names() {
        let has_lock = registry.get(name).is_ok_and(|strategy| strategy.needs_lock_service());
        for store in [Profile::Sqlite, Profile::Postgres] {
            for (lanes, retries, faults) in [(1, 0, 0), (1, 1, 1), (1, 1, 2), (2, 0, 0), (2, 0, 1), (2, 1, 1)] {
                // Lock strategies have some 7 operations each: two lanes of them with retries are for the census alone.
                if has_lock && lanes == 2 && (retries > 0 || faults > 0) {
                    continue;
                }
                agree(name, Bound { store, ..bound(lanes, retries, faults) });
            }
        }
    }
}
