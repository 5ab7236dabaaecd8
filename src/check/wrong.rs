//! wrong: what was done is not what was asked for.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Case, Finding};
use crate::terms::{AccountId, Cause, Entry, MessageId, Role, Shape, Violation};
use crate::world::Op;

/// One finding per store and message whose effect or balance is not what it should be, and one per message whose answer is not.
///
/// An entry has the account and the amount of its request, or of the other body that came with the request's id. The balances of an account's entries chain: each is the one before it
/// plus the entry's amount. The account's last balance is the chain's end. An answer is the balance of one of the message's entries,
/// at whichever store.
/// Where there is no entry at all, an answer is judged by [`Violation::Lost`]. An entry that sets a value has the value that was asked
/// for, or none; one that changes no account has what was answered in place of a balance.
pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for role in case.stores() {
        let mut chains = Chains::default();
        for entry in case.ledger_of(role) {
            findings.extend(against_request(case, entry));
            findings.extend(chains.follow(case, entry));
        }
        findings.extend(against_balances(case, role, &chains));
    }
    let odd = |message| {
        let answer = case.told(message).odd_answer?;
        let detail = format!("answered {}, which no effect of the message gave", answer.0);
        Some(Finding { at: None, ..finding(Role::STORE, message, Cause::OtherAnswer, detail) })
    };
    let mut seen = FxHashSet::default();
    findings.retain(|finding: &Finding| seen.insert((finding.at, finding.message)));
    let is_known = |message: MessageId| case.stores().any(|role| seen.contains(&(Some(role), message)));
    findings.extend(case.messages().filter_map(odd).filter(|odd| !is_known(odd.message)));
    findings.sort_by_key(|finding| (finding.at, finding.message));
    findings
}

fn finding(role: Role, message: MessageId, cause: Cause, detail: String) -> Finding {
    Finding { violation: Violation::Wrong, message, cause, at: Some(role), detail }
}

/// An entry against the request that it is for.
fn against_request(case: &Case<'_>, entry: &Entry) -> Option<Finding> {
    let Some(request) = case.request(entry.message) else {
        let detail = format!("entry {} has a message id that no client sent", entry.number);
        return Some(finding(entry.role, entry.message, Cause::NeverAskedFor, detail));
    };
    let effect = request.effect;
    let is_right = entry.account == effect.account && entry.amount == i64::from(effect.amount);
    (!is_right && !case.is_of_other_body(entry)).then(|| {
        let detail = format!(
            "asked for {:+} to account {}, and entry {} is {:+} to account {}",
            effect.amount, effect.account.0, entry.number, entry.amount, entry.account.0
        );
        finding(entry.role, entry.message, Cause::OtherEffect, detail)
    })
}

/// The last entry of each account. Every account begins with a balance of 0.
#[derive(Default)]
struct Chains<'a> {
    last: FxHashMap<AccountId, &'a Entry>,
    /// Every balance that an account has had, where effects may be written over others.
    had: FxHashSet<(AccountId, i64)>,
}

impl<'a> Chains<'a> {
    /// Whether an entry goes on from the last balance of its account.
    fn follow(&mut self, case: &Case<'_>, entry: &'a Entry) -> Option<Finding> {
        let before = self.last.insert(entry.account, entry).map_or(0, |last| last.balance);
        match case.evidence.shape {
            Shape::Account => {}
            Shape::Entry => return None,
            Shape::Register => return not_as_set(entry),
        }
        // Amounts and balances are whatever the store holds: no sum of them may overflow.
        let chains = entry.balance.checked_sub(before) == Some(entry.amount);
        let base = entry.balance.checked_sub(entry.amount);
        let was_there = |base: i64| base == 0 || self.had.contains(&(entry.account, base));
        let is_exempt = !chains && base.is_some_and(was_there) && is_overwrite(case, entry);
        if case.has_overwrites() {
            self.had.insert((entry.account, entry.balance));
        }
        (!chains && !is_exempt).then(|| {
            let detail = format!(
                "entry {} makes {} of account {} by {:+}, and the balance before it was {before}",
                entry.number, entry.balance, entry.account.0, entry.amount
            );
            finding(entry.role, entry.message, Cause::BrokenChain, detail)
        })
    }

