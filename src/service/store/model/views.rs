//! The store as it is seen without some of its connections: what they have locked stays locked, and what they have written and not
//! committed is theirs alone.

use super::rows::{Insertion, Note, Row};
use super::transaction::Transaction;
use super::{HeldName, StoreModelFlaw, Tables};
use crate::service::modelled::{Heir, OutOfSight, Party};
use crate::service::store::program::StoreTable;
use crate::service::store::{Does, StoreOp};
use crate::terms::{Isolation, Profile, Session, Sessions};

/// What cannot be seen in part.
const SERIALIZABLE: OutOfSight =
    OutOfSight("at SERIALIZABLE what the others have read and written decides which of them fails");
const WAITING: OutOfSight = OutOfSight(
    "a statement that has begun and waits goes on in the step of whoever lets go, which may be out of sight",
);
const DELETED: OutOfSight = OutOfSight("a row that was deleted is still in the snapshot of another");

impl<T: Copy> Row<T> {
    /// What a party has made of it, and has not committed, is not seen.
    fn forget(&mut self, party: Party, heir: Heir) {
        if self.locked.is_some_and(|holder| party.is_on(holder)) {
            self.locked = Some(heir.session);
            self.changed = None;
        }
        self.newer_than = self.newer_than.minus(party.sessions);
    }

    /// With what a party has made of it.
    fn adopt(&mut self, from: &Self, party: Party) {
        if from.locked.is_some_and(|holder| party.is_on(holder)) {
            self.locked = from.locked;
            self.changed = from.changed;
        }
        self.newer_than = self.newer_than.and(among(from.newer_than, party));
    }

    /// Whether somebody has locked it, who may be out of sight.
    pub(super) fn is_held(&self) -> bool {
        self.locked.is_some()
    }

    fn is_touched_by(&self, party: Party) -> bool {
        self.locked.is_some_and(|holder| party.is_on(holder)) || !among(self.newer_than, party).is_empty()
    }
}

fn among(sessions: Sessions, party: Party) -> Sessions {
    sessions.minus(sessions.minus(party.sessions))
}

impl Insertion {
    fn forget(&mut self, party: Party, heir: Heir) {
        match self {
            Insertion::Pending(by) if party.is_on(*by) => *by = heir.session,
            Insertion::Pending(_) => {}
            Insertion::Going { by, hidden_from } => {
                if party.is_on(*by) {
                    *by = heir.session;
                }
                *hidden_from = hidden_from.minus(party.sessions);
            }
            Insertion::Committed { hidden_from: of } | Insertion::Gone { seen_by: of } => {
                *of = of.minus(party.sessions);
            }
        }
    }

    /// Of a row that is there for everybody.
    fn adopt(&mut self, from: Self, party: Party, heir: Heir) {
        if let Insertion::Committed { hidden_from: of } | Insertion::Going { hidden_from: of, .. } = self
            && let Insertion::Committed { hidden_from } | Insertion::Going { hidden_from, .. } = from
        {
            *of = of.and(among(hidden_from, party));
        }
        if let (Insertion::Going { by, .. }, Insertion::Going { by: its, .. }) = (self, from)
            && party.is_on(its)
            && *by == heir.session
        {
            *by = its;
        }
    }

    /// Whether it is in a transaction that may be out of sight.
    pub(super) fn is_unfinished(self) -> bool {
        matches!(self, Insertion::Pending(_) | Insertion::Going { .. })
    }

    fn pending_by(self) -> Option<Session> {
        if let Insertion::Pending(by) = self { Some(by) } else { None }
    }
}

impl Tables {
    /// # Errors
    /// [`OutOfSight`] if it is in a state that cannot be seen in part.
    fn require_sight(&self) -> Result<(), OutOfSight> {
        let gone = |insertion: &Insertion| matches!(insertion, Insertion::Gone { .. });
        let insertions = self.claims.iter().map(|(_, insertion)| insertion);
        let mut insertions = insertions.chain(self.notes.iter().flatten().map(|note| &note.insertion));
        match () {
            () if !self.serializable.is_idle() => Err(SERIALIZABLE),
            () if !self.waiting.is_empty() => Err(WAITING),
            () if insertions.any(gone) => Err(DELETED),
            () => Ok(()),
        }
    }

