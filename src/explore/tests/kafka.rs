//! Kafka: a producer that sends again, with and without numbers.

use super::engines::{agree_on, has_many};
use super::{bound, models_for};
use crate::explore::{Bound, Census, Flaws, Limits, Schedule, census, tell_with};
use crate::service::kafka::KafkaModelFlaw;
use crate::strategy::{Registry, Strategy};
use crate::terms::{Role, Violation};

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
