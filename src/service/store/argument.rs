//! What the operations of a store take: where each argument is kept in an operation, and how it is printed and read.

use std::fmt;
use std::num::NonZeroI64;

use super::op::StoreOp;
use crate::service::written::message;
use crate::service::{IdKind, Sql};
use crate::terms::{AccountId, Answer, BodyDigest, ClientId, Effect, Isolation, LeaseId, MessageId, Request, Token};

/// One word of an operation's line, behind the kind's name: a field with what stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// `m7`
    Message,
    /// `m7 +10 to 3`
    Request,
    /// `3`
    Account,
    /// `= 42`
    Answer,
    /// `token 42`
    Token,
    /// `lease 7f`
    Lease,
    /// `of client 3`
    Client,
    /// `number 42`
    Sequence,
    /// `body 9c3f01ab`
    Body,
    /// `READ COMMITTED`
    Isolation,
    /// `m7 with 5: SELECT 1`
    Sql,
    /// `with m8 +11`
    Also,
}

/// The second of two requests that an operation is about: its effect is on the account of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlsoRequest {
    pub id: MessageId,
    pub amount: i32,
}

/// An argument of an operation.
pub(super) trait OpArgument: Copy {
    /// How it is printed and read.
    const WORD: Word;

    /// Puts it into an operation.
    fn put(self, into: &mut StoreOp);
}

macro_rules! argument {
    ($($type:ty: $word:ident, |$it:ident, $into:ident| $put:expr;)*) => {$(
        impl OpArgument for $type {
            const WORD: Word = Word::$word;

            #[inline]
            fn put(self, $into: &mut StoreOp) {
                let $it = self;
                $put;
            }
        }
    )*};
}
argument! {
    MessageId: Message, |id, into| into.message = id.0;
    AccountId: Account, |id, into| into.account = id.0;
    &Request: Request, |request, into| {
        into.message = request.id.0;
        into.account = request.effect.account.0;
        into.amount = request.effect.amount;
    };
    Answer: Answer, |answer, into| into.value = answer.0;
    Token: Token, |token, into| into.value = token.0.get();
    LeaseId: Lease, |lease, into| into.value = lease.0;
    ClientId: Client, |client, into| into.text = u16::try_from(client.0).unwrap_or(u16::MAX);
    u32: Sequence, |sequence, into| into.value = sequence.into();
    BodyDigest: Body, |body, into| into.value = body.0.into();
    Isolation: Isolation, |isolation, into| into.value = isolation as i64;
    Sql: Sql, |sql, into| {
        sql.request.put(into);
        into.value = sql.value;
        into.text = sql.number();
    };
    AlsoRequest: Also, |also, into| into.value = i64::from(also.id.0) << 32 | i64::from(also.amount.cast_unsigned());
}

/// Every isolation level, at its number.
pub(super) const ISOLATIONS: [Isolation; 3] =
    [Isolation::ReadCommitted, Isolation::RepeatableRead, Isolation::Serializable];

const _: () = {
    let mut n = 0;
    while n < ISOLATIONS.len() {
        assert!(ISOLATIONS[n] as usize == n);
        n += 1;
    }
};

impl Word {
    /// Whether the operation is about an account.
    pub const fn has_account(self) -> bool {
        match self {
            Word::Request | Word::Account | Word::Sql => true,
            Word::Message
            | Word::Answer
            | Word::Token
            | Word::Lease
            | Word::Client
            | Word::Sequence
            | Word::Body
            | Word::Isolation
            | Word::Also => false,
        }
    }

    /// Whether the operation is about a message.
    pub const fn has_message(self) -> bool {
        match self {
            Word::Message | Word::Request | Word::Sql => true,
            Word::Account
            | Word::Answer
            | Word::Token
            | Word::Lease
            | Word::Client
            | Word::Sequence
            | Word::Body
            | Word::Isolation
            | Word::Also => false,
        }
    }

