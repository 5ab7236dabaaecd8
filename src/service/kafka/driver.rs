//! Kafka behind the port: a bare connection for each session, and a ledger that is a topic.

use std::time::Duration;

use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{InitProducerIdRequest, ProduceRequest};
use tokio::time::Instant;

use super::link::{BrokerLink, Unanswered};
use super::op::{KafkaCall, KafkaOp, KafkaResponse, answer};
use super::records;
use super::topic::{self, INIT_PRODUCER_ID, Overseer, PARTITIONS, PRODUCE, as_name, partition, words};
use super::url::{Broker, IS_KAFKA};
use crate::service::{AnyOp, Backend, BackendError, Connection, Outcome, Pending, Scope, Store, Way, own};
use crate::terms::{Balances, Delivery, Effect, Entry, Failure, MessageId, Producer, ProducerId};
use crate::wire::{Address, Protocol};

/// What it is called in errors.
pub(super) const NAME: &str = "kafka";

/// How long nothing may come any more before nothing is under way.
const QUIET: Duration = Duration::from_millis(50);

/// How long to wait before a broker that is not ready yet is asked again.
const PAUSE: Duration = Duration::from_millis(1);

/// The outcome of an operation that was certainly not done.
const NOT_DONE: Outcome = Outcome::Failed(Failure::Unavailable);

/// Every replica has it: what producers ask for that lose nothing.
const ACKS_ALL: i16 = -1;

pub(super) fn broken(what: impl Into<String>, remedy: &str) -> BackendError {
    BackendError { backend: NAME, what: what.into(), remedy: Some(remedy.to_owned()) }
}

/// How to reach a Kafka, and what to ask of it.
#[derive(Clone)]
pub(crate) struct KafkaBackend {
    broker: Broker,
    topic: String,
    /// How long an operation may wait for its answer.
    timeout: Duration,
}

impl KafkaBackend {
    /// A Kafka that nobody has talked to yet. The name of its topic begins with this prefix.
    ///
    /// # Errors
    /// [`BackendError`] if the URL is not one of a Kafka.
    pub fn new(url: &str, prefix: &str, timeout: Duration) -> Result<Self, BackendError> {
        Ok(KafkaBackend { broker: Broker::parse(url)?, topic: topic::name(prefix), timeout })
    }

    /// The same under another prefix.
    pub fn under(&self, prefix: &str) -> Self {
        KafkaBackend { topic: topic::name(prefix), ..self.clone() }
    }

    /// The same, where an operation may wait so long.
    pub(super) fn waiting(&self, timeout: Duration) -> Self {
        KafkaBackend { timeout, ..self.clone() }
    }

    /// A connection for what the lab itself wants to know.
    ///
    /// # Errors
    /// [`BackendError`] if the broker is not there, or does not let the lab in.
    pub(super) async fn overseer(&self) -> Result<Overseer, BackendError> {
        Overseer::open(&self.broker).await
    }

    /// What it says of itself.
    ///
    /// # Errors
    /// [`BackendError`] if it does not answer, or cannot be used.
    pub async fn probe(&self) -> Result<String, BackendError> {
        self.overseer().await?.probe().await
    }

    /// The name of the output topic.
    pub(super) fn topic(&self) -> &str {
        &self.topic
    }

    /// Removes every topic under a prefix.
    ///
    /// # Errors
    /// [`BackendError`] if that is not possible.
    pub async fn remove_topics(&self, prefix: &str) -> Result<(), BackendError> {
        self.overseer().await?.remove_under(prefix).await
    }

    /// Behind the last committed record of each partition.
    ///
    /// # Errors
    /// [`BackendError`] if the broker does not say.
    pub(super) async fn ends(&self, overseer: &mut Overseer) -> Result<Vec<i64>, BackendError> {
        overseer.ends(&self.topic).await?.ok_or_else(topic::gone)
    }

    /// The entries of these messages or accounts behind these offsets, in the order of partitions and offsets.
    ///
    /// # Errors
    /// [`BackendError`] if they cannot be read.
    pub(super) async fn entries(
        &self,
        overseer: &mut Overseer,
        of: &Scope,
        from: &[i64],
    ) -> Result<Vec<Entry>, BackendError> {
        let (first, last) = of.accounts;
        // The partitions of a few accounts are few.
        let is_meant = |n: i32| {
            let many = last.saturating_sub(first) >= i64::from(PARTITIONS);
            many || (first..=last).any(|account| account.rem_euclid(PARTITIONS.into()) == i64::from(n))
        };
        let partitions = (0..PARTITIONS).zip(from).filter(|(n, _)| is_meant(*n));
        let partitions: Vec<(i32, i64)> = partitions.map(|(n, from)| (n, *from)).collect();
        let mut entries = overseer.entries(&self.topic, &partitions).await?;
        entries.retain(|entry| {
            let of_message = (of.messages.0..=of.messages.1).contains(&i64::from(entry.message.0));
            of_message || (first..=last).contains(&i64::from(entry.account.0))
        });
        Ok(entries)
    }

