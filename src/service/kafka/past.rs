//! What a step touches of a Kafka: the account's partition, whatever the lane has done before.

use super::op::{KafkaOp, KafkaResponse};
use crate::service::contract::Operation;
use crate::service::modelled::Past;
use crate::service::touched::Touched;
use crate::service::{Item, Whose};
use crate::terms::{OutcomeOf, Profile};

fn bit(item: &Item) -> u64 {
    match item.which {
        Whose::Account(account) => 1 << (account.0 % 64),
        Whose::Message(_) | Whose::Client(_) | Whose::Asked(_) | Whose::Any => u64::MAX,
    }
}

/// Nothing of what a lane has done before says what its next step touches.
#[derive(Debug, Clone, Copy, Default)]
pub struct KafkaPast;

impl Past for KafkaPast {
    type Op = KafkaOp;
    type Response = KafkaResponse;

    fn follow(self, _: KafkaOp, _: OutcomeOf<KafkaResponse>) -> Self {
        self
    }

    fn touch(self, op: KafkaOp, _: Profile) -> Touched {
        Touched::writes(op.footprint().writes.iter().map(bit).fold(0, |all, its| all | its))
    }
}
