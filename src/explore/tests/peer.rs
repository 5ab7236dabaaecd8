//! A peer over HTTP: the engines agree on it, what is charged twice is found there, and a key that is forwarded cures it.

use crate::explore::tests::{bound, by_reference};
use crate::explore::{Bound, Flaws, Kinds, Limits, census, one_by_one, tell};
use crate::strategy::Registry;
use crate::terms::{Cause, Profile, Role, Violation};

#[test]
fn the_engines_agree_on_strategies_with_a_peer() {
    let registry = Registry::default();
    let mut compared = 0;
    for name in ["claim-then-act-peer", "act-then-mark-peer", "transfer-peer", "idempotency-key-peer"] {
        let strategy = registry.get(name).unwrap();
        for (lanes, retries, faults, requests) in [(1, 0, 0, 1), (1, 1, 2, 1), (2, 0, 1, 1), (2, 0, 1, 2)] {
            let bound = Bound { requests, ..bound(lanes, retries, faults) };
            let (schedules, violations) = by_reference(strategy.as_ref(), bound);
            let counted = census(strategy.as_ref(), bound, Flaws::default(), Limits::default(), &mut ()).unwrap();
            assert!(counted.complete);
            assert_eq!((counted.schedules, &counted.violations), (schedules.into(), &violations), "{name} {bound:?}");
            let one_by_one = one_by_one(strategy.as_ref(), bound, Flaws::default()).unwrap();
            assert_eq!(one_by_one, (schedules, violations), "{name}");
            compared += schedules;
        }
    }
    assert!(compared > 1_000, "{compared} schedules");
}

#[test]
fn what_is_done_once_here_is_charged_twice_there_and_a_key_cures_it() {
    for requests in [1, 2] {
        let bound = Bound { store: Profile::Sqlite, requests, kinds: Kinds::all(), ..Bound::new(2, 1, 2) };
        let found = |name: &str| {
            let strategy = Registry::default().get(name).unwrap();
            let counted = census(strategy.as_ref(), bound, Flaws::default(), Limits::default(), &mut ()).unwrap();
            assert!(counted.complete);
            counted.violations.keys().copied().collect::<Vec<_>>()
        };
        assert_eq!(found("transfer-peer"), [Violation::Duplicate]);
        assert_eq!(found("idempotency-key-peer"), []);
    }
    let strategy = Registry::default().get("transfer-peer").unwrap();
    let bound = Bound { kinds: Kinds::all(), ..Bound::new(1, 1, 1) };
    let story = tell(strategy.as_ref(), bound, &"a a a a? a a a a".parse().unwrap()).unwrap();
    let found: Vec<_> = story.findings.iter().map(|found| (found.violation, found.at, found.cause)).collect();
    assert_eq!(found, [(Violation::Duplicate, Some(Role::PEER), Cause::RetryAfterLostReply)]);
    let told = story.as_text();
    assert!(told.contains("POST X") && told.contains("duplicate at the peer: X is in the ledger twice"), "{told}");
}
