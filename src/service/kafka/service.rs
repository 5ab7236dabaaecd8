//! Kafka as a service: its operations, its answers, and the words for it.

use super::client::KafkaClient;
use super::op::{self, KafkaOp};
use super::response::KafkaResponse;
use crate::service::Kind;
use crate::service::contract::{CarriesAll, Service};
use crate::terms::Role;

/// Kafka: topics, and producers.
#[derive(Debug)]
pub struct KafkaService;

impl Service for KafkaService {
    const NAME: &'static str = "kafka";
    const KINDS: &'static [Kind] = op::KINDS;
    type Op = KafkaOp;
    type Response = KafkaResponse;
    type Client<'w, C: CarriesAll<Self> + 'w> = KafkaClient<'w, C>;

    #[inline]
    fn client<'w, C: CarriesAll<Self>>(carrier: &'w mut C, role: Role) -> KafkaClient<'w, C> {
        KafkaClient { carrier, role }
    }
}
