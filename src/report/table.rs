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
    pub heading: String,
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
    pub fn new<H: ToString>(columns: &[(H, Align)]) -> Self {
        let column = |(heading, align): &(H, Align)| Column { heading: heading.to_string(), align: *align };
        let columns = columns.iter().map(column).collect();
        Table { columns, rows: Vec::new() }
    }

    /// The same without the columns whose values are all empty.
    #[must_use]
    pub fn without_empty_columns(mut self) -> Self {
        if self.rows.is_empty() {
            return self;
        }
        let says = |column: usize| self.rows.iter().any(|row| row[column].iter().any(|part| !part.is_empty()));
        let kept: Vec<bool> = (0..self.columns.len()).map(says).collect();
        let mut flags = kept.iter();
        self.columns.retain(|_| *flags.next().unwrap_or(&true));
        for row in &mut self.rows {
            let mut flags = kept.iter();
            row.retain(|_| *flags.next().unwrap_or(&true));
        }
        self
    }

    /// The same with these of its columns.
    pub(super) fn only(&self, columns: &[usize]) -> Self {
        let row = |row: &Vec<Vec<String>>| columns.iter().map(|column| row[*column].clone()).collect();
        Table {
            columns: columns.iter().map(|column| self.columns[*column].clone()).collect(),
            rows: self.rows.iter().map(row).collect(),
        }
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
