//! denied: the client was told that it is refused for good, and the ledger holds the effect.

use super::{Case, Finding, cause};
use crate::terms::{MessageId, Role, Violation};

/// Whether a message is in a store's ledger although its client was told that it is refused for good, then or later. Where the id came
/// with another body, a refusal of one body denies nothing of the other.
pub(super) fn of(case: &Case<'_>, role: Role, message: MessageId) -> Option<Finding> {
    let refusals = [Some(case.told(message)), case.told_other(message)];
    let (refused_at_ns, entry) = [false, true].into_iter().zip(refusals).find_map(|(other, told)| {
        let mut entries = case.entries_at(role, message).filter(|entry| case.is_of_other_body(entry) == other);
        Some((told?.refused_at_ns?, entries.next()?))
    })?;
    Some(Finding {
        violation: Violation::Denied,
        message,
        cause: cause::of_denial(case, entry, refused_at_ns),
        at: Some(role),
        detail: format!("refused for good, and applied by delivery {}", entry.by),
    })
}

#[cfg(test)]
mod tests {
    use crate::check::testing::{FIRST, RETRY, Story, apply};
    use crate::history::What;
    use crate::service::store::StoreResponse;
    use crate::terms::{Answer, Cause, Trouble, Violation};
    use crate::world::{Outcome, Response};

    const APPLIED: Response = Response::Store(StoreResponse::Applied(Some(Answer(10))));

    #[test]
    fn rejects_a_refusal_of_what_was_done_and_takes_the_unknown_outcome_for_the_cause() {
        let mut story = Story::of(1);
        story.unknown(1, 0, FIRST, apply(0)).entry(0, FIRST).answer(3, 0, FIRST, Err(Trouble::Refused));
        assert_eq!(story.found(Violation::Denied), [(0, Cause::UnknownTakenForFailure)]);
    }

    #[test]
    fn rejects_a_retry_that_is_refused_after_a_lost_reply() {
        let mut story = Story::of(1);
        story.unknown(1, 0, FIRST, apply(0)).entry(0, FIRST).answer(3, 0, FIRST, Err(Trouble::Unknown));
        story.answer(9, 0, RETRY, Err(Trouble::Refused));
        assert_eq!(story.found(Violation::Denied), [(0, Cause::RetryAfterLostReply)]);
    }

    #[test]
    fn rejects_an_effect_that_lands_after_the_refusal() {
        let mut story = Story::of(1);
        story.unknown(1, 0, FIRST, apply(0)).answer(3, 0, FIRST, Err(Trouble::Refused));
        let landed = What::Landed { op: apply(0), outcome: Some(Outcome::Ok(APPLIED)) };
        story.at(9, 0, FIRST, landed).entry(0, FIRST);
        assert_eq!(story.found(Violation::Denied), [(0, Cause::LateLanding)]);
    }

    #[test]
    fn rejects_a_refusal_without_any_reason() {
        let mut story = Story::of(1);
        story.done(1, 0, FIRST, apply(0), APPLIED).entry(0, FIRST).answer(3, 0, FIRST, Err(Trouble::Refused));
        assert_eq!(story.found(Violation::Denied), [(0, Cause::Unexplained)]);
    }

    #[test]
    fn accepts_a_refusal_of_what_is_absent_and_an_effect_after_try_again() {
        let mut absent = Story::of(1);
        absent.answer(3, 0, FIRST, Err(Trouble::Refused));
        assert_eq!(absent.found(Violation::Denied), []);
        let mut again = Story::of(1);
        again.answer(3, 0, FIRST, Err(Trouble::InProgress)).smooth(10, 0, RETRY);
        assert_eq!(again.found(Violation::Denied), []);
    }

    #[test]
    fn the_delivery_that_was_refused_is_told_by_its_reply() {
        // The first is told to try again; the retry loses a reply, and takes that for a failure.
        let mut story = Story::of(1);
        story.answer(1, 0, FIRST, Err(Trouble::InProgress)).unknown(3, 0, RETRY, apply(0)).entry(0, RETRY);
        story.answer(5, 0, RETRY, Err(Trouble::Refused));
        assert_eq!(story.found(Violation::Denied), [(0, Cause::UnknownTakenForFailure)]);
    }

    #[test]
    fn rejects_a_retry_that_is_refused_after_a_crash() {
        let mut story = Story::of(1);
        story.done(1, 0, FIRST, apply(0), APPLIED).entry(0, FIRST).at(3, 0, FIRST, What::Crashed);
        story.answer(9, 0, RETRY, Err(Trouble::Refused));
        assert_eq!(story.found(Violation::Denied), [(0, Cause::CrashBetweenStores)]);
    }
}
