//! The store: the lab's tables with their locks, constraints and isolation levels, as a pure state machine.
//!
//! It is handed operations and answers what the database would. An operation that would have to wait for another
//! transaction changes nothing and says for whom it waits ([`Waits`]): a driver does not send it before it can go. Effects
//! that are committed are appended to the caller's ledger, which the model itself never reads.
//!
//! Source: PostgreSQL 15, chapter 13 "Concurrency Control" and `INSERT … ON CONFLICT`; for SERIALIZABLE, D. Ports and K.
//! Grittner, "Serializable Snapshot Isolation in PostgreSQL" (VLDB 2012) and `predicate.c`. SQLite: "Isolation In SQLite".
//!
//! What is left out: time-outs, and a statement that waits with half of its work done. A statement is done at once or not
//! at all, as it is where every transaction takes its locks in the same order.

mod rows;
mod serializable;
mod statements;
mod transaction;

#[cfg(test)]
mod tests;

use rows::{Insertion, Note, Row};
use serializable::Serializable;
use transaction::Transaction;

use crate::service::contract::Waits;
use crate::service::{Op, Outcome};
use crate::terms::{AccountId, Delivery, Entry, LeaseId, MessageId, Profile, Session, Token};

/// A deliberate mistake, so that a test can show that it is caught.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreModelFlaw {
    /// The dedup table lacks its unique constraint.
    NoUniqueConstraint,
    /// Fencing tokens are remembered and never compared.
    NoTokenComparison,
    /// Nobody waits for a row that another transaction has changed.
    NoRowLocks,
    /// What a transaction has written is seen by others before it is committed.
    ReadsUncommitted,
}

/// The state of the store. Equal states answer equally, whatever led to them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tables {
    profile: Profile,
    flaw: Option<StoreModelFlaw>,
    /// How many accounts there are in the beginning, and how many there can be: the others are opened when they are first touched,
    /// so that a store is small where a strategy keeps to the account of its request.
    accounts: (u8, u8),
    balances: Vec<Row<i64>>,
    /// The highest token seen for each account.
    fences: Vec<Row<Option<Token>>>,
    /// The first lease seen for each account.
    owners: Vec<Row<Option<LeaseId>>>,
    claims: Vec<(MessageId, Insertion)>,
    /// In the order in which they were inserted, which is the order in which they are found.
    marks: Vec<Note>,
    answers: Vec<Note>,
    /// By session.
    open: Vec<Transaction>,
    serializable: Serializable,
}

impl Tables {
    /// An empty store with accounts 0 to `accounts`, each with a balance of 0.
    #[must_use]
    pub fn new(profile: Profile, accounts: u32) -> Self {
        let count = accounts as usize;
        Tables {
            profile,
            flaw: None,
            accounts: (u8::try_from(count).unwrap_or(u8::MAX), u8::try_from(count).unwrap_or(u8::MAX)),
            balances: vec![Row::new(0); count],
            fences: vec![Row::new(None); count],
            owners: vec![Row::new(None); count],
            claims: Vec::new(),
            marks: Vec::new(),
            answers: Vec::new(),
            open: Vec::new(),
            serializable: Serializable::default(),
        }
    }

    /// The same store with more accounts, which take no room before they are touched.
    #[must_use]
    pub fn with_room_for(mut self, accounts: u8) -> Self {
        self.accounts.1 = accounts;
        self
    }

    /// Opens an account that there can be. False if there is no such account.
    fn open_account(&mut self, account: AccountId) -> bool {
        let place = account.0 as usize;
        if place < self.balances.len() {
            return true;
        }
        if place >= usize::from(self.accounts.1) {
            return false;
        }
        self.balances.resize(place + 1, Row::new(0));
        self.fences.resize(place + 1, Row::new(None));
        self.owners.resize(place + 1, Row::new(None));
        true
    }