    fn end(&self, account: AccountId) -> i64 {
        self.last.get(&account).map_or(0, |last| last.balance)
    }
}

/// An entry of a value that is neither the one that was asked for nor none.
fn not_as_set(entry: &Entry) -> Option<Finding> {
    (entry.balance != entry.amount && entry.balance != 0).then(|| {
        let detail = format!(
            "entry {} sets {} of key {}, and {} was asked for",
            entry.number, entry.balance, entry.account.0, entry.amount
        );
        finding(entry.role, entry.message, Cause::BrokenChain, detail)
    })
}

/// Whether an operation made this entry that sets a balance to what it had read plus the amount: its chain may break, and what
/// is lost by that is [`Violation::Lost`].
fn is_overwrite(case: &Case<'_>, entry: &Entry) -> bool {
    case.has_overwrites()
        && case.events_of(entry.message).filter(|event| event.delivery == entry.by).any(|event| {
            let is_it = |op: Op| op.role == entry.role && op.overwrites_with() == Some(entry.balance);
            event.what.op().is_some_and(is_it)
        })
}

/// The accounts' last balances against the ends of their chains, where they were recorded. Whoever is at fault for one that
/// differs is not known: the message of the account's last entry is named, or else one that asks for the account.
fn against_balances(case: &Case<'_>, role: Role, chains: &Chains<'_>) -> Vec<Finding> {
    let Some(balances) =
        case.evidence.balances.filter(|_| case.evidence.shape != Shape::Entry).map(|balances| &balances[role])
    else {
        return Vec::new();
    };
    let recorded: FxHashMap<AccountId, i64> = balances.iter().copied().collect();
    let asked = |account: AccountId| case.evidence.requests.iter().find(|request| request.effect.account == account);
    let differ = |account: AccountId, balance: Option<i64>| {
        let end = chains.end(account);
        if balance == Some(end) {
            return None;
        }
        let last = chains.last.get(&account).map(|entry| entry.message);
        let message = last.or_else(|| asked(account).map(|request| request.id)).unwrap_or(MessageId(0));
        let found = balance.map_or("gone".to_owned(), |balance| format!("{balance}"));
        let detail = format!("the last balance of account {} is {found}, and its entries come to {end}", account.0);
        Some(finding(role, message, Cause::BrokenChain, detail))
    };
    let there = balances.iter().filter_map(|(account, balance)| differ(*account, Some(*balance)));
    let mut gone: Vec<AccountId> =
        chains.last.keys().filter(|account| !recorded.contains_key(account)).copied().collect();
    gone.sort_unstable();
    there.chain(gone.into_iter().filter_map(|account| differ(account, None))).collect()
}

#[cfg(test)]
mod tests {
    use crate::check::testing::{COPY, FIRST, RETRY, Story, request};
    use crate::check::{Case, Evidence};
    use crate::history::What;
    use crate::service::store::{StoreOp, StoreResponse};
    use crate::terms::{AccountId, Answer, Cause, MessageId, Shape, Violation};
    use crate::world::Response;

    fn wrong(story: &Story) -> Vec<(u32, Cause)> {
        story.found(Violation::Wrong)
    }

    /// Three messages, each applied once by an honest strategy.
    fn honest() -> Story {
        let mut story = Story::of(3);
        story.smooth(0, 0, FIRST).smooth(10, 1, FIRST).smooth(20, 2, FIRST);
        story
    }

    #[test]
    fn accepts_honest_entries_answers_and_balances() {
        let mut story = honest();
        assert_eq!(wrong(&story), []);
        story.balances(&[(0, 30), (1, 0)]);
        assert_eq!(wrong(&story), []);
        // A duplicate is one violation, and not another: the chain goes on.
        story.smooth(30, 1, RETRY).balances(&[(0, 40)]);
        assert_eq!(wrong(&story), []);
    }

