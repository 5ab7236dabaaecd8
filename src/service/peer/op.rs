//! What can be asked of a peer, and what it answers.

use std::fmt;

use crate::service::contract::{Given, Operation, Returned};
use crate::service::written::message_and_effect;
use crate::service::{Acts, Footprint, HasIds, Ids, Item, Kind, Whose};
use crate::terms::{Answer, Effect, MessageId, Request, Trouble};

/// A charge: `POST`, with or without a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PeerOp {
    has_key: bool,
    message: MessageId,
    effect: Effect,
}

const POST: Kind = Kind { number: 52, name: "post", acts: Acts::APPLIES };
const POST_WITH_KEY: Kind = Kind { number: 53, name: "post-with-key", acts: Acts::APPLIES };

/// The kinds of operations.
pub(super) const KINDS: &[Kind] = &[POST, POST_WITH_KEY];

/// The peer's accounts, and the keys that came.
pub(super) const ACCOUNTS: &str = "peer's account";
pub(super) const KEYS: &str = "peer's key";

impl PeerOp {
    /// A charge without a key.
    #[must_use]
    #[inline]
    pub const fn post(request: &Request) -> Self {
        PeerOp { has_key: false, message: request.id, effect: request.effect }
    }

    /// A charge with the message's id for a key.
    #[must_use]
    #[inline]
    pub const fn post_with_key(request: &Request) -> Self {
        PeerOp { has_key: true, message: request.id, effect: request.effect }
    }

    /// The message that it is about.
    #[must_use]
    pub const fn message(self) -> MessageId {
        self.message
    }

    /// What is charged.
    #[must_use]
    pub const fn effect(self) -> Effect {
        self.effect
    }

    /// Its key, if it has one.
    #[must_use]
    pub fn key(self) -> Option<MessageId> {
        self.has_key.then_some(self.message)
    }
}

impl Operation for PeerOp {
    #[inline]
    fn kind(self) -> &'static Kind {
        if self.has_key { &POST_WITH_KEY } else { &POST }
    }

    fn footprint(self) -> Footprint {
        let account = Item { place: ACCOUNTS, which: Whose::Account(self.effect.account) };
        let key = self.key().map(|key| Item { place: KEYS, which: Whose::Message(key) });
        Footprint { reads: Vec::new(), writes: std::iter::once(account).chain(key).collect() }
    }

    fn in_words(self, several: bool) -> String {
        let number = if several { (self.message.0 + 1).to_string() } else { String::new() };
        if self.has_key { format!("POST X{number} with key K{number}") } else { format!("POST X{number}") }
    }

    fn parse(kind: &str, rest: &str, _: &Request) -> Option<Self> {
        let has_key = match kind {
            "post" => false,
            "post-with-key" => true,
            _ => return None,
        };
        let (message, effect) = message_and_effect(rest)?;
        Some(PeerOp { has_key, message, effect })
    }
}

impl HasIds for PeerOp {
    #[inline]
    fn map_ids(self, ids: &mut impl Ids) -> Self {
        PeerOp { message: self.message.map_ids(ids), effect: self.effect.map_ids(ids), ..self }
    }
}

impl fmt::Display for PeerOp {
    /// Prints `post m7 +10 to 3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} m{} {}", self.kind().name, self.message.0, self.effect)
    }
}

/// What a peer answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeerResponse {
    /// The charge was done, now or before, and this was the balance then.
    Charged(Answer),
    /// The key came before with another charge (422).
    Refused,
}

impl Returned for PeerResponse {
    type Op = PeerOp;

    fn parse(text: &str, _: &str) -> Option<Self> {
        match text.split_once(' ') {
            None => (text == "refused").then_some(PeerResponse::Refused),
            Some((word, answer)) => {
                (word == "charged").then(|| answer.parse().ok().map(|told| PeerResponse::Charged(Answer(told))))?
            }
        }
    }

    fn in_words(self, _: PeerOp) -> String {
        match self {
            PeerResponse::Charged(answer) => format!("201, balance {}", answer.0),
            PeerResponse::Refused => "422".to_owned(),
        }
    }

    fn is_like(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

impl HasIds for PeerResponse {
    #[inline]
    fn has_ids(&self) -> bool {
        false
    }

    #[inline]
    fn map_ids(self, _: &mut impl Ids) -> Self {
        self
    }
}

impl fmt::Display for PeerResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PeerResponse::Charged(answer) => write!(f, "charged {}", answer.0),
            PeerResponse::Refused => f.write_str("refused"),
        }
    }
}

impl Given<PeerResponse> for Answer {
    #[inline]
    fn of(response: &PeerResponse) -> Result<Self, Trouble> {
        match *response {
            PeerResponse::Charged(answer) => Ok(answer),
            PeerResponse::Refused => Err(Trouble::Refused),
        }
    }
}