    fn session_to(&self, address: &Address) -> KafkaSession {
        KafkaSession { backend: self.clone(), through: address.clone(), open: None }
    }
}

/// Whether the Kafka at a URL answers and can be used.
///
/// # Errors
/// Why it does not.
pub(crate) async fn ping(url: &str) -> Result<(), BackendError> {
    KafkaBackend::new(url, NAME, QUIET)?.probe().await.map(drop)
}

/// Lets a user of a broker of the lab's do what he likes with what is the lab's, and nothing else. The URL is that of its administrator.
///
/// # Errors
/// [`BackendError`] if that is not possible.
pub(crate) async fn admit(url: &str, user: &str) -> Result<(), BackendError> {
    KafkaBackend::new(url, NAME, QUIET)?.overseer().await?.admit(user).await
}

/// Whether a broker has begun nothing, and asks to be asked again at once: it fetches what it needs for it, or ends a transaction.
pub(super) fn says_ask_again(code: i16) -> bool {
    // COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, CONCURRENT_TRANSACTIONS
    matches!(code, 14 | 15 | 51)
}

/// The outcome that the code of an answer is.
///
/// # Errors
/// [`BackendError`] if the broker cannot be used.
fn judged(code: i16, done: KafkaResponse) -> Result<Outcome, BackendError> {
    Ok(match code {
        // 46: a copy of a record that the broker remembers, though not where it is.
        0 | 46 => Outcome::Ok(done.into()),
        // OUT_OF_ORDER_SEQUENCE_NUMBER, UNKNOWN_PRODUCER_ID
        45 | 59 => Outcome::Ok(KafkaResponse::OutOfOrder.into()),
        // INVALID_PRODUCER_EPOCH
        47 => Outcome::Ok(KafkaResponse::Fenced.into()),
        // UNKNOWN_SERVER_ERROR, REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS_AFTER_APPEND: it may be there all the same.
        -1 | 7 | 20 => Outcome::Unknown,
        // There is no leader, or not enough replicas, or no room: it was not appended.
        3 | 5 | 6 | 14 | 15 | 19 | 51 | 56 => NOT_DONE,
        29 | 31 | 53 => {
            return Err(broken(
                words(code),
                "give a user who may make, read, write and remove topics whose names begin with oncelab",
            ));
        }
        code => return Err(broken(words(code), IS_KAFKA)),
    })
}

impl Backend for KafkaBackend {
    /// Prepares a connection; the first operation opens it. So a server that is gone is an outcome, not a broken trial.
    fn connect(&self) -> Pending<'_, Result<Box<dyn Connection>, BackendError>> {
        let session = self.session_to(&self.broker.address);
        Box::pin(async move { Ok(Box::new(session) as Box<dyn Connection>) })
    }

    fn way(&self) -> Option<Way> {
        Some(Way { to: self.broker.address.clone(), protocol: Protocol::Kafka })
    }

    fn connect_through(&self, address: &Address) -> Pending<'_, Result<Box<dyn Connection>, BackendError>> {
        let session = self.session_to(address);
        Box::pin(async move { Ok(Box::new(session) as Box<dyn Connection>) })
    }

    fn describe(&self) -> Vec<(String, String)> {
        vec![("broker_partitions".to_owned(), PARTITIONS.to_string())]
    }
}

impl Store for KafkaBackend {
    fn reset(&self, _: u32) -> Pending<'_, Result<(), BackendError>> {
        Box::pin(async move { self.overseer().await?.make(&self.topic).await })
    }

    /// A broker goes on with a request that it has read, whoever has left.
    fn quiesce(&self) -> Pending<'_, Result<(), BackendError>> {
        Box::pin(async move {
            let (mut overseer, mut seen) = (self.overseer().await?, None);
            loop {
                let ends = self.ends(&mut overseer).await?;
                if seen.as_ref() == Some(&ends) {
                    return Ok(());
                }
                seen = Some(ends);
                tokio::time::sleep(QUIET).await;
            }
        })
    }

    fn ledger(&self) -> Pending<'_, Result<Vec<Entry>, BackendError>> {
        Box::pin(async move {
            let beginnings = vec![0; PARTITIONS.unsigned_abs() as usize];
            self.entries(&mut self.overseer().await?, &Scope::EVERYTHING, &beginnings).await
        })
    }

    /// An entry of its ledger is all that there is.
    fn balances(&self) -> Pending<'_, Result<Balances, BackendError>> {
        Box::pin(std::future::ready(Ok(Balances::default())))
    }

    /// Removes the topic.
    fn remove(&self) -> Pending<'_, Result<(), BackendError>> {
        Box::pin(async move { self.overseer().await?.remove_under(&self.topic).await })
    }
}

