//! A figure over two settings, as a table whose cells are the darker the higher it is.

use super::{WIDTH, empty, escape, framed, place, room, words};

/// The values along one side.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatAxis {
    pub label: String,
    pub values: Vec<String>,
}

/// One cell.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatCell {
    pub value: f64,
    /// The value in words that fit.
    pub text: String,
    /// What it is made of.
    pub note: String,
}

const CELL: f64 = 34.0;
const TOP: f64 = 30.0;

/// The map: `cells` by row, from top to bottom; a cell without a figure was not measured.
#[must_use]
pub fn heat(
    id: &str,
    title: &str,
    x: &HeatAxis,
    y: &HeatAxis,
    cells: &[Vec<Option<HeatCell>>],
    legend: &str,
) -> String {
    if x.values.is_empty() || y.values.is_empty() {
        return empty(id, title);
    }
    let left = room(y.values.iter().chain([&y.label]).map(String::as_str)) + 16.0;
    let width = ((WIDTH - left - 10.0) / place(x.values.len())).min(110.0);
    let figures =
        || cells.iter().flatten().flatten().map(|cell| cell.value).filter(|value| *value > 0.0 && value.is_finite());
    let (least, most) =
        figures().fold((f64::INFINITY, 0.0_f64), |(least, most), value| (least.min(value), most.max(value)));
    let mut body = words("quiet end", left - 8.0, 18.0, &format!("{} ↓", y.label));
    body += &words("quiet", left, 18.0, &format!("{} →", x.label));
    for (row, value) in y.values.iter().enumerate() {
        let top = TOP + CELL * place(row);
        body += &words("end", left - 8.0, top + CELL / 2.0 + 4.0, value);
        for column in 0..x.values.len() {
            let cell = cells.get(row).and_then(|row| row.get(column)).and_then(Option::as_ref);
            body += &drawn(cell, (left + width * place(column), top), width, (least, most));
        }
    }
    let bottom = TOP + CELL * place(y.values.len());
    for (column, value) in x.values.iter().enumerate() {
        body += &words("mid", left + width * (place(column) + 0.5), bottom + 18.0, value);
    }
    body += &words("quiet", left, bottom + 38.0, legend);
    framed(id, title, bottom + 46.0, &body)
}

fn drawn(cell: Option<&HeatCell>, (x, y): (f64, f64), width: f64, range: (f64, f64)) -> String {
    let rect = |class: &str, opacity: f64| {
        format!(
            "<rect class=\"{class}\" fill-opacity=\"{opacity:.2}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{CELL}\"/>"
        )
    };
    let (class, opacity, text, note) = match cell.filter(|cell| cell.value.is_finite()) {
        None => ("none", 0.0, "–", "not measured"),
        Some(cell) if cell.value > 0.0 => ("cell", darkness(cell.value, range), cell.text.as_str(), cell.note.as_str()),
        Some(cell) => ("none", 0.0, cell.text.as_str(), cell.note.as_str()),
    };
    format!(
        "<g><title>{}</title>{}{}</g>\n",
        escape(note),
        rect(class, opacity),
        words("mid halo", x + width / 2.0, y + CELL / 2.0 + 4.0, text).trim_end()
    )
}

/// From 0.12 for the smallest to 0.85 for the largest, by their logarithms.
fn darkness(value: f64, (least, most): (f64, f64)) -> f64 {
    let share = if most > least { (value / least).ln() / (most / least).ln() } else { 1.0 };
    0.12 + 0.73 * share
}