    #[test]
    fn rejects_another_amount_and_another_account() {
        let mut amount = Story::of(1);
        amount.raw_entry(0, FIRST, (0, 20, 20));
        assert_eq!(wrong(&amount), [(0, Cause::OtherEffect)]);
        let mut account = Story::of(1);
        account.raw_entry(0, FIRST, (1, 10, 10));
        assert_eq!(wrong(&account), [(0, Cause::OtherEffect)]);
    }

    #[test]
    fn rejects_an_id_that_no_client_sent() {
        let mut story = honest();
        story.raw_entry(u32::MAX, FIRST, (0, 10, 40));
        assert_eq!(wrong(&story), [(u32::MAX, Cause::NeverAskedFor)]);
    }

    #[test]
    fn rejects_balances_that_do_not_chain() {
        // Something subtracted five between the two.
        let mut story = Story::of(2);
        story.raw_entry(0, FIRST, (0, 10, 10)).raw_entry(1, FIRST, (0, 10, 15));
        assert_eq!(wrong(&story), [(1, Cause::BrokenChain)]);
        // The first entry goes on from zero.
        let mut first = Story::of(1);
        first.raw_entry(0, FIRST, (0, 10, 11));
        assert_eq!(wrong(&first), [(0, Cause::BrokenChain)]);
        // Other accounts have chains of their own.
        let mut other = Story::of(2);
        other.raw_entry(0, FIRST, (0, 10, 10)).raw_entry(1, FIRST, (7, 10, 20));
        assert_eq!(wrong(&other), [(1, Cause::OtherEffect)]);
    }

    #[test]
    fn sums_that_overflow_do_not_chain() {
        let mut story = Story::of(2);
        story.raw_entry(0, FIRST, (0, i64::MAX, i64::MAX)).raw_entry(1, FIRST, (0, 10, i64::MIN));
        assert_eq!(wrong(&story), [(0, Cause::OtherEffect), (1, Cause::BrokenChain)]);
    }

    #[test]
    fn rejects_a_last_balance_that_is_not_the_chains_end() {
        for (balances, message) in [([(0, 35), (1, 0)], 2), ([(0, 30), (1, 5)], 0)] {
            let mut story = honest();
            story.balances(&balances);
            assert_eq!(wrong(&story), [(message, Cause::BrokenChain)], "{balances:?}");
        }
        let mut gone = honest();
        gone.balances(&[(1, 0)]);
        assert_eq!(wrong(&gone), [(2, Cause::BrokenChain)]);
        let mut never = Story::of(2);
        never.balances(&[(0, 10)]);
        assert_eq!(wrong(&never), [(0, Cause::BrokenChain)]);
    }

    #[test]
    fn an_entry_by_overwrite_must_go_on_from_a_balance_that_there_was() {
        for (base, found) in [(0, vec![]), (10, vec![]), (1_000, vec![(1, Cause::BrokenChain)])] {
            let mut story = Story::of(3);
            story.raw_entry(0, FIRST, (0, 10, 10)).raw_entry(2, FIRST, (0, 10, 20));
            let op = StoreOp::overwrite(&request(1), Answer(base)).into();
            story.done(5, 1, FIRST, op, Response::Store(StoreResponse::Applied(Some(Answer(base + 10)))));
            story.raw_entry(1, FIRST, (0, 10, base + 10));
            assert_eq!(wrong(&story), found, "{base}");
        }
    }

    #[test]
    fn an_entry_by_overwrite_need_not_chain_and_its_account_still_ends_there() {
        let mut story = Story::of(2);
        story.raw_entry(0, FIRST, (0, 10, 10));
        let op = StoreOp::overwrite(&request(1), Answer(0)).into();
        story.done(5, 1, FIRST, op, Response::Store(StoreResponse::Applied(Some(Answer(10))))).raw_entry(
            1,
            FIRST,
            (0, 10, 10),
        );
        story.balances(&[(0, 10)]);
        assert_eq!(wrong(&story), []);
        story.balances(&[(0, 20)]);
        assert_eq!(wrong(&story), [(1, Cause::BrokenChain)]);
        // The entry of another delivery of the same message is not the operation's.
        story.balances(&[(0, 15)]).raw_entry(1, COPY, (0, 10, 15));
        assert_eq!(wrong(&story), [(1, Cause::BrokenChain)]);
        // Nor is one with another balance.
        let mut other = Story::of(1);
        let landed = What::Landed { op: StoreOp::overwrite(&request(0), Answer(5)).into(), outcome: None };
        other.at(5, 0, FIRST, landed).raw_entry(0, FIRST, (0, 10, 16));
        assert_eq!(wrong(&other), [(0, Cause::BrokenChain)]);
    }

