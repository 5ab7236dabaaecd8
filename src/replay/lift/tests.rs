//! What lifts into which schedule, on histories told by hand.

use super::{LiftError, Lifted, Shortener, lift};
use crate::check::testing::{COPY, FIRST, LEASE_US, RETRY, Story, apply, called, lock, token};
use crate::check::{Case, Finding, findings};
use crate::explore::Limits;
use crate::history::What;
use crate::service::etcd::{LockOp, LockResponse};
use crate::service::store::{StoreOp, StoreResponse};
use crate::strategy::Registry;
use crate::terms::{Answer, Cause, Delivery, FaultKind, MessageId, Profile, Retries, Trouble, Violation};
use crate::world::{Op, OpKind, Outcome, Response};

const APPLIED: Response = Response::Store(StoreResponse::Applied(Some(Answer(10))));
fn read() -> Op {
    StoreOp::read_mark(MessageId(0)).into()
}
const NOTHING: Response = Response::Store(StoreResponse::Found(None));
fn mark() -> Op {
    StoreOp::write_mark(MessageId(0), Answer(10)).into()
}

/// An operation that takes a microsecond and meets this fault; whatever came of it, nobody knows.
fn met(op: Op, fault: FaultKind) -> What {
    What::Called { op, outcome: Some(Outcome::Unknown), fault: Some(fault), delayed: false, took_us: 1 }
}

/// Lifts the violation of message 0 that a story tells.
fn lifted(strategy: &str, story: &Story, violation: Violation) -> Result<Lifted, LiftError> {
    let case = Case::new(story.evidence());
    let is_it = |finding: &Finding| finding.violation == violation && finding.message == MessageId(0);
    let finding = findings(&case).into_iter().find(is_it).expect("the history shows it");
    let strategy = Registry::default().get(strategy).expect("it is a strategy of the lab");
    lift(strategy.as_ref(), Profile::Sqlite, &case, &finding)
}

/// The schedule that it becomes.
fn line(strategy: &str, story: &Story, violation: Violation) -> String {
    lifted(strategy, story, violation).expect("it can be lifted").schedule.to_string()
}

/// A delivery that reads no mark, applies, and stops there with this.
fn up_to_the_effect(story: &mut Story, us: u64, by: Delivery, what: What) {
    story.at(us, 0, by, What::Arrived).done(us + 1, 0, by, read(), NOTHING).at(us + 3, 0, by, what).entry(0, by);
}

/// A delivery that reads no mark, applies, marks and answers.
fn to_the_end(story: &mut Story, us: u64, by: Delivery) {
    story.at(us, 0, by, What::Arrived).done(us + 1, 0, by, read(), NOTHING);
    story.done(us + 3, 0, by, apply(0), APPLIED).entry(0, by).done(
        us + 5,
        0,
        by,
        mark(),
        Response::Store(StoreResponse::Done),
    );
    story.answer(us + 7, 0, by, Ok(Answer(10)));
}

#[test]
fn a_lost_reply_lifts() {
    let mut story = Story::of(1);
    up_to_the_effect(&mut story, 0, FIRST, met(apply(0), FaultKind::ReplyLost));
    story.answer(5, 0, FIRST, Err(Trouble::Unknown));
    to_the_end(&mut story, 10, RETRY);
    // One lane: the retry comes when the first attempt has failed. After the second effect nothing more is needed.
    assert_eq!(line("check-then-act", &story, Violation::Duplicate), "a a? a a");
}

#[test]
fn a_lost_request_lifts_and_is_shortened_away() {
    let mut story = Story::of(1);
    story.at(0, 0, FIRST, What::Arrived).at(1, 0, FIRST, met(read(), FaultKind::RequestLost));
    story.answer(3, 0, FIRST, Err(Trouble::Unknown));
    to_the_end(&mut story, 10, COPY);
    up_to_the_effect(&mut story, 11, RETRY, called(apply(0), Some(Outcome::Ok(APPLIED))));
    let lifted = lifted("check-then-act", &story, Violation::Duplicate).expect("it can be lifted");
    assert!(lifted.schedule.to_string().starts_with("a! "), "{}", lifted.schedule);
    let strategy = Registry::default().get("check-then-act").expect("it is there");
    let mut shortener = Shortener::new(strategy.as_ref(), Profile::Sqlite, Limits::default());
    let why = (Violation::Duplicate, Cause::CheckThenActRace);
    let least = shortener.shorten(&lifted, why, &mut ()).expect("it can be explored");
    // Two lanes, one switch, two steps each: nothing less applies twice.
    assert_eq!(least.expect("it is there").schedule.to_string(), "a a b b");
}

