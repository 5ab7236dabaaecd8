//! What works for the system is a lane of its own, and all engines know the same of it.

use crate::explore::{Bound, Exploration, Flaws, Limits, Schedule, bound_of, census, one_by_one, tell};
use crate::strategy::{Registry, Strategy};
use crate::terms::{Cause, Profile, StoreKind, Violation};

/// The strategies that a reaper can forget the ids of.
fn reaped() -> Vec<std::sync::Arc<dyn Strategy>> {
    let all: Vec<_> = Registry::default().iter().filter(|strategy| strategy.reaper().is_some()).cloned().collect();
    assert!(all.len() >= 8, "{}", all.len());
    all
}

fn with_reaper(bound: Bound) -> Bound {
    Bound { reaps: true, ..bound }
}

#[test]
fn the_engines_agree_where_ids_are_forgotten() {
    let mut compared = 0;
    for name in ["dedup-table-statement", "dedup-table", "advisory-lock", "check-then-act-serializable"] {
        let strategy = Registry::default().get(name).expect("it is there");
        for store in [Profile::Postgres, Profile::Sqlite] {
            if !strategy.runs_on(store.store()) {
                continue;
            }
            let small = name == "dedup-table-statement";
            for (lanes, retries, faults, requests) in
                [(1, 1, 1, 1), (2, 0, 0, 1), (2, 0, 0, 2), (2, 0, 1, 1), (2, 1, 1, 1)]
            {
                if faults > 0 && lanes > 1 && !small {
                    continue;
                }
                let bound = with_reaper(Bound { store, requests, ..Bound::new(lanes, retries, faults) });
                let (schedules, violations) = super::by_reference(strategy.as_ref(), bound);
                let counted =
                    census(strategy.as_ref(), bound, Flaws::default(), Limits::default(), &mut ()).expect("explorable");
                assert_eq!((counted.schedules, &counted.violations), (schedules.into(), &violations), "{bound:?}");
                let (one, found) = one_by_one(strategy.as_ref(), bound, Flaws::default()).expect("explorable");
                assert_eq!((one, found), (schedules, violations), "{bound:?}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 10 + 2 * 3 + 3 + 2 * 3);
}

#[test]
fn without_a_reaper_no_id_is_forgotten_and_with_one_the_request_is_done_twice() {
    // A lock is no memory of ids: of one the server forgets who holds it.
    let keep_ids = |strategy: &std::sync::Arc<dyn Strategy>| {
        strategy.claim(StoreKind::Sqlite).rules_out.contains(&Violation::Duplicate)
    };
    for strategy in reaped().into_iter().filter(keep_ids) {
        for store in [StoreKind::Postgres, StoreKind::Sqlite] {
            if !strategy.runs_on(store) {
                continue;
            }
            let profile = if store == StoreKind::Sqlite { Profile::Sqlite } else { Profile::Postgres };
            let bound = Bound { store: profile, ..Bound::new(2, 0, 0) };
            let explored = |bound| {
                Exploration::new(strategy.as_ref(), bound, Limits::default(), &mut ())
                    .and_then(|explored| explored.with_causes(strategy.as_ref(), Limits::default(), &mut ()))
                    .expect("explorable")
            };
            let kept = explored(bound);
            assert!(!kept.shows(Violation::Duplicate), "{} on {store:?}", strategy.name());
            let forgotten = explored(with_reaper(bound));
            let name = strategy.name();
            assert!(forgotten.shows(Violation::Duplicate), "{name} on {store:?}");
            let claim = forgotten.bound.claim_of(strategy.as_ref());
            assert_eq!(forgotten.broken_promises(&claim), [], "{name} on {store:?}");
            let duplicate = forgotten.minimal.iter().find(|it| it.violation == Violation::Duplicate).expect("one");
            assert_eq!(forgotten.cause_of(duplicate), Some(Cause::WindowExpired), "{name} on {store:?}");
        }
    }
}

#[test]
fn the_lanes_of_the_reaper_come_behind_those_of_the_deliveries() {
    let strategy = Registry::default().get("dedup-table-statement").expect("it is there");
    let schedule: Schedule = "a c b".parse().expect("a schedule");
    let bound = with_reaper(Bound::new(1, 1, 0));
    let of_schedule = bound_of(strategy.as_ref(), bound, &schedule).expect("few lanes");
    assert_eq!((of_schedule.requesting(), of_schedule.lanes), (2, 3));
    let story = tell(strategy.as_ref(), bound, &schedule).expect("it can be told");
    assert_eq!(story.lines[1].did, "forget K");
    assert!(story.lines[1].told.is_none(), "it has no client");
    assert_eq!(story.cause(Violation::Duplicate), Some(Cause::WindowExpired));
    // With two requests there are two turns, and each is about its own.
    let two = with_reaper(Bound { requests: 2, ..Bound::new(2, 1, 0) });
    let told = |schedule: &str| {
        let schedule: Schedule = schedule.parse().expect("a schedule");
        tell(strategy.as_ref(), two, &schedule).expect("it can be told").lines[0].did.clone()
    };
    assert_eq!([told("c"), told("d")], ["forget K1", "forget K2"]);
}
