//! Transactions: begin, commit, roll back.

use super::Tables;
use super::rows::Insertion;
use crate::service::modelled::Waits;
use crate::service::store::{StoreOutcome, StoreResponse};
use crate::terms::{Entry, Failure, Isolation, Profile, Session, Sessions};

/// A transaction that has begun and not ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Transaction {
    pub session: Session,
    pub isolation: Isolation,
    /// An error has ended it, though not in name: its changes and its locks are gone.
    pub failed: bool,
    /// The balances as its snapshot shows them. Taken by its first statement; none at READ COMMITTED.
    pub snapshot: Option<Vec<i64>>,
    /// The effects that it has applied.
    pub entries: Vec<Entry>,
}

const DONE: StoreOutcome = StoreOutcome::Ok(StoreResponse::Done);
const NO_TRANSACTION: StoreOutcome = StoreOutcome::Failed(Failure::NoTransaction);

impl Tables {
    pub(super) fn begin(&mut self, session: Session, isolation: Isolation) -> Result<StoreOutcome, Waits> {
        // Of one that is open already PostgreSQL warns, and goes on in it.
        if self.transaction(session).is_some() {
            return Ok(DONE);
        }
        if self.profile == Profile::Sqlite && !self.open.is_empty() {
            return Err(Waits::For(self.open.iter().map(|transaction| transaction.session).collect()));
        }
        let transaction = Transaction { session, isolation, failed: false, snapshot: None, entries: Vec::new() };
        let at = self.open.partition_point(|other| other.session < session);
        self.open.insert(at, transaction);
        Ok(DONE)
    }

    pub(super) fn commit(&mut self, session: Session, ledger: &mut Vec<Entry>) -> StoreOutcome {
        let Some(at) = self.transaction(session) else { return NO_TRANSACTION };
        if self.open[at].failed {
            self.open.remove(at);
            return NO_TRANSACTION;
        }
        if !self.serializable.may_commit(session) {
            self.undo(session);
            self.open.remove(at);
            self.let_go();
            return StoreOutcome::Failed(Failure::SerializationFailure);
        }
        let mut ended = self.open.remove(at);
        let snapshots = self.snapshots();
        self.balances.iter_mut().for_each(|row| row.commit(session, snapshots));
        self.values.commit(session, snapshots);
        self.claims.iter_mut().for_each(|(_, insertion)| insertion.commit(session, snapshots));
        self.notes.iter_mut().flatten().for_each(|note| note.insertion.commit(session, snapshots));
        self.drop_forgotten();
        self.serializable.committed(session);
        self.release_with_transaction(session);
        for mut entry in ended.entries.drain(..) {
            entry.number = ledger.len() as u64 + 1;
            ledger.push(entry);
        }
        self.let_go();
        DONE
    }

    pub(super) fn rollback(&mut self, session: Session) -> StoreOutcome {
        let Some(at) = self.transaction(session) else { return NO_TRANSACTION };
        self.undo(session);
        self.open.remove(at);
        self.let_go();
        DONE
    }

    /// An error ends a transaction: it is undone at once, and its locks are free.
    pub(super) fn fail(&mut self, at: usize) {
        self.undo(self.open[at].session);
        let transaction = &mut self.open[at];
        transaction.failed = true;
        transaction.snapshot = None;
        transaction.entries.clear();
    }

    /// Takes back whatever a transaction has changed.
    pub(super) fn undo(&mut self, session: Session) {
        self.balances.iter_mut().for_each(|row| row.undo(session));
        self.values.undo(session);
        self.claims.retain(|(_, insertion)| !insertion.is_pending_of(session));
        self.notes.iter_mut().for_each(|notes| notes.retain(|note| !note.insertion.is_pending_of(session)));
        let notes = self.notes.iter_mut().flatten().map(|note| &mut note.insertion);
        let claims = self.claims.iter_mut().map(|(_, insertion)| insertion);
        notes.chain(claims).for_each(|insertion| insertion.undo(session));
        self.drop_forgotten();
        self.serializable.forget(session);
        self.release_with_transaction(session);
    }

    /// The transactions that look at a snapshot.
    pub(super) fn snapshots(&self) -> Sessions {
        let looking = self.open.iter().filter(|transaction| transaction.snapshot.is_some());
        looking.map(|transaction| transaction.session).collect()
    }

    /// Takes the snapshot of a transaction that needs one and has none: PostgreSQL does so at its first statement, not when it
    /// begins. SQLite's transactions are alone, and what they read is what there is. True if it took one.
    pub(super) fn take_snapshot(&mut self, at: usize) -> bool {
        let transaction = &self.open[at];
        let needs_one = transaction.isolation != Isolation::ReadCommitted && self.profile != Profile::Sqlite;
        if !needs_one || transaction.snapshot.is_some() {
            return false;
        }
        let (session, isolation) = (transaction.session, transaction.isolation);
        self.open[at].snapshot = Some(self.balances.iter().map(|row| row.committed).collect());
        if isolation == Isolation::Serializable {
            self.serializable.begin(session);
        }
        true
    }

    /// Takes the snapshot back: the statement that was to take it has not begun.
    pub(super) fn drop_snapshot(&mut self, at: usize) {
        self.open[at].snapshot = None;
        self.serializable.forget(self.open[at].session);
    }

    /// How an insertion by this session begins: pending in its transaction, or committed at once.
    pub(super) fn insertion(&self, session: Session, in_transaction: bool) -> Insertion {
        if in_transaction {
            Insertion::Pending(session)
        } else {
            Insertion::Committed { hidden_from: self.snapshots() }
        }
    }
}
