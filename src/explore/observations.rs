//! What has been seen of a schedule, as far as a verdict on it can depend on it.
//!
//! Two schedules with the same of it are judged alike. It judges nothing itself: that is done by the checks, on one schedule
//! for each different [`Seen`].

use std::num::NonZeroI64;

use crate::terms::{AccountId, Answer, ByRole, MessageId, Reply, Request, Role, Token, Trouble};

/// What a verdict can depend on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Seen {
    by_request: Vec<OfRequest>,
    /// The highest token of an effect at each store.
    highest: ByRole<Option<Token>>,
    /// An effect was accepted under a lower one.
    stale: bool,
    /// An effect has the id of no request.
    has_strangers: bool,
    /// The last balance of each account that has one, in the order of roles and accounts.
    balances: Vec<(Role, AccountId, i64)>,
    /// Every balance that an account has had, each once.
    had: Vec<(Role, AccountId, i64)>,
    /// The effects at each store in their order, by the number of the request, where there are several. Nobody sees the order between
    /// stores.
    effects: Vec<(Role, usize, i64)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct OfRequest {
    /// The number of effects at each store; more than two are two.
    effects: ByRole<u8>,
    /// The balances that they left, each once.
    given: Vec<i64>,
    /// An effect is another than was asked for.
    other_effect: bool,
    /// A balance does not go on from the one before it.
    unchained: bool,
    /// It does not go on from any that the account has had.
    made_up: bool,
    /// A handler has answered.
    answer: Option<Answer>,
    /// The answers that no effect has given so far.
    odd: Vec<Answer>,
    /// A handler has refused it for good, and none has answered otherwise.
    answered_no: bool,
    /// Handlers have answered differently.
    deviating: bool,
    success: bool,
    /// The client has heard that it is refused for good.
    refused: bool,
    gave_up: bool,
    /// There was an effect after the client had stopped trying, or was refused.
    late: bool,
    overlap: bool,
    /// The reply to the fault-free retry.
    retried: Option<Reply>,
}

/// An effect that was committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SeenEffect {
    pub role: Role,
    pub message: MessageId,
    pub account: AccountId,
    pub amount: i64,
    pub balance: i64,
    pub token: Option<Token>,
}

/// Something that is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Sight {
    SeenEffect(SeenEffect),
    /// A handler has answered; its client hears it if there is one.
    Answered {
        request: u8,
        reply: Reply,
        heard: bool,
    },
    GaveUp {
        request: u8,
    },
    Overlap {
        request: u8,
    },
    Retried {
        request: u8,
        reply: Reply,
    },
}

impl Seen {
    /// Nothing yet.
    pub fn new(requests: u8) -> Self {
        let by_request = vec![OfRequest::default(); usize::from(requests)];
        Seen {
            by_request,
            highest: ByRole::default(),
            stale: false,
            has_strangers: false,
            balances: Vec::new(),
            had: Vec::new(),
            effects: Vec::new(),
        }
    }

    /// Whether the client of a request has an answer.
    pub fn is_answered(&self, request: u8) -> bool {
        self.by_request[usize::from(request)].success
    }

    /// How many effects of a request there are at a store; more than two are two.
    pub fn effects(&self, request: u8, role: Role) -> u8 {
        self.by_request[usize::from(request)].effects[role]
    }

    /// Whether it has stopped trying.
    pub fn has_given_up(&self, request: u8) -> bool {
        self.by_request[usize::from(request)].gave_up
    }

    /// Whether the client of a request was refused for good.
    pub fn is_refused(&self, request: u8) -> bool {
        self.by_request[usize::from(request)].refused
    }

    /// Whether an effect of a request is another than was asked for, or there is one that nobody asked for.
    pub fn has_other_effect(&self, request: u8) -> bool {
        self.has_strangers || self.by_request[usize::from(request)].other_effect
    }

    /// Whether an effect of a request left a balance that is not the one before it and the amount.
    pub fn is_unchained(&self, request: u8) -> bool {
        self.by_request[usize::from(request)].unchained
    }

    /// The balances that the effects of a request have left.
    pub fn given(&self, request: u8) -> &[i64] {
        &self.by_request[usize::from(request)].given
    }

    /// Whether handlers have answered a request differently.
    pub fn is_deviating(&self, request: u8) -> bool {
        self.by_request[usize::from(request)].deviating
    }

    /// Whether two were inside the same lock.
    pub fn is_overlapping(&self, request: u8) -> bool {
        self.by_request[usize::from(request)].overlap
    }

    /// Whether an effect was accepted under a lower token than another.
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// Whether a request was answered as none of its effects has.
    pub fn has_odd_answer(&self, request: u8) -> bool {
        !self.by_request[usize::from(request)].odd.is_empty()
    }

    /// What was in the way of the last retry of a request.
    pub fn last_trouble(&self, request: u8) -> Option<Trouble> {
        self.by_request[usize::from(request)].retried.and_then(Result::err)
    }

