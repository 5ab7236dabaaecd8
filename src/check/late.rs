//! late: the effect was applied after the client had been told that it failed.

use super::{Case, Cause, Finding, Violation};
use crate::backend::Entry;
use crate::history::{Event, What};
use crate::world::{Delivery, MessageId, OpKind};

/// One finding per message with an effect whose operation began after its client had taken it to have failed.
pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let late = case.messages().filter_map(|message| {
        let failed_at_ns = case.told(message).failed_at_ns?;
        let mut entries = case.entries_of(message).filter(|entry| entry.by != Delivery::FINAL);
        let after = entries.find_map(|entry| began_after(case, message, entry, failed_at_ns))?;
        Some(Finding {
            violation: Violation::Late,
            message,
            cause: Cause::LateLanding,
            detail: format!("applied {} µs after the client had been told that it failed", after / 1_000),
        })
    });
    late.collect()
}

/// By how many nanoseconds the application of an entry began after this moment, if it did. An operation that was under
/// way at that moment may have been applied before it: that is no proof.
fn began_after(case: &Case<'_>, message: MessageId, entry: &Entry, moment_ns: u64) -> Option<u64> {
    let applications = case.events_of(message).filter(|event| event.delivery == entry.by && may_apply(event));
    // The last one is the commit, where the effect was part of a transaction.
    applications.last()?.at_ns.checked_sub(moment_ns)
}

fn may_apply(event: &Event) -> bool {
    let kind = match event.what {
        What::Called { op, .. } | What::Landed { op, .. } => op.kind(),
        _ => return false,
    };
    matches!(kind, OpKind::Apply | OpKind::ApplyUnderLease | OpKind::ClaimAndApply | OpKind::Commit)
}

#[cfg(test)]
mod tests {
    use crate::check::testing::{FIRST, RETRY, Story, apply};
    use crate::check::{Cause, Violation};
    use crate::history::What;
    use crate::strategy::Retries;
    use crate::world::{Answer, Delivery, Outcome, Response, Trouble};

    /// A client that never retries gave up at 50 µs.
    fn given_up() -> Story {
        let mut story = Story::of(1);
        story.retries = Retries::Never;
        story
    }

    const APPLIED: Response = Response::Applied(Some(Answer(10)));

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
    fn accepts_an_operation_that_was_under_way_when_the_client_gave_up() {
        let mut story = given_up();
        story.done(49, 0, FIRST, apply(0), APPLIED).entry(0, FIRST).at(50, 0, FIRST, What::GaveUp);
        assert_eq!(story.found(Violation::Late), []);
    }

    #[test]
    fn rejects_an_effect_after_a_final_refusal_and_accepts_one_after_try_again() {
        for (trouble, late) in [(Trouble::Refused, 1), (Trouble::Unknown, 0), (Trouble::InProgress, 0)] {
            let mut story = Story::of(1);
            story.answer(10, 0, FIRST, Err(trouble)).done(20, 0, RETRY, apply(0), APPLIED).entry(0, RETRY);
            assert_eq!(story.found(Violation::Late).len(), late, "{trouble}");
        }
    }

    #[test]
    fn the_labs_own_last_retry_is_never_late() {
        let mut story = Story::of(1);
        story.answer(10, 0, FIRST, Err(Trouble::Refused)).done(20, 0, Delivery::FINAL, apply(0), APPLIED);
        story.entry(0, Delivery::FINAL);
        assert_eq!(story.found(Violation::Late), []);
    }
}
