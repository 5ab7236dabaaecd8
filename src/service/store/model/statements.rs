//! What each statement reads and changes: its program, carried out one act after the other.

use super::{StoreModelFlaw, Tables, has_values, note_place};
use super::{rows::Insertion, rows::Note, rows::Row};
use crate::service::contract::Operation;
use crate::service::modelled::{Asker, Called, Waits};
use crate::service::store::program::{Act, KEPT, OnConflict, Parameter, Program, StoreTable, TAKEN};
use crate::service::store::{Does, StoreOp, StoreOutcome, StoreResponse, TwoAnswers};
use crate::terms::{Delivery, Entry, Failure, MessageId, Profile, Role, Session, Sessions};

/// Why a statement has no outcome yet, or a bad one.
pub(super) enum Halt {
    Waits(Waits),
    /// The row was changed after the snapshot of the transaction was taken, or the order would not be serial.
    Unserializable,
}

impl From<Waits> for Halt {
    fn from(waits: Waits) -> Self {
        Halt::Waits(waits)
    }
}

/// Who makes a statement, and how.
pub(super) struct Maker {
    pub session: Session,
    /// Where its transaction is among the open ones; without one the statement is a transaction of its own.
    pub at: Option<usize>,
    by: Delivery,
    role: Role,
}

impl Tables {
    pub(super) fn statement(
        &mut self,
        session: Session,
        op: &StoreOp,
        program: &Program,
        asker: &Asker,
        ledger: &mut Vec<Entry>,
    ) -> Called<StoreResponse> {
        let at = self.transaction(session);
        if at.is_some_and(|at| self.open[at].failed) {
            return Ok(StoreOutcome::Failed(Failure::NoTransaction));
        }
        if self.profile == Profile::Sqlite && at.is_none() && !self.open.is_empty() && !program.only_reads() {
            return Err(Waits::For(self.open.iter().map(|transaction| transaction.session).collect()));
        }
        let is_first = at.is_some_and(|at| self.take_snapshot(at));
        if let Some(account) = op.account()
            && !self.open_account(account)
        {
            return Ok(program.gives.without_account());
        }
        let maker = &Maker { session, at, by: asker.by, role: asker.role };
        match self.carry_out(maker, op, program, ledger) {
            Ok(outcome) => Ok(outcome),
            Err(Halt::Waits(waits)) => Err(self.waits(waits, at.filter(|_| is_first))),
            Err(Halt::Unserializable) => {
                if let Some(at) = at {
                    self.fail(at);
                    self.let_go();
                }
                Ok(StoreOutcome::Failed(Failure::SerializationFailure))
            }
        }
    }

    /// Two statements in one: if either has to wait, or cannot be done, neither is.
    #[cold]
    pub(super) fn both(
        &mut self,
        session: Session,
        op: &StoreOp,
        asker: &Asker,
        ledger: &mut Vec<Entry>,
    ) -> Called<StoreResponse> {
        let (mut after, before) = (self.clone(), ledger.len());
        let mut outcomes = [StoreOutcome::Unknown; 2];
        for (part, outcome) in op.parts().expect("it has two parts").iter().zip(&mut outcomes) {
            let Does::Rows(program) = part.does() else { unreachable!("`{part}` is no statement") };
            match after.statement(session, part, program, asker, ledger) {
                Ok(done @ StoreOutcome::Ok(_)) => *outcome = done,
                other => {
                    ledger.truncate(before);
                    // A transaction that has failed stays failed.
                    if other.is_ok() {
                        *self = after;
                    }
                    return other;
                }
            }
        }
        *self = after;
        Ok(TwoAnswers::together(outcomes))
    }

    /// What a statement waits for that was to take the snapshot of a transaction, if it was to.
    #[cold]
    fn waits(&mut self, waits: Waits, first_of: Option<usize>) -> Waits {
        match (waits, first_of) {
            (Waits::For(holders), Some(at)) => {
                self.drop_snapshot(at);
                Waits::WithSnapshot(holders)
            }
            (waits, _) => waits,
        }
    }

