//! Lines: one figure over another, and latencies over percentiles.

use super::scale::{Scale, ScaleKind, short};
use super::{WIDTH, empty, escape, framed, line, place, room, words};

/// What is measured along one side.
#[derive(Debug, Clone, PartialEq)]
pub struct CurveAxis {
    pub label: String,
    pub kind: ScaleKind,
}

/// A line with its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    pub label: String,
    pub points: Vec<(f64, f64)>,
    /// The interval of each point.
    pub band: Option<Vec<(f64, f64)>>,
}

const DASHES: [&str; 5] = ["none", "7 4", "2 3", "10 3 2 3", "4 2"];
const MARKS: [&str; 5] = ["circle", "square", "diamond", "up", "down"];
const COLOURS: usize = 8;
const TOP: f64 = 26.0;
const HEIGHT: f64 = 330.0;
const LEFT: f64 = 64.0;
const ROW: f64 = 16.0;

/// One figure over another. On a logarithmic scale zero is at the edge, with an open mark.
#[must_use]
pub fn curves(id: &str, title: &str, x: &CurveAxis, y: &CurveAxis, series: &[Series]) -> String {
    let right = right(series);
    let along = series.iter().flat_map(|one| one.points.iter().map(|(x, _)| *x));
    let Some(across) = Scale::over(x.kind, along.clone(), (LEFT + 12.0, right)) else { return empty(id, title) };
    let ticks: Vec<(f64, String)> = across.marks().into_iter().map(|mark| (across.at(mark), short(mark))).collect();
    draw(id, title, (&x.label, &ticks), y, series, right, |figure| across.at(figure))
}

