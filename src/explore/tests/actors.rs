//! Actors are lanes of their own, and both engines know the same of them.

use crate::explore::{Bound, Flaws, Limits, Reason, Schedule, census, one_by_one, tell};
use crate::strategy::Registry;
use crate::terms::{Profile, Violation};

const KEPT: &str = "etcd-lock-kept-alive";

#[test]
fn the_engines_agree_on_a_strategy_with_an_actor() {
    let kept = Registry::default().get(KEPT).expect("it is there");
    for (store, bounds) in [
        (Profile::Postgres, &[(1, 1, 1), (1, 1, 2), (2, 0, 0)][..]),
        (Profile::Sqlite, &[(1, 1, 1), (2, 0, 0), (2, 0, 1)]),
    ] {
        for (lanes, retries, faults) in bounds.iter().copied() {
            let bound = Bound { store, ..Bound::new(lanes, retries, faults) };
            let (schedules, violations) = super::by_reference(kept.as_ref(), bound);
            let counted =
                census(kept.as_ref(), bound, Flaws::default(), Limits::default(), &mut ()).expect("explorable");
            assert_eq!((counted.schedules, &counted.violations), (schedules.into(), &violations), "{bound:?}");
            let (one, found) = one_by_one(kept.as_ref(), bound, Flaws::default()).expect("explorable");
            assert_eq!((one, found), (schedules, violations), "{bound:?}");
        }
    }
}

#[test]
fn what_a_keeper_does_is_never_more_than_its_delivery_lets_it() {
    let kept = Registry::default().get(KEPT).expect("it is there");
    let lock = Registry::default().get("etcd-lock").expect("it is there");
    let count = |strategy: &dyn crate::strategy::Strategy| {
        census(strategy, super::bound(2, 1, 1), Flaws::default(), Limits::default(), &mut ()).expect("explorable")
    };
    let (with, without) = (count(kept.as_ref()), count(lock.as_ref()));
    assert!(with.schedules > without.schedules);
    let kinds =
        |violations: &std::collections::BTreeMap<Violation, u128>| violations.keys().copied().collect::<Vec<_>>();
    assert_eq!(kinds(&with.violations), kinds(&without.violations), "a keeper that tells nobody changes nothing");
}

#[test]
fn the_story_says_that_the_lease_is_lost_and_that_the_delivery_goes_on() {
    let kept = Registry::default().get(KEPT).expect("it is there");
    let schedule: Schedule = "a a a* b a".parse().expect("a schedule");
    let story = tell(kept.as_ref(), Bound::new(1, 1, 0), &schedule).expect("it can be told");
    let said = |n: usize| (story.lines[n].did.as_str(), story.lines[n].learned.as_str());
    assert_eq!(said(2).0, "lease expires");
    assert_eq!(said(3), ("keep the lease alive", "refused: lease expired"));
    assert_eq!(said(4), ("apply X", "balance 10"), "nobody told it");
}

#[test]
fn too_many_lanes_with_their_actors_are_refused_with_the_numbers() {
    let kept = Registry::default().get(KEPT).expect("it is there");
    let refused = census(kept.as_ref(), Bound::new(4, 0, 0), Flaws::default(), Limits::default(), &mut ());
    let reason = refused.expect_err("8 lanes are too many");
    assert!(matches!(reason.reason(), Reason::TooLarge { what } if what.contains("8 lanes, of which 4 are actors")));
}
