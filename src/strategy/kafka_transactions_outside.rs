//! kafka-transactions-outside: as kafka-transactions, and the work has an effect outside of the broker: in the store.

use super::{BETWEEN_EFFECT_AND_MARK, Break, Claim, Need, RECORDED, REDELIVERY, Strategy};
use crate::terms::{Leg, Reply, Request, Retries, Role, Shape, StoreKind, TransactionProtocol, Violation};
use crate::world::World;

pub(super) struct KafkaTransactionsOutside;

#[async_trait::async_trait]
impl Strategy for KafkaTransactionsOutside {
    fn name(&self) -> &'static str {
        "kafka-transactions-outside"
    }

    fn steps(&self) -> &'static str {
        "[InitProducerId] [fetch the offset]; if the record is next: [create X (store)] [produce X] [commit the offset] [EndTxn]"
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
        let transactions = world.broker().take_over(request.client, TransactionProtocol::Two).await?;
        if !world.broker().is_next(request).await? {
            return Ok(RECORDED);
        }
        let answer = world.store().create(request).await?;
        world.broker().produce_in_transaction(request, transactions, 0).await?;
        world.broker().commit_offset_in_transaction(request, transactions).await?;
        world.broker().commit(transactions).await?;
        Ok(answer)
    }
}
