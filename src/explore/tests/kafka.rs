//! Kafka: a producer that sends again, with and without numbers.

use super::engines::{agree_on, has_many};
use super::{bound, models_for};
use crate::explore::{Bound, Census, Flaws, Limits, Schedule, census, tell_with};
use crate::service::kafka::KafkaModelFlaw;
use crate::strategy::{Registry, Strategy};
use crate::terms::{Cause, Role, Violation};

fn strategy(name: &str) -> std::sync::Arc<dyn Strategy> {
    Registry::default().get(name).expect("it is there")
}

fn uses_kafka(strategy: &dyn Strategy) -> bool {
    strategy.needs().iter().any(|need| need.role == Role::BROKER)
}

/// The violations of a schedule.
fn shown(name: &str, schedule: &str, flaws: Flaws) -> Vec<Violation> {
    let schedule: Schedule = schedule.parse().expect("it is a schedule");
    let lanes = u8::try_from(schedule.lanes()).expect("few");
    let story = tell_with(strategy(name).as_ref(), Bound::new(lanes, 1, 0), &schedule, flaws).expect("it can be made");
    story.findings.iter().map(|finding| finding.violation).collect()
}

/// Every schedule within a bound.
fn all(name: &str, bound: Bound, flaws: Flaws) -> Census {
    let all = census(strategy(name).as_ref(), bound, flaws, Limits::default(), &mut ()).expect("explorable");
    assert!(all.complete);
    all
}

#[test]
fn the_engines_agree_on_kafka() {
    let (mut bounds, mut schedules, registry) = (0, 0, Registry::default());
    for strategy in registry.iter().map(AsRef::as_ref).filter(|strategy| uses_kafka(*strategy)) {
        for store in models_for(strategy) {
            for (lanes, retries, faults) in [(1, 0, 2), (1, 1, 2), (2, 0, 0), (2, 0, 1), (2, 1, 1), (3, 0, 1)] {
                let bound = Bound { store, ..bound(lanes, retries, faults) };
                if !has_many(strategy, bound) {
                    schedules += agree_on(strategy, bound);
                    bounds += 1;
                }
            }
            schedules += agree_on(strategy, Bound { store, requests: 2, ..bound(2, 0, 1) });
        }
    }
    assert!(bounds >= 20 && schedules > 5_000, "{bounds} bounds, {schedules} schedules");
}

#[test]
fn without_a_retry_of_the_client_numbers_keep_copies_out_whatever_is_lost_once() {
    // One lane, no retry of the client's, one fault: what comes again, the handler itself sends.
    let plain = all("kafka-at-least-once", bound(1, 0, 1), Flaws::default());
    assert!(plain.violations.contains_key(&Violation::Duplicate), "{:?}", plain.violations);
    let numbered = all("kafka-idempotent", bound(1, 0, 1), Flaws::default());
    assert!(!numbered.violations.contains_key(&Violation::Duplicate), "{:?}", numbered.violations);
    // After two losses the session ends without an answer, and the retry when everything has settled is another one.
    let numbered = all("kafka-idempotent", bound(1, 0, 2), Flaws::default());
    assert!(numbered.violations.contains_key(&Violation::Duplicate), "{:?}", numbered.violations);
}

#[test]
fn a_reply_that_is_lost_and_a_request_that_lands_late_duplicate_only_what_has_no_number() {
    for schedule in ["a? a", "a~ a a+"] {
        assert!(shown("kafka-at-least-once", schedule, Flaws::default()).contains(&Violation::Duplicate), "{schedule}");
    }
    for schedule in ["a a? a", "a a~ a a+", "a a~ a+ a"] {
        assert!(shown("kafka-idempotent", schedule, Flaws::default()).is_empty(), "{schedule}");
    }
    // What did not reach the broker is no copy.
    assert!(shown("kafka-at-least-once", "a! a", Flaws::default()).is_empty());
}

#[test]
fn another_delivery_is_another_producer_session() {
    assert!(shown("kafka-idempotent", "a a b b", Flaws::default()).contains(&Violation::Duplicate));
    // Both tries of the handler stay without an answer, and the client sends the request again.
    assert!(shown("kafka-idempotent", "a a? a? a a", Flaws::default()).contains(&Violation::Duplicate));
}

#[test]
fn a_broker_that_keeps_copies_is_caught() {
    let keeps = Flaws { kafka: Some(KafkaModelFlaw::KeepsCopies), ..Flaws::default() };
    assert!(shown("kafka-idempotent", "a a? a", keeps).contains(&Violation::Duplicate));
}

/// What so many requests of one client show, and why.
fn caused(name: &str, schedule: &str, requests: u8) -> Vec<(Violation, Cause)> {
    let schedule: Schedule = schedule.parse().expect("it is a schedule");
    let bound = Bound { requests, ..Bound::new(schedule.lanes().try_into().expect("few"), 1, 0) };
    let story = tell_with(strategy(name).as_ref(), bound, &schedule, Flaws::default()).expect("it can be made");
    story.findings.iter().map(|finding| (finding.violation, finding.cause)).collect()
}

/// The offset's request is lost, the first abort is late, and lands in the next transaction when its record is there.
const LATE_ABORT: &str = "a a a a! a~ a a a+ a a";

