//! Sweeps as tables, curves and heat maps: a figure over the values of one setting, or of two.

use super::figure::{percent, three_digits};
use super::plot::{CurveAxis, HeatAxis, HeatCell, ScaleKind, Series, curves, heat};
use super::table::{Align, Table};
use crate::experiment::{Experiment, Point};
use crate::results::{CellSummary, Summary};
use crate::terms::Violation;

/// One picture of a sweep, and the table of the same figures.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepView {
    pub title: String,
    pub table: Table,
    pub svg: String,
}

/// What a run's sweep shows: for one axis the rate of the foremost violation and the goodput of every strategy, for two a map for
/// each strategy. Nothing without a sweep, or with more than two axes, which only the tables show.
#[must_use]
pub fn sweep(summary: &Summary, experiment: &Experiment) -> Vec<SweepView> {
    let axes: Vec<(String, Vec<String>)> =
        experiment.sweep.iter().map(|axis| (axis.name.clone(), axis.texts())).collect();
    match axes.as_slice() {
        [axis] => experiment.faults.iter().flat_map(|level| along(summary, &level.name, axis)).collect(),
        [y, x] => experiment.faults.iter().flat_map(|level| maps(summary, &level.name, y, x)).collect(),
        _ => Vec::new(),
    }
}

/// The violation that most requests of the run show, of those that count.
fn foremost(summary: &Summary) -> Option<&'static str> {
    let total = |kind: &&'static str| -> u64 {
        let counting = summary.cells.iter().filter(|cell| !cell.tolerated.contains(kind));
        counting.filter_map(|cell| cell.rates.get(kind)).map(|rate| rate.count).sum()
    };
    let kinds = Violation::ALL.into_iter().map(Violation::name).filter(|kind| total(kind) > 0);
    // The first of those with the most: the order of the vocabulary.
    kinds.rev().max_by_key(total)
}

/// The strategies of a level, in order.
fn strategies<'s>(summary: &'s Summary, level: &str) -> Vec<&'s str> {
    let mut names: Vec<&str> =
        summary.cells.iter().filter(|cell| cell.faults == level).map(|cell| cell.strategy.as_str()).collect();
    names.dedup();
    names
}

fn cell<'s>(summary: &'s Summary, level: &str, strategy: &str, point: &Point) -> Option<&'s CellSummary> {
    summary.cells.iter().find(|cell| cell.faults == level && cell.strategy == strategy && cell.point == *point)
}

fn rate(cell: &CellSummary, kind: &str) -> f64 {
    cell.rates.get(kind).map_or(0.0, |rate| rate.rate)
}

fn along(summary: &Summary, level: &str, (axis, values): &(String, Vec<String>)) -> Vec<SweepView> {
    let kind = foremost(summary);
    let figures: [Figure; 2] = [
        (kind.map(|kind| format!("{kind}: share of the requests in per cent, over {axis}")), |cell, kind| {
            rate(cell, kind) * 100.0
        }),
        (Some(format!("acknowledged requests a second over {axis}")), |cell, _| cell.goodput_per_s),
    ];
    let mut views = Vec::new();
    for (n, (title, figure)) in figures.into_iter().enumerate() {
        let Some(title) = title else { continue };
        let mut columns = vec![("strategy".to_owned(), Align::Left)];
        columns.extend(values.iter().map(|value| (format!("{axis}={value}"), Align::Right)));
        let mut table = Table::new(&columns);
        let mut lines = Vec::new();
        for strategy in strategies(summary, level) {
            let at = |value: &String| cell(summary, level, strategy, &Point(vec![(axis.clone(), value.clone())]));
            let cells: Vec<Option<&CellSummary>> = values.iter().map(at).collect();
            let text = |cell: &Option<&CellSummary>| {
                vec![cell.map_or_else(|| "–".to_owned(), |cell| three_digits(Some(figure(cell, kind.unwrap_or("")))))]
            };
            table.push(std::iter::once(vec![strategy.to_owned()]).chain(cells.iter().map(text)).collect());
            lines.push(line(strategy, values, &cells, (n == 0).then_some(kind).flatten(), figure));
        }
        let numbers: Vec<f64> = values.iter().filter_map(|value| value.parse().ok()).collect();
        let svg = if numbers.len() == values.len() && numbers.len() > 2 {
            let is_wide = numbers.iter().all(|number| *number >= 0.0) && numbers.iter().any(|number| *number > 0.0);
            let x = CurveAxis { label: axis.clone(), kind: if is_wide { ScaleKind::Log } else { ScaleKind::Linear } };
            let y = CurveAxis { label: title.clone(), kind: ScaleKind::Log };
            curves(&format!("sweep-{level}-{n}"), &title, &x, &y, &lines)
        } else {
            String::new()
        };
        views.push(SweepView { title, table, svg });
    }
    views
}

