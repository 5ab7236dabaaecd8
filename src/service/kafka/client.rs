//! The words that a strategy has for Kafka.

use super::KafkaService;
use super::op::{KafkaOp, KafkaResponse};
use crate::service::contract::{Asked, Carries};
use crate::terms::{Answer, Producer, Request, Role};

/// A Kafka, as a strategy asks it.
pub struct KafkaClient<'w, C> {
    pub(super) carrier: &'w mut C,
    pub(super) role: Role,
}

impl<'w, C: Carries<'w, KafkaService>> KafkaClient<'w, C> {
    /// `[InitProducerId]`: begins a producer session. The broker tells copies apart within a session, and not from one to the next.
    ///
    /// # Errors
    /// [`Trouble::Failed`](crate::terms::Trouble::Failed) if there is certainly none, `Unknown` if nobody can tell.
    #[inline]
    pub fn init_producer_id(self) -> Asked<C::Call, KafkaResponse, Producer> {
        Asked::by(self.carrier.carry(self.role, KafkaOp::init_producer_id()))
    }

    /// `[produce X]`, idempotence off: appends the record of the effect, as often as it is asked for.
    ///
    /// # Errors
    /// [`Trouble::Failed`](crate::terms::Trouble::Failed) if it was certainly not appended, `Unknown` if nobody can tell.
    #[inline]
    pub fn produce(self, request: &Request) -> Asked<C::Call, KafkaResponse, Answer> {
        Asked::by(self.carrier.carry(self.role, KafkaOp::produce(request)))
    }

    /// `[produce X as number n]`: appends the record of the effect, unless the producer has appended its record of this number before.
    /// The first number is 0.
    ///
    /// # Errors
    /// As [`produce`](KafkaClient::produce); `Failed` also if the number is not the next one, or the producer is fenced.
    #[inline]
    pub fn produce_numbered(
        self,
        request: &Request,
        producer: Producer,
        sequence: u8,
    ) -> Asked<C::Call, KafkaResponse, Answer> {
        Asked::by(self.carrier.carry(self.role, KafkaOp::produce_numbered(request, producer, sequence)))
    }
}
