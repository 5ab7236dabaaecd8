//! The words that a strategy has for a peer.

use super::PeerService;
use super::op::{PeerOp, PeerResponse};
use crate::service::contract::{Asked, Carries};
use crate::terms::{Answer, Request, Role};

/// A peer, as a strategy asks it.
pub struct PeerClient<'w, C> {
    pub(super) carrier: &'w mut C,
    pub(super) role: Role,
}

impl<'w, C: Carries<'w, PeerService>> PeerClient<'w, C> {
    /// `[POST X]`: has the peer add the amount to the account. It does so as often as it is asked.
    ///
    /// # Errors
    /// [`Trouble::Failed`](crate::terms::Trouble::Failed) if nothing was sent, `Unknown` if nobody can tell what became of it.
    #[inline]
    pub fn post(self, request: &Request) -> Asked<C::Call, PeerResponse, Answer> {
        Asked::by(self.carrier.carry(self.role, PeerOp::post(request)))
    }

    /// The same with an `Idempotency-Key`, the message's id: the peer does it once, and answers again what it answered first.
    ///
    /// # Errors
    /// As [`post`](PeerClient::post); `Refused` if the key came before with another request.
    #[inline]
    pub fn post_with_key(self, request: &Request) -> Asked<C::Call, PeerResponse, Answer> {
        Asked::by(self.carrier.carry(self.role, PeerOp::post_with_key(request)))
    }
}