    /// The committed balances of the accounts that there are.
    pub fn balances(&self) -> impl Iterator<Item = (AccountId, i64)> + '_ {
        (0..).map(AccountId).zip(self.balances.iter().map(|row| row.committed))
    }

    /// The same store with a mistake in it.
    #[must_use]
    pub fn with_flaw(mut self, flaw: StoreModelFlaw) -> Self {
        self.flaw = Some(flaw);
        self
    }

    /// Makes it as it was in the beginning.
    pub fn begin_again(&mut self) {
        let count = usize::from(self.accounts.0);
        self.balances.truncate(count);
        self.fences.truncate(count);
        self.owners.truncate(count);
        self.balances.fill(Row::new(0));
        self.fences.fill(Row::new(None));
        self.owners.fill(Row::new(None));
        self.claims.clear();
        self.marks.clear();
        self.answers.clear();
        self.open.clear();
        self.serializable = Serializable::default();
    }

    /// Carries out one operation on a connection. Committed effects go to the end of the ledger.
    ///
    /// # Errors
    /// [`Waits`] if it has to wait; then nothing has changed.
    ///
    /// # Panics
    /// If the operation belongs to the lock service.
    pub fn execute(
        &mut self,
        session: Session,
        op: Op,
        by: Delivery,
        ledger: &mut Vec<Entry>,
    ) -> Result<Outcome, Waits> {
        match op {
            Op::Begin(isolation) => self.begin(session, isolation),
            Op::Commit => Ok(self.commit(session, ledger)),
            Op::Rollback => Ok(self.rollback(session)),
            _ => self.statement(session, op, by, ledger),
        }
    }

    /// Cuts a connection: its open transaction is rolled back.
    pub fn cut(&mut self, session: Session) {
        if let Some(at) = self.transaction(session) {
            self.undo(session);
            self.open.remove(at);
        }
    }

    /// Makes the transaction of a connection the victim of a deadlock: it is undone, and fails whatever comes next.
    pub fn deadlock(&mut self, session: Session) {
        if let Some(at) = self.transaction(session) {
            self.fail(at);
        }
    }

    /// Gives a connection another name, with its open transaction.
    pub fn rename(&mut self, from: Session, to: Session) {
        self.rename_all(|session| if session == from { to } else { session });
    }

    /// Gives every connection the name that the function says. No two may get the same.
    pub fn rename_all(&mut self, to: impl Fn(Session) -> Session) {
        for transaction in &mut self.open {
            transaction.session = to(transaction.session);
        }
        self.open.sort_unstable_by_key(|transaction| transaction.session);
        self.balances.iter_mut().for_each(|row| row.rename(&to));
        self.fences.iter_mut().for_each(|row| row.rename(&to));
        self.owners.iter_mut().for_each(|row| row.rename(&to));
        self.claims.iter_mut().for_each(|(_, insertion)| insertion.rename(&to));
        self.marks.iter_mut().chain(&mut self.answers).for_each(|note| note.insertion.rename(&to));
        self.serializable.rename(&to);
    }

    /// Gives every lease that it remembers the name that the function says.
    pub fn rename_leases(&mut self, to: impl Fn(LeaseId) -> LeaseId) {
        for row in &mut self.owners {
            row.committed = row.committed.map(&to);
            row.changed = row.changed.map(|changed| changed.map(&to));
        }
    }

    /// Whether it remembers any lease.
    #[must_use]
    pub fn remembers_leases(&self) -> bool {
        self.owners.iter().any(|row| row.committed.is_some() || row.changed.is_some())
    }

    /// Whether a connection has a transaction open, failed or not.
    #[must_use]
    pub fn is_in_transaction(&self, session: Session) -> bool {
        self.transaction(session).is_some()
    }

    /// Whether anybody has.
    #[must_use]
    pub fn has_open_transactions(&self) -> bool {
        !self.open.is_empty()
    }

    fn transaction(&self, session: Session) -> Option<usize> {
        self.open.iter().position(|transaction| transaction.session == session)
    }

    fn has_flaw(&self, flaw: StoreModelFlaw) -> bool {
        self.flaw == Some(flaw)
    }
}