    #[test]
    fn rejects_an_answer_that_no_effect_of_the_message_gave() {
        let mut story = honest();
        story.at(40, 1, RETRY, What::Answered { reply: Ok(Answer(30)), heard: false });
        assert_eq!(wrong(&story), [(1, Cause::OtherAnswer)]);
    }

    #[test]
    fn an_answer_without_any_effect_is_lost_and_not_wrong() {
        let mut story = Story::of(1);
        story.answer(3, 0, FIRST, Ok(Answer(10)));
        assert_eq!(wrong(&story), []);
        assert_eq!(story.found(Violation::Lost).len(), 1);
    }

    #[test]
    fn one_message_is_wrong_once() {
        let mut story = Story::of(1);
        story.raw_entry(0, FIRST, (3, 20, 25)).answer(5, 0, FIRST, Ok(Answer(7))).balances(&[(3, 0)]);
        assert_eq!(wrong(&story).len(), 1);
        assert_eq!(request(0).effect.account, AccountId(0));
        assert_eq!(request(0).id, MessageId(0));
    }

    #[test]
    fn a_balance_without_entries_names_a_message_that_asks_for_its_account() {
        let mut requests = [request(0), request(1), request(2)];
        requests[1].effect.account = AccountId(4);
        requests[2].effect.account = AccountId(4);
        let mut story = Story::of(3);
        story.balances(&[(0, 0), (4, 5)]);
        let case = Case::new(Evidence { requests: &requests, ..story.evidence() });
        let found: Vec<(u32, Cause)> = super::find(&case).iter().map(|found| (found.message.0, found.cause)).collect();
        assert_eq!(found, [(1, Cause::BrokenChain)]);
    }

    #[test]
    fn an_entry_that_goes_on_from_an_earlier_balance_is_exempt_only_by_an_overwrite_of_its_own() {
        let mut none = Story::of(2);
        none.raw_entry(0, FIRST, (0, 10, 10)).raw_entry(1, FIRST, (0, 10, 10));
        assert_eq!(wrong(&none), [(1, Cause::BrokenChain)]);
        let mut others = Story::of(3);
        let op = StoreOp::overwrite(&request(1), Answer(10)).into();
        others.raw_entry(0, FIRST, (0, 10, 10)).done(
            5,
            1,
            FIRST,
            op,
            Response::Store(StoreResponse::Applied(Some(Answer(20)))),
        );
        others.raw_entry(1, FIRST, (0, 10, 20));
        assert_eq!(wrong(&others), []);
        others.raw_entry(2, FIRST, (0, 10, 20));
        assert_eq!(wrong(&others), [(2, Cause::BrokenChain)]);
        others.raw_entry(1, COPY, (0, 10, 20));
        assert_eq!(wrong(&others), [(1, Cause::BrokenChain), (2, Cause::BrokenChain)]);
    }

    #[test]
    fn a_register_holds_what_was_asked_for_or_nothing_and_an_entry_has_no_balance() {
        // Asked for +10: set to 10, deleted, and set to something else.
        for (balance, found) in [(10, vec![]), (0, vec![]), (7, vec![(0, Cause::BrokenChain)])] {
            let mut story = Story::of(1);
            story.shape = Shape::Register;
            story.raw_entry(0, FIRST, (0, 10, balance)).balances(&[(0, balance)]);
            assert_eq!(wrong(&story), found, "{balance}");
        }
        let mut entries = Story::of(2);
        entries.raw_entry(0, FIRST, (0, 10, 0)).raw_entry(1, FIRST, (0, 10, 0)).balances(&[(0, 5)]);
        assert_eq!(wrong(&entries).len(), 2, "of an account it would be wrong");
        entries.shape = Shape::Entry;
        assert_eq!(wrong(&entries), []);
    }
}