#[test]
fn overlapping_deliveries_become_lanes() {
    let mut story = Story::of(1);
    // Each reads before the other has written its mark.
    story.at(0, 0, FIRST, What::Arrived).done(1, 0, FIRST, read(), NOTHING);
    story.at(2, 0, COPY, What::Arrived).done(3, 0, COPY, read(), NOTHING);
    story.done(5, 0, COPY, apply(0), APPLIED).entry(0, COPY);
    story.done(7, 0, FIRST, apply(0), APPLIED).entry(0, FIRST);
    assert_eq!(line("check-then-act", &story, Violation::Duplicate), "a b b a");
}

#[test]
fn the_order_is_one_in_which_the_responses_are_the_recorded_ones() {
    let mut story = Story::of(1);
    // The first delivery's read is over last, and yet it did not see the mark: it took effect early.
    story.at(0, 0, FIRST, What::Arrived);
    let read =
        What::Called { op: read(), outcome: Some(Outcome::Ok(NOTHING)), fault: None, delayed: false, took_us: 20 };
    story.at(1, 0, FIRST, read);
    to_the_end(&mut story, 2, COPY);
    story.done(25, 0, FIRST, apply(0), APPLIED).entry(0, FIRST);
    // The copy ended its read first, so it is tried first; the other read must come before the mark.
    assert_eq!(line("check-then-act", &story, Violation::Duplicate), "a a b a b");
}

#[test]
fn an_operation_that_was_carried_out_twice_is_refused_by_name() {
    let mut story = Story::of(1);
    let what = What::Called {
        op: apply(0),
        outcome: Some(Outcome::Ok(APPLIED)),
        fault: Some(FaultKind::Duplicated),
        delayed: false,
        took_us: 1,
    };
    story.at(0, 0, FIRST, What::Arrived).at(1, 0, FIRST, what).entry(0, FIRST).entry(0, FIRST);
    let refused = lifted("at-least-once", &story, Violation::Duplicate).expect_err("no schedule says that");
    assert_eq!(refused, LiftError::Repeated { kind: OpKind::named("apply"), by: FIRST });
    assert!(refused.to_string().starts_with("`apply` of delivery 0 was carried out twice"), "{refused}");
}

#[test]
fn a_late_landing_lifts() {
    let mut story = Story::of(1);
    story.at(0, 0, FIRST, What::Arrived).at(1, 0, FIRST, met(apply(0), FaultKind::LateLanding));
    story.answer(3, 0, FIRST, Err(Trouble::Unknown));
    story.at(10, 0, RETRY, What::Arrived).done(11, 0, RETRY, apply(0), APPLIED).entry(0, RETRY);
    story.answer(13, 0, RETRY, Ok(Answer(10)));
    story.at(20, 0, FIRST, What::Landed { op: apply(0), outcome: Some(Outcome::Ok(APPLIED)) }).entry(0, FIRST);
    assert_eq!(line("at-least-once", &story, Violation::Duplicate), "a~ a a+");
}

#[test]
fn a_crash_between_effect_and_mark_lifts() {
    let mut story = Story::of(1);
    up_to_the_effect(&mut story, 0, FIRST, called(apply(0), Some(Outcome::Ok(APPLIED))));
    story.at(5, 0, FIRST, What::Crashed);
    to_the_end(&mut story, 10, RETRY);
    assert_eq!(line("check-then-act", &story, Violation::Duplicate), "a a ax a a");
}

#[test]
fn a_crash_after_the_last_operation_is_a_lost_reply() {
    let mut story = Story::of(1);
    story.at(0, 0, FIRST, What::Arrived).done(1, 0, FIRST, apply(0), APPLIED).entry(0, FIRST);
    story.at(3, 0, FIRST, What::Crashed);
    story.at(10, 0, RETRY, What::Arrived).done(11, 0, RETRY, apply(0), APPLIED).entry(0, RETRY);
    assert_eq!(line("at-least-once", &story, Violation::Duplicate), "a? a");
}

