//! duplicate: the ledger holds the effect more than once.

use super::{Case, Finding, cause};
use crate::terms::{Shape, Violation};

/// One finding per store and message whose effect is in the store's ledger more than once. What another body asked for under the
/// message's id is another effect: that there are both is [`Violation::Mixed`]. To set the same value once more is no
/// second effect: what it undoes is [`Violation::Reverted`].
pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if case.evidence.shape == Shape::Register {
        return findings;
    }
    for role in case.stores() {
        let twice = case.messages().filter_map(|message| {
            case.entries_at(role, message).nth(1)?;
            let of_body =
                |other| case.entries_at(role, message).filter(move |entry| case.is_of_other_body(entry) == other);
            let (first, second) = [false, true].into_iter().find_map(|other| {
                let mut entries = of_body(other);
                Some((entries.next()?, entries.next()?))
            })?;
            let times = of_body(case.is_of_other_body(first)).count();
            Some(Finding {
                violation: Violation::Duplicate,
                message,
                cause: cause::of_second_application(case, first, second),
                at: Some(role),
                detail: format!("applied {times} times, by deliveries {} and {}", first.by, second.by),
            })
        });
        findings.extend(twice);
    }
    findings
}

#[cfg(test)]
mod tests {
    use crate::check::testing::{COPY, FIRST, RETRY, Story};
    use crate::terms::{Cause, Shape, Violation};

    #[test]
    fn accepts_one_effect_per_message() {
        let mut story = Story::of(3);
        for n in 0..3 {
            story.smooth(u64::from(n) * 10, n, FIRST);
        }
        assert_eq!(story.found(Violation::Duplicate), []);
    }

    #[test]
    fn rejects_a_planted_duplicate() {
        let mut story = Story::of(3);
        for n in 0..3 {
            story.smooth(u64::from(n) * 10, n, FIRST);
        }
        story.smooth(40, 1, RETRY);
        assert_eq!(story.found(Violation::Duplicate), [(1, Cause::Redelivery)]);
    }

    #[test]
    fn counts_a_message_once_however_often_it_was_applied() {
        let mut story = Story::of(1);
        story.smooth(0, 0, FIRST).smooth(10, 0, COPY).smooth(20, 0, RETRY);
        assert_eq!(story.found(Violation::Duplicate).len(), 1);
    }

    #[test]
    fn a_value_that_is_set_once_more_is_no_duplicate() {
        let mut story = Story::of(1);
        story.smooth(0, 0, FIRST).smooth(10, 0, RETRY);
        assert_eq!(story.found(Violation::Duplicate).len(), 1);
        story.shape = Shape::Register;
        assert_eq!(story.found(Violation::Duplicate), []);
    }
}
