//! What each strategy claims, and what breaks it, held against what is found.

use super::models_for;
use crate::explore::{Bound, Exploration, Flaws, Kinds, Limits, Schedule, shortest, tell, unseen};
use crate::strategy::{Registry, Strategy};
use crate::terms::{FaultKind, Profile, Violation};

fn explore(strategy: &dyn Strategy, bound: Bound) -> Exploration {
    Exploration::new(strategy, bound, Limits::default(), &mut ()).expect("explorable")
}

/// Two lanes, one retry and two faults of every kind: with one request, and with two on one account.
fn both(strategy: &dyn Strategy, store: Profile) -> [Exploration; 2] {
    [1, 2].map(|requests| explore(strategy, Bound { store, requests, kinds: Kinds::all(), ..Bound::new(2, 1, 2) }))
}

#[test]
fn every_strategy_keeps_its_promises_and_breaks_as_it_says() {
    for strategy in Registry::default().iter() {
        for store in models_for(strategy.as_ref()) {
            let explorations = both(strategy.as_ref(), store);
            let claim = strategy.claim(explorations[0].bound.store_kind());
            for exploration in &explorations {
                assert!(exploration.census.complete);
                assert_eq!(exploration.broken_promises(&claim), [], "{} {store:?}", strategy.name());
            }
            let [one, two] = &explorations;
            assert!(unseen(&claim, strategy.has_timers(), &[one, two]).is_empty(), "{} {store:?}", strategy.name());
            // What is done to a server is in no schedule.
            let explored = claim.breaks.iter().filter(|b| !b.faults.iter().all(|fault| fault.is_done_to_a_server()));
            for violation in explored.flat_map(|b| b.shows) {
                assert!(one.shows(*violation) || two.shows(*violation), "{} {store:?} {violation}", strategy.name());
            }
            if claim.breaks.is_empty() {
                let found: Vec<_> = explorations.iter().flat_map(|it| it.census.violations.keys()).collect();
                assert!(found.iter().all(|violation| !claim.counts(**violation)), "{} {found:?}", strategy.name());
            }
        }
    }
}

/// One fault of one kind, and another lane where it makes another delivery, or lets another go on meanwhile: a handler that
/// crashes after its last operation has not answered, and its client sends the request again.
fn only(fault: FaultKind, store: Profile, requests: u8) -> Bound {
    let lanes = match fault {
        FaultKind::RequestLost | FaultKind::ReplyLost | FaultKind::LateLanding => requests,
        _ => requests + 1,
    };
    Bound { requests, kinds: Kinds::of(fault), store, ..Bound::new(lanes, 1, 1) }
}

#[test]
fn each_fault_that_is_said_to_break_a_strategy_breaks_it_alone() {
    for strategy in Registry::default().iter() {
        for store in models_for(strategy.as_ref()) {
            let claim = strategy.claim(only(FaultKind::Crash, store, 1).store_kind());
            for b in claim.breaks {
                for fault in b.faults.iter().filter(|fault| !fault.is_done_to_a_server()) {
                    // A message that is late although its client never tries again is a late landing; and two lanes of a request
                    // that is never sent twice are none.
                    let never =
                        matches!(fault, FaultKind::Delayed | FaultKind::Pause) && strategy.name() == "at-most-once";
                    // Where the handler itself sends once more, it takes two.
                    let is_sent_twice = matches!(fault, FaultKind::ReplyLost | FaultKind::LateLanding)
                        && strategy.name() == "kafka-idempotent";
                    let faults = if is_sent_twice { 2 } else { 1 };
                    let shown = |requests| {
                        let found = explore(strategy.as_ref(), Bound { faults, ..only(*fault, store, requests) });
                        b.shows.iter().any(|violation| found.shows(*violation))
                    };
                    assert!(never || shown(1) || shown(2), "{} under {fault} {store:?}", strategy.name());
                }
            }
        }
    }
}

/// What STRATEGIES says in words, for one lane: what a single fault does to a request that nobody else repeats.
#[test]
fn a_single_fault_does_to_a_single_lane_what_the_literature_says() {
    let shows = |name: &str, fault: FaultKind, violation: Violation| {
        let strategy = Registry::default().get(name).expect("it is there");
        explore(strategy.as_ref(), Bound { kinds: Kinds::of(fault), ..Bound::new(1, 1, 1) }).shows(violation)
    };
    let (lost, crash) = (FaultKind::ReplyLost, FaultKind::Crash);
    assert!(shows("at-most-once", FaultKind::RequestLost, Violation::Abandoned));
    assert!(shows("at-least-once", lost, Violation::Duplicate), "a lost reply alone duplicates");
    assert!(shows("etcd-lock", lost, Violation::Duplicate), "the retry is alone, and does it again");
    assert!(shows("etcd-lock-fenced", lost, Violation::Duplicate), "fencing is not idempotence");
    assert!(shows("etcd-lock-fenced-marker", lost, Violation::Duplicate), "lost between X and K");
    assert!(shows("check-then-act-transaction", FaultKind::LateLanding, Violation::Duplicate), "it is two at once");
    for fault in [lost, crash, FaultKind::RequestLost] {
        assert!(!shows("check-then-act-transaction", fault, Violation::Duplicate), "one after the other is safe");
    }
    for safe in ["etcd-lock-fenced-transaction", "dedup-table", "dedup-table-statement"] {
        for fault in [lost, crash, FaultKind::RequestLost, FaultKind::LateLanding] {
            assert!(!shows(safe, fault, Violation::Duplicate), "{safe} {fault}");
        }
    }
}

