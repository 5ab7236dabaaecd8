//! Throughput over time, one strip for each strategy, with the faults.

use super::scale::{Scale, ScaleKind, short};
use super::{WIDTH, empty, framed, line, place, room, words};

/// One strip.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    pub label: String,
    pub stretch_s: f64,
    /// What was done a second, in each stretch.
    pub per_s: Vec<f64>,
    /// When a server was down or cut off.
    pub shades: Vec<Shade>,
    /// When faults happened to messages and handlers.
    pub faults_s: Vec<f64>,
}

/// A stretch of time in which something was out of order.
#[derive(Debug, Clone, PartialEq)]
pub struct Shade {
    pub from_s: f64,
    pub until_s: f64,
    pub label: String,
}

const STRIP: f64 = 46.0;
const GAP: f64 = 14.0;
const TOP: f64 = 12.0;

/// The strips, from top to bottom, along one time.
#[must_use]
pub fn timelines(id: &str, title: &str, rows: &[Timeline]) -> String {
    let left = room(rows.iter().map(|row| row.label.as_str())) + 16.0;
    let right = WIDTH - 64.0;
    let ends = rows.iter().map(|row| row.stretch_s * place(row.per_s.len()));
    let Some(across) = Scale::over(ScaleKind::Linear, ends, (left, right)) else { return empty(id, title) };
    let bottom = TOP + (STRIP + GAP) * place(rows.len());
    // Hatching, so that it shows in print too.
    let mut body = format!(
        "<defs><pattern id=\"{0}-hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
         <line x1=\"0\" y1=\"0\" x2=\"0\" y2=\"6\" style=\"stroke: var(--bad); stroke-width: 2\"/></pattern></defs>\n",
        super::escape(id)
    );
    for mark in across.marks() {
        body += &line("grid", (across.at(mark), TOP), (across.at(mark), bottom));
        body += &words("quiet mid", across.at(mark), bottom + 14.0, &format!("{} s", short(mark)));
    }
    for (n, row) in rows.iter().enumerate() {
        let foot = TOP + (STRIP + GAP) * place(n) + STRIP;
        body += &strip(id, row, foot, |at| across.at(at), (left, right));
    }
    framed(id, title, bottom + 24.0, &body)
}

fn strip(id: &str, row: &Timeline, foot: f64, across: impl Fn(f64) -> f64, (left, right): (f64, f64)) -> String {
    let mut body = words("end", left - 8.0, foot - STRIP / 2.0 + 4.0, &row.label);
    for shade in row.shades.iter().filter(|shade| shade.from_s.is_finite() && shade.until_s >= shade.from_s) {
        let (from, until) = (across(shade.from_s), across(shade.until_s));
        for fill in
            ["class=\"shade\"".to_owned(), format!("fill=\"url(#{}-hatch)\" opacity=\"0.5\"", super::escape(id))]
        {
            body += &format!(
                "<rect {fill} x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{STRIP}\"><title>{}</title></rect>\n",
                foot - STRIP,
                (until - from).max(1.0),
                super::escape(&shade.label)
            );
        }
    }
    let up = Scale::over(ScaleKind::Linear, row.per_s.iter().copied(), (foot, foot - STRIP));
    let Some(up) = up else { return body };
    let mut path = format!("M{:.1} {foot:.1}", across(0.0));
    for (n, per_s) in row.per_s.iter().enumerate().filter(|(_, per_s)| per_s.is_finite()) {
        let (from, until) = (across(row.stretch_s * place(n)), across(row.stretch_s * place(n + 1)));
        path += &format!(" L{from:.1} {y:.1} L{until:.1} {y:.1}", y = up.at(*per_s));
    }
    path += &format!(" L{:.1} {foot:.1} Z", across(row.stretch_s * place(row.per_s.len())));
    body += &format!("<path class=\"area\" d=\"{path}\"/>\n");
    body += &line("edge", (left, foot), (right, foot));
    for at in row.faults_s.iter().filter(|at| at.is_finite()) {
        body += &line("tick", (across(*at), foot), (across(*at), foot + 4.0));
    }
    let most = row.per_s.iter().copied().filter(|per_s| per_s.is_finite()).fold(0.0, f64::max);
    body += &words("quiet", right + 4.0, foot - STRIP + 10.0, &format!("{}/s", short(most)));
    body
}
