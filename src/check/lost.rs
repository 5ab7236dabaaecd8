//! lost: told success without an effect, with one that was overwritten, or an effect that cannot be had any more.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Case, Finding, cause, forgotten};
use crate::terms::{AccountId, Answer, ByRole, Cause, Entry, MessageId, Role, Trouble, Violation};

/// Whether a message is not in the ledger of a store that keeps effects although its client was told success, or although a fault-free retry after
/// everything had settled came back with a failure; or its effect is there, and another was written over it. A retry whose
/// outcome is unknown decides nothing, one that is told to wait is [`Violation::Stuck`], and one that is refused for good is
/// [`Violation::Refused`].
pub(super) fn of(case: &Case<'_>, survivors: &Survivors, role: Role, message: MessageId) -> Option<Finding> {
    let told = case.told(message);
    let success = told.success || case.told_other(message).is_some_and(|other| other.success);
    let finding = |cause, detail| Some(Finding { violation: Violation::Lost, message, cause, at: Some(role), detail });
    if case.is_applied_at(role, message) {
        let is_overwritten = success && !survivors.include_any_of(case, role, message);
        let detail = "told success, and a later update had read the balance before it";
        return is_overwritten.then(|| finding(Cause::LostUpdate, detail.to_owned())).flatten();
    }
    if !case.keeps_effects(role) {
        return None;
    }
    let detail = match told.final_reply {
        _ if success => "told success, and the ledger does not hold it".to_owned(),
        Some(Err(Trouble::Failed(failure))) => format!("a fault-free retry failed: {failure}"),
        Some(Ok(Answer(_)) | Err(Trouble::Unknown | Trouble::InProgress | Trouble::Refused)) | None => return None,
    };
    let is_forgotten = success && forgotten::is_effect_gone(case, role, message);
    finding(if is_forgotten { Cause::ServerForgot } else { cause::of_unfinished(case, message) }, detail)
}

/// The entries of each store, by number, that the final balances are made of; none if nothing is ever overwritten, and then all are.
pub(super) struct Survivors(Option<ByRole<FxHashSet<u64>>>);

impl Survivors {
    /// The survivors of a trial. Whoever adds to what is there loses nothing.
    pub fn of(case: &Case<'_>) -> Self {
        Survivors(case.has_overwrites().then(|| ByRole::new(|role| surviving(case.ledger_of(role)))))
    }

    fn include_any_of(&self, case: &Case<'_>, role: Role, message: MessageId) -> bool {
        let survives = |numbers: &ByRole<FxHashSet<u64>>| {
            case.entries_at(role, message).any(|entry| numbers[role].contains(&entry.number))
        };
        self.0.as_ref().is_none_or(survives)
    }
}

/// Each entry was written over the newest one before it that left the balance which it had read; so the way back from an
/// account's last entry leads through all that survive.
fn surviving(ledger: &[Entry]) -> FxHashSet<u64> {
    let mut before: FxHashMap<AccountId, FxHashMap<i64, usize>> = FxHashMap::default();
    let mut last: FxHashMap<AccountId, usize> = FxHashMap::default();
    let mut read: Vec<Option<usize>> = Vec::with_capacity(ledger.len());
    for (index, entry) in ledger.iter().enumerate() {
        let balances = before.entry(entry.account).or_default();
        read.push(balances.get(&entry.balance.wrapping_sub(entry.amount)).copied());
        balances.insert(entry.balance, index);
        last.insert(entry.account, index);
    }
    let ways_back = last.into_values().flat_map(|last| std::iter::successors(Some(last), |index| read[*index]));
    ways_back.map(|index| ledger[index].number).collect()
}

#[cfg(test)]
mod tests {
    use crate::check::testing::{FIRST, Story, request};
    use crate::check::{Case, findings};
    use crate::history::What;
    use crate::service::store::{StoreOp, StoreResponse};
    use crate::terms::{Answer, Cause, Delivery, Failure, Trouble, Violation};
    use crate::world::Response;

    /// A message whose client gave up, and whose fault-free retry came back with this.
    fn retried(reply: crate::terms::Reply) -> Story {
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

    /// Messages that write back a balance plus their ten, each over what an earlier one left.
    fn overwriting(balances: &[i64]) -> Story {
        let mut story = Story::of(u32::try_from(balances.len()).unwrap());
        for (n, balance) in (0_u32..).zip(balances) {
            let op = StoreOp::overwrite(&request(n), Answer(balance - 10)).into();
            story.done(
                u64::from(n) * 10,
                n,
                FIRST,
                op,
                Response::Store(StoreResponse::Applied(Some(Answer(*balance)))),
            );
            story.entry_with(n, FIRST, None, *balance).answer(u64::from(n) * 10 + 2, n, FIRST, Ok(Answer(*balance)));
        }
        story
    }

    #[test]
    fn accepts_updates_that_are_each_written_over_the_last() {
        assert_eq!(overwriting(&[10, 20, 30]).found(Violation::Lost), []);
    }

    #[test]
    fn rejects_a_planted_lost_update() {
        // The third had read 10, so the second, which had made it 20, is lost; the fourth goes on from the third.
        let lost = overwriting(&[10, 20, 20, 30]).found(Violation::Lost);
        assert_eq!(lost, [(1, Cause::LostUpdate)]);
    }

    #[test]
    fn an_update_that_nobody_was_told_of_is_no_loss() {
        let mut story = overwriting(&[10]);
        story.entry_with(0, FIRST, None, 10);
        assert_eq!(story.found(Violation::Lost), []);
    }

    #[test]
    fn where_nothing_is_overwritten_a_balance_that_was_changed_loses_nothing() {
        // Something subtracted five between the two effects: that is wrong, and neither is lost.
        let mut story = Story::of(2);
        story.raw_entry(0, FIRST, (0, 10, 10)).answer(3, 0, FIRST, Ok(Answer(10)));
        story.raw_entry(1, FIRST, (0, 10, 15)).answer(9, 1, FIRST, Ok(Answer(15)));
        assert_eq!(story.found(Violation::Lost), []);
        assert_eq!(story.found(Violation::Wrong).len(), 1);
    }

    #[test]
    fn says_what_was_told_or_why_the_last_retry_failed() {
        let detail = |story: &Story| {
            let found = findings(&Case::new(story.evidence()));
            assert_eq!(found.len(), 1, "{found:?}");
            found[0].detail.clone()
        };
        let mut phantom = Story::of(1);
        phantom.answer(3, 0, FIRST, Ok(Answer(10)));
        assert_eq!(detail(&phantom), "told success, and the ledger does not hold it");
        let failed = retried(Err(Trouble::Failed(Failure::StaleToken)));
        assert_eq!(detail(&failed), "a fault-free retry failed: stale_token");
    }
}
