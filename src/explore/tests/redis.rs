//! Redis: locks that run out, a memory that forgets, and effects in a script.

use super::engines::{agree_on, has_many};
use super::{bound, models_for};
use crate::explore::{Bound, Flaws, Limits, Schedule, census, tell, tell_with};
use crate::service::redis::RedisModelFlaw;
use crate::strategy::{Registry, Strategy};
use crate::terms::{Cause, Profile, Role, Violation};

fn strategy(name: &str) -> std::sync::Arc<dyn Strategy> {
    Registry::default().get(name).expect("it is there")
}

fn uses_redis(strategy: &dyn Strategy) -> bool {
    strategy.needs().iter().any(|need| need.role == Role::CACHE)
}

/// The violations of a schedule.
fn shown(name: &str, schedule: &str, flaws: Flaws) -> Vec<Violation> {
    let schedule: Schedule = schedule.parse().expect("it is a schedule");
    let lanes = u8::try_from(schedule.lanes()).expect("few");
    let story = tell_with(strategy(name).as_ref(), Bound::new(lanes, 1, 0), &schedule, flaws).expect("it can be made");
    story.findings.iter().map(|finding| finding.violation).collect()
}

fn overlaps(name: &str, schedule: &str) -> bool {
    shown(name, schedule, Flaws::default()).contains(&Violation::Overlap)
}

#[test]
fn the_engines_agree_on_redis() {
    let (mut bounds, mut schedules, registry) = (0, 0, Registry::default());
    // These do what redlock and redis-lock do, while nothing is forgotten.
    let is_own = |strategy: &dyn Strategy| !["redlock-fast-clock", "redis-lock-replica"].contains(&strategy.name());
    for strategy in registry.iter().map(AsRef::as_ref).filter(|strategy| uses_redis(*strategy) && is_own(*strategy)) {
        for store in models_for(strategy) {
            for (lanes, retries, faults) in [(1, 1, 2), (2, 0, 0), (2, 1, 0), (2, 0, 1), (2, 1, 1), (3, 0, 1)] {
                let bound = Bound { store, ..bound(lanes, retries, faults) };
                if !has_many(strategy, bound) {
                    schedules += agree_on(strategy, bound);
                    bounds += 1;
                }
            }
            let two = Bound { store, requests: 2, ..bound(2, 0, 1) };
            schedules += agree_on(strategy, two);
        }
    }
    assert!(bounds > 60 && schedules > 20_000, "{bounds} bounds, {schedules} schedules");
}

#[test]
fn a_late_release_deletes_the_next_holders_key_if_it_compares_nothing() {
    // a's key runs out while it works. It asks for the release, which is late; b enters; the release lands; c enters.
    let late = "a a* a a~ b a+ c";
    assert!(overlaps("redis-lock-no-compare", late));
    assert!(!overlaps("redis-lock", late));
    let compares_nothing = Flaws { redis: Some(RedisModelFlaw::ComparesNothing), ..Flaws::default() };
    assert!(shown("redis-lock", late, compares_nothing).contains(&Violation::Overlap));
}

#[test]
fn a_key_that_runs_out_between_comparison_and_deletion_is_the_next_holders() {
    assert!(overlaps("redis-lock-two-step-release", "a a a a* b a c"));
    // The script does both at once: there is nothing in between.
    assert!(!overlaps("redis-lock", "a a* a a b c"));
}

#[test]
fn whoever_is_paused_beyond_the_time_to_live_is_not_alone_and_a_number_keeps_it_from_writing() {
    for name in
        ["redis-lock", "redis-lock-no-compare", "redis-lock-two-step-release", "redis-fenced", "redis-fenced-two-step"]
    {
        assert!(overlaps(name, "a a* b"), "{name}");
    }
    let told = tell(
        strategy("redis-fenced").as_ref(),
        Bound::new(2, 0, 0),
        &"a a* b b a".parse::<Schedule>().expect("it is a schedule"),
    );
    let told = told.expect("it can be made");
    assert_eq!(told.lines[2].learned, "held by b1, number 2");
    assert_eq!(told.lines[4].learned, "refused: stale token");
}

#[test]
fn a_number_that_is_drawn_after_the_lock_is_the_zombies() {
    let told = |name: &str, schedule: &str| {
        let schedule: Schedule = schedule.parse().expect("it is a schedule");
        tell(strategy(name).as_ref(), Bound::new(2, 0, 0), &schedule).expect("it can be made")
    };
    // b holds the lock and has written when a draws its number.
    let late = told("redis-fenced-two-step", "a a* b b b a a");
    assert_eq!((late.lines[3].learned.as_str(), late.lines[5].learned.as_str()), ("number 1", "number 2"));
    assert_eq!(late.cause(Violation::Duplicate), Some(Cause::ZombiePastLease));
    // Where it draws it before b has written, it is b that the store refuses.
    let early = told("redis-fenced-two-step", "a a* b b a a b");
    assert_eq!(early.lines[6].learned, "refused: stale token");
    assert_eq!(told("redis-fenced", "a a* b b a").cause(Violation::Duplicate), None);
}

#[test]
fn a_window_loses_what_was_not_done_and_forgets_what_was() {
    assert!(shown("redis-window", "a ax a", Flaws::default()).contains(&Violation::Lost));
    assert!(shown("redis-window", "a a b* b b", Flaws::default()).contains(&Violation::Duplicate));
    assert!(shown("redis-script", "a b* b", Flaws::default()).contains(&Violation::Duplicate));
    assert!(shown("redis-script", "a? a", Flaws::default()).is_empty());
}

