//! Kafka in replays: a connection for each lane, each through a proxy of its own that loses what is to be lost.

use std::rc::Rc;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::driver::{KafkaBackend, NAME};
use super::op::KafkaOp;
use super::topic::Overseer;
use crate::service::proxied::ProxiedLinks;
use crate::service::replayed::{Ran, ReplayDriver};
use crate::service::{AnyOp, BackendError, Scope, own};
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
    /// Whether there may be a transaction that is open.
    has_transactions: bool,
}

impl ReplayedKafka {
    pub fn new(runtime: Rc<Runtime>, backend: KafkaBackend) -> Self {
        let links = ProxiedLinks::new(runtime, backend, NAME, TIMEOUT);
        ReplayedKafka { links, beginnings: None, overseer: None, has_transactions: false }
    }

    /// Asks the broker for the lab itself, if it was ever asked.
    fn oversee<T: Default>(
        &mut self,
        what: impl AsyncFnOnce(&mut Overseer, &KafkaBackend) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let Some(mut overseer) = self.overseer.take() else { return Ok(T::default()) };
        let came = self.links.runtime.block_on(what(&mut overseer, &self.links.backend))?;
        self.overseer = Some(overseer);
        Ok(came)
    }

    /// After an operation: a broker says that a transaction has ended before it has told the partitions.
    fn wait_for_end(&mut self, after: AnyOp) -> Result<(), BackendError> {
        let op: KafkaOp = own(after);
        self.has_transactions |= op.is_transactional();
        if !op.may_end_transaction() {
            return Ok(());
        }
        self.oversee(async |overseer, backend| overseer.wait_for_ends(&backend.names_begin_with()).await)
    }
}

impl ReplayDriver for ReplayedKafka {
    fn close(&mut self) -> Result<(), BackendError> {
        self.links.close();
        Ok(())
    }

    fn execute(&mut self, on: Session, op: AnyOp, by: Delivery, loses_reply: bool) -> Result<Ran, BackendError> {
        let ran = self.links.execute(on, op, by, loses_reply)?;
        self.wait_for_end(op)?;
        Ok(ran)
    }

    fn lose_request(&mut self, on: Session, op: AnyOp, by: Delivery) -> Result<(), BackendError> {
        self.links.lose_request(on, op, by)
    }

    fn hold(&mut self, on: Session, flight: Session, op: AnyOp, by: Delivery) -> Result<(), BackendError> {
        self.links.hold(on, flight, op, by)
    }

    fn land(&mut self, flight: Session, op: AnyOp, _: Delivery) -> Result<Ran, BackendError> {
        let ran = self.links.land(flight, op)?;
        self.wait_for_end(op)?;
        Ok(ran)
    }

    fn cut(&mut self, on: Session) -> Result<(), BackendError> {
        self.links.cut(on);
        Ok(())
    }

    /// Makes the topic when it is called first. Later it leaves in the topic what is there, and looks only behind it: to remove a topic
    /// and make it anew costs as much as twenty replays.
    fn reset(&mut self, _: u32, _: u32) -> Result<(), BackendError> {
        let backend = &self.links.backend;
        let has_transactions = std::mem::take(&mut self.has_transactions);
        let (mut overseer, is_first) = (self.overseer.take(), self.beginnings.is_none());
        let emptied = self.links.runtime.block_on(async {
            let asks = match &mut overseer {
                Some(asks) => asks,
                none => none.insert(backend.overseer().await?),
            };
            if is_first {
                backend.begin(asks).await?;
            }
            if has_transactions {
                asks.abort_all(&backend.names_begin_with()).await?;
            }
            backend.begin_names_anew();
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
        let backend = &self.links.backend;
        let has_transactions = std::mem::take(&mut self.has_transactions);
        let read = self.links.runtime.block_on(async {
            // One that is open hides whatever comes behind it.
            if has_transactions {
                overseer.abort_all(&backend.names_begin_with()).await?;
            }
            backend.entries(&mut overseer, of, beginnings).await
        })?;
        self.overseer = Some(overseer);
        Ok(read)
    }

    /// The members for whose end a joining has to wait.
    fn ahead(&mut self, op: AnyOp) -> Result<Vec<i64>, BackendError> {
        let Some(group) = own::<KafkaOp>(op).joins().map(|client| self.links.backend.group(client)) else {
            return Ok(Vec::new());
        };
        self.oversee(async |overseer, backend| {
            let members = overseer.members_of(&group).await?;
            Ok(members.iter().map(|member| backend.members().number_of(&group, member)).collect())
        })
    }

    /// Whether a member is one still.
    fn is_alive(&mut self, number: i64) -> Result<bool, BackendError> {
        let Some(member) = self.links.backend.members().get(number) else { return Ok(false) };
        self.oversee(async |overseer, _| Ok(overseer.members_of(&member.group).await?.contains(&member.name)))
    }

    /// The session of a member runs out: the lab lets it leave, which does to the group what the end of its session does.
    fn expire(&mut self, number: i64, _: &[i64]) -> Result<(), BackendError> {
        let Some(member) = self.links.backend.members().get(number) else { return Ok(()) };
        self.oversee(async |overseer, _| overseer.remove_member(&member).await)
    }
}
