//! How Kafka is reached, under load and in replays.

use std::rc::Rc;
use std::sync::Arc;

use super::KafkaService;
use super::replayed::{ReplayedKafka, TIMEOUT};
use crate::service::reachable::{LedgerOf, Reachable, ReplaySite};
use crate::service::replayed::ReplayDriver;
use crate::service::{Backend, BackendError, Backends, Store};
use crate::terms::Role;

impl Reachable for KafkaService {
    fn driver(site: ReplaySite<'_>) -> Result<Box<dyn ReplayDriver>, BackendError> {
        let backend = site.backends.kafka()?.waiting(TIMEOUT).under(&site.prefix);
        Ok(Box::new(ReplayedKafka::new(Rc::clone(&site.runtime), backend)))
    }

    fn backend(backends: &Backends, _: Role, prefix: &str) -> Result<Arc<dyn Backend>, BackendError> {
        Ok(Arc::new(backends.kafka()?.under(prefix)))
    }

    /// A record is an effect.
    fn store(backends: &Backends, _: Role, of: LedgerOf<'_>) -> Result<Option<Arc<dyn Store>>, BackendError> {
        match of.has_effects {
            true => Ok(Some(Arc::new(backends.kafka()?.under(of.prefix)))),
            false => Ok(None),
        }
    }
}