    /// Inlined, so that an outcome is written where it stays: to copy what has just been written in parts is slow.
    #[inline(always)]
    fn carry_out(
        &mut self,
        maker: &Maker,
        op: &StoreOp,
        program: &Program,
        ledger: &mut Vec<Entry>,
    ) -> Result<StoreOutcome, Halt> {
        if let [Act::Read(table)] = *program.acts {
            return Ok(program.gives.outcome(Some(self.read(maker, op, table)?)));
        }
        // Every row must be free before one is touched.
        self.wait_for_rows(maker, op, program)?;
        let mut row = None;
        for act in program.acts {
            match *act {
                Act::Read(table) => row = Some(self.read(maker, op, table)?),
                Act::Insert(table, conflict) => {
                    if !self.insert(maker, op, table, conflict)? {
                        return Ok(program.gives.outcome(None));
                    }
                    row = Some(None);
                }
                Act::AddAmount => row = Some(Some(self.set_balance(maker, op, |before| add(before, op))?)),
                Act::SetBalance => row = Some(Some(self.set_balance(maker, op, |_| op.balance())?)),
                Act::PutAmount => row = Some(Some(self.set_balance(maker, op, |_| op.effect().amount.into())?)),
                Act::Clear => row = Some(Some(self.set_balance(maker, op, |_| 0)?)),
                Act::Record => {
                    self.append(maker, op, None, ledger);
                    row = Some(Some(0));
                }
                Act::Append => self.append(maker, op, row.flatten(), ledger),
                Act::Keep(table) => {
                    self.set(maker, op, table, KEPT)?;
                    row = Some(None);
                }
                Act::Set(table) => {
                    self.set(maker, op, table, op.value())?;
                    row = Some(None);
                }
                Act::Lock(table) => row = Some(self.lock(maker, op, table)?),
                Act::Delete(table) => {
                    self.delete(maker, op, table)?;
                    row = Some(None);
                }
                Act::Advisory(how) => {
                    self.advise(maker.session, maker.at.is_some(), op.message(), how)?;
                    row = Some(None);
                }
                Act::InsertBalance(table) => self.note(maker, table, op.message(), row.flatten().unwrap_or(0))?,
            }
        }
        Ok(program.gives.outcome(row))
    }

    /// Waits for the rows that a statement will change, as far as it will come.
    fn wait_for_rows(&self, maker: &Maker, op: &StoreOp, program: &Program) -> Result<(), Halt> {
        let place = op.effect().account.0 as usize;
        let mut holders = Sessions::NONE;
        for act in program.acts {
            match *act {
                Act::Insert(StoreTable::Claim, _) => {
                    if !self.is_fresh(maker, op.message())? {
                        return Ok(());
                    }
                }
                Act::Delete(table) if !has_values(table) => {
                    holders = holders.and(self.deleted_by_others(maker, op, table))
                }
                Act::Insert(table, _) => {
                    if let Some(row) = self.values.get(table, key_of(table, op)) {
                        holders = holders.and(row.held_by_other(maker.session));
                    }
                }
                // A row that another is inserting is not there yet.
                Act::Keep(table) | Act::Set(table) | Act::Delete(table) => {
                    let row = self.values.get(table, key_of(table, op)).filter(|row| row.committed.is_some());
                    holders = holders.and(row.map_or(Sessions::NONE, |row| row.held_by_other(maker.session)));
                }
                Act::AddAmount | Act::SetBalance | Act::PutAmount | Act::Clear | Act::Lock(_) => {
                    holders = holders.and(self.balances[place].held_by_other(maker.session));
                }
                Act::Read(_) | Act::Append | Act::Record | Act::InsertBalance(_) | Act::Advisory(_) => {}
            }
        }
        if holders.is_empty() || self.has_flaw(StoreModelFlaw::NoRowLocks) {
            return Ok(());
        }
        Err(Waits::For(holders).into())
    }

