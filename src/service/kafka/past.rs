//! What a step touches of a Kafka: the account's partition, how far the group has come, or, where there are transactions or members of a
//! group, anything.

use super::op::KafkaOp;
use super::response::KafkaResponse;
use crate::service::contract::Operation;
use crate::service::modelled::Past;
use crate::service::touched::Touched;
use crate::service::{Acts, Item, Whose};
use crate::terms::{OutcomeOf, Profile};

fn bit(item: &Item) -> u64 {
    match item.which {
        Whose::Account(account) => 1 << (account.0 % 64),
        Whose::Client(client) => 1 << (63 - client.0 % 64),
        Whose::Message(_) | Whose::Asked(_) | Whose::Any => u64::MAX,
    }
}

/// What a lane has done in its present attempt, as far as its next step depends on it.
#[derive(Debug, Clone, Copy, Default)]
pub struct KafkaPast {
    /// It may be a member of a group.
    is_member: bool,
}

impl Past for KafkaPast {
    type Op = KafkaOp;
    type Response = KafkaResponse;

    fn follow(self, op: KafkaOp, outcome: OutcomeOf<KafkaResponse>) -> Self {
        let joins = op.acts().any(Acts::QUEUES) && !matches!(outcome, OutcomeOf::Failed(_));
        KafkaPast { is_member: self.is_member || joins }
    }

    fn touch(self, op: KafkaOp, _: Profile) -> Touched {
        if op.is_transactional() || self.is_member || op.acts().any(Acts::QUEUES) {
            return Touched::ANYTHING;
        }
        let bits = |items: &[Item]| items.iter().map(bit).fold(0, |all, its| all | its);
        let footprint = op.footprint();
        Touched { reads: bits(&footprint.reads), writes: bits(&footprint.writes) }
    }

    /// Whoever asks to leave has left.
    fn unmade(op: KafkaOp) -> Touched {
        if op.acts().any(Acts::LEAVES) { Touched::ANYTHING } else { Touched::NOTHING }
    }

    /// Whoever is inside leaves with the end of its attempt, and whoever waits for a member that is gone need not wait any more.
    fn over(self) -> Touched {
        if self.is_member { Touched::ANYTHING } else { Touched::NOTHING }
    }

    fn expiry(self, _: Option<KafkaOp>) -> Touched {
        if self.is_member { Touched::ANYTHING } else { Touched::NOTHING }
    }
}
