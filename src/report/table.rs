//! The table that every renderer draws.

/// On which side the values of a column stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// A column, by its heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub heading: &'static str,
    pub align: Align,
}

/// Rows of text under headings. A value may have several parts, which a narrow renderer sets on lines of their own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Vec<String>>>,
}

impl Table {
    /// A table with these headings and no rows yet.
    #[must_use]
    pub fn new(columns: &[(&'static str, Align)]) -> Self {
        let columns = columns.iter().map(|(heading, align)| Column { heading, align: *align }).collect();
        Table { columns, rows: Vec::new() }
    }

    /// Adds a row.
    ///
    /// # Panics
    /// If it has not a value for each column.
    pub fn push(&mut self, row: Vec<Vec<String>>) {
        assert_eq!(row.len(), self.columns.len(), "a row has a value for each column");
        self.rows.push(row);
    }
}
