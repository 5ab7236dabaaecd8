//! deviating: two answers to the same message id differ.

use super::told::is_answer;
use super::{Case, Finding, cause};
use crate::history::What;
use crate::terms::{Cause, MessageId, Reply, Violation};

/// One finding per message to which two deliveries gave different answers, whether or not the client heard both. "Try
/// again" is no answer; "refused for good" is one. Answers to another body under the message's id are compared with each other alone.
pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let deviating = case.messages().filter_map(|message| {
        let other = match case.told(message).deviates {
            true => false,
            false => case.told_other(message).filter(|told| told.deviates).map(|_| true)?,
        };
        let answers = || {
            let of_body = case.events_of(message).filter(|event| event.delivery.has_other_body() == other);
            of_body.filter_map(|event| match event.what {
                What::Answered { reply, .. } if is_answer(&reply) => Some((event.delivery, reply)),
                _ => None,
            })
        };
        let (first_by, first) = answers().next()?;
        let (other_by, second) = answers().find(|(_, reply)| *reply != first)?;
        Some(Finding {
            violation: Violation::Deviating,
            message,
            cause: why(case, message, other),
            at: None,
            detail: format!("delivery {first_by} was answered {}, delivery {other_by} {}", show(&first), show(&second)),
        })
    });
    deviating.collect()
}

fn show(reply: &Reply) -> String {
    match reply {
        Ok(answer) => answer.0.to_string(),
        Err(trouble) => trouble.to_string(),
    }
}

/// Answers differ because the effect was applied twice, if it was.
fn why(case: &Case<'_>, message: MessageId, other: bool) -> Cause {
    let twice = case.stores().find_map(|role| {
        let mut entries = case.entries_at(role, message).filter(|entry| case.is_of_other_body(entry) == other);
        Some((entries.next()?, entries.next()?))
    });
    match twice {
        Some((first, second)) => cause::of_second_application(case, first, second),
        None if cause::came_late(case, message) => Cause::LateLanding,
        None => match cause::of_unfinished(case, message) {
            Cause::Unexplained if case.is_applied(message) => Cause::Redelivery,
            cause => cause,
        },
    }
}

#[cfg(test)]
mod tests {
    use crate::check::Case;
    use crate::check::testing::{COPY, FIRST, RETRY, Story, request};
    use crate::history::What;
    use crate::service::hop::{HopOp, HopResponse};
    use crate::terms::{Answer, Cause, HttpForm, Reply, Trouble, Violation};
    use crate::world::Outcome;

    fn two(first: Reply, second: Reply) -> usize {
        let mut story = Story::of(1);
        // Nobody heard the first answer; it was given all the same.
        story.at(0, 0, FIRST, What::Answered { reply: first, heard: false }).answer(5, 0, RETRY, second);
        story.entry(0, FIRST);
        story.found(Violation::Deviating).len()
    }

    #[test]
    fn rejects_two_answers_that_differ() {
        assert_eq!(two(Ok(Answer(10)), Ok(Answer(20))), 1);
        assert_eq!(two(Ok(Answer(10)), Err(Trouble::Refused)), 1);
    }

    #[test]
    fn accepts_the_same_answer_twice_and_any_number_of_try_agains() {
        assert_eq!(two(Ok(Answer(10)), Ok(Answer(10))), 0);
        assert_eq!(two(Err(Trouble::Refused), Err(Trouble::Refused)), 0);
        assert_eq!(two(Err(Trouble::Unknown), Ok(Answer(10))), 0);
        assert_eq!(two(Err(Trouble::InProgress), Ok(Answer(10))), 0);
    }

    #[test]
    fn names_the_two_answers_and_their_deliveries_and_no_try_again() {
        let mut story = Story::of(1);
        story.answer(0, 0, COPY, Err(Trouble::InProgress)).smooth(1, 0, FIRST).smooth(10, 0, RETRY);
        let found = super::find(&Case::new(story.evidence()));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].detail, "delivery 0 was answered 10, delivery 1 20");
        assert_eq!(found[0].cause, Cause::Redelivery);
        let mut refused = Story::of(1);
        refused.smooth(0, 0, FIRST).at(5, 0, FIRST, What::Crashed).answer(9, 0, RETRY, Err(Trouble::Refused));
        let found = super::find(&Case::new(refused.evidence()));
        assert_eq!(found[0].detail, "delivery 0 was answered 10, delivery 1 refused");
        assert_eq!(found[0].cause, Cause::CrashBetweenStores);
    }

    #[test]
    fn a_request_that_came_late_is_the_cause_where_nothing_was_done_twice() {
        let op = crate::world::Op::from(HopOp::arrive(&request(0), HttpForm::Put));
        let landed = What::Landed { op, outcome: Some(Outcome::Ok(HopResponse::Arrived.into())) };
        let mut story = Story::of(1);
        story.unknown(0, 0, FIRST, op).smooth(2, 0, RETRY).at(9, 0, FIRST, landed);
        story.at(12, 0, FIRST, What::Answered { reply: Err(Trouble::Refused), heard: false });
        assert_eq!(story.found(Violation::Deviating), [(0, Cause::LateLanding)]);
        // Nothing else that lands late is a delivery.
        let mut other = Story::of(1);
        other.unknown(0, 0, FIRST, op).smooth(2, 0, RETRY).answer(12, 0, FIRST, Err(Trouble::Refused));
        assert_eq!(other.found(Violation::Deviating), [(0, Cause::RetryAfterLostReply)]);
    }
}
