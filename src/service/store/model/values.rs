//! Tables that have one value for each key, as one list: of the many there are, a strategy uses one or two.

use super::rows::Row;
use crate::service::store::program::StoreTable;
use crate::terms::{Session, Sessions};

/// A row in one of the tables.
pub(super) type ValueRow = Row<Option<i64>>;

/// The rows that were ever touched, in the order of tables and keys. One that was never touched has no value, and takes no room.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Values(Vec<((StoreTable, u32), ValueRow)>);

impl Values {
    pub fn get(&self, table: StoreTable, key: u32) -> Option<&ValueRow> {
        self.0.iter().find(|(place, _)| *place == (table, key)).map(|(_, row)| row)
    }

    /// The row, which is there from now on.
    pub fn open(&mut self, table: StoreTable, key: u32) -> &mut ValueRow {
        let at = match self.0.binary_search_by_key(&(table, key), |(place, _)| *place) {
            Ok(at) => at,
            Err(at) => {
                self.0.insert(at, ((table, key), Row::new(None)));
                at
            }
        };
        &mut self.0[at].1
    }

    /// The rows of a table, with their keys.
    pub fn of(&self, table: StoreTable) -> impl Iterator<Item = (u32, &ValueRow)> {
        self.0.iter().filter(move |(place, _)| place.0 == table).map(|(place, row)| (place.1, row))
    }

    pub fn of_mut(&mut self, table: StoreTable) -> impl Iterator<Item = (u32, &mut ValueRow)> {
        self.0.iter_mut().filter(move |(place, _)| place.0 == table).map(|(place, row)| (place.1, row))
    }

    /// Every row, with its place.
    pub fn places(&self) -> impl Iterator<Item = ((StoreTable, u32), &ValueRow)> {
        self.0.iter().map(|(place, row)| (*place, row))
    }

    /// Every row.
    pub fn rows_mut(&mut self) -> impl Iterator<Item = &mut ValueRow> {
        self.0.iter_mut().map(|(_, row)| row)
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn commit(&mut self, session: Session, snapshots: Sessions) {
        self.0.iter_mut().for_each(|(_, row)| row.commit(session, snapshots));
        self.drop_untouched();
    }

    pub fn undo(&mut self, session: Session) {
        self.0.iter_mut().for_each(|(_, row)| row.undo(session));
        self.drop_untouched();
    }

    /// Forgets the rows that are as if they had never been touched, be it that they were deleted.
    pub fn drop_untouched(&mut self) {
        self.0.retain(|(_, row)| *row != Row::new(None));
    }

    pub fn rename(&mut self, to: &impl Fn(Session) -> Session) {
        self.0.iter_mut().for_each(|(_, row)| row.rename(to));
    }
}
