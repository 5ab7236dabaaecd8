//! Kafka in replays: a connection for each lane, each through a proxy of its own that loses what is to be lost.

use std::rc::Rc;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::driver::{KafkaBackend, NAME};
use super::topic::Overseer;
use crate::service::proxied::ProxiedLinks;
use crate::service::replayed::{Ran, ReplayDriver};
use crate::service::{AnyOp, BackendError, Scope};
use crate::terms::{Delivery, Entry, Session};

/// How long an operation may take.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// A topic of its own.
pub(crate) struct ReplayedKafka {
    links: ProxiedLinks<KafkaBackend>,
    /// Behind what was in each partition when everything was emptied last; nothing before the topic is there.
    beginnings: Option<Vec<i64>>,
    /// What the lab itself asks through, once there is something to ask.
    overseer: Option<Overseer>,
}

impl ReplayedKafka {
    pub fn new(runtime: Rc<Runtime>, backend: KafkaBackend) -> Self {
        ReplayedKafka { links: ProxiedLinks::new(runtime, backend, NAME, TIMEOUT), beginnings: None, overseer: None }
    }
}

impl ReplayDriver for ReplayedKafka {
    fn close(&mut self) -> Result<(), BackendError> {
        self.links.close();
        Ok(())
    }

    fn execute(&mut self, on: Session, op: AnyOp, by: Delivery, loses_reply: bool) -> Result<Ran, BackendError> {
        self.links.execute(on, op, by, loses_reply)
    }

    fn lose_request(&mut self, on: Session, op: AnyOp, by: Delivery) -> Result<(), BackendError> {
        self.links.lose_request(on, op, by)
    }

    fn hold(&mut self, on: Session, flight: Session, op: AnyOp, by: Delivery) -> Result<(), BackendError> {
        self.links.hold(on, flight, op, by)
    }

    fn land(&mut self, flight: Session, op: AnyOp, _: Delivery) -> Result<Ran, BackendError> {
        self.links.land(flight, op)
    }

    fn cut(&mut self, on: Session) -> Result<(), BackendError> {
        self.links.cut(on);
        Ok(())
    }

    /// Makes the topic when it is called first. Later it leaves in the topic what is there, and looks only behind it: to remove a topic
    /// and make it anew costs as much as twenty replays.
    fn reset(&mut self, _: u32, _: u32) -> Result<(), BackendError> {
        let backend = &self.links.backend;
        let (mut overseer, is_first) = (self.overseer.take(), self.beginnings.is_none());
        let emptied = self.links.runtime.block_on(async {
            let asks = match &mut overseer {
                Some(asks) => asks,
                none => none.insert(backend.overseer().await?),
            };
            if is_first {
                asks.make(backend.topic()).await?;
            }
            backend.ends(asks).await
        });
        self.beginnings = Some(emptied?);
        // One that has failed is not asked again.
        self.overseer = overseer;
        Ok(())
    }

    fn ledger(&mut self, of: &Scope) -> Result<Vec<Entry>, BackendError> {
        let (Some(beginnings), Some(mut overseer)) = (&self.beginnings, self.overseer.take()) else {
            return Ok(Vec::new());
        };
        let read = self.links.runtime.block_on(self.links.backend.entries(&mut overseer, of, beginnings))?;
        self.overseer = Some(overseer);
        Ok(read)
    }
}
