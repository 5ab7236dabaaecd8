//! A single table in the form that was asked for.

use super::Format;
use crate::report::{Around, Table, table_to_html, to_csv, to_latex, to_markdown, to_text};

/// A table in a form.
pub(super) fn one(table: &Table, around: &Around<'_>, format: Format) -> String {
    match format {
        Format::Text => format!("{}\n", to_text(table, 80)),
        Format::Md => to_markdown(table),
        Format::Html => table_to_html(around.caption, table, &vec![String::new(); table.rows.len()]),
        Format::Csv => to_csv(table),
        Format::Tex => to_latex(table, around),
        Format::Json => {
            let record = |row: &Vec<Vec<String>>| {
                let pairs = table.columns.iter().zip(row);
                pairs
                    .map(|(column, parts)| (column.heading.clone(), parts.join(", ").into()))
                    .collect::<serde_json::Map<_, _>>()
            };
            let rows: Vec<_> = table.rows.iter().map(record).collect();
            serde_json::to_string_pretty(&rows).unwrap_or_default() + "\n"
        }
    }
}
