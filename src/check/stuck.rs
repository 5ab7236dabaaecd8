//! stuck: a marker or claim stays unfinished: the fault-free retry is told that somebody is at work, and nobody is.

use super::{Case, Finding, cause};
use crate::terms::{MessageId, Trouble, Violation};

/// Whether the fault-free retry of a message, after everything had settled, was told that somebody is at work on it.
pub(super) fn of(case: &Case<'_>, message: MessageId) -> Option<Finding> {
    let told = std::iter::once(case.told(message)).chain(case.told_other(message));
    let mut last_replies = told.map(|told| told.final_reply);
    last_replies.any(|reply| reply == Some(Err(Trouble::InProgress))).then(|| Finding {
        violation: Violation::Stuck,
        message,
        cause: cause::of_unfinished(case, message),
        at: None,
        detail: "a fault-free retry is told that somebody is at work on it, and nobody is".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use crate::check::testing::{FIRST, RETRY, Story};
    use crate::history::What;
    use crate::terms::{Answer, Cause, Delivery, Trouble, Violation};

    #[test]
    fn rejects_a_message_whose_last_retry_is_told_to_wait() {
        let mut story = Story::of(1);
        story.at(0, 0, FIRST, What::Crashed).at(5, 0, FIRST, What::GaveUp);
        story.answer(9, 0, Delivery::FINAL, Err(Trouble::InProgress));
        assert_eq!(story.found(Violation::Stuck), [(0, Cause::CrashBetweenStores)]);
    }

    #[test]
    fn accepts_a_message_that_was_told_to_wait_and_then_answered() {
        let mut story = Story::of(1);
        story.answer(0, 0, FIRST, Err(Trouble::InProgress)).answer(5, 0, RETRY, Ok(Answer(10))).entry(0, RETRY);
        assert_eq!(story.found(Violation::Stuck), []);
    }
}
