//! PostgreSQL in replays: a pinned connection for each lane, each through a proxy of its own that loses what is to be lost.

use std::collections::HashMap;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::{PostgresOverseer, PostgresStore};
use crate::service::proxied::{has_met, no_proxy, stuck};
use crate::service::replayed::{Kept, Ran, ReplayDriver};
use crate::service::{AnyOp, Backend, BackendError, Connection, Outcome, Scope, Way};
use crate::terms::{Balances, Delivery, Entry, Session};
use crate::wire::{Landing, Wire, WireFault};

/// How long a statement may take that waits for nobody.
const TIMEOUT: Duration = Duration::from_secs(20);

/// When a statement has not come back after this long, the server is asked whether it waits for a lock.
const FIRST_LOOK: Duration = Duration::from_millis(2);

/// A schema of its own.
pub(crate) struct ReplayedPostgres {
    runtime: Rc<Runtime>,
    store: PostgresStore,
    overseer: PostgresOverseer,
    links: HashMap<Session, PostgresLink>,
    flights: HashMap<Session, HeldStatement>,
    waiting: HashMap<Session, BegunStatement>,
}

/// A statement that has begun and waits for another transaction, with its connection.
struct BegunStatement {
    statement: Waited,
    wire: Arc<Wire>,
    pid: i32,
}

/// What a statement that had to wait gives back: its connection, and what came of it.
type AfterWait = (Box<dyn Connection>, Result<Outcome, BackendError>);

enum Waited {
    StillWaits(Pin<Box<dyn Future<Output = AfterWait>>>),
    /// Nobody was in the way any more.
    Came(AfterWait),
}

struct PostgresLink {
    connection: Box<dyn Connection>,
    wire: Arc<Wire>,
    pid: i32,
}

/// A request that is held back; without a wire, one that the driver would not send at all.
struct HeldStatement {
    wire: Option<Arc<Wire>>,
    pid: i32,
}

impl ReplayedPostgres {
    pub fn new(runtime: Rc<Runtime>, url: &str) -> Result<Self, BackendError> {
        let (store, overseer) = runtime.block_on(async {
            let store = PostgresStore::connect(url).await?;
            let overseer = store.overseer().await?;
            Ok::<_, BackendError>((store, overseer))
        })?;
        Ok(ReplayedPostgres {
            runtime,
            store,
            overseer,
            links: HashMap::new(),
            flights: HashMap::new(),
            waiting: HashMap::new(),
        })
    }

    fn link(&mut self, on: Session) -> Result<PostgresLink, BackendError> {
        match self.links.remove(&on) {
            Some(link) => Ok(link),
            None => self.runtime.block_on(async {
                let Some(Way { to, protocol }) = self.store.way() else {
                    unreachable!("a PostgreSQL server is somewhere")
                };
                let wire = Wire::start(&to, protocol).await.map_err(|error| no_proxy(&to, &error))?;
                let (connection, pid) = self.store.connect_pinned(wire.address()).await?;
                Ok(PostgresLink { connection, wire: Arc::new(wire), pid })
            }),
        }
    }

    /// The server processes of all lanes.
    fn processes(&self) -> Vec<i32> {
        let links = self.links.values().map(|link| link.pid);
        let flights = self.flights.values().map(|held| held.pid);
        links.chain(flights).chain(self.waiting.values().map(|begun| begun.pid)).collect()
    }

    /// Waits for something that a server process is at, and asks the server whether it waits for another one if that takes
    /// long. None if it does.
    ///
    /// Only another lane is waited for, and only if it is still in the way at a second look. The server's own processes are in the way
    /// for a moment too: when its vacuum shortens a table, even one of the catalog's, it keeps out who only reads it.
    fn watch<T>(&mut self, pid: i32, doing: impl Future<Output = T>) -> Result<Option<T>, BackendError> {
        let lanes = self.processes();
        let overseer = &mut self.overseer;
        self.runtime.block_on(async {
            tokio::pin!(doing);
            let (mut look, mut was_blocked) = (FIRST_LOOK, false);
            let deadline = tokio::time::Instant::now() + TIMEOUT;
            loop {
                tokio::select! {
                    biased;
                    done = &mut doing => return Ok(Some(done)),
                    () = tokio::time::sleep(look) => {}
                }
                let is_blocked = overseer.blocking(pid).await?.iter().any(|blocker| lanes.contains(blocker));
                if is_blocked && was_blocked {
                    return Ok(None);
                }
                was_blocked = is_blocked;
                if tokio::time::Instant::now() > deadline {
                    return Err(stuck("postgres", &format!("process {pid}"), TIMEOUT));
                }
                look *= 2;
            }
        })
    }

