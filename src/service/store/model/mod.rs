//! The store: the lab's tables with their locks, constraints and isolation levels, as a pure state machine.
//!
//! It is handed operations and answers what the database would. An operation that would have to wait for another
//! transaction changes nothing and says for whom it waits ([`Waits`](crate::service::modelled::Waits)): a driver does not
//! send it before it can go. Effects that are committed are appended to the caller's ledger, which the model itself never reads.
//!
//! Source: PostgreSQL 15, chapter 13 "Concurrency Control" and `INSERT … ON CONFLICT`; for SERIALIZABLE, D. Ports and K.
//! Grittner, "Serializable Snapshot Isolation in PostgreSQL" (VLDB 2012) and `predicate.c`. SQLite: "Isolation In SQLite".
//!
//! What is left out: time-outs, and a statement that waits with half of its work done. A statement is done at once or not
//! at all, as it is where every transaction takes its locks in the same order. One that takes a snapshot and then waits can be
//! begun before its wait (`waiting.rs`).

mod advisory;
mod deletions;
mod rows;
mod serializable;
mod statements;
mod transaction;
mod values;
mod views;
mod waiting;

#[cfg(test)]
mod tests;

use advisory::HeldName;
use rows::{Insertion, Note, Row};
use serializable::Serializable;
use transaction::Transaction;
use values::{ValueRow, Values};
use waiting::WaitingStatement;

use crate::service::modelled::{Asker, Called, Heir, Holder, Model, ModelSettings, OutOfSight, Party, Timer};
use crate::service::store::program::{EXPIRED, StoreTable, TAKEN};
use crate::service::store::{Does, StoreOp, StoreResponse};
use crate::service::{IdKind, Ids};
use crate::terms::{AccountId, Balances, Entry, Failure, MessageId, OutcomeOf, Profile, Session, Sessions};

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
    /// What a connection holds that is out of sight is free.
    ForgetsWhatIsHeld,
    /// The ids that were committed are not seen when somebody is out of sight.
    ForgetsRows,
    /// A statement that takes a snapshot and has to wait takes the snapshot after the wait.
    SnapshotsAfterWaits,
}

/// Whether a table has one value for each key, which is an account's, a client's or a message's number.
fn has_values(table: StoreTable) -> bool {
    match table {
        StoreTable::Fence
        | StoreTable::Owner
        | StoreTable::Sequence
        | StoreTable::LastAnswer
        | StoreTable::Version
        | StoreTable::Claimed
        | StoreTable::Daily
        | StoreTable::Phase
        | StoreTable::Body
        | StoreTable::Outbox => true,
        StoreTable::Account | StoreTable::Mark | StoreTable::Claim | StoreTable::StoredAnswer => false,
    }
}

/// The tables whose rows are taken for a time.
const TIMED: [StoreTable; 2] = [StoreTable::Claimed, StoreTable::Daily];

/// The place among the tables that have any number of values for each message.
fn note_place(table: StoreTable) -> Option<usize> {
    match table {
        StoreTable::Mark => Some(0),
        StoreTable::StoredAnswer => Some(1),
        StoreTable::Account
        | StoreTable::Claim
        | StoreTable::Fence
        | StoreTable::Owner
        | StoreTable::Sequence
        | StoreTable::LastAnswer
        | StoreTable::Version
        | StoreTable::Claimed
        | StoreTable::Daily
        | StoreTable::Phase
        | StoreTable::Body
        | StoreTable::Outbox => None,
    }
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
    values: Values,
    claims: Vec<(MessageId, Insertion)>,
    /// The locks that guard no row, by name: who holds each, and whether it goes with the holder's transaction.
    advisory: Vec<HeldName>,
    /// By the place of the table ([`note_place`]), and in the order in which they were inserted, which is the order in which they
    /// are found.
    notes: [Vec<Note>; 2],
    /// By session.
    open: Vec<Transaction>,
    serializable: Serializable,
    /// Statements that have begun and wait, in the order in which they began.
    waiting: Vec<WaitingStatement>,
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
            values: Values::default(),
            claims: Vec::new(),
            advisory: Vec::new(),
            notes: [const { Vec::new() }; 2],
            open: Vec::new(),
            serializable: Serializable::default(),
            waiting: Vec::new(),
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
        true
    }

    /// The same store with a mistake in it.
    #[must_use]
    pub fn with_flaw(mut self, flaw: StoreModelFlaw) -> Self {
        self.flaw = Some(flaw);
        self
    }

    /// Whether a connection has a transaction open, failed or not.
    #[must_use]
    pub fn is_in_transaction(&self, session: Session) -> bool {
        self.transaction(session).is_some()
    }

    fn transaction(&self, session: Session) -> Option<usize> {
        self.open.iter().position(|transaction| transaction.session == session)
    }

    fn has_flaw(&self, flaw: StoreModelFlaw) -> bool {
        self.flaw == Some(flaw)
    }
}

impl Model for Tables {
    type Op = StoreOp;
    type Response = StoreResponse;

    #[inline(always)]
    fn call(&mut self, on: Session, op: &StoreOp, by: &Asker, ledger: &mut Vec<Entry>) -> Called<StoreResponse> {
        match op.does() {
            Does::Begin => self.begin(on, op.level()),
            Does::Commit => Ok(self.commit(on, ledger)),
            Does::Rollback => Ok(self.rollback(on)),
            Does::Rows(program) => self.statement(on, op, program, by, ledger),
            Does::Both => self.both(on, op, by, ledger),
            Does::Own => panic!("`{op}` is not modelled"),
        }
    }

