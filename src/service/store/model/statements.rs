//! What each statement reads and changes.

use super::serializable::WatchedTable;
use super::{StoreModelFlaw, Tables};
use super::{rows::Insertion, rows::Note, rows::Row};
use crate::service::contract::Waits;
use crate::service::{Acts, Op, OpKind, Outcome, Response};
use crate::terms::{
    AccountId, Answer, Delivery, Entry, Failure, LeaseId, MessageId, Profile, Request, Session, Sessions, Token,
};

const STALE: Outcome = Outcome::Failed(Failure::StaleToken);
const OTHER_LEASE: Outcome = Outcome::Failed(Failure::OtherLease);

/// Why a statement has no outcome yet, or a bad one.
enum Halt {
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
#[derive(Clone, Copy)]
struct Maker {
    session: Session,
    /// Where its transaction is among the open ones; without one the statement is a transaction of its own.
    at: Option<usize>,
    by: Delivery,
}

impl Tables {
    pub(super) fn statement(
        &mut self,
        session: Session,
        op: Op,
        by: Delivery,
        ledger: &mut Vec<Entry>,
    ) -> Result<Outcome, Waits> {
        let at = self.transaction(session);
        if at.is_some_and(|at| self.open[at].failed) {
            return Ok(Outcome::Failed(Failure::NoTransaction));
        }
        let reads = || matches!(op.kind(), OpKind::ReadMark | OpKind::ReadAnswer | OpKind::ReadBalance);
        if self.profile == Profile::Sqlite && at.is_none() && !self.open.is_empty() && !reads() {
            return Err(Waits::For(self.open.iter().map(|transaction| transaction.session).collect()));
        }
        if let Some(at) = at {
            self.take_snapshot(at);
        }
        if let Some(account) = account_of(&op)
            && !self.open_account(account)
        {
            return Ok(Outcome::Ok(without_account(&op)));
        }
        let maker = Maker { session, at, by };
        match self.carry_out(maker, op, ledger) {
            Ok(outcome) => Ok(outcome),
            Err(Halt::Waits(waits)) => Err(waits),
            Err(Halt::Unserializable) => {
                if let Some(at) = at {
                    self.fail(at);
                }
                Ok(Outcome::Failed(Failure::SerializationFailure))
            }
        }
    }

    fn carry_out(&mut self, maker: Maker, op: Op, ledger: &mut Vec<Entry>) -> Result<Outcome, Halt> {
        let response = match op {
            Op::ReadMark(id) => {
                self.reads(maker, WatchedTable::Marks)?;
                Response::Found(self.find(&self.marks, maker.session, id))
            }
            Op::ReadAnswer(id) => {
                self.reads(maker, WatchedTable::Answers)?;
                Response::Found(self.find(&self.answers, maker.session, id))
            }
            Op::ReadBalance(account) => {
                self.reads(maker, WatchedTable::Accounts)?;
                Response::Found(self.read_balance(maker, account))
            }
            Op::WriteMark(message, answer) => {
                self.writes(maker, WatchedTable::Marks)?;
                let insertion = self.insertion(maker.session, maker.at.is_some());
                self.marks.push(Note { message, answer, insertion });
                Response::Done
            }
            Op::StoreAnswer(message, answer) => {
                self.writes(maker, WatchedTable::Answers)?;
                let insertion = self.insertion(maker.session, maker.at.is_some());
                self.answers.push(Note { message, answer, insertion });
                Response::Done
            }
            Op::Claim(message) => {
                let fresh = self.is_fresh(maker, message)?;
                if fresh {
                    self.claim(maker, message)?;
                }
                Response::Claimed(fresh)
            }
            Op::CheckToken(account, token) => {
                if !self.check_token(maker, account, token)? {
                    return Ok(STALE);
                }
                Response::Done
            }
            Op::Apply(request, None) => Response::Applied(self.add(maker, &request, None, ledger)?),
            Op::Apply(request, Some(token)) => {
                // Both rows must be free before either is touched.
                self.wait_for(maker, request.effect.account, &self.fences)?;
                if !self.check_token(maker, request.effect.account, token)? {
                    return Ok(STALE);
                }
                Response::Applied(self.add(maker, &request, Some(token), ledger)?)
            }
            Op::ApplyUnderLease(request, lease) => {
                self.wait_for(maker, request.effect.account, &self.owners)?;
                if !self.check_owner(maker, request.effect.account, lease)? {
                    return Ok(OTHER_LEASE);
                }
                Response::Applied(self.add(maker, &request, None, ledger)?)
            }
            Op::Overwrite(request, base) => {
                let balance = base.0.saturating_add(request.effect.amount.into());
                Response::Applied(self.set(maker, &request, None, |_| balance, ledger)?)
            }
            Op::ClaimAndApply(request) => {
                if !self.is_fresh(maker, request.id)? {
                    return Ok(Outcome::Ok(Response::Applied(None)));
                }
                self.wait_for::<()>(maker, request.effect.account, &[])?;
                self.claim(maker, request.id)?;
                let balance = self.add(maker, &request, None, ledger)?;
                if let Some(answer) = balance {
                    self.writes(maker, WatchedTable::Answers)?;
                    let insertion = self.insertion(maker.session, maker.at.is_some());
                    self.answers.push(Note { message: request.id, answer, insertion });
                }
                Response::Applied(balance)
            }
            Op::Sql(_) => panic!("`{op}` is not modelled"),
            Op::Begin(_) | Op::Commit | Op::Rollback => unreachable!("`{op}` is no statement"),
            Op::GrantLease | Op::Acquire(_) | Op::Release(_) | Op::Revoke(_) => panic!("`{op}` was sent to a store"),
        };
        Ok(Outcome::Ok(response))
    }

