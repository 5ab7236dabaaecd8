//! What a driver brings along: a backend, connections to it that can be cut, and stores, whose ledger can be read.

use std::pin::Pin;
use std::sync::Arc;

use super::{AnyOp, Outcome};
use crate::terms::{Balances, Delivery, Entry};
use crate::wire::{Address, Protocol, Wire};

/// A future that a backend gives back.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Trouble that is neither an outcome of an operation nor a fault: the trial cannot go on.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{backend}: {what}{}", .remedy.as_ref().map(|remedy| format!("; {remedy}")).unwrap_or_default())]
pub struct BackendError {
    /// Which backend, e.g. `sqlite`.
    pub backend: &'static str,
    /// What went wrong, in the backend's own words where it has some.
    pub what: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

/// One connection to one backend, owned by one handler. Dropping it closes it, and what the backend does to an open
/// transaction or a waiting lock of a closed connection is what it does here.
pub trait Connection: Send {
    /// Carries out one operation. Dropped in the middle, the session must be dropped with it: nobody knows how far it got.
    ///
    /// # Errors
    /// [`BackendError`] if the backend is broken rather than busy, refusing or gone.
    fn execute(&mut self, op: AnyOp, by: Delivery) -> Pending<'_, Result<Outcome, BackendError>>;

    /// Carries out several operations of one kind, each for a delivery, together or not at all: in one statement and one commit if the
    /// driver can, and in a transaction otherwise. What each comes to, in their order. Dropped in the middle, as
    /// [`execute`](Connection::execute).
    ///
    /// # Errors
    /// As [`execute`](Connection::execute); also if the backend knows no such thing.
    fn execute_all(&mut self, ops: Vec<(AnyOp, Delivery)>) -> Pending<'_, Result<Vec<Outcome>, BackendError>> {
        Box::pin(async move {
            let mut outcomes = Vec::with_capacity(ops.len());
            match ops.as_slice() {
                [] => {}
                [(op, by)] => outcomes.push(self.execute(*op, *by).await?),
                [(op, _), ..] => {
                    let what = format!("it cannot do several of `{op}` at once");
                    return Err(BackendError { backend: "batch", what, remedy: None });
                }
            }
            Ok(outcomes)
        })
    }

    /// Whether the driver sends again by itself what nobody answers. What it says in the end is what became of the operation then, also
    /// after a fault on the wire; of any other driver's operation nobody knows what became.
    fn mends(&self) -> bool {
        false
    }

    /// The handler stands still, or goes on: whatever the driver does beside its operations stops or goes on with it.
    fn stand_still(&mut self, _still: bool) {}

    /// The proxy that the connection goes through with this operation, if it does.
    fn wire(&self, _: AnyOp) -> Option<Arc<Wire>> {
        None
    }
}

/// A place to connect to: a store or a lock service.
pub trait Backend: Send + Sync {
    /// Opens a connection.
    fn connect(&self) -> Pending<'_, Result<Box<dyn Connection>, BackendError>>;

    /// The servers that it is made of, if there are several that know nothing of each other, each as a backend of its own; a connection
    /// is then one to each.
    fn members(&self) -> Vec<Arc<dyn Backend>> {
        Vec::new()
    }

    /// Which of its members an operation is meant for.
    fn member_of(&self, _: AnyOp) -> usize {
        0
    }

    /// Where a connection leads and what is spoken on it; none if there is nothing between the lab and the backend.
    fn way(&self) -> Option<Way> {
        None
    }

    /// Opens a connection through something that listens at this address and leads where [`way`](Backend::way) said.
    fn connect_through(&self, _: &Address) -> Pending<'_, Result<Box<dyn Connection>, BackendError>> {
        self.connect()
    }

    /// Versions and settings that matter, for `meta.json`.
    fn describe(&self) -> Vec<(String, String)>;
}

/// The way to a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    pub to: Address,
    pub protocol: Protocol,
}

/// What a store says of itself, in bytes; nothing where it cannot tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// What it keeps to remember messages, tokens and leases by, indices included: whatever is neither accounts nor ledger.
    pub kept_bytes: Option<u64>,
    /// What it has written to its log: PostgreSQL's WAL, or InnoDB's redo log.
    pub logged_bytes: Option<u64>,
}

impl Usage {
    /// That of two stores together.
    #[must_use]
    pub fn and(&self, other: &Usage) -> Usage {
        let both = |one: Option<u64>, other: Option<u64>| Some(one?.saturating_add(other?));
        Usage {
            kept_bytes: both(self.kept_bytes, other.kept_bytes),
            logged_bytes: both(self.logged_bytes, other.logged_bytes),
        }
    }

    /// What has come on top of an earlier usage.
    #[must_use]
    pub fn since(&self, before: &Usage) -> Usage {
        let more = |now: Option<u64>, before: Option<u64>| Some(now?.saturating_sub(before?));
        Usage {
            kept_bytes: more(self.kept_bytes, before.kept_bytes),
            logged_bytes: more(self.logged_bytes, before.logged_bytes),
        }
    }
}

/// A backend that keeps effects.
pub trait Store: Backend {
    /// Empties everything and opens accounts 0 to `accounts`, each with a balance of 0.
    fn reset(&self, accounts: u32) -> Pending<'_, Result<(), BackendError>>;

    /// Waits until nothing is under way any more on connections that have been closed. A server may notice late that a client
    /// has gone, and finish what it was at.
    fn quiesce(&self) -> Pending<'_, Result<(), BackendError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// How much the store keeps and has written so far, as far as it can tell.
    fn usage(&self) -> Pending<'_, Result<Usage, BackendError>> {
        Box::pin(std::future::ready(Ok(Usage::default())))
    }

    /// Reads the ledger from beginning to end, in the order in which the entries were made.
    fn ledger(&self) -> Pending<'_, Result<Vec<Entry>, BackendError>>;

    /// Reads the balance of every account, in the order of their ids.
    fn balances(&self) -> Pending<'_, Result<Balances, BackendError>>;

    /// What somebody should know of the server before it is used, e.g. settings that end what takes long.
    fn warnings(&self) -> &[String] {
        &[]
    }

    /// Removes what the run has made in a server: its schema.
    fn remove(&self) -> Pending<'_, Result<(), BackendError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
