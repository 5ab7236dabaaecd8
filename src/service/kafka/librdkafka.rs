//! librdkafka as the client under load: the ordinary client of a broker. It connects, numbers its records and sends them again by itself.
//!
//! A connection of the lab's is one librdkafka client here, which lives until the connection is cut. So a producer session lasts from one
//! delivery to the next, and a producer's numbers are librdkafka's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use kafka_protocol::messages::MetadataRequest;
use kafka_protocol::messages::metadata_response::MetadataResponseBroker;
use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::get_rdkafka_version;
use serde::Deserialize;
use tokio::sync::{Notify, OnceCell};

use super::driver::{KafkaBackend, broken, judged};
use super::link::BrokerLink;
use super::op::{KafkaCall, KafkaOp, RECORDED};
use super::response::KafkaResponse;
use super::topic::{METADATA, PARTITIONS, partition};
use crate::service::contract::Operation;
use crate::service::{AnyOp, Backend, BackendError, Connection, Outcome, Pending, Way, own, written};
use crate::terms::{Delivery, Effect, Failure, MessageId, Producer, ProducerId};
use crate::wire::{Address, Protocol, Wire};

/// How often a client that numbers its records says whether it has its id, in milliseconds.
const SAYS_EVERY_MS: u32 = 20;

/// What it is, with its version.
pub(in crate::service) fn version() -> String {
    format!("rdkafka (librdkafka {})", get_rdkafka_version().1)
}

/// A Kafka that handlers reach with librdkafka.
pub(super) struct OrdinaryBackend {
    backend: KafkaBackend,
    /// How many clients there have been: librdkafka does not say which id a broker has given to one, and the lab numbers them.
    clients: Arc<AtomicU32>,
    /// Whether the broker is where it says that it is.
    is_there: OnceCell<bool>,
}

impl OrdinaryBackend {
    pub fn new(backend: KafkaBackend) -> Self {
        OrdinaryBackend { backend, clients: Arc::default(), is_there: OnceCell::new() }
    }

    /// Whether the broker says of itself that it is where its URL says. If nobody can ask it, it is not asked for anything else either.
    async fn says_where_it_is(&self) -> bool {
        let (broker, timeout) = (self.backend.broker(), self.backend.timeout());
        let Ok(mut link) = BrokerLink::open(broker, &broker.address, timeout).await else { return true };
        let request = MetadataRequest::default().with_topics(Some(Vec::new()));
        let Ok(said) = link.ask(&request, METADATA).await else { return true };
        let is_it = |told: &MetadataResponseBroker| {
            let port = u16::try_from(told.port).ok();
            port.is_some_and(|port| Address::Port(told.host.to_string(), port) == broker.address)
        };
        said.brokers.iter().all(is_it)
    }

    fn session(&self, through: Address, own_way: Option<Wire>) -> Box<dyn Connection> {
        let (backend, clients) = (self.backend.clone(), Arc::clone(&self.clients));
        Box::new(OrdinarySession { backend, clients, through, client: None, _own_way: own_way })
    }
}

impl Backend for OrdinaryBackend {
    /// librdkafka goes where the broker says that it is. Where the lab reaches it elsewhere (at the port of a container), a proxy of the
    /// lab's stands between, which says where the proxy is.
    fn connect(&self) -> Pending<'_, Result<Box<dyn Connection>, BackendError>> {
        Box::pin(async move {
            let address = &self.backend.broker().address;
            if *self.is_there.get_or_init(|| self.says_where_it_is()).await {
                return Ok(self.session(address.clone(), None));
            }
            let wire = Wire::start(address, Protocol::Kafka).await.map_err(|error| {
                broken(format!("no proxy could be put before {address}: {error}"), "set backend.broker_client=bare")
            })?;
            Ok(self.session(wire.address().clone(), Some(wire)))
        })
    }

    fn way(&self) -> Option<Way> {
        self.backend.way()
    }

    fn connect_through(&self, address: &Address) -> Pending<'_, Result<Box<dyn Connection>, BackendError>> {
        let session = self.session(address.clone(), None);
        Box::pin(async move { Ok(session) })
    }

    fn describe(&self) -> Vec<(String, String)> {
        vec![("broker_partitions".to_owned(), PARTITIONS.to_string()), ("broker_client".to_owned(), version())]
    }
}

/// A client of its own, made when it is needed.
struct OrdinarySession {
    backend: KafkaBackend,
    clients: Arc<AtomicU32>,
    through: Address,
    client: Option<OrdinaryClient>,
    _own_way: Option<Wire>,
}

impl Connection for OrdinarySession {
    fn execute(&mut self, op: AnyOp, by: Delivery) -> Pending<'_, Result<Outcome, BackendError>> {
        Box::pin(async move { self.call(own(op), by).await })
    }

    fn mends(&self) -> bool {
        true
    }
}

impl OrdinarySession {
    async fn call(&mut self, op: KafkaOp, by: Delivery) -> Result<Outcome, BackendError> {
        self.backend.prepare().await?;
        match op.call() {
            KafkaCall::InitProducerId => {
                let client = self.client(Numbers::Its).await?;
                Ok(Outcome::Ok(KafkaResponse::Initialized(client.producer).into()))
            }
            KafkaCall::Produce(message, effect) => {
                let topic = self.backend.topic().to_owned();
                self.client(Numbers::None).await?.produce(&topic, message, effect, by).await
            }
            KafkaCall::ProduceNumbered(message, effect, producer, _) => match &self.client {
                Some(client) if client.producer == producer => {
                    client.produce(self.backend.topic(), message, effect, by).await
                }
                // Its numbers are its own: nobody can go on where a client has gone.
                Some(_) | None => Ok(Outcome::Failed(Failure::SessionOver)),
            },
            KafkaCall::InitTransactions(_)
            | KafkaCall::AddPartition(..)
            | KafkaCall::ProduceInTransaction(..)
            | KafkaCall::AddOffsets(_)
            | KafkaCall::CommitOffsetInTransaction(..)
            | KafkaCall::EndTransaction(..)
            | KafkaCall::FetchOffset(_)
            | KafkaCall::CommitOffset(..)
            | KafkaCall::JoinGroup(_)
            | KafkaCall::SyncGroup(_)
            | KafkaCall::CommitOffsetAs(..)
            | KafkaCall::LeaveGroup(_) => Err(broken(
                format!("the lab makes no `{}` with librdkafka: only producers without transactions", op.kind().name),
                "leave the strategy out with --strategies, or set backend.broker_client=bare",
            )),
        }
    }

