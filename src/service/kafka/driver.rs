//! Kafka behind the port: a bare connection for each session, and a ledger that is a topic.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kafka_protocol::messages::GroupId;
use kafka_protocol::protocol::StrBytes;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::link::{BrokerLink, Unanswered};
use super::members::NamedMembers;
use super::op::KafkaOp;
use super::requests::Asking;
use super::response::KafkaResponse;
use super::topic::{self, Overseer, PARTITIONS, words};
use super::url::{Broker, IS_KAFKA};
use crate::service::{AnyOp, Backend, BackendError, Connection, Outcome, Pending, Scope, Store, Way, own};
use crate::terms::{Balances, ClientId, Delivery, Entry, Failure};
use crate::wire::{Address, Protocol};

/// What it is called in errors.
pub(super) const NAME: &str = "kafka";

/// How long a member of a group is one without a word from it, if nobody says otherwise: longer than a replay takes.
const SESSION: Duration = Duration::from_secs(60);

/// How long nothing may come any more before nothing is under way.
const QUIET: Duration = Duration::from_millis(50);

/// The outcome of an operation that was certainly not done.
const NOT_DONE: Outcome = Outcome::Failed(Failure::Unavailable);

pub(super) fn broken(what: impl Into<String>, remedy: &str) -> BackendError {
    BackendError { backend: NAME, what: what.into(), remedy: Some(remedy.to_owned()) }
}

/// How to reach a Kafka, and what to ask of it.
#[derive(Clone)]
pub(crate) struct KafkaBackend {
    broker: Broker,
    topic: String,
    /// When everything was emptied last, in milliseconds since 1970. It stands in the names of groups and transactional ids: a broker keeps
    /// for days what it knows of them.
    emptied: Arc<AtomicU64>,
    /// Whether the topic is there. Offsets belong to a topic too, also where no record is kept in it.
    is_made: Arc<OnceCell<()>>,
    /// How long an operation may wait for its answer.
    timeout: Duration,
    /// How long a member of a group is one without a word from it.
    session: Duration,
    members: NamedMembers,
}

impl KafkaBackend {
    /// A Kafka that nobody has talked to yet. The name of its topic begins with this prefix.
    ///
    /// # Errors
    /// [`BackendError`] if the URL is not one of a Kafka.
    pub fn new(url: &str, prefix: &str, timeout: Duration) -> Result<Self, BackendError> {
        let (broker, topic) = (Broker::parse(url)?, topic::name(prefix));
        let (emptied, is_made, members) = Default::default();
        Ok(KafkaBackend { broker, topic, emptied, is_made, timeout, session: SESSION, members })
    }

    /// The same, where a member of a group is one for so long without a word from it.
    pub(super) fn with_session(self, session: Duration) -> Self {
        KafkaBackend { session, ..self }
    }

    /// How long a member of a group is one without a word from it.
    pub(super) fn session(&self) -> Duration {
        self.session
    }

    /// The members of groups that the lab has heard of.
    pub(super) fn members(&self) -> &NamedMembers {
        &self.members
    }

    /// The same under another prefix.
    pub fn under(&self, prefix: &str) -> Self {
        let topic = topic::name(prefix);
        let (emptied, is_made, members) = Default::default();
        KafkaBackend { topic, emptied, is_made, members, ..self.clone() }
    }

    /// The same, where an operation may wait so long, and no session runs out by itself.
    pub(super) fn waiting(&self, timeout: Duration) -> Self {
        KafkaBackend { timeout, session: SESSION, ..self.clone() }
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

    /// Makes the topic, if nobody has: whoever keeps no records there has had nothing emptied.
    ///
    /// # Errors
    /// [`BackendError`] if that is not possible.
    pub(super) async fn prepare(&self) -> Result<(), BackendError> {
        let make = || async { self.make(&mut self.overseer().await?).await };
        self.is_made.get_or_try_init(make).await.map(drop)
    }

    /// The broker, as its URL names it.
    #[cfg(feature = "rdkafka")]
    pub(super) fn broker(&self) -> &Broker {
        &self.broker
    }

    /// The name of the output topic.
    pub(super) fn topic(&self) -> &str {
        &self.topic
    }

    /// What the names of groups and of transactional ids begin with; a client's number follows.
    pub(super) fn names_begin_with(&self) -> String {
        format!("{}.{}.", self.topic, self.emptied.load(Ordering::Relaxed))
    }

    /// The group that works on a client's records.
    pub(super) fn group(&self, client: ClientId) -> GroupId {
        GroupId(StrBytes::from_string(format!("{}{}", self.names_begin_with(), client.0)))
    }

    /// Groups and transactional ids have other names from now on: nobody has used them.
    pub(super) fn begin_names_anew(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        self.members.clear();
        let _ = self.emptied.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(now.max(last + 1)));
    }

