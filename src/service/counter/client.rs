//! The words that a strategy has for a counter.

use super::CounterService;
use super::op::{CounterOp, CounterResponse};
use crate::service::contract::{Asked, Carries};
use crate::terms::{AccountId, Role};

/// A counter, as a strategy asks it.
pub struct CounterClient<'w, C> {
    pub(super) carrier: &'w mut C,
    pub(super) role: Role,
}

impl<'w, C: Carries<'w, CounterService>> CounterClient<'w, C> {
    /// Adds one to the counter of an account, and gives what the counter is then.
    pub fn increment(self, account: AccountId) -> Asked<C::Call, CounterResponse, u32> {
        Asked::by(self.carrier.carry(self.role, CounterOp::Increment(account)))
    }

    /// The counter of an account.
    pub fn read(self, account: AccountId) -> Asked<C::Call, CounterResponse, u32> {
        Asked::by(self.carrier.carry(self.role, CounterOp::Read(account)))
    }

    /// Asks whether the service is there.
    pub fn ping(self) -> Asked<C::Call, CounterResponse, ()> {
        Asked::by(self.carrier.carry(self.role, CounterOp::Ping))
    }
}
