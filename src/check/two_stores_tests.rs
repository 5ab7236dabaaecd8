//! Tests of trials whose effects are kept in two stores: each is judged at its own ledger.

use super::testing::{COPY, FIRST, RETRY, Story, apply};
use super::{Case, Finding, Tally, findings};
use crate::history::What;
use crate::service::store::{StoreOp, StoreResponse};
use crate::terms::{AccountId, Answer, Cause, Delivery, Isolation, Role, Trouble, Violation};
use crate::world::{Op, Response};

const BOTH: &[Role] = &[Role::STORE, Role::SECOND];
const APPLIED: Response = Response::Store(StoreResponse::Applied(Some(Answer(10))));

/// A trial of so many messages whose effects these stores keep.
fn story(messages: u32, effects: &'static [Role]) -> Story {
    let mut story = Story::of(messages);
    story.effects = effects;
    story
}

/// An operation at the second store.
fn second(op: Op) -> Op {
    Op { role: Role::SECOND, ..op }
}

/// What was found, and at which store.
fn found(story: &Story) -> Vec<(Violation, u32, Option<Role>)> {
    let found = all(story);
    found.iter().map(|finding| (finding.violation, finding.message.0, finding.at)).collect()
}

fn all(story: &Story) -> Vec<Finding> {
    findings(&Case::new(story.evidence()))
}

#[test]
fn accepts_one_effect_in_each_store() {
    let mut story = story(2, BOTH);
    story.smooth(0, 0, FIRST).smooth(10, 1, FIRST).entry_at(Role::SECOND, 0, FIRST, 10);
    story.entry_at(Role::SECOND, 1, FIRST, 20);
    assert_eq!(found(&story), []);
}