#[test]
fn whoever_claims_first_chooses_one_loss_and_whoever_marks_last_the_other() {
    for store in [Profile::Sqlite, Profile::Postgres] {
        let shows = |name: &str, violation: Violation| {
            let strategy = Registry::default().get(name).expect("it is there");
            both(strategy.as_ref(), store).iter().any(|exploration| exploration.shows(violation))
        };
        assert!(shows("claim-then-act", Violation::Stuck) && !shows("claim-then-act", Violation::Duplicate));
        assert!(shows("act-then-mark", Violation::Duplicate) && !shows("act-then-mark", Violation::Stuck));
    }
}

#[test]
fn a_store_that_compares_lease_ids_lets_in_the_zombie_and_keeps_out_the_holder() {
    let strategy = Registry::default().get("etcd-lock-lease-id").expect("it is there");
    // Lane a holds the lock until its lease expires; b holds it when a writes, and is refused then and ever after.
    let schedule: Schedule = "a a a* b b a b".parse().expect("it is well formed");
    let bound = Bound { requests: 2, ..Bound::new(2, 1, 1) };
    let story = tell(strategy.as_ref(), bound, &schedule).expect("it can be executed");
    assert_eq!(
        (story.lines[5].learned.as_str(), story.lines[6].learned.as_str()),
        ("balance 10", "refused: other lease")
    );
    let lost = story.findings.iter().find(|finding| finding.violation == Violation::Lost).expect("b is never let in");
    assert_eq!(lost.message.0, 1);
}

#[test]
fn a_store_that_runs_one_writer_at_a_time_saves_check_then_act_in_a_transaction() {
    let strategy = Registry::default().get("check-then-act-transaction").expect("it is there");
    let [on_sqlite, _] = both(strategy.as_ref(), Profile::Sqlite);
    let [on_postgres, _] = both(strategy.as_ref(), Profile::Postgres);
    assert!(on_sqlite.census.violations.is_empty());
    assert_eq!(on_postgres.minimal[0].schedule.faults(), 0, "two deliveries at once are enough");
}

#[test]
fn each_minimal_schedule_shows_its_violation_when_it_is_told() {
    for strategy in Registry::default().iter() {
        for exploration in both(strategy.as_ref(), Profile::Postgres) {
            let minimal: Vec<Violation> = exploration.minimal.iter().map(|minimal| minimal.violation).collect();
            assert!(minimal.iter().eq(exploration.census.violations.keys()), "{}", strategy.name());
            for minimal in &exploration.minimal {
                let line = minimal.schedule.to_string();
                let again: Schedule = line.parse().expect("it is well formed");
                let story = tell(strategy.as_ref(), exploration.bound, &again).expect("it can be executed");
                let shown = story.findings.iter().any(|finding| finding.violation == minimal.violation);
                assert!(shown, "{} {line} shows {}", strategy.name(), minimal.violation);
            }
        }
    }
}

#[test]
fn a_deliberately_wrong_model_is_caught() {
    use crate::service::etcd::model::LockModelFlaw::{ComparesNothing, GrantsTwice};
    use crate::service::store::model::StoreModelFlaw::{
        NoRowLocks, NoTokenComparison, NoUniqueConstraint, ReadsUncommitted,
    };
    let shows = |name: &str, flaws: Flaws, violation: Violation, faults: u8| {
        let strategy = Registry::default().get(name).expect("it is there");
        let bound = Bound { kinds: Kinds::all(), ..Bound::new(2, 0, faults) };
        let wanted = [violation].into_iter().collect();
        let found = shortest(strategy.as_ref(), bound, flaws, wanted, Limits::default(), &mut ()).expect("explorable");
        assert!(found.complete);
        !found.minimal.is_empty()
    };
    let store = |flaw| Flaws { store: Some(flaw), ..Flaws::default() };
    for (name, flaws, violation, faults) in [
        ("dedup-table", store(NoUniqueConstraint), Violation::Duplicate, 0),
        ("dedup-table-statement", store(NoUniqueConstraint), Violation::Duplicate, 0),
        ("etcd-lock-fenced", store(NoTokenComparison), Violation::Stale, 1),
        ("etcd-lock-fenced-transaction", store(NoRowLocks), Violation::Duplicate, 1),
        ("check-then-act-transaction", store(ReadsUncommitted), Violation::Lost, 1),
        ("etcd-transaction", Flaws { lock: Some(ComparesNothing), ..Flaws::default() }, Violation::Duplicate, 0),
        ("etcd-lock-marker", Flaws { lock: Some(GrantsTwice), ..Flaws::default() }, Violation::Overlap, 0),
    ] {
        assert!(!shows(name, Flaws::default(), violation, faults), "the sound model shows {violation} of {name}");
        assert!(shows(name, flaws, violation, faults), "{flaws:?} is not caught by {name}");
    }
}

#[test]
fn a_strategy_is_refused_where_the_store_has_not_what_it_asks_for() {
    let row_lock = Registry::default().get("row-lock").expect("it is there");
    let on =
        |store| Exploration::new(row_lock.as_ref(), Bound { store, ..Bound::new(1, 0, 0) }, Limits::default(), &mut ());
    assert!(on(Profile::Postgres).is_ok());
    let refused = on(Profile::Sqlite).expect_err("SQLite has no row locks").to_string();
    assert!(refused.starts_with("'row-lock' does not run on sqlite"), "{refused}");
    let told = tell(row_lock.as_ref(), Bound { store: Profile::Sqlite, ..Bound::new(1, 0, 0) }, &Schedule(Vec::new()));
    assert!(told.is_err_and(|error| error.to_string().contains("does not run on sqlite")));
}
