//! One figure for each strategy as a bar, with its interval and a sign for its verdict.

use super::scale::{Scale, ScaleKind, short};
use super::{empty, framed, line, place, room, words};

/// What a bar's verdict is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Good,
    Bad,
    Unsure,
}

impl Tone {
    fn class(self) -> &'static str {
        match self {
            Tone::Good => "good",
            Tone::Bad => "bad",
            Tone::Unsure => "warn",
        }
    }

    /// The sign that says the same without colour.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Tone::Good => "✓",
            Tone::Bad => "✗",
            Tone::Unsure => "?",
        }
    }
}

/// A figure with its interval.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    pub label: String,
    pub value: f64,
    pub interval: Option<(f64, f64)>,
    pub tone: Tone,
}

const ROW: f64 = 24.0;
const TOP: f64 = 12.0;

/// The bars, from top to bottom.
#[must_use]
pub fn bars(id: &str, title: &str, unit: &str, rows: &[Bar]) -> String {
    let left = room(rows.iter().map(|row| row.label.as_str())) + 34.0;
    let right = super::WIDTH - 70.0;
    let figures = rows.iter().flat_map(|row| [row.value, row.interval.map_or(0.0, |(_, high)| high)]);
    let Some(scale) = Scale::over(ScaleKind::Linear, figures, (left + 8.0, right)) else { return empty(id, title) };
    let bottom = TOP + ROW * place(rows.len());
    let mut body = String::new();
    for mark in scale.marks() {
        body += &line("grid", (scale.at(mark), TOP - 4.0), (scale.at(mark), bottom));
        body += &words("quiet mid", scale.at(mark), bottom + 18.0, &short(mark));
    }
    for (n, row) in rows.iter().enumerate().filter(|(_, row)| row.value.is_finite()) {
        let (y, class) = (TOP + ROW * (place(n) + 0.5), row.tone.class());
        let (from, to) = (scale.at(0.0), scale.at(row.value));
        body += &words("end", left - 18.0, y + 4.0, &row.label);
        body += &words(&format!("{class} strong"), left - 12.0, y + 5.0, row.tone.sign());
        body += &format!(
            "<rect class=\"bar {class}\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"14\"/>\n",
            y - 7.0,
            to - from
        );
        let mut end = to;
        if let Some((low, high)) = row.interval {
            end = scale.at(high).max(to);
            body += &line(class, (scale.at(low), y), (scale.at(high), y));
            for whisker in [low, high] {
                body += &line(class, (scale.at(whisker), y - 4.0), (scale.at(whisker), y + 4.0));
            }
        }
        body += &words("halo", end + 6.0, y + 4.0, &short(row.value));
    }
    body += &words("quiet mid", f64::midpoint(left, right), bottom + 38.0, unit);
    framed(id, title, bottom + 46.0, &body)
}