    /// The first note on a message that this session sees.
    fn find(&self, notes: &[Note], session: Session, id: MessageId) -> Option<Answer> {
        let uncommitted = self.has_flaw(StoreModelFlaw::ReadsUncommitted);
        let visible = |note: &&Note| note.message == id && (uncommitted || note.insertion.is_visible_to(session));
        notes.iter().find(visible).map(|note| note.answer)
    }

    fn read_balance(&self, maker: Maker, account: AccountId) -> Option<Answer> {
        let row = self.balances.get(account.0 as usize)?;
        let snapshot = maker.at.and_then(|at| self.open[at].snapshot.as_ref());
        let own = row.locked == Some(maker.session) && row.changed.is_some();
        match snapshot {
            // An account that was opened since has the balance that every account begins with.
            Some(balances) if !own => Some(Answer(balances.get(account.0 as usize).copied().unwrap_or(0))),
            _ => Some(Answer(row.current(maker.session))),
        }
    }

    /// Whether a message has not been claimed. One that is being claimed is waited for.
    fn is_fresh(&self, maker: Maker, message: MessageId) -> Result<bool, Halt> {
        if self.has_flaw(StoreModelFlaw::NoUniqueConstraint) {
            return Ok(true);
        }
        let Some((_, insertion)) = self.claims.iter().find(|(id, _)| *id == message) else { return Ok(true) };
        match *insertion {
            Insertion::Pending(by) if by != maker.session => Err(Waits::For(Sessions::only(by)).into()),
            Insertion::Pending(_) => Ok(false),
            // ON CONFLICT DO NOTHING must not tell of a row that the snapshot does not show.
            Insertion::Committed { hidden_from } if hidden_from.contains(maker.session) => Err(Halt::Unserializable),
            Insertion::Committed { .. } => Ok(false),
        }
    }

    fn claim(&mut self, maker: Maker, message: MessageId) -> Result<(), Halt> {
        self.writes(maker, WatchedTable::Claims)?;
        let insertion = self.insertion(maker.session, maker.at.is_some());
        let at = self.claims.partition_point(|(id, _)| *id <= message);
        self.claims.insert(at, (message, insertion));
        Ok(())
    }

    /// Waits for the rows of an account: its balance, and its row of another table too.
    fn wait_for<T: Copy>(&self, maker: Maker, account: AccountId, also: &[Row<T>]) -> Result<(), Halt> {
        if self.has_flaw(StoreModelFlaw::NoRowLocks) {
            return Ok(());
        }
        let place = account.0 as usize;
        let balance = self.balances.get(place).map_or(Sessions::NONE, |row| row.held_by_other(maker.session));
        let waits = balance.and(also.get(place).map_or(Sessions::NONE, |row| row.held_by_other(maker.session)));
        if waits.is_empty() { Ok(()) } else { Err(Waits::For(waits).into()) }
    }

    /// Compares a token with the highest seen, and remembers it if it is not lower.
    fn check_token(&mut self, maker: Maker, account: AccountId, token: Token) -> Result<bool, Halt> {
        let blindly = self.has_flaw(StoreModelFlaw::NoTokenComparison);
        let place = account.0 as usize;
        self.check_row(maker, &self.fences[place])?;
        let row = &mut self.fences[place];
        let accepted = blindly || row.current(maker.session).is_none_or(|highest| highest <= token);
        if maker.at.is_some() {
            // PostgreSQL locks the row that is in the way, also if it then leaves it as it is.
            row.locked = Some(maker.session);
        }
        if accepted {
            self.writes(maker, WatchedTable::Fences)?;
            let snapshots = self.snapshots();
            change(&mut self.fences[place], maker, Some(token), snapshots);
        }
        Ok(accepted)
    }

