//! SQLite in replays: a file in memory, write-ahead log, a connection for each lane. It has no wire: faults are logical.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::{Immediate, ImmediateConnection};
use crate::service::provision::{Keeps, temporary_folder};
use crate::service::replayed::{Kept, Ran, ReplayDriver};
use crate::service::{AnyOp, BackendError, Scope, own};
use crate::terms::{Balances, Delivery, Entry, Session};

/// A database of its own.
pub(crate) struct ReplayedSqlite {
    path: PathBuf,
    /// The lab's own connection.
    own: ImmediateConnection,
    open: HashMap<Session, ImmediateConnection, rustc_hash::FxBuildHasher>,
    spare: Vec<ImmediateConnection>,
    /// The connection that was used last.
    last: Option<Session>,
    /// Goes last, and the database with it.
    _folder: tempfile::TempDir,
}

impl ReplayedSqlite {
    pub fn new() -> Result<Self, BackendError> {
        let folder = temporary_folder("sqlite", Keeps::InMemory)?;
        let path = folder.path().join("replay.db");
        let own = ImmediateConnection::open(&path)?;
        own.make_tables()?;
        Ok(ReplayedSqlite { path, own, open: HashMap::default(), spare: Vec::new(), last: None, _folder: folder })
    }

    fn connection(&mut self, on: Session) -> Result<&mut ImmediateConnection, BackendError> {
        let ReplayedSqlite { path, open, spare, .. } = self;
        match open.entry(on) {
            std::collections::hash_map::Entry::Occupied(there) => Ok(there.into_mut()),
            std::collections::hash_map::Entry::Vacant(place) => {
                let connection = spare.pop().map_or_else(|| ImmediateConnection::open(path), Ok)?;
                Ok(place.insert(connection))
            }
        }
    }
}

impl ReplayedSqlite {
    /// A connection to read with: whoever wrote last has the pages at hand.
    fn reader(&self) -> &ImmediateConnection {
        self.last.and_then(|last| self.open.get(&last)).unwrap_or(&self.own)
    }
}

impl ReplayDriver for ReplayedSqlite {
    fn reset(&mut self, first: u32, accounts: u32) -> Result<(), BackendError> {
        self.own.begin_again(first, accounts)
    }

    fn close(&mut self) -> Result<(), BackendError> {
        let all: Vec<Session> = self.open.keys().copied().collect();
        all.into_iter().try_for_each(|session| self.cut(session))
    }

    fn execute(&mut self, on: Session, op: AnyOp, by: Delivery, loses_reply: bool) -> Result<Ran, BackendError> {
        self.last = Some(on);
        match self.connection(on)?.execute(own(op), by)? {
            Immediate::Busy => Ok(Ran::Waits),
            Immediate::Came(outcome) if !loses_reply => Ok(Ran::Came(outcome.map(Into::into))),
            Immediate::Came(_) => {
                self.cut(on)?;
                Ok(Ran::Unheard)
            }
        }
    }

    fn lose_request(&mut self, on: Session, _: AnyOp, _: Delivery) -> Result<(), BackendError> {
        self.cut(on)
    }

    fn hold(&mut self, on: Session, flight: Session, _: AnyOp, _: Delivery) -> Result<(), BackendError> {
        self.connection(on)?;
        if let Some(connection) = self.open.remove(&on) {
            self.open.insert(flight, connection);
        }
        Ok(())
    }

    fn land(&mut self, flight: Session, op: AnyOp, by: Delivery) -> Result<Ran, BackendError> {
        self.execute(flight, op, by, false)
    }

    /// A connection that is closed undoes its transaction; what is left of it can serve another.
    fn cut(&mut self, on: Session) -> Result<(), BackendError> {
        if let Some(mut connection) = self.open.remove(&on) {
            connection.cut()?;
            self.spare.push(connection);
        }
        Ok(())
    }

    fn is_taken(&mut self, message: i64) -> Result<bool, BackendError> {
        self.own.is_taken(message, message)
    }

    fn end_taking(&mut self, first: i64, last: i64) -> Result<(), BackendError> {
        self.own.end_taking(first, last)
    }

    fn ledger(&mut self, of: &Scope) -> Result<Vec<Entry>, BackendError> {
        self.reader().ledger(of)
    }

    fn balances(&mut self, of: &Scope) -> Result<Balances, BackendError> {
        self.reader().balances(of)
    }

    fn keep(self: Box<Self>, folder: &Path) -> Result<Option<Kept>, BackendError> {
        let name = |n: u32| folder.join(if n == 0 { "replay.db".to_owned() } else { format!("replay-{n}.db") });
        let path = (0..).map(name).find(|path| !path.exists()).expect("some name is free");
        self.own.copy_to(&path)?;
        Ok(Some(Kept::File(path)))
    }
}