    /// Seen without a party.
    pub(super) fn without(&mut self, party: Party, heir: Heir) -> Result<(), OutOfSight> {
        self.require_sight()?;
        let is_its = |transaction: &Transaction| party.is_on(transaction.session);
        let had_one = self.open.iter().any(is_its);
        self.open.retain(|transaction| !is_its(transaction));
        if had_one && self.profile == Profile::Sqlite {
            // The only place of a writer is taken.
            self.open.push(Transaction {
                session: heir.session,
                isolation: Isolation::ReadCommitted,
                failed: false,
                snapshot: None,
                entries: Vec::new(),
            });
        }
        self.balances.iter_mut().for_each(|row| row.forget(party, heir));
        self.values.rows_mut().for_each(|row| row.forget(party, heir));
        for (_, row) in self.values.of_mut(StoreTable::Owner) {
            let left = |lease: i64| if party.asked_for(lease) { heir.id() } else { lease };
            row.committed = row.committed.map(left);
            row.changed = row.changed.map(|changed| changed.map(left));
        }
        self.values.drop_untouched();
        self.claims.iter_mut().for_each(|(_, insertion)| insertion.forget(party, heir));
        self.claims.dedup_by(|a, b| a == b && a.1 == Insertion::Pending(heir.session));
        for notes in &mut self.notes {
            notes.retain(|note| !note.insertion.pending_by().is_some_and(|by| party.is_on(by)));
            notes.iter_mut().for_each(|note| note.insertion.forget(party, heir));
        }
        for lock in self.advisory.iter_mut().filter(|lock| party.is_on(lock.holder)) {
            *lock = HeldName { holder: heir.session, ends_with_transaction: false, ..*lock };
        }
        self.advisory.dedup_by(|a, b| a == b && a.holder == heir.session);
        if self.has_flaw(StoreModelFlaw::ForgetsRows) {
            self.claims.retain(|(_, insertion)| insertion.is_unfinished());
            self.notes.iter_mut().for_each(Vec::clear);
        }
        if self.has_flaw(StoreModelFlaw::ForgetsWhatIsHeld) {
            self.cut_all(heir);
        }
        Ok(())
    }

    /// By mistake: what an heir was left is free.
    fn cut_all(&mut self, heir: Heir) {
        self.undo(heir.session);
        self.advisory.retain(|lock| lock.holder != heir.session);
    }

    /// Seen with what a party has in another view. Where several have written rows that are found in the order in which they were written,
    /// each order is one state.
    pub(super) fn with(&self, from: &Self, party: Party, heir: Heir) -> Result<Vec<Self>, OutOfSight> {
        self.require_sight()?;
        from.require_sight()?;
        let mut with = self.clone();
        let mut own = from.open.iter().filter(|transaction| party.is_on(transaction.session)).peekable();
        if own.peek().is_some() && with.profile == Profile::Sqlite {
            with.open.retain(|transaction| transaction.session != heir.session);
        }
        with.open.extend(own.cloned());
        with.open.sort_unstable_by_key(|transaction| transaction.session);
        for (row, its) in with.balances.iter_mut().zip(&from.balances) {
            row.adopt(its, party);
        }
        for ((table, key), its) in from.values.places().filter(|(_, row)| row.is_touched_by(party)) {
            with.values.open(table, key).adopt(its, party);
        }
        for (key, its) in from.values.of(StoreTable::Owner) {
            if its.committed.is_some_and(|lease| party.asked_for(lease)) {
                with.values.open(StoreTable::Owner, key).committed = its.committed;
            }
        }
        with.adopt_claims(from, party, heir);
        let locks = || from.advisory.iter().filter(|lock| party.is_on(lock.holder));
        with.advisory.retain(|other| other.holder != heir.session || locks().all(|lock| lock.name != other.name));
        for lock in locks() {
            let at = with.advisory.partition_point(|other| other.name <= lock.name);
            with.advisory.insert(at, *lock);
        }
        let [marks, answers] = [0, 1].map(|table| notes_with(&with.notes[table], &from.notes[table], party, heir));
        let both = marks.iter().flat_map(|marks| answers.iter().map(move |answers| [marks.clone(), answers.clone()]));
        Ok(both.map(|notes| Tables { notes, ..with.clone() }).collect())
    }