    /// Closes the connection, and waits until the server has noticed.
    fn end(&mut self, link: PostgresLink) -> Result<(), BackendError> {
        let pid = link.pid;
        drop(link);
        self.runtime.block_on(self.overseer.wait_until_gone(pid))
    }

    /// Waits for a statement as long as nobody is in its way.
    fn wait_on(&mut self, pid: i32, statement: Waited) -> Result<Waited, BackendError> {
        let Waited::StillWaits(mut statement) = statement else { return Ok(statement) };
        let came = self.watch(pid, statement.as_mut())?;
        Ok(came.map_or(Waited::StillWaits(statement), Waited::Came))
    }

    /// Lets statements come to their end that nobody is in the way of any more: a server has them go on at once, but it takes a moment,
    /// in which another lane's statement must not overtake them.
    fn let_waiting_go_on(&mut self) -> Result<(), BackendError> {
        for on in self.waiting.keys().copied().collect::<Vec<_>>() {
            let Some(BegunStatement { statement, wire, pid }) = self.waiting.remove(&on) else { continue };
            let statement = self.wait_on(pid, statement)?;
            self.waiting.insert(on, BegunStatement { statement, wire, pid });
        }
        Ok(())
    }

    /// Ends a statement that waits, and its connection with it.
    fn end_wait(&mut self, waiting: BegunStatement) -> Result<(), BackendError> {
        let pid = waiting.pid;
        drop(waiting);
        self.runtime.block_on(self.overseer.terminate(pid))
    }
}

impl ReplayDriver for ReplayedPostgres {
    fn reset(&mut self, first: u32, accounts: u32) -> Result<(), BackendError> {
        self.runtime.block_on(self.overseer.begin_again(first, accounts))
    }

    fn close(&mut self) -> Result<(), BackendError> {
        let links: Vec<PostgresLink> = self.links.drain().map(|(_, link)| link).collect();
        let waiting: Vec<BegunStatement> = self.waiting.drain().map(|(_, waiting)| waiting).collect();
        waiting.into_iter().try_for_each(|waiting| self.end_wait(waiting))?;
        links.into_iter().try_for_each(|link| self.end(link))?;
        let flights: Vec<HeldStatement> = self.flights.drain().map(|(_, held)| held).collect();
        for HeldStatement { wire, pid } in flights {
            drop(wire);
            self.runtime.block_on(self.overseer.wait_until_gone(pid))?;
        }
        Ok(())
    }

    fn execute(&mut self, on: Session, op: AnyOp, by: Delivery, loses_reply: bool) -> Result<Ran, BackendError> {
        self.let_waiting_go_on()?;
        let mut link = self.link(on)?;
        if loses_reply {
            link.wire.arm(WireFault::LoseReply);
        }
        let done = self.watch(link.pid, link.connection.execute(op, by))?;
        match done {
            None => {
                let pid = link.pid;
                drop(link);
                self.runtime.block_on(self.overseer.terminate(pid))?;
                Ok(Ran::Waits)
            }
            Some(outcome) if loses_reply => {
                has_met(&link.wire, "postgres", outcome)?;
                self.end(link)?;
                Ok(Ran::Unheard)
            }
            Some(Ok(Outcome::Unknown)) => {
                let what = format!("process {} is gone in the middle of `{op}`", link.pid);
                Err(BackendError { backend: "postgres", what, remedy: Some("see the server's log".to_owned()) })
            }
            Some(outcome) => {
                self.links.insert(on, link);
                Ok(Ran::Came(outcome?))
            }
        }
    }

