//! kafka-transactions: consume, transform, produce, and commit the offset in one transaction of the broker, under protocol 2. This is what
//! the `exactly_once_v2` of Kafka Streams does, but that the transactional id is the partition's and not the consumer's.

use super::{Claim, Need, RECORDED, Strategy};
use crate::terms::{
    Reply, Request, Retries, Role, Shape, StoreKind, TransactionProtocol, Transactions, Trouble, Violation,
};
use crate::world::World;

/// The most records that a consumer is given at once.
const LARGEST: usize = 8;

pub(super) struct KafkaTransactions;

#[async_trait::async_trait]
impl Strategy for KafkaTransactions {
    fn name(&self) -> &'static str {
        "kafka-transactions"
    }

    fn steps(&self) -> &'static str {
        "[InitProducerId] [fetch the offset]; if the record is next: [produce X] [commit the offset] [EndTxn]; \
         if nobody knows what became of the record or the offset: [abort], and again"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "one record that readers of what is committed see",
            retries: Retries::UntilAcknowledged,
            rules_out: &Violation::ALL,
            tolerates: &[],
            breaks: &[],
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::BROKER]
    }

    fn effects_in(&self) -> &'static [Role] {
        &[Role::BROKER]
    }

    fn shape(&self) -> Shape {
        Shape::Entry
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    fn largest_batch(&self) -> usize {
        LARGEST
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        consume(world, request, &mut None).await
    }

    async fn handle_batch(&self, world: &mut World<'_>, requests: &[Request]) -> Vec<Reply> {
        let (mut session, mut replies) = (None, Vec::with_capacity(requests.len()));
        for request in requests {
            replies.push(consume(world, request, &mut session).await);
        }
        replies
    }
}

/// Does a record in a transaction of its own; of a session that is there, if it is the same client's.
async fn consume(world: &mut World<'_>, request: &Request, open: &mut Option<Transactions>) -> Reply {
    let mut session = match open.take().filter(|session| session.client == request.client) {
        Some(session) => session,
        None => world.broker().take_over(request.client, TransactionProtocol::Two).await?,
    };
    if !world.broker().is_next(request).await? {
        *open = Some(session);
        return Ok(RECORDED);
    }
    let answer = match write(world, request, session).await {
        // Nobody knows what became of the record or of the offset.
        Err(Trouble::Unknown) => {
            session = world.broker().abort(session).await?;
            write(world, request, session).await?
        }
        heard => heard?,
    };
    *open = Some(world.broker().commit(session).await?);
    Ok(answer)
}

/// The record and the offset, in the transaction. Its end has begun another epoch, in which numbers begin again.
async fn write(world: &mut World<'_>, request: &Request, session: Transactions) -> Reply {
    let answer = world.broker().produce_in_transaction(request, session, 0).await?;
    world.broker().commit_offset_in_transaction(request, session).await?;
    Ok(answer)
}