    /// The value of the first row that a session sees.
    fn read(&mut self, maker: &Maker, op: &StoreOp, table: StoreTable) -> Result<Option<i64>, Halt> {
        self.reads(maker, table)?;
        if let Some(at) = note_place(table) {
            let uncommitted = self.has_flaw(StoreModelFlaw::ReadsUncommitted);
            let is_visible = |note: &&Note| {
                note.message == op.message() && (uncommitted || note.insertion.is_visible_to(maker.session))
            };
            return Ok(self.notes[at].iter().find(is_visible).map(|note| note.value));
        }
        let place = op.effect().account.0 as usize;
        if has_values(table) {
            let row = self.values.get(table, key_of(table, op));
            return Ok(row.and_then(|row| row.current(maker.session)));
        }
        let row = &self.balances[place];
        let snapshot = maker.at.and_then(|at| self.open[at].snapshot.as_ref());
        let own = row.locked == Some(maker.session) && row.changed.is_some();
        Ok(Some(match snapshot {
            // An account that was opened since has the balance that every account begins with.
            Some(balances) if !own => balances.get(place).copied().unwrap_or(0),
            _ => row.current(maker.session),
        }))
    }

    /// Whether a message has not been claimed. One that is being claimed is waited for.
    fn is_fresh(&self, maker: &Maker, message: MessageId) -> Result<bool, Halt> {
        if self.has_flaw(StoreModelFlaw::NoUniqueConstraint) {
            return Ok(true);
        }
        let stands = |insertion: &Insertion| match *insertion {
            Insertion::Gone { .. } => false,
            Insertion::Going { by, .. } => by != maker.session,
            Insertion::Pending(_) | Insertion::Committed { .. } => true,
        };
        let of_message = self.claims.iter().filter(|(id, _)| *id == message);
        let Some(insertion) = of_message.map(|(_, insertion)| *insertion).find(stands) else { return Ok(true) };
        match insertion {
            Insertion::Pending(by) | Insertion::Going { by, .. } if by != maker.session => {
                Err(Waits::For(Sessions::only(by)).into())
            }
            // ON CONFLICT DO NOTHING must not tell of a row that the snapshot does not show.
            Insertion::Committed { hidden_from } if hidden_from.contains(maker.session) => Err(Halt::Unserializable),
            Insertion::Pending(_) | Insertion::Going { .. } | Insertion::Gone { .. } | Insertion::Committed { .. } => {
                Ok(false)
            }
        }
    }

    /// Inserts a row with the operation's value, and says whether there is one of its own after it.
    fn insert(&mut self, maker: &Maker, op: &StoreOp, table: StoreTable, conflict: OnConflict) -> Result<bool, Halt> {
        if has_values(table) {
            return self.insert_value(maker, op, table, conflict);
        }
        if table != StoreTable::Claim {
            self.note(maker, table, op.message(), op.value())?;
            return Ok(true);
        }
        let is_fresh = self.is_fresh(maker, op.message())?;
        if is_fresh {
            self.writes(maker, table)?;
            let insertion = self.insertion(maker.session, maker.at.is_some());
            let at = self.claims.partition_point(|(id, _)| *id <= op.message());
            self.claims.insert(at, (op.message(), insertion));
        }
        Ok(is_fresh)
    }

    /// Compares the value with the account's, if it has one, and keeps it if it is not refused.
    fn insert_value(
        &mut self,
        maker: &Maker,
        op: &StoreOp,
        table: StoreTable,
        conflict: OnConflict,
    ) -> Result<bool, Halt> {
        let blindly = table == StoreTable::Fence && self.has_flaw(StoreModelFlaw::NoTokenComparison);
        let (key, value) = (key_of(table, op), if conflict == OnConflict::Take { TAKEN } else { op.value() });
        if let Some(row) = self.values.get(table, key) {
            check_snapshot(maker, row)?;
        }
        let row = self.values.open(table, key);
        let current = row.current(maker.session);
        let is_there = |there: i64| conflict.accepts(there, value);
        let accepted = blindly || current.map_or(conflict != OnConflict::Next || value == 1, is_there);
        if maker.at.is_some() && (accepted || conflict != OnConflict::Nothing) {
            // PostgreSQL locks the row that is in the way, also if it then leaves it as it is; but not where it does nothing.
            row.locked = Some(maker.session);
        }
        if accepted {
            self.writes(maker, table)?;
            let snapshots = self.snapshots();
            change(self.values.open(table, key), maker, Some(value), snapshots);
        }
        Ok(accepted)
    }

