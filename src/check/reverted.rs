//! reverted: a late duplicate undid a newer request's state.

use rustc_hash::FxHashMap;

use super::{Case, Finding, cause};
use crate::terms::{AccountId, Entry, MessageId, Role, Shape, Violation};

/// One finding per store and message that was applied again after another message had been applied to its account, and that put
/// the account back into the state in which its first application had left it.
///
/// An effect that adds a positive amount can be a duplicate and never reverts; one that sets a state can do both. An entry that is all
/// that there is sets none.
pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    if case.evidence.shape == Shape::Entry {
        return Vec::new();
    }
    let mut firsts: FxHashMap<(Role, MessageId, bool), &Entry> = FxHashMap::default();
    let mut latest: FxHashMap<(Role, AccountId), &Entry> = FxHashMap::default();
    let mut findings = Vec::new();
    for entry in case.evidence.ledger {
        let before = latest.insert((entry.role, entry.account), entry);
        let of = (entry.role, entry.message, case.is_of_other_body(entry));
        let Some(first) = firsts.get(&of) else {
            firsts.insert(of, entry);
            continue;
        };
        let undid_another = first.account == entry.account
            && before.is_some_and(|before| before.message != entry.message && before.number > first.number)
            && before.is_some_and(|before| before.balance != entry.balance);
        if undid_another && entry.balance == first.balance {
            findings.push(Finding {
                violation: Violation::Reverted,
                message: entry.message,
                cause: cause::of_second_application(case, first, entry),
                at: Some(entry.role),
                detail: format!("entry {} put account {} back to {}", entry.number, entry.account.0, entry.balance),
            });
        }
    }
    findings.sort_by_key(|finding| (finding.at, finding.message));
    findings.dedup_by_key(|finding| (finding.at, finding.message));
    findings
}

#[cfg(test)]
mod tests {
    use crate::check::testing::{COPY, FIRST, RETRY, Story};
    use crate::terms::{Shape, Violation};

    #[test]
    fn rejects_a_duplicate_that_puts_the_old_state_back() {
        // Message 0 sets 10, message 1 sets 20, and message 0 sets 10 again.
        let mut story = Story::of(2);
        story.entry_with(0, FIRST, None, 10).entry_with(1, FIRST, None, 20).entry_with(0, RETRY, None, 10);
        assert_eq!(story.found(Violation::Reverted).iter().map(|(n, _)| *n).collect::<Vec<_>>(), [0]);
        // Where entries are all that there is, nothing was set that could be put back.
        story.shape = Shape::Entry;
        assert_eq!(story.found(Violation::Reverted), []);
    }

    #[test]
    fn accepts_the_same_balance_on_another_account() {
        let mut story = Story::of(2);
        story.raw_entry(0, FIRST, (0, 10, 10)).raw_entry(1, FIRST, (1, 10, 10)).raw_entry(0, RETRY, (1, 0, 10));
        assert_eq!(story.found(Violation::Reverted), []);
    }

    #[test]
    fn accepts_a_duplicate_that_comes_at_once_or_adds_up() {
        let mut at_once = Story::of(2);
        at_once.entry_with(0, FIRST, None, 10).entry_with(0, RETRY, None, 10).entry_with(1, FIRST, None, 20);
        assert_eq!(at_once.found(Violation::Reverted), []);
        let mut adds_up = Story::of(2);
        adds_up.entry_with(0, FIRST, None, 10).entry_with(1, FIRST, None, 20).entry_with(0, RETRY, None, 30);
        assert_eq!(adds_up.found(Violation::Reverted), []);
    }

    #[test]
    fn accepts_a_third_application_in_a_row_and_another_message_that_came_before() {
        let mut in_a_row = Story::of(1);
        in_a_row.entry_with(0, FIRST, None, 10).entry_with(0, COPY, None, 10).entry_with(0, RETRY, None, 10);
        assert_eq!(in_a_row.found(Violation::Reverted), []);
        // Message 1 sets account 0; message 0 sets account 1, and then account 0, which it had never set.
        let mut before = Story::of(2);
        before.raw_entry(1, FIRST, (0, 10, 10)).raw_entry(0, FIRST, (1, 10, 10)).raw_entry(0, RETRY, (0, 0, 10));
        assert_eq!(before.found(Violation::Reverted), []);
    }
}