    /// Makes the topic anew.
    ///
    /// # Errors
    /// [`BackendError`] if that is not possible.
    async fn make(&self, overseer: &mut Overseer) -> Result<(), BackendError> {
        self.begin_names_anew();
        overseer.make(&self.topic).await
    }

    /// Makes the topic anew, before anybody asks.
    ///
    /// # Errors
    /// As [`make`](KafkaBackend::make).
    pub(super) async fn begin(&self, overseer: &mut Overseer) -> Result<(), BackendError> {
        self.make(overseer).await?;
        let _ = self.is_made.set(());
        Ok(())
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

    /// How long an operation may wait for its answer.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
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
pub(super) fn judged(code: i16, done: KafkaResponse) -> Result<Outcome, BackendError> {
    let said = |response: KafkaResponse| Ok(Outcome::Ok(response.into()));
    match code {
        // 46: a copy of a record that the broker remembers, though not where it is.
        0 | 46 => said(done),
        // OUT_OF_ORDER_SEQUENCE_NUMBER, UNKNOWN_PRODUCER_ID
        45 | 59 => said(KafkaResponse::OutOfOrder),
        // INVALID_PRODUCER_EPOCH, INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED
        47 | 49 | 90 => said(KafkaResponse::Fenced),
        // INVALID_TXN_STATE, TRANSACTION_ABORTABLE
        48 | 120 => said(KafkaResponse::InvalidState),
        // ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID
        22 | 25 => said(KafkaResponse::NoMember),
        // REBALANCE_IN_PROGRESS
        27 => said(KafkaResponse::Rebalancing),
        // INVALID_SESSION_TIMEOUT
        26 => Err(broken(
            "it lets no member of a group have so short a session, or so long a one",
            "let leases live as long as its group.min.session.timeout.ms says: --set backend.lease_ttl_s=6",
        )),
        // UNSTABLE_OFFSET_COMMIT
        88 => said(KafkaResponse::Unstable),
        // UNKNOWN_SERVER_ERROR, REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS_AFTER_APPEND: it may be there all the same.
        -1 | 7 | 20 => Ok(Outcome::Unknown),
        // There is no leader, or not enough replicas, or no room: it was not appended.
        3 | 5 | 6 | 14 | 15 | 16 | 19 | 51 | 56 => Ok(NOT_DONE),
        29 | 30 | 31 | 53 => Err(broken(
            words(code),
            "give a user who may make, read, write and remove topics whose names begin with oncelab, and use such groups and \
             transactional ids",
        )),
        code => Err(broken(words(code), IS_KAFKA)),
    }
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
        Box::pin(async move { self.begin(&mut self.overseer().await?).await })
    }

    /// A broker goes on with a request that it has read, whoever has left. A transaction that nobody ends would be aborted after a minute.
    fn quiesce(&self) -> Pending<'_, Result<(), BackendError>> {
        Box::pin(async move {
            let (mut overseer, mut seen) = (self.overseer().await?, None);
            loop {
                let ends = self.ends(&mut overseer).await?;
                if seen.as_ref() == Some(&ends) {
                    return overseer.abort_all(&self.names_begin_with()).await;
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
        self.backend.prepare().await?;
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
        let asking = Asking { backend: &self.backend, by, deadline };
        match tokio::time::timeout_at(deadline, asking.make(&mut link, op)).await {
            Ok(Ok(outcome)) => {
                self.open = Some(link);
                outcome
            }
            Ok(Err(Unanswered::Broken(error))) => Err(error),
            // What was sent may land; so may what nobody has answered in time.
            Ok(Err(Unanswered::NotSent | Unanswered::Cut)) | Err(_) => Ok(Outcome::Unknown),
        }
    }
}