    /// Makes another balance of the one that there is by now. Gives the new one.
    fn set_balance(&mut self, maker: &Maker, op: &StoreOp, make: impl FnOnce(i64) -> i64) -> Result<i64, Halt> {
        let place = op.effect().account.0 as usize;
        check_snapshot(maker, &self.balances[place])?;
        let before = self.balances[place].current(maker.session);
        let balance = make(before);
        self.writes(maker, StoreTable::Account)?;
        let snapshots = self.snapshots();
        change(&mut self.balances[place], maker, balance, snapshots);
        Ok(balance)
    }

    /// Sets the value of a row, if it is there.
    fn set(&mut self, maker: &Maker, op: &StoreOp, table: StoreTable, value: i64) -> Result<(), Halt> {
        let key = key_of(table, op);
        if let Some(row) = self.values.get(table, key)
            && row.current(maker.session).is_some()
        {
            check_snapshot(maker, row)?;
            self.writes(maker, table)?;
            let snapshots = self.snapshots();
            change(self.values.open(table, key), maker, Some(value), snapshots);
        }
        Ok(())
    }

    /// Locks an account's row, and gives its balance as it is by now.
    fn lock(&mut self, maker: &Maker, op: &StoreOp, table: StoreTable) -> Result<Option<i64>, Halt> {
        self.reads(maker, table)?;
        let row = &mut self.balances[op.effect().account.0 as usize];
        check_snapshot(maker, row)?;
        if maker.at.is_some() {
            row.locked = Some(maker.session);
        }
        Ok(Some(row.current(maker.session)))
    }

    fn append(&mut self, maker: &Maker, op: &StoreOp, balance: Option<i64>, ledger: &mut Vec<Entry>) {
        let entry = Entry {
            role: maker.role,
            number: ledger.len() as u64 + 1,
            message: op.message(),
            account: op.effect().account,
            amount: op.effect().amount.into(),
            balance: balance.unwrap_or(0),
            token: op.token(),
            by: maker.by,
        };
        match maker.at {
            Some(at) => self.open[at].entries.push(entry),
            None => ledger.push(entry),
        }
    }

    fn note(&mut self, maker: &Maker, table: StoreTable, message: MessageId, value: i64) -> Result<(), Halt> {
        self.writes(maker, table)?;
        let insertion = self.insertion(maker.session, maker.at.is_some());
        if let Some(at) = note_place(table) {
            self.notes[at].push(Note { message, value, insertion });
        }
        Ok(())
    }

    pub(super) fn reads(&mut self, maker: &Maker, table: StoreTable) -> Result<(), Halt> {
        self.serializable.reads(maker.session, table).then_some(()).ok_or(Halt::Unserializable)
    }

    pub(super) fn writes(&mut self, maker: &Maker, table: StoreTable) -> Result<(), Halt> {
        self.serializable.writes(maker.session, table).then_some(()).ok_or(Halt::Unserializable)
    }
}

fn add(balance: i64, op: &StoreOp) -> i64 {
    balance.saturating_add(op.effect().amount.into())
}

/// The number of the account, the client or the message whose row in a table an operation is about.
pub(super) fn key_of(table: StoreTable, op: &StoreOp) -> u32 {
    match table.columns().key_is {
        Parameter::Client => op.client().0,
        Parameter::Message => op.message().0,
        _ => op.effect().account.0,
    }
}

/// Whether the snapshot, if there is one, lets a row be changed: it must not be older.
pub(super) fn check_snapshot<T: Copy>(maker: &Maker, row: &Row<T>) -> Result<(), Halt> {
    if row.newer_than.contains(maker.session) { Err(Halt::Unserializable) } else { Ok(()) }
}

pub(super) fn change<T: Copy>(row: &mut Row<T>, maker: &Maker, value: T, snapshots: Sessions) {
    if maker.at.is_some() {
        row.locked = Some(maker.session);
        row.changed = Some(value);
    } else {
        row.committed = value;
        row.newer_than = snapshots;
    }
}
