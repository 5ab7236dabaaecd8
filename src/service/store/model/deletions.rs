//! Rows that are deleted: who waits for that, and who still sees them.

use super::rows::Insertion;
use super::statements::{Halt, Maker, change, check_snapshot, key_of};
use super::{Tables, has_values, note_place};
use crate::service::store::StoreOp;
use crate::service::store::program::StoreTable;
use crate::terms::{MessageId, Session, Sessions};

impl Tables {
    /// Deletes the rows with the operation's key that there are. Those of others that are not committed are not there.
    pub(super) fn delete(&mut self, maker: &Maker, op: &StoreOp, table: StoreTable) -> Result<(), Halt> {
        if has_values(table) {
            return self.delete_value(maker, op, table);
        }
        let Maker { session, at, .. } = *maker;
        let snapshot = at.is_some_and(|at| self.open[at].snapshot.is_some());
        if snapshot && self.insertions_of(table, op.message()).any(|its| went_unseen(its, session)) {
            return Err(Halt::Unserializable);
        }
        if self.insertions_of(table, op.message()).all(|its| !is_deletable(its, session)) {
            return Ok(());
        }
        self.writes(maker, table)?;
        let snapshots = self.snapshots();
        let delete = |insertion: &mut Insertion| match *insertion {
            // What its own transaction has inserted nobody else has seen.
            Insertion::Pending(by) if by == session => *insertion = Insertion::Gone { seen_by: Sessions::NONE },
            Insertion::Committed { hidden_from } if !hidden_from.contains(session) => {
                *insertion = match at {
                    Some(_) => Insertion::Going { by: session, hidden_from },
                    None => Insertion::gone(snapshots, hidden_from),
                };
            }
            Insertion::Pending(_) | Insertion::Committed { .. } | Insertion::Going { .. } | Insertion::Gone { .. } => {}
        };
        let message = op.message();
        match note_place(table) {
            Some(place) => {
                let its = self.notes[place].iter_mut().filter(|note| note.message == message);
                its.map(|note| &mut note.insertion).for_each(delete);
            }
            None => {
                let its = self.claims.iter_mut().filter(|(id, _)| *id == message);
                its.map(|(_, insertion)| insertion).for_each(delete);
            }
        }
        self.drop_forgotten();
        Ok(())
    }

    /// The same where there is one value for each key.
    fn delete_value(&mut self, maker: &Maker, op: &StoreOp, table: StoreTable) -> Result<(), Halt> {
        let key = key_of(table, op);
        let Some(row) = self.values.get(table, key) else { return Ok(()) };
        if row.current(maker.session).is_none() {
            return Ok(());
        }
        check_snapshot(maker, row)?;
        self.writes(maker, table)?;
        let snapshots = self.snapshots();
        change(self.values.open(table, key), maker, None, snapshots);
        self.values.drop_untouched();
        Ok(())
    }

    /// The transactions of others that are about to delete rows which a statement would delete too.
    pub(super) fn deleted_by_others(&self, maker: &Maker, op: &StoreOp, table: StoreTable) -> Sessions {
        let others = self.insertions_of(table, op.message()).filter_map(|its| match its {
            Insertion::Going { by, .. } if by != maker.session => Some(by),
            Insertion::Pending(_) | Insertion::Committed { .. } | Insertion::Going { .. } | Insertion::Gone { .. } => {
                None
            }
        });
        others.collect()
    }

    /// The rows of a message in a table that has any number of them.
    fn insertions_of(&self, table: StoreTable, message: MessageId) -> impl Iterator<Item = Insertion> + '_ {
        let notes = note_place(table).into_iter().flat_map(|place| &self.notes[place]);
        let notes = notes.filter(move |note| note.message == message).map(|note| note.insertion);
        let claims = self.claims.iter().filter(move |(id, _)| table == StoreTable::Claim && *id == message);
        notes.chain(claims.map(|(_, insertion)| *insertion))
    }

    /// Drops the rows that are gone, and that nobody sees any more.
    pub(super) fn drop_forgotten(&mut self) {
        self.claims.retain(|(_, insertion)| !insertion.is_forgotten());
        self.notes.iter_mut().for_each(|notes| notes.retain(|note| !note.insertion.is_forgotten()));
    }
}

/// Whether a session can delete a row.
fn is_deletable(its: Insertion, session: Session) -> bool {
    match its {
        Insertion::Pending(by) => by == session,
        Insertion::Committed { hidden_from } => !hidden_from.contains(session),
        Insertion::Going { .. } | Insertion::Gone { .. } => false,
    }
}

/// Whether a row is gone for good that the snapshot of a session still shows.
fn went_unseen(its: Insertion, session: Session) -> bool {
    matches!(its, Insertion::Gone { seen_by } if seen_by.contains(session))
}
