//! Ids within operations and replies: visited by one method, so that whoever translates them names no operation.

use std::num::{NonZeroI64, NonZeroU8};

use crate::terms::{AccountId, ClientId, Effect, LeaseId, LockKey, MemberId, MessageId, Producer, ProducerId, Token};

/// What sort of thing an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdKind {
    /// Something that somebody asked for, e.g. a lease. An exploration names it by who asked.
    Asked,
    /// Something that stands in an order of its own, e.g. a fencing token.
    Ranked,
    Message,
    Account,
    Client,
}

/// Gives ids other names.
pub trait Ids {
    /// The other name of an id.
    fn id(&mut self, kind: IdKind, id: i64) -> i64;
}

impl<F: FnMut(IdKind, i64) -> i64> Ids for F {
    #[inline]
    fn id(&mut self, kind: IdKind, id: i64) -> i64 {
        self(kind, id)
    }
}

/// Data with ids in it.
pub trait HasIds: Sized {
    /// Whether there can be any.
    #[inline]
    fn has_ids(&self) -> bool {
        true
    }

    /// The same with each id under its other name.
    #[must_use]
    fn map_ids(self, ids: &mut impl Ids) -> Self;
}

/// A number of 32 bits. What is none becomes the greatest, which no client sends and no account has.
fn small(id: i64) -> u32 {
    u32::try_from(id).unwrap_or(u32::MAX)
}

impl HasIds for MessageId {
    #[inline]
    fn map_ids(self, ids: &mut impl Ids) -> Self {
        MessageId(small(ids.id(IdKind::Message, self.0.into())))
    }
}

impl HasIds for AccountId {
    #[inline]
    fn map_ids(self, ids: &mut impl Ids) -> Self {
        AccountId(small(ids.id(IdKind::Account, self.0.into())))
    }
}

impl HasIds for ClientId {
    #[inline]
    fn map_ids(self, ids: &mut impl Ids) -> Self {
        ClientId(small(ids.id(IdKind::Client, self.0.into())))
    }
}

impl HasIds for Effect {
    #[inline]
    fn map_ids(self, ids: &mut impl Ids) -> Self {
        Effect { account: self.account.map_ids(ids), ..self }
    }
}

impl HasIds for LeaseId {
    #[inline]
    fn map_ids(self, ids: &mut impl Ids) -> Self {
        LeaseId(ids.id(IdKind::Asked, self.0))
    }
}

impl HasIds for ProducerId {
    #[inline]
    fn map_ids(self, ids: &mut impl Ids) -> Self {
        ProducerId(small(ids.id(IdKind::Asked, self.0.into())))
    }
}

impl HasIds for MemberId {
    #[inline]
    fn map_ids(self, ids: &mut impl Ids) -> Self {
        MemberId(small(ids.id(IdKind::Asked, self.0.into())))
    }
}

impl HasIds for Producer {
    #[inline]
    fn map_ids(self, ids: &mut impl Ids) -> Self {
        Producer { id: self.id.map_ids(ids), ..self }
    }
}

impl HasIds for Token {
    #[inline]
    fn map_ids(self, ids: &mut impl Ids) -> Self {
        // Zero is no token: what has no other name gets the lowest.
        Token(NonZeroI64::new(ids.id(IdKind::Ranked, self.0.get())).unwrap_or(NonZeroI64::from(NonZeroU8::MIN)))
    }
}

impl HasIds for LockKey {
    #[inline]
    fn map_ids(self, ids: &mut impl Ids) -> Self {
        LockKey { account: self.account.map_ids(ids), lease: self.lease.map_ids(ids) }
    }
}

/// The first id of a kind.
pub(crate) fn first_id(of: impl HasIds, kind: IdKind) -> Option<i64> {
    let mut first = None;
    let _ = of.map_ids(&mut |its: IdKind, id| {
        if its == kind && first.is_none() {
            first = Some(id);
        }
        id
    });
    first
}
