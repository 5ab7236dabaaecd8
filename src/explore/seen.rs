//! What has been seen of a schedule, as far as a verdict on it can depend on it.
//!
//! Two schedules with the same of it are judged alike. It judges nothing itself: that is done by the checks, on one schedule
//! for each different [`Seen`].

use crate::world::{Answer, MessageId, Reply, Token};

/// What a verdict can depend on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Seen {
    by_request: Vec<OfRequest>,
    /// The highest token of an effect.
    highest: Option<Token>,
    /// An effect was accepted under a lower one.
    stale: bool,
    /// The effects in order, where there are several requests.
    effects: Vec<(MessageId, i64)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct OfRequest {
    /// The number of effects; more than two are two.
    effects: u8,
    /// A handler has answered.
    answer: Option<Answer>,
    /// Handlers have answered differently.
    deviating: bool,
    success: bool,
    refused: bool,
    gave_up: bool,
    /// There was an effect after the client had stopped trying, or was refused.
    late: bool,
    overlap: bool,
    /// The reply to the fault-free retry.
    retried: Option<Reply>,
}

/// Something that is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Sight {
    Entry { message: MessageId, balance: i64, token: Option<Token> },
    Answered { message: MessageId, reply: Reply },
    GaveUp { message: MessageId },
    Overlap { message: MessageId },
    Retried { message: MessageId, reply: Reply },
}

impl Seen {
    /// Nothing yet.
    pub fn new(requests: u8) -> Self {
        let by_request = vec![OfRequest::default(); usize::from(requests)];
        Seen { by_request, highest: None, stale: false, effects: Vec::new() }
    }

    /// Whether the client of a request has an answer.
    pub fn is_answered(&self, request: u8) -> bool {
        self.by_request[usize::from(request)].success
    }

    /// Whether it has stopped trying.
    pub fn has_given_up(&self, request: u8) -> bool {
        self.by_request[usize::from(request)].gave_up
    }

    /// The same and something more. The order of effects matters only between requests.
    pub fn after(&self, sight: Sight, several: bool) -> Self {
        let mut after = self.clone();
        let Seen { by_request, highest, stale, effects } = &mut after;
        match sight {
            Sight::Entry { message, balance, token } => {
                let of = &mut by_request[message.0 as usize];
                of.effects = (of.effects + 1).min(2);
                of.late |= of.gave_up || of.refused;
                *stale |= token.is_some() && token < *highest;
                *highest = token.max(*highest);
                if several {
                    effects.push((message, balance));
                }
            }
            Sight::Answered { message, reply } => by_request[message.0 as usize].answered(reply),
            Sight::GaveUp { message } => by_request[message.0 as usize].gave_up = true,
            Sight::Overlap { message } => by_request[message.0 as usize].overlap = true,
            Sight::Retried { message, reply } => {
                let of = &mut by_request[message.0 as usize];
                of.answered(reply);
                of.retried = Some(reply);
            }
        }
        after
    }
}

impl OfRequest {
    fn answered(&mut self, reply: Reply) {
        match reply {
            Ok(answer) => {
                self.success = true;
                self.deviating |= self.refused || self.answer.is_some_and(|first| first != answer);
                self.answer.get_or_insert(answer);
            }
            Err(trouble) if trouble.is_final() => {
                self.deviating |= self.answer.is_some();
                self.refused = true;
            }
            Err(_) => {}
        }
        if self.deviating {
            self.answer = None;
        }
    }
}
