//! kafka-transactions-outside-v1: as kafka-transactions-outside, under protocol 1.

use super::{BETWEEN_EFFECT_AND_MARK, Break, Claim, Need, RECORDED, REDELIVERY, Strategy};
use crate::terms::{Leg, Reply, Request, Retries, Role, Shape, StoreKind, TransactionProtocol, Violation};
use crate::world::World;

pub(super) struct KafkaTransactionsOutsideV1;

#[async_trait::async_trait]
impl Strategy for KafkaTransactionsOutsideV1 {
    fn name(&self) -> &'static str {
        "kafka-transactions-outside-v1"
    }

    fn steps(&self) -> &'static str {
        "[InitProducerId] [fetch the offset]; if the record is next: [create X (store)] [AddPartitionsToTxn] [produce X] \
         [AddOffsetsToTxn] [commit the offset] [EndTxn]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "one record that readers of what is committed see, and at least one effect in the store",
            retries: Retries::UntilAcknowledged,
            rules_out: &const { Violation::all_but::<{ Violation::ALL.len() - 1 }>(&[Violation::Duplicate]) },
            tolerates: &[],
            breaks: &[
                Break {
                    faults: REDELIVERY,
                    legs: &[Leg::Client, Leg::STORE],
                    shows: &[Violation::Duplicate],
                    because: "the record is given to a consumer again before the transaction commits",
                },
                Break {
                    faults: BETWEEN_EFFECT_AND_MARK,
                    legs: &[Leg::Service(Role::BROKER)],
                    shows: &[Violation::Duplicate],
                    because: "the transaction is aborted with its record, and X in the store stays",
                },
            ],
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::STORE, Need::BROKER]
    }

    fn effects_in(&self) -> &'static [Role] {
        &[Role::STORE, Role::BROKER]
    }

    fn shape(&self) -> Shape {
        Shape::Entry
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        let transactions = world.broker().take_over(request.client, TransactionProtocol::One).await?;
        if !world.broker().is_next(request).await? {
            return Ok(RECORDED);
        }
        let answer = world.store().create(request).await?;
        world.broker().add_partition(transactions, request.effect.account).await?;
        world.broker().produce_in_transaction(request, transactions, 0).await?;
        world.broker().add_offsets(transactions).await?;
        world.broker().commit_offset_in_transaction(request, transactions).await?;
        world.broker().commit(transactions).await?;
        Ok(answer)
    }
}
