//! The words for the hop.

use super::{HopOp, HopResponse, HopService};
use crate::service::contract::{Asked, Carries};
use crate::terms::{Answer, HttpForm, MessageId, Reply, Request, Role};

/// The hop, as a delivery crosses it.
pub struct HopClient<'w, C> {
    pub(super) carrier: &'w mut C,
    pub(super) role: Role,
}

impl<'w, C: Carries<'w, HopService>> HopClient<'w, C> {
    /// The client's request crosses to its handler in this form. It is unknown what becomes of it if it is lost or late.
    #[inline]
    pub fn arrive(self, request: &Request, form: HttpForm) -> Asked<C::Call, HopResponse, ()> {
        Asked::by(self.carrier.carry(self.role, HopOp::arrive(request, form)))
    }

    /// What the handler of a request of this form has to say crosses to the client, and gives what the client takes it for.
    #[inline]
    pub fn answer(self, message: MessageId, form: HttpForm, reply: Reply) -> Asked<C::Call, HopResponse, Answer> {
        Asked::by(self.carrier.carry(self.role, HopOp::answer(message, form, reply)))
    }
}
