//! The two sides that the gate stands before: a store and a lock service, with connections that can be cut.

use std::path::Path;

use crate::service::{BackendError, Scope};
use crate::terms::{AccountId, Balances, Delivery, Entry, LeaseId, Session};
use crate::world::{Op, Outcome};

/// Where a database was left that is to stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// A file.
    File(std::path::PathBuf),
    /// A schema in the database at this URL.
    Schema(String),
}

/// What became of an operation on the real thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ran {
    Came(Outcome),
    /// It was done, and its answer went to nobody.
    Unheard,
    /// It waits for another one, says the server.
    Waits,
}

/// A store as the gate drives it: connections by number, one operation at a time, and what is cut has ended when the call
/// comes back.
pub(crate) trait StoreSide {
    /// Empties everything, and opens so many accounts from this one on. Connections without a transaction stay.
    fn reset(&mut self, first: u32, accounts: u32) -> Result<(), BackendError>;

    /// Closes every connection, those of requests in flight too.
    fn close(&mut self) -> Result<(), BackendError>;

    /// Carries an operation out; with `loses_reply`, its answer is lost and the connection with it.
    fn execute(&mut self, on: Session, op: Op, by: Delivery, loses_reply: bool) -> Result<Ran, BackendError>;

    /// The request is cut off before the server has seen any of it, and the connection with it.
    fn lose_request(&mut self, on: Session, op: Op, by: Delivery) -> Result<(), BackendError>;

    /// The request is held back, and the connection with it, under another number; its sender is cut off.
    fn hold(&mut self, on: Session, flight: Session, op: Op, by: Delivery) -> Result<(), BackendError>;

    /// What was held is sent, finished and closed.
    fn land(&mut self, flight: Session, op: Op, by: Delivery) -> Result<Ran, BackendError>;

    /// Closes a connection, if it is there, and waits until its transaction has ended.
    fn cut(&mut self, on: Session) -> Result<(), BackendError>;

    /// The effects on these accounts or of these messages, in their order.
    fn ledger(&mut self, of: &Scope) -> Result<Vec<Entry>, BackendError>;

    /// The balances of these accounts.
    fn balances(&mut self, of: &Scope) -> Result<Balances, BackendError>;

    /// What the server calls this connection.
    fn name_of(&self, on: Session) -> Option<String>;

    /// Lets what is in the store stay, in this folder if it is a file.
    fn keep(self: Box<Self>, folder: &Path) -> Result<Kept, BackendError>;
}

/// A lock service as the gate drives it.
pub(crate) trait LockSide {
    /// Closes every connection, those of requests in flight too.
    fn close(&mut self);

    /// Carries an operation out; with `loses_reply`, its answer is lost and the connection with it.
    fn execute(&mut self, on: Session, op: Op, loses_reply: bool) -> Result<Ran, BackendError>;

    /// The request is cut off before the server has seen any of it, and the connection with it.
    fn lose_request(&mut self, on: Session, op: Op) -> Result<(), BackendError>;

    /// The request is held back under another number; its sender is cut off.
    fn hold(&mut self, on: Session, flight: Session, op: Op) -> Result<(), BackendError>;

    /// Sends a request for the lock on an account under a lease, and comes back when it is in the queue.
    fn queue_up(&mut self, on: Session, op: Op) -> Result<(), BackendError>;

    /// Waits for the answer to a request whose turn has come.
    fn take_turn(&mut self, on: Session) -> Result<Ran, BackendError>;

    /// What was held is sent, finished and closed.
    fn land(&mut self, flight: Session) -> Result<Ran, BackendError>;

    /// Closes a connection, if it is there.
    fn cut(&mut self, on: Session);

    /// Ends a lease as its expiry does. `others` are to stay.
    fn expire(&mut self, lease: LeaseId, others: &[LeaseId]) -> Result<(), BackendError>;

    /// Whether a lease lives.
    fn is_alive(&mut self, lease: LeaseId) -> Result<bool, BackendError>;

    /// The leases in the queue of the lock on an account, the holder's first.
    fn queue(&mut self, account: AccountId) -> Result<Vec<LeaseId>, BackendError>;
}
