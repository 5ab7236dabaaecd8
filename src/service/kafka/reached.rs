//! How Kafka is reached, under load and in replays.

use std::rc::Rc;
use std::sync::Arc;

use super::KafkaService;
#[cfg(feature = "rdkafka")]
use super::librdkafka::OrdinaryBackend;
use super::replayed::{ReplayedKafka, TIMEOUT};
#[cfg(feature = "rdkafka")]
use crate::service::BrokerClient;
use crate::service::reachable::{LedgerOf, Reachable, ReplaySite, TrialSite};
use crate::service::replayed::ReplayDriver;
use crate::service::{Backend, BackendError, Backends, Store};
use crate::terms::Role;

impl Reachable for KafkaService {
    fn driver(site: ReplaySite<'_>) -> Result<Box<dyn ReplayDriver>, BackendError> {
        let backend = site.backends.kafka()?.waiting(TIMEOUT).under(&site.prefix);
        Ok(Box::new(ReplayedKafka::new(Rc::clone(&site.runtime), backend)))
    }

    fn backend(backends: &Backends, _: Role, of: TrialSite<'_>) -> Result<Arc<dyn Backend>, BackendError> {
        let backend = backends.kafka()?.under(of.prefix);
        of.broker_client.require()?;
        #[cfg(feature = "rdkafka")]
        if of.broker_client == BrokerClient::Rdkafka {
            return Ok(Arc::new(OrdinaryBackend::new(backend)));
        }
        Ok(Arc::new(backend))
    }

    /// A record is an effect.
    fn store(backends: &Backends, _: Role, of: LedgerOf<'_>) -> Result<Option<Arc<dyn Store>>, BackendError> {
        match of.has_effects {
            true => Ok(Some(Arc::new(backends.kafka()?.under(of.prefix)))),
            false => Ok(None),
        }
    }
}
