//! MariaDB in replays: a connection for each lane. The lab has no proxy that knows its protocol, so faults are made at the end of the
//! connection: a request that is lost is not sent, one that is held is sent later on the connection that it would have gone on, and a
//! reply that is lost is read by nobody who would tell.

use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::{MariadbOverseer, MariadbStore};
use crate::service::proxied::stuck;
use crate::service::replayed::{Kept, Ran, ReplayDriver};
use crate::service::{AnyOp, BackendError, Connection, Outcome, Scope};
use crate::terms::{Balances, Delivery, Entry, Session};

/// How long a statement may take that waits for nobody.
const TIMEOUT: Duration = Duration::from_secs(20);

/// When a statement has not come back after this long, the server is asked whether it waits for a lock.
const FIRST_LOOK: Duration = Duration::from_millis(2);

/// A schema of its own.
pub(crate) struct ReplayedMariadb {
    runtime: Rc<Runtime>,
    store: MariadbStore,
    overseer: MariadbOverseer,
    links: HashMap<Session, MariadbLink>,
}

struct MariadbLink {
    connection: Box<dyn Connection>,
    id: i64,
}

impl ReplayedMariadb {
    pub fn new(runtime: Rc<Runtime>, url: &str) -> Result<Self, BackendError> {
        let (store, overseer) = runtime.block_on(async {
            let store = MariadbStore::connect(url).await?;
            let mut overseer = store.overseer().await?;
            // Whether it may look at all is better known before the first wait.
            overseer.waits(0).await?;
            Ok::<_, BackendError>((store, overseer))
        })?;
        Ok(ReplayedMariadb { runtime, store, overseer, links: HashMap::new() })
    }

    fn link(&mut self, on: Session) -> Result<MariadbLink, BackendError> {
        match self.links.remove(&on) {
            Some(link) => Ok(link),
            None => self.runtime.block_on(async {
                let (connection, id) = self.store.connect_pinned().await?;
                Ok(MariadbLink { connection, id })
            }),
        }
    }

    /// Waits for an operation, and asks the server whether it waits for another one if that takes long. None if it does.
    fn watch(&mut self, link: &mut MariadbLink, op: AnyOp, by: Delivery) -> Result<Option<Outcome>, BackendError> {
        let MariadbLink { connection, id } = link;
        let overseer = &mut self.overseer;
        self.runtime.block_on(async {
            let doing = connection.execute(op, by);
            tokio::pin!(doing);
            let mut look = FIRST_LOOK;
            let deadline = tokio::time::Instant::now() + TIMEOUT;
            loop {
                tokio::select! {
                    biased;
                    done = &mut doing => return done.map(Some),
                    () = tokio::time::sleep(look) => {}
                }
                if overseer.waits(*id).await? {
                    return Ok(None);
                }
                if tokio::time::Instant::now() > deadline {
                    return Err(stuck("mariadb", &format!("connection {id}"), TIMEOUT));
                }
                look *= 2;
            }
        })
    }

    /// Closes the connection, and waits until the server has noticed.
    fn end(&mut self, link: MariadbLink) -> Result<(), BackendError> {
        let id = link.id;
        drop(link);
        self.runtime.block_on(self.overseer.wait_until_gone(id))
    }

    /// Ends a connection that waits, and waits until the server has noticed.
    fn terminate(&mut self, link: MariadbLink) -> Result<(), BackendError> {
        let id = link.id;
        drop(link);
        self.runtime.block_on(self.overseer.terminate(id))
    }
}

impl ReplayDriver for ReplayedMariadb {
    fn reset(&mut self, first: u32, accounts: u32) -> Result<(), BackendError> {
        self.runtime.block_on(self.overseer.begin_again(first, accounts))
    }

    fn close(&mut self) -> Result<(), BackendError> {
        let links: Vec<MariadbLink> = self.links.drain().map(|(_, link)| link).collect();
        links.into_iter().try_for_each(|link| self.end(link))
    }

    fn execute(&mut self, on: Session, op: AnyOp, by: Delivery, loses_reply: bool) -> Result<Ran, BackendError> {
        let mut link = self.link(on)?;
        match self.watch(&mut link, op, by)? {
            None => {
                self.terminate(link)?;
                Ok(Ran::Waits)
            }
            Some(Outcome::Unknown) => {
                let what = format!("connection {} is gone in the middle of `{op}`", link.id);
                Err(BackendError { backend: "mariadb", what, remedy: Some("see the server's log".to_owned()) })
            }
            Some(_) if loses_reply => {
                self.end(link)?;
                Ok(Ran::Unheard)
            }
            Some(outcome) => {
                self.links.insert(on, link);
                Ok(Ran::Came(outcome))
            }
        }
    }

    fn lose_request(&mut self, on: Session, _: AnyOp, _: Delivery) -> Result<(), BackendError> {
        self.cut(on)
    }

    fn hold(&mut self, on: Session, flight: Session, _: AnyOp, _: Delivery) -> Result<(), BackendError> {
        let link = self.link(on)?;
        self.links.insert(flight, link);
        Ok(())
    }

    fn land(&mut self, flight: Session, op: AnyOp, by: Delivery) -> Result<Ran, BackendError> {
        self.execute(flight, op, by, true)
    }

    fn cut(&mut self, on: Session) -> Result<(), BackendError> {
        match self.links.remove(&on) {
            Some(link) => self.end(link),
            None => Ok(()),
        }
    }

    fn is_taken(&mut self, message: i64) -> Result<bool, BackendError> {
        self.runtime.block_on(self.overseer.is_taken(message, message))
    }

    fn end_taking(&mut self, first: i64, last: i64) -> Result<(), BackendError> {
        self.runtime.block_on(self.overseer.end_taking(first, last))
    }

    fn ledger(&mut self, of: &Scope) -> Result<Vec<Entry>, BackendError> {
        self.runtime.block_on(self.overseer.ledger(of))
    }

    fn balances(&mut self, of: &Scope) -> Result<Balances, BackendError> {
        self.runtime.block_on(self.overseer.balances(of))
    }

    fn name_of(&self, on: Session) -> Option<String> {
        self.links.get(&on).map(|link| format!("connection {}", link.id))
    }

    fn keep(mut self: Box<Self>, _: &Path) -> Result<Option<Kept>, BackendError> {
        self.close()?;
        self.runtime.block_on(self.store.keep()).map(|schema| Some(Kept::Schema(schema)))
    }
}

impl Drop for ReplayedMariadb {
    fn drop(&mut self) {
        self.links.clear();
        // A server that is gone has nothing to be removed; what stays, the next run removes.
        let _ = self.runtime.block_on(self.store.remove());
    }
}
