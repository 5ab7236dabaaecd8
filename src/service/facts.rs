//! What is asked about operations and responses by those who do not know them.

use super::{HasIds, IdKind, Op, Response, Sql};
use crate::terms::{AccountId, Isolation};

/// The first id of a kind.
fn first(of: impl HasIds, kind: IdKind) -> Option<i64> {
    let mut first = None;
    let _ = of.map_ids(&mut |its: IdKind, id| {
        if its == kind && first.is_none() {
            first = Some(id);
        }
        id
    });
    first
}

impl Op {
    /// The account that it is about.
    #[must_use]
    pub fn account(self) -> Option<AccountId> {
        first(self, IdKind::Account).and_then(|id| u32::try_from(id).ok()).map(AccountId)
    }

    /// The id of what it is done under, e.g. a lease.
    #[must_use]
    pub fn asked(self) -> Option<i64> {
        first(self, IdKind::Asked)
    }

    /// Whether there is a ranked id in it.
    #[must_use]
    pub fn has_ranked(self) -> bool {
        first(self, IdKind::Ranked).is_some()
    }

    /// The isolation level of the transaction that it begins.
    #[must_use]
    pub fn isolation(self) -> Option<Isolation> {
        if let Op::Begin(isolation) = self { Some(isolation) } else { None }
    }

    /// The balance that it sets an account to, whatever the balance is by now.
    #[must_use]
    pub fn overwrites_with(self) -> Option<i64> {
        if let Op::Overwrite(request, base) = self { base.0.checked_add(request.effect.amount.into()) } else { None }
    }

    /// The statement of a strategy's own that it is.
    #[must_use]
    pub fn own_sql(self) -> Option<Sql> {
        if let Op::Sql(sql) = self { Some(sql) } else { None }
    }
}

impl Response {
    /// The id of what was made, e.g. a lease.
    #[must_use]
    pub fn asked(self) -> Option<i64> {
        first(self, IdKind::Asked)
    }

    /// The ranked id that was given, e.g. a token.
    #[must_use]
    pub fn ranked(self) -> Option<i64> {
        first(self, IdKind::Ranked)
    }

    /// Whether it says that its operation has changed nothing.
    #[must_use]
    pub fn changes_nothing(self) -> bool {
        match self {
            Response::Claimed(fresh) => !fresh,
            Response::Applied(balance) => balance.is_none(),
            Response::Done | Response::Found(_) | Response::Granted(_) | Response::Held(_) => false,
        }
    }

    /// Whether another response is of the same form: values may differ.
    #[must_use]
    pub fn is_like(self, other: Response) -> bool {
        match (self, other) {
            (Response::Found(one), Response::Found(other)) | (Response::Applied(one), Response::Applied(other)) => {
                one.is_some() == other.is_some()
            }
            (Response::Claimed(one), Response::Claimed(other)) => one == other,
            (one, other) => std::mem::discriminant(&one) == std::mem::discriminant(&other),
        }
    }
}
