//! The words that a strategy has for a store.

use super::StoreService;
use super::argument::AlsoRequest;
use super::op::StoreOp;
use super::operations::for_each_operation;
use super::response::{StoreResponse, TwoAnswers};
use crate::service::Sql;
use crate::service::contract::{Asked, Carries, given};
#[cfg(doc)]
use crate::terms::Failure;
use crate::terms::{
    AccountId, Answer, BodyDigest, ClientId, Isolation, LeaseId, MessageId, Request, Role, Token, Trouble,
};

/// A store, as a strategy asks it.
pub struct StoreClient<'w, C> {
    pub(super) carrier: &'w mut C,
    pub(super) role: Role,
}

macro_rules! client {
    ($($(#[$doc:meta])* $number:literal $kind:literal [$($act:ident),*] $says:literal
       $name:ident $method:ident($($arg:ident: $type:ty),*) -> $gives:ty = $does:expr;)*) => {
        impl<'w, C: Carries<'w, StoreService>> StoreClient<'w, C> {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// [`Trouble::Failed`](crate::terms::Trouble::Failed) if it was certainly not done,
                /// [`Trouble::Unknown`](crate::terms::Trouble::Unknown) if nobody can tell.
                #[inline]
                pub fn $method(self, $($arg: $type),*) -> Asked<C::Call, StoreResponse, $gives> {
                    Asked::by(self.carrier.carry(self.role, StoreOp::$method($($arg),*)))
                }
            )*
        }
    };
}
for_each_operation!(client);

impl<'w, C: Carries<'w, StoreService>> StoreClient<'w, C> {
    /// [`claim_and_apply`](StoreClient::claim_and_apply) for each of several requests, all in one statement and one commit: what it
    /// comes to for each, in their order. No two may have the same id.
    pub async fn claim_and_apply_all(self, requests: &[Request]) -> Vec<Result<Option<Answer>, Trouble>> {
        let ops = requests.iter().map(StoreOp::claim_and_apply).collect();
        self.carrier.carry_all(self.role, ops).await.iter().map(given::<StoreResponse, _>).collect()
    }
}