#[test]
fn a_majority_is_lost_with_the_time_or_with_a_server_and_not_with_one_of_three() {
    assert!(overlaps("redlock", "a a a* b b"));
    // Without a majority nothing runs out, and nobody is kept out: b has the two others.
    assert!(!overlaps("redlock", "a a! a! a b b b"));
    assert!(!overlaps("redlock", "a a a b b b"));
    // One that loses its keys, and one whose clock jumps ahead.
    for name in ["redlock", "redlock-fast-clock"] {
        let forgetful = |schedule: &str| {
            let schedule: Schedule = schedule.parse().expect("it is a schedule");
            let bound = Bound { reaps: true, ..Bound::new(2, 0, 0) };
            tell(strategy(name).as_ref(), bound, &schedule).expect("it can be made").cause(Violation::Overlap)
        };
        // a has two votes of three, and one of the two forgets.
        assert_eq!(forgetful("a a a! c b b b"), Some(Cause::ServerForgot));
        assert_eq!(forgetful("a a a c b b b"), None);
        // What was forgotten was a's first vote: b is inside when a enters.
        assert_eq!(forgetful("a~ a c b b a+ a"), Some(Cause::ServerForgot));
    }
    // Two releases that land late delete what is another's by then, if they compare nothing.
    let late = "a a a a a~ a~ a* a b b b a+ a+ c c";
    for (flaw, schedule) in [(RedisModelFlaw::SetsWhatIsThere, "a a b b"), (RedisModelFlaw::ComparesNothing, late)] {
        let flaws = Flaws { redis: Some(flaw), ..Flaws::default() };
        assert!(shown("redlock", schedule, flaws).contains(&Violation::Overlap), "{flaw:?}");
        assert!(!overlaps("redlock", schedule), "{schedule}");
    }
}

#[test]
fn a_replica_that_is_promoted_knows_what_had_reached_it_and_whoever_waits_for_it_is_alone() {
    let told = |name: &str, schedule: &str| {
        let schedule: Schedule = schedule.parse().expect("it is a schedule");
        let bound = Bound { reaps: true, ..Bound::new(2, 0, 1) };
        tell(strategy(name).as_ref(), bound, &schedule).expect("it can be made")
    };
    let overlap = |name: &str, schedule: &str| told(name, schedule).cause(Violation::Overlap);
    assert_eq!(overlap("redis-lock-replica", "c a c b"), Some(Cause::ServerForgot));
    // The key had reached it.
    assert_eq!(overlap("redis-lock-replica", "a c c b"), None);
    // The promotion is late, and it is the cause all the same.
    assert_eq!(overlap("redis-lock-replica", "c c~ a c+ b"), Some(Cause::ServerForgot));
    // A key that was deleted is there again.
    let again = told("redis-lock-replica", "a c a a c b");
    assert_eq!(again.lines[5].learned, "somebody has it");
    let waits = told("redis-lock-wait", "c a a c b b");
    assert_eq!((waits.lines[2].learned.as_str(), waits.cause(Violation::Overlap)), ("no replica has it", None));
    assert_eq!(told("redis-lock-wait", "a a c c b").lines[1].learned, "a replica has it");
    // No failover lets two in who both wait, whatever is lost.
    let kinds = [crate::terms::FaultKind::RequestLost, crate::terms::FaultKind::ReplyLost];
    for kind in kinds.map(crate::explore::Kinds::of) {
        let bound = Bound { kinds: kind, reaps: true, ..Bound::new(2, 1, 1) };
        let found = |name: &str| {
            census(strategy(name).as_ref(), bound, Flaws::default(), Limits::default(), &mut ()).expect("explorable")
        };
        let (waits, goes_on) = (found("redis-lock-wait"), found("redis-lock-replica"));
        assert!(waits.complete && !waits.violations.contains_key(&Violation::Overlap), "{:?}", waits.violations);
        assert!(goes_on.violations.contains_key(&Violation::Overlap), "{:?}", goes_on.violations);
    }
}

#[test]
fn the_engines_agree_where_a_server_forgets() {
    let mut schedules = 0;
    for name in ["redis-lock", "redis-lock-replica", "redis-lock-wait"] {
        for (lanes, retries, faults) in [(1, 1, 1), (2, 0, 0), (2, 0, 1)] {
            let bound = Bound { reaps: true, ..bound(lanes, retries, faults) };
            schedules += agree_on(strategy(name).as_ref(), bound);
        }
    }
    assert!(schedules > 10_000, "{schedules}");
}

#[test]
fn a_script_does_its_effect_once_as_long_as_the_id_lives() {
    let script = strategy("redis-script");
    let kinds = crate::explore::Kinds::of(crate::terms::FaultKind::ReplyLost)
        .and(crate::explore::Kinds::of(crate::terms::FaultKind::LateLanding))
        .and(crate::explore::Kinds::of(crate::terms::FaultKind::Crash));
    let bound = Bound { kinds, store: Profile::Sqlite, ..Bound::new(3, 1, 2) };
    let all = census(script.as_ref(), bound, Flaws::default(), Limits::default(), &mut ()).expect("explorable");
    assert!(all.complete && all.violations.is_empty(), "{:?}", all.violations);
    let twice = Flaws { redis: Some(RedisModelFlaw::SetsWhatIsThere), ..Flaws::default() };
    assert!(shown("redis-lock", "a b", twice).contains(&Violation::Overlap), "a lock that is set twice is caught");
}
