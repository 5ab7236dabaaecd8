//! late: the effect was applied after the client had given up for good.

use super::{Case, Finding};
use crate::history::Event;
use crate::terms::{Cause, Entry, MessageId, Retries, Role, Violation};

/// Whether an effect of the message at a store began after its client had given up. A client that would retry has not given up for good:
/// the fault-free retry is still to come. One that was refused was told so: that is [`Violation::Denied`].
pub(super) fn of(case: &Case<'_>, role: Role, message: MessageId) -> Option<Finding> {
    if case.evidence.retries != Retries::Never {
        return None;
    }
    let ends = [Some(case.told(message)), case.told_other(message)];
    let after = [false, true].into_iter().zip(ends).find_map(|(other, told)| {
        let gave_up_at_ns = told?.gave_up_at_ns?;
        let is_its = |entry: &&Entry| !entry.by.is_last() && case.is_of_other_body(entry) == other;
        let mut entries = case.entries_at(role, message).filter(is_its);
        entries.find_map(|entry| began_after(case, message, entry, gave_up_at_ns))
    })?;
    Some(Finding {
        violation: Violation::Late,
        message,
        cause: Cause::LateLanding,
        at: Some(role),
        detail: format!("applied {} µs after the client had given up", after / 1_000),
    })
}

/// By how many nanoseconds the application of an entry began after this moment, if it did. An operation that was under
/// way at that moment may have been applied before it: that is no proof.
pub(super) fn began_after(case: &Case<'_>, message: MessageId, entry: &Entry, moment_ns: u64) -> Option<u64> {
    let applications = || case.events_of(message).filter(|event| may_apply(event, entry.role));
    // The last one is the commit, where the effect was part of a transaction. A line that a strategy wrote itself may name a delivery
    // that there never was.
    let last = applications().filter(|event| event.delivery == entry.by).last().or_else(|| applications().last())?;
    last.at_ns.checked_sub(moment_ns)
}

/// Whether an event is of an operation that may have applied an effect at the store in a role.
fn may_apply(event: &Event, role: Role) -> bool {
    event.what.op().is_some_and(|op| op.role == role && op.acts().may_apply())
}

#[cfg(test)]
mod tests {
    use crate::check::Case;
    use crate::check::testing::{COPY, FIRST, RETRY, Story, apply};
    use crate::history::What;
    use crate::service::store::{StoreOp, StoreResponse};
    use crate::terms::{Answer, Cause, Delivery, MessageId, Retries, Role, Trouble, Violation};
    use crate::world::{Outcome, Response, Sql};

    /// A client that never retries gave up at 50 µs.
    fn given_up() -> Story {
        let mut story = Story::of(1);
        story.retries = Retries::Never;
        story
    }

    const APPLIED: Response = Response::Store(StoreResponse::Applied(Some(Answer(10))));

    #[test]
    fn rejects_an_operation_that_began_after_the_client_gave_up() {
        let mut story = given_up();
        story.at(50, 0, FIRST, What::GaveUp).done(51, 0, FIRST, apply(0), APPLIED).entry(0, FIRST);
        assert_eq!(story.found(Violation::Late), [(0, Cause::LateLanding)]);
    }

    #[test]
    fn rejects_an_operation_that_landed_after_the_client_gave_up() {
        let mut story = given_up();
        let landed = What::Landed { op: apply(0), outcome: Some(Outcome::Ok(APPLIED)) };
        story.unknown(10, 0, FIRST, apply(0)).at(50, 0, FIRST, What::GaveUp).at(70, 0, FIRST, landed).entry(0, FIRST);
        assert_eq!(story.found(Violation::Late).len(), 1);
    }

    #[test]
    fn rejects_an_entry_under_the_name_of_a_delivery_that_never_was() {
        let mut story = given_up();
        let landed = What::Landed { op: apply(0), outcome: Some(Outcome::Ok(APPLIED)) };
        story.unknown(10, 0, FIRST, apply(0)).at(50, 0, FIRST, What::GaveUp).at(70, 0, FIRST, landed);
        story.entry(0, Delivery { attempt: 9, copy: 3 });
        assert_eq!(story.found(Violation::Late), [(0, Cause::LateLanding)]);
    }

    #[test]
    fn accepts_an_operation_that_was_under_way_when_the_client_gave_up() {
        let mut story = given_up();
        story.done(49, 0, FIRST, apply(0), APPLIED).entry(0, FIRST).at(50, 0, FIRST, What::GaveUp);
        assert_eq!(story.found(Violation::Late), []);
    }

    #[test]
    fn rejects_an_effect_by_overwrite_or_own_sql_as_it_does_one_by_apply() {
        let request = crate::check::testing::request(0);
        let ops = [
            StoreOp::overwrite(&request, Answer(0)).into(),
            StoreOp::sql(Sql::new("SELECT 1", &request, 0)).into(),
            StoreOp::commit().into(),
        ];
        for op in ops {
            let mut story = given_up();
            let landed = What::Landed { op, outcome: Some(Outcome::Ok(APPLIED)) };
            story.unknown(10, 0, FIRST, op).at(50, 0, FIRST, What::GaveUp).at(70, 0, FIRST, landed).entry(0, FIRST);
            assert_eq!(story.found(Violation::Late).len(), 1, "{op}");
        }
    }

    #[test]
    fn a_client_that_retries_or_was_refused_never_finds_it_late() {
        let mut retries = Story::of(1);
        retries.at(50, 0, FIRST, What::GaveUp).done(60, 0, RETRY, apply(0), APPLIED).entry(0, RETRY);
        assert_eq!(retries.found(Violation::Late), []);
        let mut refused = given_up();
        refused.answer(10, 0, FIRST, Err(Trouble::Refused)).at(50, 0, FIRST, What::GaveUp);
        refused.done(60, 0, FIRST, apply(0), APPLIED).entry(0, FIRST);
        assert_eq!(refused.found(Violation::Late), []);
        assert_eq!(refused.found(Violation::Denied).len(), 1);
    }

    #[test]
    fn the_labs_own_last_retry_is_never_late() {
        let mut story = given_up();
        story.at(10, 0, FIRST, What::GaveUp).done(20, 0, Delivery::FINAL, apply(0), APPLIED);
        story.entry(0, Delivery::FINAL);
        assert_eq!(story.found(Violation::Late), []);
    }

    #[test]
    fn accepts_what_another_delivery_tried_and_what_is_no_application() {
        let mut story = given_up();
        story.done(10, 0, FIRST, apply(0), APPLIED).entry(0, FIRST).at(50, 0, FIRST, What::GaveUp);
        story.unknown(60, 0, COPY, apply(0));
        story.done(70, 0, FIRST, StoreOp::read_mark(MessageId(0)).into(), Response::Store(StoreResponse::Found(None)));
        assert_eq!(story.found(Violation::Late), []);
    }

    #[test]
    fn says_by_how_much_it_is_late() {
        let mut story = given_up();
        story.at(50, 0, FIRST, What::GaveUp).done(75, 0, FIRST, apply(0), APPLIED).entry(0, FIRST);
        let finding = super::of(&Case::new(story.evidence()), Role::STORE, MessageId(0)).expect("it is late");
        assert_eq!(finding.detail, "applied 25 µs after the client had given up");
    }
}
