//! A service as replays drive it: connections by number, one operation at a time, and what is cut has ended when the call comes
//! back.

use std::path::Path;

use super::{AnyOp, BackendError, Outcome, Scope};
use crate::terms::{Balances, Delivery, Entry, Session};

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

/// The driver of a service in replays. What only some services have is nothing by default.
pub(crate) trait ReplayDriver {
    /// Closes every connection, those of requests in flight too.
    fn close(&mut self) -> Result<(), BackendError>;

    /// A replay begins.
    fn begin(&mut self) -> Result<(), BackendError> {
        Ok(())
    }

    /// Carries an operation out; with `loses_reply`, its answer is lost and the connection with it.
    fn execute(&mut self, on: Session, op: AnyOp, by: Delivery, loses_reply: bool) -> Result<Ran, BackendError>;

    /// The request is cut off before the server has seen any of it, and the connection with it.
    fn lose_request(&mut self, on: Session, op: AnyOp, by: Delivery) -> Result<(), BackendError>;

    /// The request is held back, and the connection with it, under another number; its sender is cut off.
    fn hold(&mut self, on: Session, flight: Session, op: AnyOp, by: Delivery) -> Result<(), BackendError>;

    /// What was held is sent, finished and closed.
    fn land(&mut self, flight: Session, op: AnyOp, by: Delivery) -> Result<Ran, BackendError>;

    /// What has landed goes on over the connection of a lane. Only what begins a handler does.
    fn take_over(&mut self, _flight: Session, _on: Session) {}

    /// Closes a connection, if it is there, and waits until its transaction has ended.
    fn cut(&mut self, on: Session) -> Result<(), BackendError>;

    /// What the server calls this connection.
    fn name_of(&self, _on: Session) -> Option<String> {
        None
    }

    /// Empties everything, and opens so many accounts from this one on. Connections without a transaction stay.
    fn reset(&mut self, _first: u32, _accounts: u32) -> Result<(), BackendError> {
        Ok(())
    }

    /// The effects on these accounts or of these messages, in their order.
    fn ledger(&mut self, _of: &Scope) -> Result<Vec<Entry>, BackendError> {
        Ok(Vec::new())
    }

    /// The balances of these accounts.
    fn balances(&mut self, _of: &Scope) -> Result<Balances, BackendError> {
        Ok(Balances::default())
    }

    /// Lets what is in the service stay, in this folder if it is a file; nothing if it keeps nothing.
    fn keep(self: Box<Self>, _folder: &Path) -> Result<Option<Kept>, BackendError> {
        Ok(None)
    }

    /// What comes of a wait that nothing but the lab can end; nothing if the server decides whose it is.
    fn victim(&self) -> Option<Outcome> {
        None
    }

    /// The ids of what an operation would have to wait for: of leases, by age.
    fn ahead(&mut self, _op: AnyOp) -> Result<Vec<i64>, BackendError> {
        Ok(Vec::new())
    }

    /// Sends a request that has to wait, and comes back when it waits. False if it did not wait.
    fn queue_up(&mut self, _on: Session, _op: AnyOp, _by: Delivery) -> Result<bool, BackendError> {
        Ok(false)
    }

    /// Waits for the answer to a request that had to wait, and whose turn has come.
    fn take_turn(&mut self, _on: Session) -> Result<Ran, BackendError> {
        Ok(Ran::Unheard)
    }

    /// Whether what was asked for is still there, e.g. a lease.
    fn is_alive(&mut self, _id: i64) -> Result<bool, BackendError> {
        Ok(false)
    }

    /// Whether somebody has taken a message for a time that has not run out.
    fn is_taken(&mut self, _message: i64) -> Result<bool, BackendError> {
        Ok(false)
    }

    /// Lets the time run out for which messages were taken, from the first to the last of them.
    fn end_taking(&mut self, _first: i64, _last: i64) -> Result<(), BackendError> {
        Ok(())
    }

    /// Ends what was asked for as its expiry does. `others` are to stay.
    fn expire(&mut self, _id: i64, _others: &[i64]) -> Result<(), BackendError> {
        Ok(())
    }
}