/// A connection of its own, opened when it is needed.
struct KafkaSession {
    backend: KafkaBackend,
    through: Address,
    open: Option<BrokerLink>,
}

impl Connection for KafkaSession {
    fn execute(&mut self, op: AnyOp, by: Delivery) -> Pending<'_, Result<Outcome, BackendError>> {
        Box::pin(async move { self.call(own(op), by).await })
    }
}

impl KafkaSession {
    async fn call(&mut self, op: KafkaOp, by: Delivery) -> Result<Outcome, BackendError> {
        let KafkaBackend { broker, timeout, .. } = &self.backend;
        let opened = match self.open.take() {
            Some(link) => Ok(link),
            None => BrokerLink::open(broker, &self.through, *timeout).await,
        };
        let mut link = match opened {
            Ok(link) => link,
            Err(Unanswered::Broken(error)) => return Err(error),
            Err(Unanswered::NotSent | Unanswered::Cut) => return Ok(NOT_DONE),
        };
        let deadline = Instant::now() + *timeout;
        match tokio::time::timeout_at(deadline, self.make(&mut link, op, by, deadline)).await {
            Ok(Ok(outcome)) => {
                self.open = Some(link);
                outcome
            }
            Ok(Err(Unanswered::Broken(error))) => Err(error),
            // What was sent may land; so may what nobody has answered in time.
            Ok(Err(Unanswered::NotSent | Unanswered::Cut)) | Err(_) => Ok(Outcome::Unknown),
        }
    }

    /// Makes the one request that the operation stands for.
    async fn make(
        &self,
        link: &mut BrokerLink,
        op: KafkaOp,
        by: Delivery,
        deadline: Instant,
    ) -> Result<Result<Outcome, BackendError>, Unanswered> {
        match op.call() {
            KafkaCall::InitProducerId => init_producer_id(link, deadline).await,
            KafkaCall::Produce(message, effect) => self.produce(link, message, effect, by, None).await,
            KafkaCall::ProduceNumbered(message, effect, producer, number) => {
                self.produce(link, message, effect, by, Some((producer, number))).await
            }
        }
    }

    async fn produce(
        &self,
        link: &mut BrokerLink,
        message: MessageId,
        effect: Effect,
        by: Delivery,
        numbered: Option<(Producer, u8)>,
    ) -> Result<Result<Outcome, BackendError>, Unanswered> {
        let batch = records::batch(message, effect, by, numbered).map_err(Unanswered::Broken)?;
        let partition = PartitionProduceData::default().with_index(partition(effect.account)).with_records(Some(batch));
        let topic =
            TopicProduceData::default().with_name(as_name(&self.backend.topic)).with_partition_data(vec![partition]);
        let within = i32::try_from(self.backend.timeout.as_millis()).unwrap_or(i32::MAX);
        // No transaction: not the empty string, which is what it would be otherwise.
        let request = ProduceRequest::default()
            .with_transactional_id(None)
            .with_acks(ACKS_ALL)
            .with_timeout_ms(within)
            .with_topic_data(vec![topic]);
        let said = link.ask(&request, PRODUCE).await?;
        let said = said.responses.iter().flat_map(|topic| &topic.partition_responses).next();
        let code =
            said.ok_or_else(|| Unanswered::Broken(broken("it says nothing of a partition", IS_KAFKA)))?.error_code;
        Ok(judged(code, KafkaResponse::Appended(answer(effect))))
    }
}

/// Begins a producer session. A broker that fetches ids first says so, and has done nothing: it is asked again.
async fn init_producer_id(
    link: &mut BrokerLink,
    deadline: Instant,
) -> Result<Result<Outcome, BackendError>, Unanswered> {
    let request = InitProducerIdRequest::default().with_transactional_id(None);
    loop {
        let said = link.ask(&request, INIT_PRODUCER_ID).await?;
        if says_ask_again(said.error_code) && Instant::now() + PAUSE < deadline {
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        if said.error_code != 0 {
            let nobody = Producer { id: ProducerId(0), epoch: 0 };
            return Ok(judged(said.error_code, KafkaResponse::Initialized(nobody)));
        }
        let Ok(id) = u32::try_from(said.producer_id.0) else {
            return Ok(Err(broken(
                format!("it has come to producer id {}, and the lab knows ids up to {}", said.producer_id.0, u32::MAX),
                "use a Kafka that is not that old",
            )));
        };
        let producer = Producer { id: ProducerId(id), epoch: said.producer_epoch };
        return Ok(Ok(Outcome::Ok(KafkaResponse::Initialized(producer).into())));
    }
}
