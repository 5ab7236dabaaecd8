//! refused: a valid request was refused for good, and its effect is absent.

use super::{Case, Finding, cause};
use crate::history::{Event, What};
use crate::terms::{Cause, MessageId, Role, Violation};
use crate::world::Outcome;

/// Whether a message is not in the ledger of a store that keeps effects, and its client was told that it is refused for good. Every request of the lab is valid.
pub(super) fn of(case: &Case<'_>, role: Role, message: MessageId) -> Option<Finding> {
    let refused_at_ns = case.told(message).refused_at_ns?;
    (case.keeps_effects(role) && !case.is_applied_at(role, message)).then(|| Finding {
        violation: Violation::Refused,
        message,
        cause: why(case, message, refused_at_ns),
        at: Some(role),
        detail: "refused for good, although the request is valid, and never applied".to_owned(),
    })
}

/// A fault that had passed, if one came before the refusal.
fn why(case: &Case<'_>, message: MessageId, refused_at_ns: u64) -> Cause {
    let is_trouble = |event: &Event| match event.what {
        What::Called { outcome, .. } => !matches!(outcome, Some(Outcome::Ok(_))),
        What::Cancelled | What::Crashed => true,
        What::Sent { .. }
        | What::Arrived
        | What::Repeated { .. }
        | What::Landed { .. }
        | What::Paused { .. }
        | What::Answered { .. }
        | What::Received { .. }
        | What::TimedOut
        | What::GaveUp => false,
    };
    let before = case.events_of(message).take_while(|event| event.at_ns <= refused_at_ns);
    cause::of_standing_back(case, message)
        .unwrap_or_else(|| if before.into_iter().any(is_trouble) { Cause::FaultRemembered } else { Cause::Unexplained })
}

#[cfg(test)]
mod tests {
    use crate::check::testing::{FIRST, RETRY, Story, apply, request};
    use crate::history::What;
    use crate::service::store::{StoreOp, StoreResponse};
    use crate::terms::{Answer, Cause, ClientId, Delivery, Trouble, Violation};
    use crate::world::Response;

    #[test]
    fn rejects_a_refusal_after_a_fault_that_has_passed() {
        let mut story = Story::of(1);
        story.unknown(1, 0, FIRST, apply(0)).answer(3, 0, FIRST, Err(Trouble::Unknown));
        story.answer(9, 0, RETRY, Err(Trouble::Refused));
        assert_eq!(story.found(Violation::Refused), [(0, Cause::FaultRemembered)]);
        let mut crashed = Story::of(1);
        crashed.at(1, 0, FIRST, What::Crashed).answer(9, 0, RETRY, Err(Trouble::Refused));
        assert_eq!(crashed.found(Violation::Refused), [(0, Cause::FaultRemembered)]);
    }

    #[test]
    fn a_fault_after_the_refusal_is_not_its_cause() {
        let mut story = Story::of(1);
        story.answer(3, 0, FIRST, Err(Trouble::Refused)).at(9, 0, RETRY, What::Crashed);
        assert_eq!(story.found(Violation::Refused), [(0, Cause::Unexplained)]);
    }

    #[test]
    fn rejects_a_refusal_of_everything_also_of_the_last_retry() {
        let mut story = Story::of(2);
        story.answer(3, 0, FIRST, Err(Trouble::Refused)).answer(9, 1, Delivery::FINAL, Err(Trouble::Refused));
        assert_eq!(story.found(Violation::Refused), [(0, Cause::Unexplained), (1, Cause::Unexplained)]);
    }

    #[test]
    fn accepts_what_is_applied_and_what_is_told_to_try_again() {
        let mut story = Story::of(2);
        story.smooth(0, 0, FIRST).answer(10, 1, FIRST, Err(Trouble::Unknown)).answer(20, 1, RETRY, Ok(Answer(10)));
        assert_eq!(story.found(Violation::Refused), []);
    }

    #[test]
    fn one_message_is_refused_or_lost_and_never_both() {
        // Told success and refused, and absent: the first of denied, refused, lost that fits is counted.
        let mut story = Story::of(1);
        story.answer(3, 0, FIRST, Ok(Answer(10))).answer(9, 0, RETRY, Err(Trouble::Refused));
        assert_eq!(story.found(Violation::Refused).len(), 1);
        assert_eq!(story.found(Violation::Lost), []);
    }

    #[test]
    fn a_store_that_stood_back_for_what_was_done_before_is_the_cause() {
        for (op, cause) in [
            (StoreOp::advance(ClientId(0), 0), Cause::OutOfOrder),
            (StoreOp::put_if(&request(0), 1), Cause::Precondition),
        ] {
            let mut story = Story::of(1);
            let nothing =
                if cause == Cause::OutOfOrder { StoreResponse::Claimed(false) } else { StoreResponse::Applied(None) };
            story.done(3, 0, FIRST, op.into(), Response::Store(nothing)).answer(5, 0, FIRST, Err(Trouble::Refused));
            assert_eq!(story.found(Violation::Refused), [(0, cause)]);
        }
    }
}