#[test]
fn an_operation_that_was_cancelled_was_done_if_the_ledger_says_so() {
    let mut story = Story::of(1);
    up_to_the_effect(&mut story, 0, FIRST, called(apply(0), None));
    story.at(5, 0, FIRST, What::Cancelled);
    to_the_end(&mut story, 10, RETRY);
    assert_eq!(line("check-then-act", &story, Violation::Duplicate), "a a ax a a");
}

#[test]
fn a_pause_beyond_the_lease_lifts_into_its_expiry() {
    let mut story = Story::of(1);
    for (us, by, lease) in [(0, FIRST, 1), (LEASE_US + 10, RETRY, 2)] {
        let key = lock(lease);
        story.at(us, 0, by, What::Arrived).done(
            us + 1,
            0,
            by,
            LockOp::GrantLease.into(),
            Response::Etcd(LockResponse::Granted(key.lease)),
        );
        story.done(us + 3, 0, by, LockOp::acquire(key).into(), Response::Etcd(LockResponse::Held(token(lease))));
        if by == FIRST {
            story.at(us + 5, 0, by, What::Paused { for_us: 200 });
        }
    }
    story.done(LEASE_US + 150, 0, FIRST, apply(0), APPLIED).entry(0, FIRST);
    // While the first still believes to hold the lock, the second can have it only when the lease is gone.
    assert_eq!(line("etcd-lock", &story, Violation::Overlap), "a a b a* b");
}

#[test]
fn what_other_messages_had_a_part_in_is_refused() {
    let mut story = Story::of(2);
    for (us, message, lease) in [(0, 1, 1), (LEASE_US + 10, 0, 2)] {
        let key = lock(lease);
        story.at(us, message, FIRST, What::Arrived);
        story.done(us + 1, message, FIRST, LockOp::GrantLease.into(), Response::Etcd(LockResponse::Granted(key.lease)));
        story.done(
            us + 3,
            message,
            FIRST,
            LockOp::acquire(key).into(),
            Response::Etcd(LockResponse::Held(token(lease))),
        );
    }
    assert_eq!(lifted("etcd-lock", &story, Violation::Overlap), Err(LiftError::NotShown));
}

#[test]
fn a_message_that_never_arrived_is_a_crash_before_its_first_operation() {
    let mut story = Story::of(1);
    story.retries = Retries::Never;
    story.at(0, 0, FIRST, crate::check::testing::sent(Some(FaultKind::RequestLost))).at(9, 0, FIRST, What::GaveUp);
    assert_eq!(line("at-most-once", &story, Violation::Abandoned), "ax");
}

#[test]
fn a_delivery_that_outlives_its_client_is_refused() {
    let mut story = Story::of(1);
    story.retries = Retries::Never;
    story.at(0, 0, FIRST, What::GaveUp).at(5, 0, FIRST, What::Arrived);
    story.done(6, 0, FIRST, apply(0), APPLIED).entry(0, FIRST);
    assert_eq!(lifted("at-most-once", &story, Violation::Late), Err(LiftError::ClientGaveUp));
}

#[test]
fn retries_that_changed_nothing_are_left_out() {
    let mut story = Story::of(1);
    let claim = StoreOp::claim(MessageId(0)).into();
    story.at(0, 0, FIRST, What::Arrived).at(1, 0, FIRST, met(claim, FaultKind::ReplyLost));
    story.answer(3, 0, FIRST, Err(Trouble::Unknown));
    // More retries than a lane of a schedule has; the last is the fault-free one.
    let attempts = (1..30).chain([Delivery::FINAL_ATTEMPT]);
    for (us, attempt) in (1..).map(|n| n * 10).zip(attempts) {
        let by = Delivery { attempt, copy: 0 };
        if by == Delivery::FINAL {
            story.at(us, 0, FIRST, What::GaveUp);
        }
        story.at(us, 0, by, What::Arrived).done(us + 1, 0, by, claim, Response::Store(StoreResponse::Claimed(false)));
        story.done(us + 3, 0, by, StoreOp::read_answer(MessageId(0)).into(), NOTHING);
        story.answer(us + 5, 0, by, Err(Trouble::InProgress));
    }
    assert_eq!(line("claim-then-act", &story, Violation::Stuck), "a?");
}