    /// The client, as one that numbers its records or one that does not.
    async fn client(&mut self, numbers: Numbers) -> Result<&OrdinaryClient, BackendError> {
        if self.client.as_ref().is_none_or(|client| client.numbers != numbers) {
            self.client = None;
            let number = self.clients.fetch_add(1, Ordering::Relaxed) + 1;
            let client = OrdinaryClient::new(&self.backend, &self.through, numbers, number)?;
            client.has_id().await;
            self.client = Some(client);
        }
        Ok(self.client.as_ref().expect("it has just been made"))
    }
}

/// Whether a client numbers its records (`enable.idempotence`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Numbers {
    None,
    Its,
}

/// A client of librdkafka's.
struct OrdinaryClient {
    numbers: Numbers,
    producer: Producer,
    /// Its thread takes it along when it ends.
    handle: Option<FutureProducer<IdListener>>,
    listening: Arc<HeardOfId>,
}

impl OrdinaryClient {
    fn new(backend: &KafkaBackend, through: &Address, numbers: Numbers, number: u32) -> Result<Self, BackendError> {
        let timeout_ms = backend.timeout().as_millis().to_string();
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", through.to_string())
            .set("client.id", format!("oncelab-{number}"))
            .set("enable.idempotence", if numbers == Numbers::Its { "true" } else { "false" })
            .set("message.timeout.ms", timeout_ms)
            // One record at a time: waiting for another one would be waiting for nothing.
            .set("linger.ms", "0")
            // After a cut on a broker that is alone newer clients forget where it is (librdkafka#5511).
            .set("metadata.recovery.strategy", "none")
            .set("enable.metrics.push", "false");
        if numbers == Numbers::Its {
            config.set("statistics.interval.ms", SAYS_EVERY_MS.to_string());
        }
        if let Some((name, password)) = &backend.broker().user {
            config
                .set("security.protocol", "SASL_PLAINTEXT")
                .set("sasl.mechanism", "PLAIN")
                .set("sasl.username", name)
                .set("sasl.password", password);
        }
        let listening = Arc::<HeardOfId>::default();
        let made = config.create_with_context(IdListener(Arc::clone(&listening)));
        let handle = made.map_err(|error| broken(format!("no librdkafka client: {error}"), "report it"))?;
        let producer = Producer { id: ProducerId(number), epoch: 0 };
        Ok(OrdinaryClient { numbers, producer, handle: Some(handle), listening })
    }

    /// Waits until a client that numbers its records has the id to do so with. It goes on asking for one by itself.
    async fn has_id(&self) {
        while self.numbers == Numbers::Its && !self.listening.has_it.load(Ordering::Acquire) {
            self.listening.told.notified().await;
        }
    }

    /// Appends the record of an effect, however often librdkafka sends it.
    async fn produce(
        &self,
        topic: &str,
        message: MessageId,
        effect: Effect,
        by: Delivery,
    ) -> Result<Outcome, BackendError> {
        let handle = self.handle.as_ref().expect("only its end takes it");
        let value = written::record(message, effect, by);
        let record = FutureRecord::<(), str>::to(topic).partition(partition(effect.account)).payload(&value);
        match handle.send(record, Duration::ZERO).await {
            Ok(_) => Ok(Outcome::Ok(KafkaResponse::Appended(RECORDED).into())),
            Err((KafkaError::MessageProduction(code), _)) => match code as i32 {
                // What nobody may do is not the network's doing.
                code @ (29..=31 | 53) => judged(i16::try_from(code).unwrap_or(-1), KafkaResponse::Noted),
                // An earlier one of its own tries may have landed, whatever the last one came to.
                _ => Ok(Outcome::Unknown),
            },
            Err((error, _)) => Err(broken(format!("librdkafka takes no record: {error}"), "report it")),
        }
    }
}

impl Drop for OrdinaryClient {
    /// librdkafka waits for its threads, a tenth of a second and more: somebody else is to wait with it.
    fn drop(&mut self) {
        let handle = self.handle.take();
        std::thread::spawn(move || drop(handle));
    }
}

/// Hears what a client says of itself.
struct IdListener(Arc<HeardOfId>);

/// Whether a client has been heard to have the id that it numbers its records with.
#[derive(Default)]
struct HeardOfId {
    has_it: AtomicBool,
    told: Notify,
}

/// The part of what a client says that the lab wants to know.
#[derive(Deserialize)]
struct ClientStatistics {
    eos: Option<IdStatistics>,
}

#[derive(Deserialize)]
struct IdStatistics {
    producer_id: i64,
}

impl ClientContext for IdListener {
    fn stats_raw(&self, said: &[u8]) {
        if self.0.has_it.load(Ordering::Relaxed) {
            return;
        }
        let of_id = serde_json::from_slice::<ClientStatistics>(said).ok().and_then(|said| said.eos);
        if of_id.is_some_and(|of| of.producer_id >= 0) {
            self.0.has_it.store(true, Ordering::Release);
            self.0.told.notify_one();
        }
    }
}