    fn adopt_claims(&mut self, from: &Self, party: Party, heir: Heir) {
        let mut at = 0;
        for (message, its) in &from.claims {
            if let Some(by) = its.pending_by() {
                if party.is_on(by) {
                    let left = (*message, Insertion::Pending(heir.session));
                    match self.claims.iter().position(|claim| *claim == left) {
                        Some(at) => self.claims[at].1 = *its,
                        None => {
                            let at = self.claims.partition_point(|(id, _)| id <= message);
                            self.claims.insert(at, (*message, *its));
                        }
                    }
                }
                continue;
            }
            // Those that are there for everybody are in the same order in every view.
            while self.claims.get(at).is_some_and(|(_, insertion)| insertion.pending_by().is_some()) {
                at += 1;
            }
            if let Some((_, insertion)) = self.claims.get_mut(at) {
                insertion.adopt(*its, party, heir);
            }
            at += 1;
        }
    }

    /// What a statement in flight comes to: in a transaction that is not committed the transaction is undone, whatever the statement is;
    /// without one a statement that only reads does nothing.
    pub(super) fn comes_to(&self, on: Session, op: StoreOp) -> Option<StoreOp> {
        let is_committed = |transaction: &Transaction| matches!(op.does(), Does::Commit) && !transaction.failed;
        if let Some(at) = self.transaction(on) {
            return Some(if is_committed(&self.open[at]) { op } else { StoreOp::rollback() });
        }
        let does_nothing = match op.does() {
            Does::Begin | Does::Commit | Does::Rollback => true,
            Does::Rows(program) => program.only_reads(),
            Does::Both | Does::Own => false,
        };
        let holds = self.advisory.iter().any(|lock| lock.holder == on);
        (holds || !does_nothing).then_some(op)
    }

    /// The tokens in it under other numbers: those of the fence, and of effects that are not committed.
    pub(super) fn rank(&mut self, ranks: &mut dyn FnMut(i64) -> i64) {
        for (_, row) in self.values.of_mut(StoreTable::Fence) {
            row.committed = row.committed.map(&mut *ranks);
            row.changed = row.changed.map(|changed| changed.map(&mut *ranks));
        }
        let tokens = self.open.iter_mut().flat_map(|transaction| &mut transaction.entries);
        for token in tokens.filter_map(|entry| entry.token.as_mut()) {
            if let Some(rank) = std::num::NonZeroI64::new(ranks(token.0.get())) {
                token.0 = rank;
            }
        }
    }
}

/// Rows with those that a party has written and not committed: each of them somewhere between the same rows that are there for everybody,
/// and in every order with those that others have not committed.
fn notes_with(notes: &[Note], from: &[Note], party: Party, heir: Heir) -> Vec<Vec<Note>> {
    let is_its = |note: &Note| note.insertion.pending_by().is_some_and(|by| party.is_on(by));
    match (notes.split_first(), from.split_first()) {
        (_, Some((its, rest))) if !is_its(its) && its.insertion.pending_by().is_some() => {
            notes_with(notes, rest, party, heir)
        }
        (Some((first, rest)), Some((its, from_rest))) => {
            let is_open = first.insertion.pending_by().is_some();
            let mut ways = Vec::new();
            if is_its(its) {
                ways.extend(
                    notes_with(notes, from_rest, party, heir).into_iter().map(|way| with_first(its.clone(), way)),
                );
            }
            if is_open {
                ways.extend(notes_with(rest, from, party, heir).into_iter().map(|way| with_first(first.clone(), way)));
            } else if !is_its(its) {
                let mut seen = first.clone();
                seen.insertion.adopt(its.insertion, party, heir);
                let then = notes_with(rest, from_rest, party, heir);
                ways.extend(then.into_iter().map(|way| with_first(seen.clone(), way)));
            }
            ways
        }
        (None, Some((its, rest))) if is_its(its) => {
            notes_with(notes, rest, party, heir).into_iter().map(|way| with_first(its.clone(), way)).collect()
        }
        _ => vec![notes.to_vec()],
    }
}

fn with_first(first: Note, rest: Vec<Note>) -> Vec<Note> {
    std::iter::once(first).chain(rest).collect()
}