    /// Compares a lease with the first one seen, and remembers it if there was none.
    fn check_owner(&mut self, maker: Maker, account: AccountId, lease: LeaseId) -> Result<bool, Halt> {
        let place = account.0 as usize;
        self.check_row(maker, &self.owners[place])?;
        let row = &mut self.owners[place];
        let accepted = row.current(maker.session).is_none_or(|first| first == lease);
        if maker.at.is_some() {
            // As the fence's row: locked also if it is left as it is.
            row.locked = Some(maker.session);
        }
        if accepted {
            self.writes(maker, WatchedTable::Owners)?;
            let snapshots = self.snapshots();
            change(&mut self.owners[place], maker, Some(lease), snapshots);
        }
        Ok(accepted)
    }

    /// Adds to a balance, whatever it is by now.
    fn add(
        &mut self,
        maker: Maker,
        request: &Request,
        token: Option<Token>,
        ledger: &mut Vec<Entry>,
    ) -> Result<Option<Answer>, Halt> {
        let amount = i64::from(request.effect.amount);
        self.set(maker, request, token, |balance| balance.saturating_add(amount), ledger)
    }

    /// Changes a balance and appends to the ledger; nothing if there is no such account.
    fn set(
        &mut self,
        maker: Maker,
        request: &Request,
        token: Option<Token>,
        to: impl Fn(i64) -> i64,
        ledger: &mut Vec<Entry>,
    ) -> Result<Option<Answer>, Halt> {
        let account = request.effect.account;
        let Some(row) = self.balances.get(account.0 as usize) else { return Ok(None) };
        self.check_row(maker, row)?;
        let balance = to(row.current(maker.session));
        self.writes(maker, WatchedTable::Accounts)?;
        let snapshots = self.snapshots();
        change(&mut self.balances[account.0 as usize], maker, balance, snapshots);
        let entry = Entry {
            number: ledger.len() as u64 + 1,
            message: request.id,
            account,
            amount: request.effect.amount.into(),
            balance,
            token,
            by: maker.by,
        };
        match maker.at {
            Some(at) => self.open[at].entries.push(entry),
            None => ledger.push(entry),
        }
        Ok(Some(Answer(balance)))
    }

    /// Whether a row may be changed now: nobody else holds it, and the snapshot, if there is one, is not older.
    fn check_row<T: Copy>(&self, maker: Maker, row: &Row<T>) -> Result<(), Halt> {
        let holder = row.held_by_other(maker.session);
        if !holder.is_empty() && !self.has_flaw(StoreModelFlaw::NoRowLocks) {
            return Err(Waits::For(holder).into());
        }
        if row.newer_than.contains(maker.session) { Err(Halt::Unserializable) } else { Ok(()) }
    }

    fn reads(&mut self, maker: Maker, table: WatchedTable) -> Result<(), Halt> {
        self.serializable.reads(maker.session, table).then_some(()).ok_or(Halt::Unserializable)
    }

    fn writes(&mut self, maker: Maker, table: WatchedTable) -> Result<(), Halt> {
        self.serializable.writes(maker.session, table).then_some(()).ok_or(Halt::Unserializable)
    }
}

/// The account whose rows an operation touches.
fn account_of(op: &Op) -> Option<AccountId> {
    match op {
        Op::Apply(request, _)
        | Op::ApplyUnderLease(request, _)
        | Op::ClaimAndApply(request)
        | Op::Overwrite(request, _) => Some(request.effect.account),
        Op::ReadBalance(account) | Op::CheckToken(account, _) => Some(*account),
        Op::Begin(_)
        | Op::Commit
        | Op::Rollback
        | Op::ReadMark(_)
        | Op::WriteMark(..)
        | Op::Claim(_)
        | Op::StoreAnswer(..)
        | Op::ReadAnswer(_)
        | Op::Sql(_)
        | Op::GrantLease
        | Op::Acquire(_)
        | Op::Release(_)
        | Op::Revoke(_) => None,
    }
}

/// What comes of an operation on an account that there is not: no row is changed.
fn without_account(op: &Op) -> Response {
    if matches!(op, Op::CheckToken(..)) {
        Response::Done
    } else if op.acts().any(Acts::APPLIES) {
        Response::Applied(None)
    } else {
        Response::Found(None)
    }
}

fn change<T: Copy>(row: &mut Row<T>, maker: Maker, value: T, snapshots: Sessions) {
    if maker.at.is_some() {
        row.locked = Some(maker.session);
        row.changed = Some(value);
    } else {
        row.committed = value;
        row.newer_than = snapshots;
    }
}
