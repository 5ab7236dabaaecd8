//! kafka-transactions-v1: consume, transform, produce, and commit the offset in one transaction of the broker, under protocol 1.

use super::{Break, Claim, Need, RECORDED, Strategy};
use crate::terms::{
    AccountId, Answer, FaultKind, Leg, Reply, Request, Retries, Role, Shape, StoreKind, TransactionProtocol,
    Transactions, Trouble, Violation,
};
use crate::world::World;

/// The most records that a consumer is given at once.
const LARGEST: usize = 8;

pub(super) struct KafkaTransactionsV1;

#[async_trait::async_trait]
impl Strategy for KafkaTransactionsV1 {
    fn name(&self) -> &'static str {
        "kafka-transactions-v1"
    }

    fn steps(&self) -> &'static str {
        "[InitProducerId] [fetch the offset]; if the record is next: [AddPartitionsToTxn] [produce X] [AddOffsetsToTxn] \
         [commit the offset] [EndTxn]; if nobody knows what became of the record or the offset: [abort], and again"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "one record that readers of what is committed see, while nothing lands late",
            retries: Retries::UntilAcknowledged,
            rules_out: &const {
                Violation::all_but::<{ Violation::ALL.len() - 2 }>(&[Violation::Lost, Violation::Duplicate])
            },
            tolerates: &[],
            breaks: &[
                Break {
                    faults: &[FaultKind::LateLanding],
                    legs: &[Leg::Service(Role::BROKER)],
                    shows: &[Violation::Duplicate],
                    because: "the transaction is aborted, and its record lands in the next one of the session",
                },
                // In a schedule it takes two faults: the answer that is lost, and the abort that is late.
                Break {
                    faults: &[FaultKind::ServerPaused],
                    legs: &[Leg::Service(Role::BROKER)],
                    shows: &[Violation::Lost],
                    because: "no answer comes in time, the transaction is aborted, and the abort lands in the next one of the session",
                },
            ],
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

/// A session that goes on from one record to the next.
struct Consuming {
    transactions: Transactions,
    account: AccountId,
    /// That of the next record in the account's partition.
    number: u8,
}

/// Does a record in a transaction of its own; of a session that is there, if it is the same client's and goes to the same partition.
async fn consume(world: &mut World<'_>, request: &Request, open: &mut Option<Consuming>) -> Reply {
    let account = request.effect.account;
    let same = |session: &Consuming| session.transactions.client == request.client && session.account == account;
    let mut session = match open.take().filter(same) {
        Some(session) => session,
        None => {
            let transactions = world.broker().take_over(request.client, TransactionProtocol::One).await?;
            Consuming { transactions, account, number: 0 }
        }
    };
    if !world.broker().is_next(request).await? {
        *open = Some(session);
        return Ok(RECORDED);
    }
    let answer = match transact(world, request, &mut session).await {
        Err(NotNoted::Unheard) => {
            session.transactions = world.broker().abort(session.transactions).await?;
            let again = transact(world, request, &mut session).await;
            again.map_err(|why| if let NotNoted::Trouble(trouble) = why { trouble } else { Trouble::Unknown })?
        }
        Err(NotNoted::Trouble(trouble)) => return Err(trouble),
        Ok(answer) => answer,
    };
    *open = Some(session);
    Ok(answer)
}

/// Why a transaction was not committed.
enum NotNoted {
    /// Nobody knows what became of the record or of the offset: the transaction can be aborted.
    Unheard,
    Trouble(Trouble),
}

impl From<Trouble> for NotNoted {
    fn from(trouble: Trouble) -> Self {
        NotNoted::Trouble(trouble)
    }
}

/// What may still be aborted if nobody knows what became of it.
fn unheard(trouble: Trouble) -> NotNoted {
    if trouble == Trouble::Unknown { NotNoted::Unheard } else { NotNoted::Trouble(trouble) }
}

/// A transaction with the record under the session's next number, and the offset.
async fn transact(world: &mut World<'_>, request: &Request, session: &mut Consuming) -> Result<Answer, NotNoted> {
    let (transactions, number) = (session.transactions, session.number);
    world.broker().add_partition(transactions, request.effect.account).await?;
    // Whether or not it is appended, the number is taken.
    session.number = number.saturating_add(1);
    let answer = world.broker().produce_in_transaction(request, transactions, number).await.map_err(unheard)?;
    world.broker().add_offsets(transactions).await?;
    world.broker().commit_offset_in_transaction(request, transactions).await.map_err(unheard)?;
    session.transactions = world.broker().commit(transactions).await?;
    Ok(answer)
}