    /// Whether the operation is about a client.
    pub const fn has_client(self) -> bool {
        matches!(self, Word::Client)
    }

    /// What sort of id the value is, if it is one.
    pub const fn id_kind(self) -> Option<IdKind> {
        match self {
            Word::Token => Some(IdKind::Ranked),
            Word::Lease => Some(IdKind::Asked),
            Word::Message
            | Word::Request
            | Word::Account
            | Word::Answer
            | Word::Client
            | Word::Sequence
            | Word::Body
            | Word::Isolation
            | Word::Sql
            | Word::Also => None,
        }
    }

    /// Prints the field, with a space before it.
    pub fn print(self, of: &StoreOp, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StoreOp { message, account, amount, value, .. } = of;
        match self {
            Word::Message => write!(f, " m{message}"),
            Word::Request => write!(f, " m{message} {amount:+} to {account}"),
            Word::Account => write!(f, " {account}"),
            Word::Answer => write!(f, " = {value}"),
            Word::Token => write!(f, " token {value}"),
            Word::Lease => write!(f, " lease {value:x}"),
            Word::Client => write!(f, " of client {}", of.client().0),
            Word::Sequence => write!(f, " number {value}"),
            Word::Body => write!(f, " body {value:08x}"),
            Word::Isolation => write!(f, " {}", of.level()),
            Word::Sql => write!(f, " m{message} with {value}: {}", of.own().text()),
            Word::Also => {
                let AlsoRequest { id, amount } = of.also();
                write!(f, " with m{} {amount:+}", id.0)
            }
        }
    }

    /// Reads the field from the beginning of a text, into an operation. Gives what is left of the text.
    pub fn read<'t>(self, text: &'t str, into: &mut StoreOp, delivered: &Request) -> Option<&'t str> {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        match self {
            Word::Message => message(word)?.put(into),
            Word::Account => AccountId(word.parse().ok()?).put(into),
            Word::Request => {
                let (amount, rest) = rest.split_once(" to ")?;
                let (account, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                let effect = Effect { account: AccountId(account.parse().ok()?), amount: amount.parse().ok()? };
                (&Request { id: message(word)?, effect, ..*delivered }).put(into);
                return Some(rest);
            }
            Word::Isolation => {
                ISOLATIONS.into_iter().find(|isolation| isolation.to_string() == text)?.put(into);
                return Some("");
            }
            Word::Sql => {
                let (value, statement) = rest.strip_prefix("with ")?.split_once(": ")?;
                let about = Request { id: message(word)?, ..*delivered };
                Sql::new(crate::service::lasting(statement), &about, value.parse().ok()?).put(into);
                return Some("");
            }
            Word::Client => {
                let (number, rest) = rest.strip_prefix("client ")?.split_once(' ').unwrap_or((&rest[7..], ""));
                if word != "of" {
                    return None;
                }
                ClientId(number.parse().ok()?).put(into);
                return Some(rest);
            }
            Word::Also => {
                let (id, rest) = rest.split_once(' ').filter(|_| word == "with")?;
                let (amount, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                AlsoRequest { id: message(id)?, amount: amount.parse().ok()? }.put(into);
                return Some(rest);
            }
            Word::Answer | Word::Token | Word::Lease | Word::Sequence | Word::Body => {
                let (value, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                match (self, word) {
                    (Word::Answer, "=") => Answer(value.parse().ok()?).put(into),
                    (Word::Token, "token") => Token(value.parse::<NonZeroI64>().ok()?).put(into),
                    (Word::Sequence, "number") => value.parse::<u32>().ok()?.put(into),
                    (Word::Body, "body") => BodyDigest(u32::from_str_radix(value, 16).ok()?).put(into),
                    (Word::Lease, "lease") => LeaseId(i64::from_str_radix(value, 16).ok()?).put(into),
                    _ => return None,
                }
                return Some(rest);
            }
        }
        Some(rest)
    }
}
