//! abandoned: the client gave up, and the effect is absent.

use super::{Case, Finding};
use crate::terms::{Cause, Violation};

/// One finding per message that its client gave up, that nobody retried after everything had settled, and that is not
/// in the ledger, at each store that keeps effects.
pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let abandoned = |role, message: &_| {
        let told = case.told(*message);
        told.gave_up()
            && !told.success
            && told.refused_at_ns.is_none()
            && told.final_reply.is_none()
            && !case.is_applied_at(role, *message)
    };
    let finding = |role, message| Finding {
        violation: Violation::Abandoned,
        message,
        cause: Cause::NeverRetried,
        at: Some(role),
        detail: "given up, and never applied".to_owned(),
    };
    let mut findings = Vec::new();
    for role in case.evidence.effects {
        findings
            .extend(case.messages().filter(|message| abandoned(*role, message)).map(|message| finding(*role, message)));
    }
    findings
}

#[cfg(test)]
mod tests {
    use crate::check::testing::{FIRST, Story};
    use crate::history::What;
    use crate::terms::{Answer, Cause, Delivery, Retries, Trouble, Violation};

    fn given_up() -> Story {
        let mut story = Story::of(1);
        story.retries = Retries::Never;
        story.at(0, 0, FIRST, What::TimedOut).at(0, 0, FIRST, What::GaveUp);
        story
    }

    #[test]
    fn rejects_what_was_given_up_and_is_absent() {
        assert_eq!(given_up().found(Violation::Abandoned), [(0, Cause::NeverRetried)]);
    }

    #[test]
    fn accepts_what_was_given_up_and_is_there_all_the_same() {
        let mut story = given_up();
        story.entry(0, FIRST);
        assert_eq!(story.found(Violation::Abandoned), []);
    }

    #[test]
    fn accepts_what_the_fault_free_retry_decides() {
        let mut story = given_up();
        story.answer(9, 0, Delivery::FINAL, Ok(Answer(10)));
        assert_eq!(story.found(Violation::Abandoned), []);
    }

    #[test]
    fn accepts_what_nobody_gave_up_and_what_was_told_success_or_refused_before() {
        assert_eq!(Story::of(1).found(Violation::Abandoned), []);
        for reply in [Ok(Answer(10)), Err(Trouble::Refused)] {
            let mut story = Story::of(1);
            story.retries = Retries::Never;
            story.answer(0, 0, FIRST, reply).at(5, 0, FIRST, What::GaveUp);
            assert_eq!(story.found(Violation::Abandoned), [], "{reply:?}");
        }
    }
}