/// A title, if there is something to show, and the figure of a cell.
type Figure = (Option<String>, fn(&CellSummary, &str) -> f64);

fn line(
    strategy: &str,
    values: &[String],
    cells: &[Option<&CellSummary>],
    kind: Option<&'static str>,
    figure: fn(&CellSummary, &str) -> f64,
) -> Series {
    let known: Vec<(f64, &CellSummary)> =
        values.iter().zip(cells).filter_map(|(value, cell)| Some((value.parse().ok()?, (*cell)?))).collect();
    let band = |(_, cell): &(f64, &CellSummary)| match kind {
        Some(kind) => {
            let (low, high) = cell.rates.get(kind).map_or((0.0, 0.0), |rate| (rate.low, rate.high));
            (low * 100.0, high * 100.0)
        }
        None => (cell.goodput.low.unwrap_or(cell.goodput_per_s), cell.goodput.high.unwrap_or(cell.goodput_per_s)),
    };
    Series {
        label: strategy.to_owned(),
        points: known.iter().map(|(at, cell)| (*at, figure(cell, kind.unwrap_or("")))).collect(),
        band: Some(known.iter().map(band).collect()),
    }
}

fn maps(
    summary: &Summary,
    level: &str,
    (y, rows): &(String, Vec<String>),
    (x, columns): &(String, Vec<String>),
) -> Vec<SweepView> {
    let kind = foremost(summary).unwrap_or("duplicate");
    let view = |strategy: &str| {
        let at = |row: &String, column: &String| {
            cell(summary, level, strategy, &Point(vec![(y.clone(), row.clone()), (x.clone(), column.clone())]))
        };
        let mut headings = vec![(format!("{y} \\ {x}"), Align::Left)];
        headings.extend(columns.iter().map(|column| (column.clone(), Align::Right)));
        let mut table = Table::new(&headings);
        let mut cells = Vec::new();
        for row in rows {
            let found: Vec<Option<&CellSummary>> = columns.iter().map(|column| at(row, column)).collect();
            let text = |cell: &Option<&CellSummary>| {
                vec![cell.map_or_else(|| "–".to_owned(), |cell| percent(rate(cell, kind)))]
            };
            table.push(std::iter::once(vec![row.clone()]).chain(found.iter().map(text)).collect());
            cells.push(found.iter().map(|cell| cell.map(|cell| heat_cell(cell, kind))).collect());
        }
        let title = format!("{strategy}, {kind}: share of the requests, over {y} and {x}");
        let axis = |label: &String, values: &[String]| HeatAxis { label: label.clone(), values: values.to_vec() };
        let legend = format!("{kind}: share of the requests; blank: none; –: not measured");
        let id = format!("map-{level}-{strategy}");
        let svg = heat(&id, &title, &axis(x, columns), &axis(y, rows), &cells, &legend);
        SweepView { title, table, svg }
    };
    strategies(summary, level).into_iter().map(view).collect()
}

fn heat_cell(cell: &CellSummary, kind: &str) -> HeatCell {
    let rate = rate(cell, kind);
    let count = cell.rates.get(kind).map_or(0, |rate| rate.count);
    HeatCell {
        value: rate,
        text: percent(rate),
        note: format!("{} at {}: {count} of {} ({})", cell.strategy, cell.point, cell.requests, percent(rate)),
    }
}
