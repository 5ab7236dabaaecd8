//! A table as CSV.

use super::table::Table;

/// The headings, and a record for each row. Parts of a value are separated by a semicolon.
#[must_use]
pub fn to_csv(table: &Table) -> String {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let header: Vec<String> = table.columns.iter().map(|column| column.heading.clone()).collect();
    let rows = table.rows.iter().map(|row| row.iter().map(|parts| parts.join("; ")).collect());
    for record in std::iter::once(header).chain(rows) {
        let record: Vec<String> = record;
        csv.write_record(record).expect("memory takes every record");
    }
    let bytes = csv.into_inner().expect("memory takes every record");
    String::from_utf8_lossy(&bytes).into_owned()
}
