//! lost: told success without an effect, or an effect that cannot be had any more.

use super::{Case, Finding, Violation, cause};
use crate::world::{Answer, Trouble};

/// One finding per message that is not in the ledger although its client was told success, or although a fault-free
/// retry after everything had settled came back with a failure. A retry whose outcome is unknown decides nothing, one
/// that is told to wait is [`Violation::Stuck`], and one that is refused for good has its answer.
pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let lost = case.messages().filter(|message| !case.is_applied(*message)).filter_map(|message| {
        let told = case.told(message);
        let detail = match told.final_reply {
            _ if told.success => "told success, and the ledger does not hold it".to_owned(),
            Some(Err(Trouble::Failed(failure))) => format!("a fault-free retry failed: {failure}"),
            Some(Ok(Answer(_)) | Err(Trouble::Unknown | Trouble::InProgress | Trouble::Refused)) | None => return None,
        };
        Some(Finding { violation: Violation::Lost, message, cause: cause::of_unfinished(case, message), detail })
    });
    lost.collect()
}

#[cfg(test)]
mod tests {
    use crate::check::testing::{FIRST, Story};
    use crate::check::{Cause, Violation};
    use crate::history::What;
    use crate::world::{Answer, Delivery, Failure, Trouble};

    /// A message whose client gave up, and whose fault-free retry came back with this.
    fn retried(reply: crate::world::Reply) -> Story {
        let mut story = Story::of(1);
        story.at(0, 0, FIRST, What::GaveUp).answer(10, 0, Delivery::FINAL, reply);
        story
    }

    #[test]
    fn accepts_a_success_that_the_ledger_holds() {
        let mut story = Story::of(1);
        story.smooth(0, 0, FIRST);
        assert_eq!(story.found(Violation::Lost), []);
    }

    #[test]
    fn rejects_a_planted_phantom_success() {
        let mut story = Story::of(2);
        story.smooth(0, 0, FIRST).answer(10, 1, FIRST, Ok(Answer(20)));
        assert_eq!(story.found(Violation::Lost), [(1, Cause::Unexplained)]);
    }

    #[test]
    fn rejects_an_effect_that_a_fault_free_retry_cannot_get() {
        let story = retried(Err(Trouble::Failed(Failure::StaleToken)));
        assert_eq!(story.found(Violation::Lost).len(), 1);
    }

    #[test]
    fn leaves_to_others_what_is_unknown_in_progress_or_refused() {
        for trouble in [Trouble::Unknown, Trouble::InProgress, Trouble::Refused] {
            assert_eq!(retried(Err(trouble)).found(Violation::Lost), [], "{trouble}");
        }
    }

    #[test]
    fn a_failed_retry_of_an_applied_effect_is_no_loss() {
        let mut story = retried(Err(Trouble::Failed(Failure::Busy)));
        story.entry(0, FIRST);
        assert_eq!(story.found(Violation::Lost), []);
    }
}