#[test]
fn rejects_a_planted_duplicate_in_the_second_ledger_and_says_where_it_is() {
    let mut story = story(2, BOTH);
    story.smooth(0, 0, FIRST).smooth(10, 1, FIRST);
    story.entry_at(Role::SECOND, 0, FIRST, 10).entry_at(Role::SECOND, 1, FIRST, 20);
    story.entry_at(Role::SECOND, 1, RETRY, 30);
    assert_eq!(found(&story), [(Violation::Duplicate, 1, Some(Role::SECOND))]);
    assert_eq!(all(&story)[0].detail, "at the second store: applied 2 times, by deliveries 0 and 1");
    let case = Case::new(story.evidence());
    let tally = Tally::new(&case, &findings(&case));
    assert_eq!(tally.count(Violation::Duplicate), 1);
    assert_eq!(BOTH.iter().map(|role| tally.count_at(*role, Violation::Duplicate)).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(tally.effects, 5);
}

#[test]
fn a_message_that_is_twice_in_each_store_is_found_at_each() {
    let mut story = story(1, BOTH);
    story.smooth(0, 0, FIRST).entry_with(0, COPY, None, 20);
    story.entry_at(Role::SECOND, 0, FIRST, 10).entry_at(Role::SECOND, 0, COPY, 20);
    let at = |role| (Violation::Duplicate, 0, Some(role));
    assert_eq!(found(&story), [at(Role::STORE), at(Role::SECOND)]);
}

#[test]
fn a_success_needs_the_effect_at_every_store_that_keeps_effects_and_at_no_other() {
    let done_at_the_first = |effects| {
        let mut story = story(1, effects);
        story.smooth(0, 0, FIRST);
        found(&story)
    };
    assert_eq!(done_at_the_first(BOTH), [(Violation::Lost, 0, Some(Role::SECOND))]);
    assert_eq!(done_at_the_first(&[Role::STORE]), []);
    let mut elsewhere = story(1, &[Role::SECOND]);
    elsewhere.at(0, 0, FIRST, What::Arrived).done(1, 0, FIRST, second(apply(0)), APPLIED);
    elsewhere.answer(3, 0, FIRST, Ok(Answer(10))).entry_at(Role::SECOND, 0, FIRST, 10);
    assert_eq!(found(&elsewhere), []);
}

#[test]
fn what_a_strategy_does_where_it_keeps_no_effects_is_judged_too() {
    let mut story = story(1, &[Role::STORE]);
    story.smooth(0, 0, FIRST).entry_at(Role::SECOND, 0, FIRST, 10).entry_at(Role::SECOND, 0, RETRY, 20);
    assert_eq!(found(&story), [(Violation::Duplicate, 0, Some(Role::SECOND))]);
}

#[test]
fn a_refusal_is_denied_where_the_effect_is_and_refused_where_it_is_not() {
    let mut story = story(1, BOTH);
    story.answer(0, 0, FIRST, Err(Trouble::Refused)).entry(0, FIRST);
    let expected = [(Violation::Denied, 0, Some(Role::STORE)), (Violation::Refused, 0, Some(Role::SECOND))];
    assert_eq!(found(&story), expected);
}

#[test]
fn a_client_that_gave_up_has_abandoned_what_one_store_lacks() {
    let mut story = story(1, BOTH);
    story.at(5, 0, FIRST, What::GaveUp).entry(0, FIRST);
    assert_eq!(found(&story), [(Violation::Abandoned, 0, Some(Role::SECOND))]);
}

#[test]
fn a_message_is_stuck_once_whatever_the_number_of_stores() {
    let mut story = story(1, BOTH);
    story.at(5, 0, FIRST, What::GaveUp).answer(9, 0, Delivery::FINAL, Err(Trouble::InProgress));
    assert_eq!(found(&story), [(Violation::Stuck, 0, None)]);
}

#[test]
fn the_balances_of_each_store_chain_by_themselves() {
    let mut story = story(2, BOTH);
    story.smooth(0, 0, FIRST).smooth(10, 1, FIRST);
    story.entry_at(Role::SECOND, 1, FIRST, 10).entry_at(Role::SECOND, 0, FIRST, 20);
    story.balances(&[(0, 20)]).balances_at(Role::SECOND, &[(0, 20)]);
    assert_eq!(found(&story), []);
    story.balances_at(Role::SECOND, &[(0, 25)]);
    assert_eq!(found(&story), [(Violation::Wrong, 0, Some(Role::SECOND))]);
    let ledgers: Vec<usize> = BOTH.iter().map(|role| Case::new(story.evidence()).ledger_of(*role).len()).collect();
    assert_eq!((ledgers, AccountId(0)), (vec![2, 2], story.evidence().ledger[0].account));
}

#[test]
fn a_delivery_that_applies_once_at_each_store_has_not_applied_twice() {
    let mut story = story(1, BOTH);
    story.at(0, 0, FIRST, What::Arrived).done(1, 0, FIRST, apply(0), APPLIED);
    story.done(3, 0, FIRST, second(apply(0)), APPLIED).at(5, 0, FIRST, What::Crashed);
    story.at(8, 0, RETRY, What::Arrived).done(9, 0, RETRY, second(apply(0)), APPLIED).entry(0, FIRST);
    story.entry_at(Role::SECOND, 0, FIRST, 10).entry_at(Role::SECOND, 0, RETRY, 20);
    let causes: Vec<Cause> = all(&story).iter().map(|finding| finding.cause).collect();
    assert_eq!(causes, [Cause::CrashBetweenStores]);
}

#[test]
fn a_transaction_of_the_first_store_holds_nothing_of_the_second() {
    let done = Response::Store(StoreResponse::Done);
    let mut story = story(1, BOTH);
    story.done(0, 0, FIRST, StoreOp::begin(Isolation::ReadCommitted).into(), done).done(1, 0, FIRST, apply(0), APPLIED);
    story.done(2, 0, FIRST, second(apply(0)), APPLIED).done(3, 0, FIRST, StoreOp::commit().into(), done);
    let case = Case::new(story.evidence());
    let tally = Tally::new(&case, &[]);
    // One transaction, and one statement that is one by itself.
    assert_eq!((tally.work.commits, tally.work.store_operations), (2, 4));
    let alone: Vec<(String, u64)> = tally.made.iter().map(|(kind, _, alone)| (kind.name().to_owned(), alone)).collect();
    assert!(alone.contains(&("second.apply".to_owned(), 1)) && alone.contains(&("apply".to_owned(), 0)), "{alone:?}");
}