    fn lose_request(&mut self, on: Session, op: AnyOp, by: Delivery) -> Result<(), BackendError> {
        self.let_waiting_go_on()?;
        let mut link = self.link(on)?;
        link.wire.arm(WireFault::LoseRequest);
        if let Some(outcome) = self.watch(link.pid, link.connection.execute(op, by))? {
            has_met(&link.wire, "postgres", outcome)?;
        }
        self.end(link)
    }

    fn hold(&mut self, on: Session, flight: Session, op: AnyOp, by: Delivery) -> Result<(), BackendError> {
        let PostgresLink { mut connection, wire, pid } = self.link(on)?;
        wire.arm(WireFault::Hold);
        let held = match self.watch(pid, connection.execute(op, by))? {
            Some(outcome) => has_met(&wire, "postgres", outcome)?,
            None => false,
        };
        // The driver may have refused without a request: then nothing is in flight, and the connection is closed.
        let wire = held.then_some(wire);
        if wire.is_none() {
            drop(connection);
            self.runtime.block_on(self.overseer.wait_until_gone(pid))?;
        }
        self.flights.insert(flight, HeldStatement { wire, pid });
        Ok(())
    }

    fn land(&mut self, flight: Session, op: AnyOp, _: Delivery) -> Result<Ran, BackendError> {
        // What is on its way has a transaction that others may wait for: it is one of the lanes until it lands.
        if self.flights.contains_key(&flight) {
            self.let_waiting_go_on()?;
        }
        let Some(HeldStatement { wire, pid }) = self.flights.remove(&flight) else { return Ok(Ran::Unheard) };
        let Some(wire) = wire else { return Ok(Ran::Unheard) };
        let landed = self.watch(pid, wire.release())?;
        drop(wire);
        let Some(landed) = landed else {
            self.runtime.block_on(self.overseer.terminate(pid))?;
            return Ok(Ran::Waits);
        };
        self.runtime.block_on(self.overseer.wait_until_gone(pid))?;
        match landed {
            Landing::Finished { .. } => Ok(Ran::Unheard),
            Landing::Broken | Landing::NothingHeld => Err(BackendError {
                backend: "postgres",
                what: format!("process {pid} was gone when `{op}` was to land"),
                remedy: Some("see the server's log".to_owned()),
            }),
        }
    }

    fn queue_up(&mut self, on: Session, op: AnyOp, by: Delivery) -> Result<bool, BackendError> {
        self.let_waiting_go_on()?;
        let PostgresLink { mut connection, wire, pid } = self.link(on)?;
        let statement = Box::pin(async move {
            let outcome = connection.execute(op, by).await;
            (connection, outcome)
        });
        let statement = self.wait_on(pid, Waited::StillWaits(statement))?;
        let waits = matches!(statement, Waited::StillWaits(_));
        self.waiting.insert(on, BegunStatement { statement, wire, pid });
        Ok(waits)
    }

    fn take_turn(&mut self, on: Session) -> Result<Ran, BackendError> {
        let Some(BegunStatement { statement, wire, pid }) = self.waiting.remove(&on) else { return Ok(Ran::Unheard) };
        match self.wait_on(pid, statement)? {
            statement @ Waited::StillWaits(_) => {
                self.waiting.insert(on, BegunStatement { statement, wire, pid });
                Ok(Ran::Waits)
            }
            Waited::Came((connection, outcome)) => {
                self.links.insert(on, PostgresLink { connection, wire, pid });
                Ok(Ran::Came(outcome?))
            }
        }
    }

    fn cut(&mut self, on: Session) -> Result<(), BackendError> {
        if let Some(waiting) = self.waiting.remove(&on) {
            return self.end_wait(waiting);
        }
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
        let held = || self.flights.get(&on).map(|held| held.pid);
        self.links.get(&on).map(|link| link.pid).or_else(held).map(|pid| format!("pid {pid}"))
    }

    fn keep(mut self: Box<Self>, _: &Path) -> Result<Option<Kept>, BackendError> {
        self.close()?;
        self.runtime.block_on(self.store.keep()).map(|schema| Some(Kept::Schema(schema)))
    }
}

impl Drop for ReplayedPostgres {
    fn drop(&mut self) {
        self.links.clear();
        self.flights.clear();
        // A server that is gone has nothing to be removed; what stays, the next run removes.
        let _ = self.runtime.block_on(self.store.remove());
    }
}
