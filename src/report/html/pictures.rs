//! The pictures that stand above a page's tables.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::report::Shown;
use crate::report::brief::is_exactly_once;
use crate::report::plot::{Bar, RateRow, Series, Shade, Timeline, Tone, bars, intervals, percentiles, timelines};
use crate::report::tables::ordered;
use crate::results::{CellSummary, Course};

/// A picture, and the command that makes its figures again.
#[derive(Serialize)]
pub(super) struct Picture {
    pub title: String,
    pub svg: String,
    pub origin: String,
}

/// Pictures are for as many rows as can be told apart.
const MOST_ROWS: usize = 40;

/// The pictures of a section.
pub(super) fn of(section: &str, shown: &Shown<'_>) -> Vec<Picture> {
    let cells = &shown.summary.cells;
    let few = cells.len() <= MOST_ROWS;
    let pictures = match section {
        "rates" if few => vec![("How often, with 95 % intervals", rate_picture(shown))],
        "cost" if few => {
            vec![("Acknowledged requests a second (✓ exactly once, ✗ broken, ? neither)", cost_picture(shown))]
        }
        "waits" => {
            let mut pictures = vec![("How long clients waited", wait_picture(shown))];
            if few {
                pictures.push((
                    "Acknowledged requests a second over time; hatched: a server down or cut off; ticks: other faults",
                    time_picture(shown),
                ));
            }
            pictures
        }
        _ => Vec::new(),
    };
    let origin = shown.meta.command();
    let made = |(title, svg): (&str, String)| Picture { title: title.to_owned(), svg, origin: origin.clone() };
    pictures.into_iter().filter(|(_, svg)| !svg.contains("nothing to draw")).map(made).collect()
}

/// What tells a row's name in a picture.
fn label(shown: &Shown<'_>, cell: &CellSummary) -> String {
    let cells = &shown.summary.cells;
    let mut label = cell.strategy.clone();
    if cells.iter().any(|other| other.faults != cell.faults) {
        label += &format!(", {}", cell.faults);
    }
    if !cell.point.0.is_empty() {
        label += &format!(", {}", cell.point);
    }
    label
}

fn rate_picture(shown: &Shown<'_>) -> String {
    let mut rows = Vec::new();
    for cell in &shown.summary.cells {
        let counting = ordered(cell).into_iter().filter(|(kind, _)| !cell.tolerated.contains(kind));
        let found: Vec<RateRow> = counting
            .map(|(kind, rate)| RateRow {
                label: format!("{}: {kind}", label(shown, cell)),
                rate: rate.rate,
                low: rate.low,
                high: rate.high,
                note: format!("{} of {}", rate.count, rate.of),
                is_bound: false,
            })
            .collect();
        if let (true, Some(high)) = (found.is_empty(), cell.upper_bound_95) {
            let note = format!("0 of {}", cell.acknowledged);
            rows.push(RateRow { label: label(shown, cell), rate: 0.0, low: 0.0, high, note, is_bound: true });
        }
        rows.extend(found);
    }
    intervals("rates-plot", "Share of requests that show each violation, with 95 % intervals", &rows)
}

fn tone(cell: &CellSummary) -> Tone {
    match cell.verdict {
        "invalid" => Tone::Bad,
        _ if is_exactly_once(cell) => Tone::Good,
        _ => Tone::Unsure,
    }
}

fn cost_picture(shown: &Shown<'_>) -> String {
    let bar = |cell: &CellSummary| Bar {
        label: label(shown, cell),
        value: cell.goodput_per_s,
        interval: cell.goodput.low.zip(cell.goodput.high),
        tone: tone(cell),
    };
    let mut rows: Vec<Bar> = shown.summary.cells.iter().map(bar).collect();
    rows.sort_by(|a, b| b.value.total_cmp(&a.value));
    bars(
        "cost-plot",
        "Goodput of each strategy",
        "acknowledged requests a second, median over trials with its 95 % bootstrap interval",
        &rows,
    )
}

/// The courses of a cell's trials.
fn courses<'s>(shown: &'s Shown<'_>, cell: &CellSummary) -> Vec<&'s Course> {
    let of_cell = |row: &&crate::results::TrialRow| {
        row.cell.strategy == cell.strategy && row.cell.level == cell.faults && row.cell.point == cell.point
    };
    shown.rows.iter().filter(of_cell).filter_map(|row| shown.courses.get(&row.trial)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts and microseconds are far below 2^53")]
fn wait_picture(shown: &Shown<'_>) -> String {
    /// More lines than this cannot be told apart.
    const MOST: usize = 16;
    let curve = |cell: &CellSummary| {
        let mut waits: BTreeMap<u64, u64> = BTreeMap::new();
        for (us, count) in courses(shown, cell).iter().flat_map(|course| &course.waits_us) {
            *waits.entry(*us).or_default() += count;
        }
        let all = waits.values().sum::<u64>() as f64;
        let mut so_far = 0;
        let points = waits.iter().map(|(us, count)| {
            let before = so_far as f64 / all;
            so_far += count;
            (before, *us as f64 / 1_000.0)
        });
        Series { label: label(shown, cell), points: points.collect(), band: None }
    };
    let cells = shown.summary.cells.iter().filter(|cell| cell.acknowledged > 0).take(MOST);
    percentiles("waits-plot", "Latency by percentile", &cells.map(curve).collect::<Vec<_>>())
}

#[expect(clippy::cast_precision_loss, reason = "counts and milliseconds are far below 2^53")]
fn time_picture(shown: &Shown<'_>) -> String {
    let strip = |cell: &CellSummary| {
        let course = courses(shown, cell).into_iter().next()?;
        let stretch_s = course.stretch_ms as f64 / 1_000.0;
        let shade = |outage: &crate::results::OutageSpan| Shade {
            from_s: outage.from_ms / 1_000.0,
            until_s: outage.until_ms / 1_000.0,
            label: format!("{} of {}", outage.what, outage.server),
        };
        let faulty = course.faults.iter().enumerate().filter(|(_, count)| **count > 0);
        Some(Timeline {
            label: label(shown, cell),
            stretch_s,
            per_s: course.acknowledged.iter().map(|count| f64::from(*count) / stretch_s).collect(),
            shades: course.outages.iter().map(shade).collect(),
            faults_s: faulty.map(|(n, _)| (n as f64 + 0.5) * stretch_s).collect(),
        })
    };
    let strips: Vec<Timeline> = shown.summary.cells.iter().filter_map(strip).collect();
    timelines("time-plot", "Throughput over time, the first trial of each", &strips)
}
