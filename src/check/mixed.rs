//! mixed: one id came with two bodies, and both were done, or one was taken for the other.

use super::{Case, Finding};
use crate::history::What;
use crate::terms::{Cause, MessageId, Role, Violation};

/// One finding per message whose id came with another body too, if the ledgers hold the effects of both bodies, at whichever stores, or
/// if they hold that of one, and a delivery of the other was answered as if it had been done. The body that is done first owns the id: to
/// refuse the other for good is right, be it the request's own.
pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    case.with_other_bodies().filter_map(|message| of(case, message)).collect()
}

fn of(case: &Case<'_>, message: MessageId) -> Option<Finding> {
    let finding = |cause, detail| Some(Finding { violation: Violation::Mixed, message, cause, at: None, detail });
    let entry_of = |other| case.entries_of(message).find(|entry| case.is_of_other_body(entry) == other);
    let (done, other) = match (entry_of(false), entry_of(true)) {
        (Some(first), Some(second)) => {
            let place =
                |role: Role| if role == Role::STORE { String::new() } else { format!(" at the {}", role.title()) };
            let [one, two] = [first, second].map(|entry| format!("{:+}{}", entry.amount, place(entry.role)));
            return finding(Cause::BothBodiesDone, format!("{one} and {two} are both done under one id"));
        }
        (Some(done), None) => (done, true),
        (None, Some(done)) => (done, false),
        (None, None) => return None,
    };
    let (by, answer) = case.events_of(message).find_map(|event| match event.what {
        What::Answered { reply: Ok(answer), .. } if event.delivery.has_other_body() == other => {
            Some((event.delivery, answer))
        }
        _ => None,
    })?;
    finding(
        Cause::OtherBodyAnswered,
        format!(
            "{:+} is done, and delivery {by}, which asks for another amount, is answered {}",
            done.amount, answer.0
        ),
    )
}

#[cfg(test)]
mod tests {
    use crate::check::testing::{FIRST, RETRY, Story, other_body};
    use crate::check::{Case, findings};
    use crate::history::What;
    use crate::terms::{Answer, Cause, Delivery, Retries, Shape, Trouble, Violation};

    const OTHER: Delivery = FIRST.of_other_body();

    /// Message 0 is done, and its id comes with another body, which is answered like this.
    fn done_and_answered(reply: crate::terms::Reply) -> Story {
        let mut story = Story::of(2);
        story.smooth(0, 0, FIRST).at(10, 0, OTHER, What::Arrived).answer(12, 0, OTHER, reply);
        story
    }

    /// Every violation of a story.
    fn every(story: &Story) -> Vec<(Violation, Cause)> {
        let found = findings(&Case::new(story.evidence()));
        found.into_iter().map(|finding| (finding.violation, finding.cause)).collect()
    }

    #[test]
    fn accepts_a_refusal_of_the_other_body_and_one_that_may_try_again() {
        for trouble in [Trouble::Refused, Trouble::InProgress, Trouble::Unknown] {
            assert_eq!(every(&done_and_answered(Err(trouble))), [], "{trouble}");
        }
    }

    #[test]
    fn accepts_the_other_body_that_came_first_and_a_refusal_of_the_requests_own() {
        let mut story = Story::of(1);
        story.at(0, 0, OTHER, What::Arrived).raw_entry(0, OTHER, other_body(10, 0)).answer(
            3,
            0,
            OTHER,
            Ok(Answer(1_010)),
        );
        story.answer(10, 0, FIRST, Err(Trouble::Refused));
        assert_eq!(every(&story), []);
        // Nor is it abandoned where clients never retry: somebody else owns the id.
        let mut given_up = Story::of(1);
        given_up.retries = Retries::Never;
        given_up.at(0, 0, OTHER, What::Arrived).raw_entry(0, OTHER, other_body(10, 0));
        given_up.at(9, 0, FIRST, What::GaveUp);
        assert_eq!(every(&given_up), []);
    }

    #[test]
    fn rejects_another_body_that_is_taken_for_the_first() {
        let story = done_and_answered(Ok(Answer(10)));
        assert_eq!(every(&story), [(Violation::Mixed, Cause::OtherBodyAnswered)]);
        // The other way round.
        let mut first = Story::of(1);
        first.raw_entry(0, OTHER, other_body(10, 0)).answer(3, 0, OTHER, Ok(Answer(1_010)));
        first.answer(10, 0, FIRST, Ok(Answer(1_010)));
        assert_eq!(every(&first), [(Violation::Mixed, Cause::OtherBodyAnswered)]);
    }

    #[test]
    fn rejects_both_bodies_done_which_is_no_duplicate_and_not_wrong() {
        let mut story = Story::of(1);
        story.smooth(0, 0, FIRST).raw_entry(0, OTHER, other_body(10, 10)).answer(12, 0, OTHER, Ok(Answer(1_020)));
        assert_eq!(every(&story), [(Violation::Mixed, Cause::BothBodiesDone)]);
        // Whoever does one of them twice on top does a second thing wrong.
        story.raw_entry(0, RETRY, (0, 10, 1_030));
        assert_eq!(story.found(Violation::Duplicate).len(), 1);
        assert_eq!(story.found(Violation::Mixed).len(), 1);
    }

    #[test]
    fn what_nobody_sent_is_wrong_and_not_mixed() {
        let mut story = Story::of(1);
        story.smooth(0, 0, FIRST).raw_entry(0, FIRST, other_body(10, 10));
        let kinds: Vec<Violation> = every(&story).into_iter().map(|(violation, _)| violation).collect();
        assert_eq!(kinds, [Violation::Duplicate, Violation::Wrong]);
    }

    #[test]
    fn a_phantom_success_of_the_other_body_is_lost_and_not_mixed() {
        let mut story = Story::of(1);
        story.at(0, 0, OTHER, What::Arrived).answer(3, 0, OTHER, Ok(Answer(10)));
        assert_eq!(story.found(Violation::Mixed), []);
        assert_eq!(story.found(Violation::Lost).len(), 1);
    }

    #[test]
    fn each_body_is_denied_by_its_own_refusal_alone_and_deviates_from_itself_alone() {
        let mut story = done_and_answered(Err(Trouble::Refused));
        assert_eq!(story.found(Violation::Denied), []);
        assert_eq!(story.found(Violation::Deviating), []);
        story.answer(20, 0, RETRY, Err(Trouble::Refused));
        assert_eq!(story.found(Violation::Denied).len(), 1);
        assert_eq!(story.found(Violation::Deviating).len(), 1);
        let mut other = Story::of(1);
        other.raw_entry(0, OTHER, other_body(10, 0)).answer(3, 0, OTHER, Ok(Answer(1_010)));
        other.answer(10, 0, RETRY.of_other_body(), Err(Trouble::Refused)).answer(12, 0, FIRST, Err(Trouble::Refused));
        assert_eq!(other.found(Violation::Denied).len(), 1);
        assert_eq!(other.found(Violation::Deviating).len(), 1);
        assert_eq!(other.found(Violation::Refused), []);
    }

    #[test]
    fn a_register_that_was_set_to_both_is_mixed_and_nothing_is_reverted() {
        let mut story = Story::of(1);
        story.shape = Shape::Register;
        story.raw_entry(0, FIRST, (0, 10, 10)).raw_entry(0, OTHER, (0, 1_010, 1_010)).raw_entry(0, RETRY, (0, 10, 10));
        story.at(0, 0, OTHER, What::Arrived);
        assert_eq!(every(&story), [(Violation::Mixed, Cause::BothBodiesDone)]);
    }
}
