//! What a client wants done once, and what it is told.

use super::outcome::Trouble;

/// The identity of a request: what a retry keeps and a new request changes. Written `K` in the strategies' steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u32);

/// A client, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u32);

/// The entity that an effect changes. A lock guards an account, and so does a fencing token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub u32);

/// A change that must happen once: an amount added to an account, with an entry appended to the ledger. Written `X`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Effect {
    pub account: AccountId,
    pub amount: i32,
}

impl Effect {
    /// How far the amount of another body is from the request's own.
    const APART: i32 = 1_000;

    /// What the body that says this comes to, as a service that compares bodies keeps it (FNV-1a: G. Fowler, L. C. Noll, K.-P. Vo).
    #[must_use]
    pub fn digest(self) -> BodyDigest {
        let bytes = self.account.0.to_le_bytes().into_iter().chain(self.amount.to_le_bytes());
        BodyDigest(bytes.fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)))
    }
}

impl std::fmt::Display for Effect {
    /// `+10 to 3`: the amount, and the account.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:+} to {}", self.amount, self.account.0)
    }
}

/// What a body comes to, in a number that is kept beside its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BodyDigest(pub u32);

/// What a client wants done once.
///
/// ```
/// use oncelab::terms::{AccountId, ClientId, Effect, MessageId, Request};
///
/// // "Add 10 to account 3, once": the first request of client 0.
/// let effect = Effect { account: AccountId(3), amount: 10 };
/// let request = Request { id: MessageId(7), client: ClientId(0), sequence: 0, effect };
/// // A retry is the same request, down to its id. A new request has another id.
/// let retry = request;
/// let next = Request { id: MessageId(8), sequence: 1, ..request };
/// assert!(retry == request && next.id != request.id);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Request {
    pub id: MessageId,
    pub client: ClientId,
    /// The client's own count of its requests, from 0.
    pub sequence: u32,
    pub effect: Effect,
}

impl Request {
    /// The same id with another body, which asks for another amount: somebody has used the id for a second request.
    #[must_use]
    pub fn with_other_body(self) -> Request {
        let amount = self.effect.amount.saturating_add(Effect::APART);
        Request { effect: Effect { amount, ..self.effect }, ..self }
    }
}

/// The result that a client is told, written `R`: the balance of the account right after the effect.
///
/// A second application gives another balance, so two answers that differ betray it even to a client that never sees
/// the ledger.
///
/// ```
/// use oncelab::terms::{Answer, Reply, Trouble};
///
/// // What a client does about a reply.
/// fn next(reply: Reply) -> String {
///     match reply {
///         Ok(Answer(balance)) => format!("done, the balance is {balance}"),
///         Err(trouble) if trouble.is_final() => "give up".to_owned(),
///         Err(trouble) => format!("retry ({trouble})"),
///     }
/// }
/// assert_eq!(next(Ok(Answer(10))), "done, the balance is 10");
/// assert_eq!(next(Err(Trouble::Unknown)), "retry (unknown)");
/// assert_eq!(next(Err(Trouble::Refused)), "give up");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Answer(pub i64);

/// What a handler tells a client about one delivery of its request.
pub type Reply = Result<Answer, Trouble>;

/// Which arrival of a request a handler is working on: the client's attempt, and the copy that the network made of it.
///
/// A strategy never sees it: two deliveries of a request are the same input. Backends store it in the ledger and the
/// history carries it, so that a duplicate can be traced to the two deliveries that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Delivery {
    /// The client's attempt, from 0. The fault-free retry after everything has settled is [`Delivery::FINAL_ATTEMPT`].
    pub attempt: u8,
    /// 0 for the message itself, 1 for the duplicate that the network made of it; more for a turn of what works for the system. The
    /// highest bit says that it came with another body than the request's.
    pub copy: u8,
}

impl Delivery {
    /// The attempt number of the fault-free retry that is made after everything has settled.
    pub const FINAL_ATTEMPT: u8 = u8::MAX;

    /// The client's first attempt, uncopied.
    pub const FIRST: Delivery = Delivery { attempt: 0, copy: 0 };

    /// The fault-free retry after everything has settled.
    pub const FINAL: Delivery = Delivery { attempt: Self::FINAL_ATTEMPT, copy: 0 };

    /// The bit of [`copy`](Delivery::copy) that says that the body was another.
    const OTHER_BODY: u8 = 1 << 7;

    /// What stands behind a delivery of another body, where it is printed.
    pub const WITH_OTHER_BODY: &str = " with another body";

    /// The same delivery of another body.
    #[must_use]
    pub const fn of_other_body(self) -> Delivery {
        Delivery { copy: self.copy | Self::OTHER_BODY, ..self }
    }

    /// The delivery with this number of a copy, of the same body.
    #[must_use]
    pub const fn repeated(self, number: u8) -> Delivery {
        let number = if number < Self::OTHER_BODY { number } else { Self::OTHER_BODY - 1 };
        Delivery { copy: self.copy & Self::OTHER_BODY | number, ..self }
    }

    /// Whether the message id came with another body than the request's.
    #[must_use]
    #[inline]
    pub const fn has_other_body(self) -> bool {
        self.copy & Self::OTHER_BODY != 0
    }

    /// Whether something on the way made it of another delivery.
    #[must_use]
    #[inline]
    pub const fn is_copy(self) -> bool {
        self.copy & !Self::OTHER_BODY > 0
    }

    /// Whether it is the fault-free retry after everything has settled, of either body.
    #[must_use]
    #[inline]
    pub const fn is_final(self) -> bool {
        self.is_last() && !self.is_copy()
    }

    /// Whether it comes after everything has settled, without faults: a retry, or a turn of what works for the system.
    #[must_use]
    #[inline]
    pub const fn is_last(self) -> bool {
        self.attempt == Self::FINAL_ATTEMPT
    }
}

impl std::fmt::Display for Delivery {
    /// Prints `2` for the third attempt, `2'` for its duplicate, `final` for the fault-free retry, and says which had another body. What
    /// works for the system has more than one `'`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.attempt {
            Self::FINAL_ATTEMPT => write!(f, "final"),
            attempt => write!(f, "{attempt}"),
        }?;
        f.write_str(&"'".repeat((self.copy & !Self::OTHER_BODY).into()))?;
        if self.has_other_body() { f.write_str(Self::WITH_OTHER_BODY) } else { Ok(()) }
    }
}
