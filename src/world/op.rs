//! One call that a strategy makes, in one of its roles.

use std::fmt;

use crate::service::{Acts, AnyOp, Footprint, HasIds, IdKind, Ids, OpKind, Sql, first_id};
use crate::terms::{AccountId, ClientId, Isolation, Leg, Reply, Request, Role};

/// One call that a strategy makes, and the role of the service that it asks.
///
/// Plain data: it can be hashed, compared, printed and recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Op {
    pub role: Role,
    pub of: AnyOp,
}

const _: () = assert!(size_of::<Op>() == 32 && size_of::<Option<Op>>() == 32);

impl<O> From<O> for Op
where
    AnyOp: From<O>,
{
    /// An operation of the service in its usual role.
    #[inline]
    fn from(op: O) -> Self {
        let of = AnyOp::from(op);
        Op { role: of.service().usual_role(), of }
    }
}

impl Op {
    /// An operation from what its `Display` prints. The delivered request gives what the text leaves out; what the text has may
    /// differ from it, since a strategy may ask for something else.
    #[must_use]
    pub fn parse(text: &str, delivered: &Request) -> Option<Op> {
        let kind = text.split(' ').next().unwrap_or_default();
        match kind.split_once('.') {
            None => AnyOp::parse(text, delivered).map(Op::from),
            Some((role, _)) => {
                let of = AnyOp::parse(&text[role.len() + 1..], delivered)?;
                Some(Op { role: Role::from_name(role)?, of })
            }
        }
    }

    /// The kind of this operation.
    #[must_use]
    #[inline]
    pub fn kind(self) -> OpKind {
        self.of.kind_in(self.role)
    }

    /// The leg that this operation crosses.
    #[must_use]
    #[inline]
    pub const fn leg(self) -> Leg {
        Leg::to(self.role)
    }

    /// What this operation is.
    #[must_use]
    #[inline]
    pub fn acts(self) -> Acts {
        self.of.acts()
    }

    /// What this operation reads and writes of the service that it asks.
    #[must_use]
    pub fn footprint(self) -> Footprint {
        self.of.footprint()
    }

    /// The account that it is about.
    #[must_use]
    pub fn account(self) -> Option<AccountId> {
        first_id(self.of, IdKind::Account).and_then(|id| u32::try_from(id).ok()).map(AccountId)
    }

    /// The client whose records it is about.
    #[must_use]
    pub fn client(self) -> Option<ClientId> {
        first_id(self.of, IdKind::Client).and_then(|id| u32::try_from(id).ok()).map(ClientId)
    }

    /// The id of what it is done under, e.g. a lease.
    #[must_use]
    pub fn asked(self) -> Option<i64> {
        first_id(self.of, IdKind::Asked)
    }

    /// Whether there is a ranked id in it.
    #[must_use]
    pub fn has_ranked(self) -> bool {
        first_id(self.of, IdKind::Ranked).is_some()
    }

    /// The isolation level of the transaction that it begins.
    #[must_use]
    pub fn isolation(self) -> Option<Isolation> {
        self.of.isolation()
    }

    /// The balance that it sets an account to, whatever the balance is by now.
    #[must_use]
    pub fn overwrites_with(self) -> Option<i64> {
        self.of.overwrites_with()
    }

    /// The statement of a strategy's own that it is.
    #[must_use]
    pub fn own_sql(self) -> Option<Sql> {
        self.of.own_sql()
    }

    /// What a handler has said, if it is the answer that crosses to a client.
    #[must_use]
    pub fn said(self) -> Option<Reply> {
        self.of.said()
    }

    /// It in the notation of the strategies' steps. `several` says whether there are several requests to be told apart.
    #[must_use]
    pub fn in_words(self, several: bool) -> String {
        let words = self.of.in_words(several);
        if self.kind().is_usual() { words } else { format!("{words} ({})", self.role.name()) }
    }
}

impl HasIds for Op {
    #[inline]
    fn map_ids(self, ids: &mut impl Ids) -> Self {
        Op { of: self.of.map_ids(ids), ..self }
    }
}

impl fmt::Display for Op {
    /// Prints the operation on one short line, e.g. `apply m7 +10 to 3 token 42`, with the role before it if that is not the usual
    /// one of its service: `second.apply m7 +10 to 3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.kind().is_usual() {
            write!(f, "{}.", self.role.name())?;
        }
        self.of.fmt(f)
    }
}