    fn begin_again(&mut self) {
        let count = usize::from(self.accounts.0);
        self.balances.truncate(count);
        self.balances.iter_mut().for_each(|row| *row = Row::new(0));
        self.values.clear();
        self.advisory.clear();
        self.claims.clear();
        self.notes.iter_mut().for_each(Vec::clear);
        self.open.clear();
        self.serializable.begin_again();
        self.waiting.clear();
    }

    fn cut(&mut self, on: Session) {
        self.waiting.retain(|waiting| !waiting.is_of(on));
        if let Some(at) = self.transaction(on) {
            self.undo(on);
            self.open.remove(at);
        }
        self.advisory.retain(|lock| lock.holder != on);
        self.let_go();
    }

    /// The transaction is the victim of a deadlock: it is undone, and fails whatever comes next.
    fn victim(&mut self, on: Session) -> OutcomeOf<StoreResponse> {
        self.waiting.retain(|waiting| !waiting.is_of(on));
        if let Some(at) = self.transaction(on) {
            self.fail(at);
        }
        self.let_go();
        OutcomeOf::Failed(Failure::Deadlock)
    }

    fn has_names(&self) -> bool {
        let is_owned = |(_, row): (u32, &ValueRow)| row.committed.is_some() || row.changed.is_some();
        let is_held = || self.balances.iter().any(Row::is_held) || self.values.places().any(|(_, row)| row.is_held());
        let is_unfinished = || self.claims.iter().any(|(_, insertion)| insertion.is_unfinished());
        !self.open.is_empty()
            || !self.advisory.is_empty()
            || self.values.of(StoreTable::Owner).any(is_owned)
            || is_held()
            || is_unfinished()
    }

    fn rename(&mut self, sessions: &dyn Fn(Session) -> Session, ids: &mut impl Ids) {
        for transaction in &mut self.open {
            transaction.session = sessions(transaction.session);
        }
        self.open.sort_unstable_by_key(|transaction| transaction.session);
        self.balances.iter_mut().for_each(|row| row.rename(&sessions));
        self.values.rename(&sessions);
        self.claims.iter_mut().for_each(|(_, insertion)| insertion.rename(&sessions));
        self.notes.iter_mut().flatten().for_each(|note| note.insertion.rename(&sessions));
        self.serializable.rename(&sessions);
        self.advisory.iter_mut().for_each(|lock| lock.holder = sessions(lock.holder));
        self.waiting.iter_mut().for_each(|waiting| waiting.rename(sessions, ids));
        for (_, row) in self.values.of_mut(StoreTable::Owner) {
            row.committed = row.committed.map(|lease| ids.id(IdKind::Asked, lease));
            row.changed = row.changed.map(|changed| changed.map(|lease| ids.id(IdKind::Asked, lease)));
        }
    }

    /// What was taken of the message that a holder is at work on. While a transaction has the row, or the only place of a writer, its
    /// time is not up.
    fn timer(&self, of: Holder) -> Option<Timer> {
        let is_busy = self.profile == Profile::Sqlite && !self.open.is_empty();
        let taken = |row: &ValueRow| row.locked.is_none() && row.committed == Some(TAKEN);
        let is_taken = |table| self.values.get(table, of.message.0).is_some_and(taken);
        (!is_busy && TIMED.into_iter().any(is_taken)).then(|| Timer(of.message.0.into()))
    }

    fn fire(&mut self, Timer(message): Timer) {
        let snapshots = self.snapshots();
        for table in TIMED {
            let its = self.values.of_mut(table).filter(|(key, _)| i64::from(*key) == message);
            its.for_each(|(_, row)| expire(row, snapshots));
        }
    }

    fn queue(&mut self, on: Session, op: StoreOp, by: &Asker) -> bool {
        self.begin_waiting(on, op, by)
    }

    fn take_turn(&mut self, on: Session) -> Called<StoreResponse> {
        self.end_waiting(on)
    }

    fn settle(&mut self) {
        for table in TIMED {
            self.values.of_mut(table).for_each(|(_, row)| expire(row, Sessions::NONE));
        }
    }

    fn forget(&mut self, party: Party, heir: Heir) -> Result<(), OutOfSight> {
        self.without(party, heir)
    }

    fn adopt(&self, from: &Self, party: Party, heir: Heir) -> Result<Vec<Self>, OutOfSight> {
        self.with(from, party, heir)
    }

    fn unheard(&self, on: Session, op: StoreOp) -> Option<StoreOp> {
        self.comes_to(on, op)
    }

    fn map_ranks(&mut self, ranks: &mut dyn FnMut(i64) -> i64) {
        self.rank(ranks);
    }

    fn balances(&self) -> Balances {
        (0..).map(AccountId).zip(self.balances.iter().map(|row| row.committed)).collect()
    }
}

/// The time for which a row was taken has run out.
fn expire(row: &mut ValueRow, snapshots: Sessions) {
    if row.committed == Some(TAKEN) {
        row.committed = Some(EXPIRED);
        row.newer_than = snapshots;
    }
}

impl Tables {
    /// The store before anything happened.
    #[must_use]
    pub fn of(settings: &ModelSettings) -> Self {
        let (accounts, room) = settings.accounts;
        let store = Tables::new(settings.profile, accounts.into()).with_room_for(room);
        match settings.store_flaw {
            Some(flaw) => store.with_flaw(flaw),
            None => store,
        }
    }
}