    /// Whether an effect of a request came once more after one of another.
    pub fn comes_back(&self) -> bool {
        let at = |n: usize| self.effects[n];
        (0..self.effects.len()).any(|last| {
            let of_same = |n: &usize| at(*n).0 == at(last).0;
            let other = (0..last).filter(of_same).filter(|n| at(*n).1 != at(last).1).max();
            other.is_some_and(|other| (0..other).filter(of_same).any(|first| at(first).1 == at(last).1))
        })
    }

    /// The same as far as it does not say who was inside the same lock.
    pub fn without_overlap(mut self) -> Self {
        self.by_request.iter_mut().for_each(|of| of.overlap = false);
        self
    }

    /// The same as far as it does not say that a client has stopped trying.
    #[cfg(test)]
    pub fn without_ends(mut self) -> Self {
        for of in &mut self.by_request {
            (of.gave_up, of.late, of.retried) = (false, false, None);
        }
        self
    }

    /// The ranked ids in it.
    pub fn ranks(&self) -> impl Iterator<Item = i64> {
        self.highest.iter().filter_map(|(_, token)| token.map(|token| token.0.get()))
    }

    /// The same with other ranked ids in the same order.
    pub fn with_ranks(mut self, ranks: impl Fn(i64) -> i64) -> Self {
        for (_, token) in self.highest.iter_mut() {
            *token = token.and_then(|token| NonZeroI64::new(ranks(token.0.get()))).map(Token);
        }
        self
    }

    /// The same and something more. The order of effects matters only between requests.
    pub fn after(&self, sight: Sight, requests: &[Request]) -> Self {
        let mut after = self.clone();
        let of = usize::from;
        match sight {
            Sight::SeenEffect(effect) => after.applied(effect, requests),
            Sight::Answered { request, reply, heard } => after.by_request[of(request)].answered(reply, heard),
            Sight::GaveUp { request } => after.by_request[of(request)].gave_up = true,
            Sight::Overlap { request } => after.by_request[of(request)].overlap = true,
            Sight::Retried { request, reply } => {
                let of = &mut after.by_request[of(request)];
                of.answered(reply, true);
                of.retried = Some(reply);
            }
        }
        after
    }

    fn applied(&mut self, effect: SeenEffect, requests: &[Request]) {
        let SeenEffect { role, message: _, account, amount, balance, token } = effect;
        let place = requested(&effect, requests);
        let highest = &mut self.highest[role];
        self.stale |= token.is_some() && token < *highest;
        *highest = token.max(*highest);
        let before = match self.balances.binary_search_by_key(&(role, account), |(role, account, _)| (*role, *account))
        {
            Ok(at) => std::mem::replace(&mut self.balances[at].2, balance),
            Err(at) => {
                self.balances.insert(at, (role, account, balance));
                0
            }
        };
        if requests.len() > 1 {
            let at = self.effects.partition_point(|(its, ..)| *its <= role);
            self.effects.insert(at, (role, place, balance));
        }
        let goes_on_from = |base: i64| base == 0 || self.had.binary_search(&(role, account, base)).is_ok();
        let made_up = !balance.checked_sub(amount).is_some_and(goes_on_from);
        if let Err(at) = self.had.binary_search(&(role, account, balance)) {
            self.had.insert(at, (role, account, balance));
        }
        let (Some(of), Some(request)) = (self.by_request.get_mut(place), requests.get(place)) else {
            self.has_strangers = true;
            return;
        };
        of.effects[role] = (of.effects[role] + 1).min(2);
        of.late |= of.gave_up || of.refused;
        of.other_effect |= account != request.effect.account || amount != i64::from(request.effect.amount);
        of.unchained |= balance.checked_sub(before) != Some(amount);
        of.made_up |= made_up;
        of.odd.retain(|answer| answer.0 != balance);
        if let Err(at) = of.given.binary_search(&balance) {
            of.given.insert(at, balance);
        }
    }
}

/// The number of the request that an effect is for: of those with its id the one that asks for it, or else the first. Of a stranger it is
/// none that there is.
fn requested(effect: &SeenEffect, requests: &[Request]) -> usize {
    let is_for = |request: &&Request| request.id == effect.message;
    let asks_for = |request: &Request| i64::from(request.effect.amount) == effect.amount;
    let own = effect.message.0 as usize;
    let Some(first) = requests.get(own).filter(is_for) else { return usize::MAX };
    let other = || requests.iter().position(|request| is_for(&request) && asks_for(request));
    if asks_for(first) { own } else { other().unwrap_or(own) }
}

impl OfRequest {
    fn answered(&mut self, reply: Reply, heard: bool) {
        match reply {
            Ok(answer) => {
                self.success |= heard;
                self.deviating |= self.answered_no || self.answer.is_some_and(|first| first != answer);
                self.answer.get_or_insert(answer);
                if !self.given.contains(&answer.0) && !self.odd.contains(&answer) {
                    self.odd.push(answer);
                }
            }
            Err(trouble) if trouble.is_final() => {
                self.deviating |= self.answer.is_some();
                self.answered_no = true;
                self.refused |= heard;
            }
            Err(_) => {}
        }
        if self.deviating {
            (self.answer, self.answered_no) = (None, false);
        }
    }
}
