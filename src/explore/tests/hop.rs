//! The hop between client and handler as two steps of a lane.

use super::engines::{agree_on, has_many};
use super::{bound, models_for};
use crate::explore::{Bound, Exploration, Limits, Story, tell};
use crate::strategy::{Registry, WithHop};
use crate::terms::{Cause, Profile, Violation};

fn behind(name: &str) -> WithHop {
    WithHop::new(Registry::default().get(name).expect("it is there"))
}

/// The story of a schedule of a strategy behind the hop.
fn story(name: &str, requests: u8, schedule: &str) -> Story {
    let bound = Bound { requests, ..Bound::new(requests, 1, 0) };
    tell(&behind(name), bound, &schedule.parse().expect("it is a schedule")).expect("it can be made")
}

fn whys(story: &Story) -> Vec<(Violation, Cause)> {
    story.findings.iter().map(|finding| (finding.violation, finding.cause)).collect()
}

#[test]
fn a_fault_on_the_hop_has_as_many_schedules_as_there_are_ways_to_meet_it() {
    // post alone makes three steps: its request arrives, it creates, its answer crosses. Without a fault there is one schedule. On the
    // way there: lost, or late. At the store: lost, done unheard, crashed, and late, where it lands before or after the answer that it
    // is unknown. On the way back: lost, or crashed before.
    assert_eq!(agree_on(&behind("post"), bound(1, 0, 0)), 1);
    assert_eq!(agree_on(&behind("post"), bound(1, 0, 1)), 1 + 2 + (3 + 2) + 2);
    // Nobody retries; what is late lands when its client has given up: a~ a+ a a.
    assert_eq!(agree_on(&behind("at-most-once"), bound(1, 0, 1)), 1 + 2 + (3 + 2) + 2);
}

#[test]
fn the_engines_agree_on_every_strategy_behind_the_hop() {
    let of_locks = [(1, 0, 0), (1, 1, 1), (1, 0, 2), (2, 0, 0)];
    let of_others = [(1, 0, 0), (1, 1, 1), (1, 1, 2), (2, 0, 0), (2, 0, 1)];
    let registry = WithHop::all(&Registry::default());
    let (mut bounds, mut schedules) = (0, 0);
    for strategy in registry.iter() {
        for store in models_for(strategy.as_ref()) {
            let bounds_of: &[_] = if strategy.needs_lock_service() { &of_locks } else { &of_others };
            for (lanes, retries, faults) in bounds_of {
                let bound = Bound { store, ..bound(*lanes, *retries, *faults) };
                if has_many(strategy.as_ref(), bound) {
                    continue;
                }
                schedules += agree_on(strategy.as_ref(), bound);
                bounds += 1;
            }
        }
    }
    assert!(bounds > 4 * registry.names().count() && schedules > 10_000, "{bounds} bounds, {schedules} schedules");
}

#[test]
fn the_engines_agree_on_late_requests_beside_other_lanes() {
    for name in ["post", "put", "conditional-put", "dedup-table-statement"] {
        agree_on(&behind(name), bound(2, 1, 1));
        agree_on(&behind(name), Bound { requests: 2, ..bound(2, 0, 2) });
    }
    agree_on(&behind("at-most-once"), bound(2, 1, 2));
}

#[test]
fn post_duplicates_under_a_lost_answer_and_put_does_not() {
    let lost_answer = "a a a?";
    assert_eq!(whys(&story("post", 1, lost_answer)), [(Violation::Duplicate, Cause::RetryAfterLostReply)]);
    for name in ["put", "conditional-put", "dedup-table", "idempotency-key"] {
        let shown = whys(&story(name, 1, lost_answer));
        assert!(!shown.iter().any(|(kind, _)| *kind == Violation::Duplicate), "{name}: {shown:?}");
    }
}

#[test]
fn a_late_duplicate_reverts_put_and_if_match_does_not() {
    // a's request is late. Its retry is done, b's request after it, and then the first one lands.
    let late = "a~ a a a b b b a+";
    assert_eq!(whys(&story("put", 2, late)), [(Violation::Reverted, Cause::LateLanding)]);
    // The late duplicate is refused (412), though its request was done: nobody hears it, and the two answers differ.
    assert_eq!(whys(&story("conditional-put", 2, late)), [(Violation::Deviating, Cause::LateLanding)]);
}

#[test]
fn a_lost_request_is_sent_again_and_does_no_harm() {
    assert_eq!(whys(&story("post", 1, "a!")), []);
}

#[test]
fn a_handler_whose_client_has_left_stops_where_it_is() {
    // check-then-act looks, acts and marks: between the last two it leaves the effect without a mark.
    let dropped = story("check-then-act", 1, "a a a ax");
    assert_eq!(whys(&dropped), [(Violation::Duplicate, Cause::CrashBetweenStores)]);
}

#[test]
fn what_cannot_happen_on_the_hop_is_no_step() {
    let bound = Bound::new(1, 1, 0);
    for schedule in ["a?", "ax", "a&", "a a a!", "a a a~", "a~ a+", "a~ a a a a+ a a?", "a~ a a a a+ a ax"] {
        let told = tell(&behind("post"), bound, &schedule.parse().expect("it is a schedule"));
        assert!(told.is_err(), "{schedule}");
    }
    for schedule in ["a~ a a a a+ a a", "a~ a a a a+ a", "a~ a a a a+ ax", "a~ a~ a+ a a a+"] {
        let told = tell(&behind("post"), bound, &schedule.parse().expect("it is a schedule"));
        assert!(told.is_ok(), "{schedule}: {told:?}");
    }
}

#[test]
fn what_strategies_claim_holds_behind_the_hop() {
    let mut judged = 0;
    for strategy in WithHop::all(&Registry::default()).iter().filter(|strategy| !strategy.needs_lock_service()) {
        for store in models_for(strategy.as_ref()) {
            let bound = Bound { store, ..bound(2, 1, 1) };
            let explored = Exploration::new(strategy.as_ref(), bound, Limits::default(), &mut ()).expect("explorable");
            let claim = strategy.claim(bound.store_kind());
            assert_eq!(explored.broken_promises(&claim), [], "{} on {store:?}", strategy.name());
            judged += 1;
        }
    }
    assert!(judged > 30, "{judged}");
    // Where a row is read and then written, the hop hides nothing of the race.
    let race = Exploration::new(&behind("check-then-act"), bound(2, 0, 0), Limits::default(), &mut ());
    assert!(race.expect("explorable").shows(Violation::Duplicate));
    let one = Bound { store: Profile::Sqlite, ..bound(1, 1, 1) };
    let alone = Exploration::new(&behind("check-then-act"), one, Limits::default(), &mut ()).expect("explorable");
    assert!(alone.shows(Violation::Duplicate));
}
