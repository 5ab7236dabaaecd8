//! Rates of violations with their 95 % intervals, one row each, on a logarithmic scale.

use super::scale::{Scale, ScaleKind};
use super::{empty, framed, line, place, room, words};

/// A rate with its interval.
#[derive(Debug, Clone, PartialEq)]
pub struct RateRow {
    /// Whose it is.
    pub label: String,
    pub rate: f64,
    pub low: f64,
    pub high: f64,
    /// Counts, in words.
    pub note: String,
    /// None was seen: `high` is all that is known.
    pub is_bound: bool,
}

const ROW: f64 = 24.0;
const TOP: f64 = 12.0;

/// The rows, from top to bottom.
#[must_use]
pub fn intervals(id: &str, title: &str, rows: &[RateRow]) -> String {
    let left = room(rows.iter().map(|row| row.label.as_str())) + 16.0;
    let right = super::WIDTH - room(rows.iter().map(|row| row.note.as_str())) - 16.0;
    let figures =
        rows.iter().flat_map(|row| if row.is_bound { vec![row.high] } else { vec![row.low, row.rate, row.high] });
    let Some(scale) = Scale::over(ScaleKind::Log, figures, (left + 14.0, right)) else { return empty(id, title) };
    let bottom = TOP + ROW * place(rows.len());
    let mut body = String::new();
    for mark in scale.marks() {
        body += &line("grid", (scale.at(mark), TOP - 4.0), (scale.at(mark), bottom));
        body += &words("quiet mid", scale.at(mark), bottom + 18.0, &percent(mark));
    }
    for (n, row) in rows.iter().enumerate() {
        let y = TOP + ROW * (place(n) + 0.5);
        body += &words("end", left, y + 4.0, &row.label);
        let (low, high) = (scale.at(row.low), scale.at(row.high));
        if row.is_bound {
            body += &line("good", (left + 8.0, y), (high, y));
            body += &format!("<path class=\"good open\" d=\"M{high:.1} {:.1} l-9 -5 v10 Z\"/>\n", y);
        } else {
            body += &line("bad", (low, y), (high, y));
            for end in [low, high] {
                body += &line("bad", (end, y - 4.0), (end, y + 4.0));
            }
            body += &format!("<circle class=\"bad\" cx=\"{:.1}\" cy=\"{y:.1}\" r=\"4\"/>\n", scale.at(row.rate));
        }
        body += &words("quiet", right + 10.0, y + 4.0, &row.note);
    }
    body += &words(
        "quiet mid",
        f64::midpoint(left, right),
        bottom + 38.0,
        "share of the requests, 95 % interval; ▷ none seen, and below this with 95 % confidence",
    );
    framed(id, title, bottom + 46.0, &body)
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent >= 1.0 { format!("{percent:.0} %") } else { format!("{} %", super::scale::short(percent)) }
}