/// Latencies over percentiles, the last ones drawn out: a step to the right is a tenth of the requests that are left.
///
/// Source: G. Tene's HdrHistogram plots.
#[must_use]
pub fn percentiles(id: &str, title: &str, series: &[Series]) -> String {
    /// Beyond this share nothing is told apart.
    const LAST: f64 = 0.99999;
    let right = right(series);
    let nines = |share: f64| -(1.0 - share.min(LAST)).log10();
    let shares = series.iter().flat_map(|one| one.points.iter().map(|(share, _)| nines(*share)));
    let Some(across) = Scale::over(ScaleKind::Linear, shares, (LEFT + 12.0, right)) else { return empty(id, title) };
    let marks = [(0.0, "0"), (0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"), (0.9999, "99.99 %")];
    let most = series.iter().flat_map(|one| &one.points).map(|(share, _)| nines(*share)).fold(0.0, f64::max);
    let ticks: Vec<(f64, String)> = marks
        .into_iter()
        .filter(|(share, _)| nines(*share) <= most + 1e-9)
        .map(|(share, name)| (across.at(nines(share)), name.to_owned()))
        .collect();
    let y = CurveAxis { label: "ms".to_owned(), kind: ScaleKind::Log };
    draw(id, title, ("share of the acknowledged requests that waited no longer", &ticks), &y, series, right, |share| {
        across.at(nines(share))
    })
}

fn right(series: &[Series]) -> f64 {
    WIDTH - room(series.iter().map(|one| one.label.as_str())) - 40.0
}

fn draw(
    id: &str,
    title: &str,
    (along, ticks): (&str, &[(f64, String)]),
    axis: &CurveAxis,
    series: &[Series],
    right: f64,
    x: impl Fn(f64) -> f64,
) -> String {
    let bottom = TOP + HEIGHT.max(ROW * place(series.len()));
    let bands = series.iter().flat_map(|one| one.band.iter().flatten().flat_map(|(low, high)| [*low, *high]));
    let figures = series.iter().flat_map(|one| one.points.iter().map(|(_, y)| *y)).chain(bands);
    let Some(up) = Scale::over(axis.kind, figures, (bottom, TOP)) else { return empty(id, title) };
    let mut body = String::new();
    for mark in up.marks() {
        body += &line("grid", (LEFT, up.at(mark)), (right, up.at(mark)));
        body += &words("quiet end", LEFT - 6.0, up.at(mark) + 4.0, &short(mark));
    }
    for (at, name) in ticks {
        body += &line("grid", (*at, TOP), (*at, bottom));
        body += &words("quiet mid", *at, bottom + 18.0, name);
    }
    body += &words("quiet mid", f64::midpoint(LEFT, right), bottom + 38.0, along);
    body += &words("quiet", 4.0, 12.0, &axis.label);
    let mut ends = Vec::new();
    for (n, one) in series.iter().enumerate() {
        let finite = |point: &&(f64, f64)| point.0.is_finite() && point.1.is_finite();
        let places: Vec<(f64, f64, bool)> =
            one.points.iter().filter(finite).map(|(at, figure)| (x(*at), up.at(*figure), *figure > 0.0)).collect();
        body += &band(n, one, &x, |figure| up.at(figure));
        body += &curve(n, &places);
        if let Some((at, y, _)) = places.last() {
            ends.push((n, (*at, *y)));
        }
    }
    let wanted: Vec<f64> = ends.iter().map(|(_, (_, y))| *y).collect();
    for ((n, end), y) in ends.iter().zip(spread(&wanted, ROW, (TOP, bottom))) {
        body += &format!(
            "<g style=\"stroke: var(--s{})\">{}</g>\n",
            n % COLOURS + 1,
            line("lead", *end, (right + 14.0, y)).trim_end()
        );
        body += &mark(*n, right + 18.0, y, true);
        body += &words("", right + 26.0, y + 4.0, &series[*n].label);
    }
    framed(id, title, bottom + 46.0, &body)
}

fn curve(n: usize, places: &[(f64, f64, bool)]) -> String {
    let points: Vec<String> = places.iter().map(|(x, y, _)| format!("{x:.1},{y:.1}")).collect();
    let mut out = format!(
        "<polyline class=\"curve\" style=\"stroke: var(--s{})\" stroke-dasharray=\"{}\" points=\"{}\"/>\n",
        n % COLOURS + 1,
        DASHES[n % DASHES.len()],
        points.join(" ")
    );
    // A few marks tell lines apart; one for each of a thousand points would hide them.
    let step = places.len().div_ceil(8).max(1);
    for (x, y, filled) in places.iter().step_by(step) {
        out += &mark(n, *x, *y, *filled);
    }
    out
}

fn band(n: usize, series: &Series, x: &impl Fn(f64) -> f64, y: impl Fn(f64) -> f64) -> String {
    let Some(band) = series.band.as_ref().filter(|band| band.len() == series.points.len() && !band.is_empty()) else {
        return String::new();
    };
    let finite = |(at, (low, high)): &(f64, (f64, f64))| at.is_finite() && low.is_finite() && high.is_finite();
    let around = series.points.iter().map(|(at, _)| x(*at)).zip(band.iter().copied()).filter(finite);
    let around: Vec<(f64, (f64, f64))> = around.collect();
    let over = around.iter().map(|(at, (_, high))| (*at, y(*high)));
    let under = around.iter().rev().map(|(at, (low, _))| (*at, y(*low)));
    let points: Vec<String> = over.chain(under).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    format!("<polygon class=\"band\" style=\"fill: var(--s{})\" points=\"{}\"/>\n", n % COLOURS + 1, points.join(" "))
}

/// The mark of a line: five forms, so that no two of the same colour have the same one.
fn mark(n: usize, x: f64, y: f64, filled: bool) -> String {
    let colour = format!("var(--s{})", n % COLOURS + 1);
    let style = format!("stroke: {colour}; fill: {}", if filled { colour.as_str() } else { "var(--ground)" });
    let path = match MARKS[n % MARKS.len()] {
        "circle" => return format!("<circle style=\"{style}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\"/>\n"),
        "square" => format!("M{:.1} {:.1} h7 v7 h-7 Z", x - 3.5, y - 3.5),
        "diamond" => format!("M{x:.1} {:.1} l5 5 l-5 5 l-5 -5 Z", y - 5.0),
        "up" => format!("M{x:.1} {:.1} l4.5 8 h-9 Z", y - 4.5),
        _ => format!("M{x:.1} {:.1} l4.5 -8 h-9 Z", y + 4.5),
    };
    format!("<path style=\"{}\" d=\"{path}\"/>\n", escape(&style))
}

/// Places for labels as near to those wanted as can be, at least `step` apart, in the order of those wanted.
pub(super) fn spread(wanted: &[f64], step: f64, (from, to): (f64, f64)) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    let mut places = wanted.to_vec();
    let mut least = from;
    for index in &order {
        places[*index] = places[*index].max(least);
        least = places[*index] + step;
    }
    // What was pushed out below is pushed back up, and the others before it.
    let mut most = to.max(from + step * place(wanted.len().saturating_sub(1)));
    for index in order.iter().rev() {
        places[*index] = places[*index].min(most);
        most = places[*index] - step;
    }
    places
}