#[test]
fn a_late_abort_undoes_the_next_transaction_where_ends_do_not_raise_the_epoch() {
    let late = [(Violation::Lost, Cause::LateLanding)];
    assert_eq!(caused("kafka-transactions-v1", "a a a a a a! a~ a a a a+ a a a", 1), late);
    assert_eq!(caused("kafka-transactions", LATE_ABORT, 1), []);
    // The same losses, and nothing lands late.
    assert_eq!(caused("kafka-transactions-v1", "a a a a a a! a~ a a a a a a", 1), []);
}

#[test]
fn what_is_late_lands_in_the_next_transaction_of_a_session_under_protocol_1() {
    let late = [(Violation::Duplicate, Cause::LateLanding)];
    // The record of an aborted transaction.
    assert_eq!(caused("kafka-transactions-v1", "a a a a~ a a a+ a a a a", 1), late);
    assert_eq!(caused("kafka-transactions", "a a a~ a a+ a a a", 1), []);
    // The end of a transaction that had been ended by the second request: the next record has no offset yet.
    let batch = |name: &str, schedule: &str| {
        let schedule: Schedule = schedule.parse().expect("it is a schedule");
        let bound = Bound { requests: 2, batch: true, ..Bound::new(2, 1, 0) };
        let story = tell_with(strategy(name).as_ref(), bound, &schedule, Flaws::default()).expect("it can be made");
        story.findings.iter().map(|finding| (finding.violation, finding.cause)).collect::<Vec<_>>()
    };
    assert_eq!(batch("kafka-transactions-v1", "a a a a a a a~ a a a a a a+ a"), late);
    assert_eq!(batch("kafka-transactions", "a a a a a~ a a a+ a a"), []);
    // In time, it does nothing.
    assert_eq!(batch("kafka-transactions-v1", "a a a a a a a~ a+ a a a a a a"), []);
    let in_a_batch =
        |name: &str, flaws| all(name, Bound { requests: 2, batch: true, ..bound(2, 1, 2) }, flaws).violations;
    assert!(in_a_batch("kafka-transactions", Flaws::default()).is_empty());
    let same = Flaws { kafka: Some(KafkaModelFlaw::EndsInTheSameEpoch), ..Flaws::default() };
    assert!(!in_a_batch("kafka-transactions", same).is_empty());
}

#[test]
fn a_broker_that_does_not_raise_the_epoch_at_an_end_is_caught() {
    let same = Flaws { kafka: Some(KafkaModelFlaw::EndsInTheSameEpoch), ..Flaws::default() };
    let found = all("kafka-transactions", bound(1, 1, 2), same).violations;
    assert!(!found.is_empty(), "{found:?}");
    assert!(all("kafka-transactions", bound(1, 1, 2), Flaws::default()).violations.is_empty());
}

#[test]
fn who_takes_over_aborts_what_is_open_and_fences_whoever_had_it() {
    // b takes over before a has ended: a is fenced, and finds that all is done.
    assert_eq!(caused("kafka-transactions", "a a a b b b b b b a", 1), []);
    // An effect outside of the broker stays when the transaction is aborted.
    let twice = caused("kafka-transactions-outside", "a a a ax a a a", 1);
    assert_eq!(twice, [(Violation::Duplicate, Cause::CrashBetweenStores)]);
}

#[test]
fn a_group_has_one_member_at_a_time_until_its_session_runs_out() {
    let found = |faults, flaws| all("kafka-group", bound(2, 1, faults), flaws).violations;
    assert!(found(0, Flaws::default()).is_empty());
    let paused = caused("kafka-group", "a a a* b b", 1);
    assert_eq!(paused, [(Violation::Overlap, Cause::ZombiePastLease)]);
    // A group that lets everybody in keeps nobody out.
    let all_in = found(0, Flaws { kafka: Some(KafkaModelFlaw::AdmitsTwo), ..Flaws::default() });
    assert!(all_in.contains_key(&Violation::Overlap), "{all_in:?}");
}

#[test]
fn the_offset_behind_a_later_record_covers_an_earlier_one() {
    for name in ["kafka-offset-after-effect", "kafka-inbox"] {
        let lost = all(name, Bound { requests: 2, ..bound(2, 0, 0) }, Flaws::default()).violations;
        assert!(lost.contains_key(&Violation::Lost), "{name}: {lost:?}");
    }
    let two_workers = caused("kafka-offset-after-effect", "b b b a", 2);
    assert_eq!(two_workers, [(Violation::Lost, Cause::OutOfOrder)]);
    // What crashes behind its own offset is lost to the crash, and to nobody's later record.
    let crashed = caused("kafka-offset-before-effect", "a a ax a", 1);
    assert_eq!(crashed, [(Violation::Lost, Cause::CrashBetweenStores)]);
    // Transactions and the store's own offset take records in their order.
    for name in ["kafka-transactions", "kafka-offset-in-store"] {
        let found = all(name, Bound { requests: 2, ..bound(2, 0, 1) }, Flaws::default()).violations;
        assert!(found.is_empty(), "{name}: {found:?}");
    }
}
