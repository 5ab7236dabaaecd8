//! Tables for a terminal.

use super::table::{Align, Table};

/// Draws a table within this many columns: parts of the last value go on lines of their own where they do not fit on one. Figures
/// that do not fit beside the others go into a second table below, with the same names before them.
#[must_use]
pub fn to_text(table: &Table, width: usize) -> String {
    if table.columns.is_empty() {
        return String::new();
    }
    match overflow(table, width) {
        None => draw_whole(table, width),
        Some(first) => {
            let names = names(table);
            let part = |columns: &[usize]| table.only(columns);
            let before: Vec<usize> = (0..first).collect();
            let after: Vec<usize> = (0..names).chain(first..table.columns.len()).collect();
            format!("{}\n{}", draw_whole(&part(&before), width), to_text(&part(&after), width))
        }
    }
}

/// How many columns say which row it is: those at the left.
fn names(table: &Table) -> usize {
    table.columns.iter().take_while(|column| column.align == Align::Left).count()
}

/// The first column of figures that does not fit any more, if there is one and one before it does.
fn overflow(table: &Table, width: usize) -> Option<usize> {
    let mut taken = 0;
    for (column, wide) in (0..table.columns.len()).map(|column| widest(table, column)).enumerate() {
        taken += wide + usize::from(column > 0);
        let is_figure = table.columns[column].align == Align::Right;
        if taken > width && is_figure && column > names(table) {
            return Some(column);
        }
    }
    None
}

fn widest(table: &Table, column: usize) -> usize {
    let values = table.rows.iter().map(|row| row[column].join(", ").chars().count());
    values.max().unwrap_or(0).max(table.columns[column].heading.chars().count())
}

fn draw_whole(table: &Table, width: usize) -> String {
    let widths = widths(table, width);
    let mut out = String::new();
    let headings = table.columns.iter().map(|column| vec![column.heading.to_owned()]).collect::<Vec<_>>();
    draw(&mut out, table, &widths, &headings);
    let rule = widths.iter().sum::<usize>() + (widths.len() - 1);
    out.push_str(&"-".repeat(rule.min(width)));
    out.push('\n');
    for row in &table.rows {
        draw(&mut out, table, &widths, row);
    }
    out
}

/// The widest value of each column; the last column has what is left.
fn widths(table: &Table, width: usize) -> Vec<usize> {
    let mut widths: Vec<usize> = (0..table.columns.len()).map(|column| widest(table, column)).collect();
    if let Some((last, others)) = widths.split_last_mut() {
        let taken = others.iter().sum::<usize>() + others.len();
        *last = (*last).min(width.saturating_sub(taken).max(10));
    }
    widths
}

fn draw(out: &mut String, table: &Table, widths: &[usize], row: &[Vec<String>]) {
    let cells: Vec<Vec<String>> = row.iter().zip(widths).map(|(parts, width)| lines(parts, *width)).collect();
    for line in 0..cells.iter().map(Vec::len).max().unwrap_or(0) {
        let values = cells.iter().zip(widths).zip(&table.columns).map(|((cell, width), column)| {
            let value = cell.get(line).map_or("", String::as_str);
            match column.align {
                Align::Left => format!("{value:<width$}"),
                Align::Right => format!("{value:>width$}"),
            }
        });
        out.push_str(values.collect::<Vec<_>>().join(" ").trim_end());
        out.push('\n');
    }
}

/// Parts set on as few lines as they fit on; one that is longer than a line is broken between words.
fn lines(parts: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (n, part) in parts.iter().enumerate() {
        // The comma is a part of what must fit.
        let part = if n + 1 < parts.len() { format!("{part},") } else { part.clone() };
        if part.chars().count() > width {
            lines.extend(broken(&part, width));
            continue;
        }
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + part.chars().count() <= width => {
                line.push(' ');
                line.push_str(&part);
            }
            Some(_) | None => lines.push(part),
        }
    }
    lines
}

/// Words on lines of this width, as far as none is longer.
fn broken(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && lines[last].chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !lines[last].is_empty() {
                lines[last].push(' ');
            }
            lines[last].push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_that_do_not_fit_go_into_a_table_below() {
        let mut table = Table::new(&[("name", Align::Left), ("first", Align::Right), ("second", Align::Right)]);
        table.push(["a", "1", "2"].map(|value| vec![value.to_owned()]).to_vec());
        // 4 + 1 + 5 fit into 12, and 7 more do not.
        let text = to_text(&table, 12);
        assert_eq!(text, "name first\n----------\na        1\n\nname second\n-----------\na         2\n");
        assert_eq!(to_text(&Table::default(), 12), "");
    }

    #[test]
    fn parts_that_do_not_fit_go_on_lines_of_their_own() {
        let mut table = Table::new(&[("name", Align::Left), ("n", Align::Right), ("found", Align::Left)]);
        let found = ["12 duplicate", "3 deviating", "1 late"].map(str::to_owned).to_vec();
        table.push(vec![vec!["a".to_owned()], vec!["7".to_owned()], found]);
        let text = to_text(&table, 24);
        assert_eq!(
            text,
            "name n found\n------------------------\na    7 12 duplicate,\n       3 deviating,\n       1 late\n"
        );
    }
}
