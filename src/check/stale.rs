//! stale: an effect accepted under a fencing token lower than one already used.

use rustc_hash::FxHashMap;

use super::{Case, Finding, cause};
use crate::terms::{AccountId, Role, Token, Violation};

/// One finding per store and message with an entry whose token is lower than that of an earlier entry of its account.
pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut highest: FxHashMap<(Role, AccountId), Token> = FxHashMap::default();
    let mut findings = Vec::new();
    for entry in case.evidence.ledger {
        let Some(token) = entry.token else { continue };
        let highest = highest.entry((entry.role, entry.account)).or_insert(token);
        if token < *highest {
            findings.push(Finding {
                violation: Violation::Stale,
                message: entry.message,
                cause: cause::of_outdated(case, entry),
                at: Some(entry.role),
                detail: format!("accepted under token {} after token {}", token.0, highest.0),
            });
        }
        *highest = token.max(*highest);
    }
    findings.sort_by_key(|finding| (finding.at, finding.message));
    findings.dedup_by_key(|finding| (finding.at, finding.message));
    findings
}

#[cfg(test)]
mod tests {
    use crate::check::testing::{FIRST, RETRY, Story, apply, called};
    use crate::history::What;
    use crate::terms::{Cause, Violation};

    #[test]
    fn accepts_tokens_that_never_fall() {
        let mut story = Story::of(3);
        story.fenced_entry(0, FIRST, Some(5)).fenced_entry(1, FIRST, Some(5)).entry(2, FIRST).fenced_entry(
            0,
            RETRY,
            Some(7),
        );
        assert_eq!(story.found(Violation::Stale), []);
    }

    #[test]
    fn rejects_a_lower_token_after_a_higher_one() {
        let mut story = Story::of(2);
        let landed = What::Landed { op: apply(1), outcome: None };
        story.at(0, 1, FIRST, called(apply(1), None)).at(9, 1, FIRST, landed);
        story.fenced_entry(0, FIRST, Some(7)).fenced_entry(1, FIRST, Some(5));
        assert_eq!(story.found(Violation::Stale), [(1, Cause::LateLanding)]);
    }
}
