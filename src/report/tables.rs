//! The tables of a run: which strategy held, what it cost, and why the others broke.

use super::failed::without_a_row;
use super::figure::{bound, grouped, percent, three_digits};
use super::table::{Align, Table};
use crate::results::{CellSummary, Summary, ViolationRate};
use crate::terms::{FaultKind, Violation};

/// A table with its name for `--table` and its title.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    pub name: &'static str,
    pub title: String,
    /// How to read it.
    pub legend: &'static str,
    pub table: Table,
}

/// The names that `--table` takes.
pub const TABLES: [&str; 6] = ["matrix", "rates", "cost", "waits", "causes", "explored"];

/// The tables of a run in the order of reports; those that would be empty are left out.
#[must_use]
pub fn sections(summary: &Summary) -> Vec<Section> {
    let section = |name, title: &str, legend, table| Section { name, title: title.to_owned(), legend, table };
    let all = vec![
        section(
            "matrix",
            "The matrix",
            "!: not what the experiment expects. In brackets: part of what the strategy promises; shown, not judged.",
            matrix(summary),
        ),
        section(
            "rates",
            "How often, and why",
            "%: share of the requests; 95 %: its interval (Wilson); and the causes that the history shows.",
            rates(summary),
        ),
        section(
            "cost",
            "What it costs",
            "per s: acknowledged requests a second, median over trials; ±: median absolute deviation; 95 %: bootstrap interval of the median, none of a single trial. \
             ratio: to the baseline, trial by trial. The rest is per effect: attempts of clients, operations, commits of the store, writes of the lock service's log, bytes of \
             PostgreSQL's WAL; kept: bytes that the store keeps for each message besides accounts and ledger.",
            cost(summary),
        ),
        section(
            "waits",
            "What clients wait for, and what they are told",
            "Milliseconds from the intended start, retries included, of acknowledged requests. 409, 412: deliveries answered with 'in progress' and 'refused'; \
             unknown, failed: other errors. up: share of the requests begun while a server was down or cut off that were acknowledged within one client time-out; \
             back ms: from its return to the next acknowledgement.",
            waits(summary),
        ),
        section(
            "explored",
            "What schedules show",
            "Every schedule of two deliveries of one request within the bound, on a model; faults: the fewest that it takes.",
            explored(summary),
        ),
    ];
    all.into_iter().filter(|section| !section.table.rows.is_empty()).collect()
}

/// The table of this name.
#[must_use]
pub fn table(summary: &Summary, name: &str) -> Option<Table> {
    match name {
        "causes" => Some(causes(summary)),
        _ => sections(summary).into_iter().find(|section| section.name == name).map(|section| section.table),
    }
}

/// How to read the table of this name.
#[must_use]
pub fn legend_of(summary: &Summary, name: &str) -> &'static str {
    sections(summary).into_iter().find(|section| section.name == name).map_or("", |section| section.legend)
}

/// The columns that say which row it is: level and point only where there are several.
fn heads(summary: &Summary) -> Vec<(&'static str, Align)> {
    let mut columns = vec![("strategy", Align::Left)];
    if summary.cells.iter().any(|cell| cell.faults != summary.cells[0].faults) {
        columns.push(("faults", Align::Left));
    }
    if summary.cells.iter().any(|cell| !cell.point.0.is_empty()) {
        columns.push(("at", Align::Left));
    }
    columns
}

/// The values of [`heads`].
fn head(columns: &[(&'static str, Align)], cell: &CellSummary) -> Vec<String> {
    let value = |(name, _): &(&'static str, Align)| match *name {
        "faults" => cell.faults.clone(),
        "at" => cell.point.to_string(),
        _ => cell.strategy.clone(),
    };
    columns.iter().map(value).collect()
}

/// A table of one row for each cell: what says which row it is, and single values.
fn by_cell(
    summary: &Summary,
    columns: &[(&'static str, Align)],
    values: impl Fn(&CellSummary) -> Vec<String>,
) -> Table {
    let heads = heads(summary);
    let mut table = Table::new(&[heads.as_slice(), columns].concat());
    for cell in &summary.cells {
        table.push(head(&heads, cell).into_iter().chain(values(cell)).map(|value| vec![value]).collect());
    }
    table
}

/// What it costs.
fn cost(summary: &Summary) -> Table {
    let right = |heading| (heading, Align::Right);
    let columns =
        ["per s", "±", "95 %", "ratio", "ratio 95 %", "tries", "ops", "commits", "raft", "WAL B", "kept B"].map(right);
    let range = |low: Option<f64>, high: Option<f64>| match (low, high) {
        (Some(low), Some(high)) => format!("{}–{}", three_digits(Some(low)), three_digits(Some(high))),
        _ => String::new(),
    };
    let table = by_cell(summary, &columns, |cell| {
        let (goodput, cost, ratio) = (cell.goodput, cell.cost, cell.ratio_to_baseline);
        vec![
            format!("{:.0}", goodput.median),
            if goodput.trials > 1 { format!("{:.0}", goodput.mad) } else { String::new() },
            range(goodput.low.map(f64::round), goodput.high.map(f64::round)),
            three_digits(ratio.map(|ratio| ratio.median)),
            range(ratio.and_then(|ratio| ratio.low), ratio.and_then(|ratio| ratio.high)),
            three_digits(cost.attempts_per_effect),
            three_digits(cost.operations_per_effect),
            three_digits(cost.commits_per_effect),
            three_digits(cost.raft_writes_per_effect.filter(|writes| *writes > 0.0)),
            three_digits(cost.logged_bytes_per_effect),
            three_digits(cost.kept_bytes_per_message),
        ]
    });
    table.without_empty_columns()
}

/// What clients wait for, and what they are told.
fn waits(summary: &Summary) -> Table {
    let right = |heading| (heading, Align::Right);
    let columns = ["p50", "p99", "p99.9", "max", "409", "412", "unknown", "failed", "up", "back ms"].map(right);
    let table = by_cell(summary, &columns, |cell| {
        let waits = cell.latency_ms;
        let told =
            |what: &str| cell.told.get(what).filter(|count| **count > 0).map(ToString::to_string).unwrap_or_default();
        let ms = |ms: f64| three_digits(Some(ms));
        vec![
            ms(waits.p50),
            ms(waits.p99),
            ms(waits.p999),
            ms(waits.max),
            told("in_progress"),
            told("refused"),
            told("unknown"),
            told("failed"),
            cell.available.map(percent).unwrap_or_default(),
            three_digits(cell.recovery_ms),
        ]
    });
    table.without_empty_columns()
}

/// One row for each violation of each cell, with its rate and its causes.
fn rates(summary: &Summary) -> Table {
    let heads = heads(summary);
    let columns = [
        ("shows", Align::Left),
        ("n", Align::Right),
        ("%", Align::Right),
        ("95 %", Align::Right),
        ("because of", Align::Left),
    ];
    let mut table = Table::new(&[heads.as_slice(), &columns].concat());
    for cell in &summary.cells {
        for (kind, rate) in ordered(cell) {
            let shows = if cell.tolerated.contains(&kind) { format!("({kind})") } else { kind.to_owned() };
            let [share, low, high] = [rate.rate, rate.low, rate.high].map(|share| three_digits(Some(share * 100.0)));
            let row = [shows, rate.count.to_string(), share, format!("{low}–{high}")];
            let row = head(&heads, cell).into_iter().chain(row).map(|value| vec![value]);
            table.push(row.chain([causes_of(cell, kind)]).collect());
        }
    }
    table
}

/// The violations of a cell that were found, in the order of the vocabulary.
pub(super) fn ordered(cell: &CellSummary) -> Vec<(&'static str, ViolationRate)> {
    let kinds = Violation::ALL.into_iter().map(Violation::name);
    kinds.filter_map(|kind| Some((kind, *cell.rates.get(kind)?))).collect()
}

fn causes_of(cell: &CellSummary, kind: &str) -> Vec<String> {
    let mut causes: Vec<(&str, u64)> = cell.causes[kind].iter().map(|(cause, count)| (*cause, *count)).collect();
    causes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    causes.into_iter().map(|(cause, count)| format!("{count} {cause}")).collect()
}

/// What explorations show of each strategy.
fn explored(summary: &Summary) -> Table {
    let columns = [("strategy", Align::Left), ("schedules", Align::Right), ("breaks: fewest faults", Align::Left)];
    let mut table = Table::new(&columns);
    let mut shown: Vec<&str> = Vec::new();
    for cell in &summary.cells {
        let Some(explored) = cell.explored.as_ref().filter(|_| !shown.contains(&cell.strategy.as_str())) else {
            continue;
        };
        shown.push(&cell.strategy);
        let part = |breaking: &crate::results::Breaking| {
            let two = if breaking.requests > 1 { format!(" ({}r)", breaking.requests) } else { String::new() };
            let text = format!("{} {}{two}", breaking.violation, breaking.faults);
            if cell.tolerated.contains(&breaking.violation.as_str()) { format!("({text})") } else { text }
        };
        let mut breaks: Vec<String> = explored.breaks.iter().map(part).collect();
        if breaks.is_empty() {
            breaks.push(if explored.complete { "nothing" } else { "nothing so far" }.to_owned());
        }
        table.push(vec![vec![cell.strategy.clone()], vec![grouped(&explored.schedules)], breaks]);
    }
    table
}

/// Every figure of every cell, under names for programs: what CSV has.
#[must_use]
pub fn data(summary: &Summary) -> Table {
    let mut columns: Vec<String> =
        ["strategy", "faults", "at", "store", "lock", "verdict", "expected", "met"].map(str::to_owned).to_vec();
    let mut numbers: Vec<String> = [
        "trials",
        "requests",
        "acknowledged",
        "upper_bound_95",
        "goodput_per_s",
        "goodput_mad",
        "goodput_low",
        "goodput_high",
        "ratio_to_baseline",
        "ratio_low",
        "ratio_high",
        "latency_ms_p50",
        "latency_ms_p99",
        "latency_ms_p999",
        "latency_ms_max",
        "attempts_per_effect",
        "operations_per_effect",
        "commits_per_effect",
        "raft_writes_per_effect",
        "logged_bytes_per_effect",
        "kept_bytes_per_message",
        "available",
        "recovery_ms",
        "told_in_progress",
        "told_refused",
        "told_failed",
        "told_unknown",
        "fewest_faults",
        "schedules",
    ]
    .map(str::to_owned)
    .to_vec();
    numbers.extend(
        Violation::ALL.iter().flat_map(|kind| [kind.name().to_owned(), format!("{kind}_low"), format!("{kind}_high")]),
    );
    numbers.extend(FaultKind::ALL.iter().map(|fault| format!("fired_{fault}")));
    let texts = columns.len();
    columns.append(&mut numbers);
    let columns: Vec<(String, Align)> = columns
        .into_iter()
        .enumerate()
        .map(|(n, name)| (name, if n < texts { Align::Left } else { Align::Right }))
        .collect();
    let mut table = Table::new(&columns);
    for cell in &summary.cells {
        table.push(record(cell).into_iter().map(|value| vec![value]).collect());
    }
    table
}

fn record(cell: &CellSummary) -> Vec<String> {
    let maybe = |figure: Option<f64>| {
        figure.filter(|figure| figure.is_finite()).map(|figure| figure.to_string()).unwrap_or_default()
    };
    let (goodput, ratio, waits, cost) = (cell.goodput, cell.ratio_to_baseline, cell.latency_ms, cell.cost);
    let fewest = cell.explored.as_ref().and_then(|explored| {
        let counting = explored.breaks.iter().filter(|b| !cell.tolerated.contains(&b.violation.as_str()));
        counting.map(|b| b.faults).min()
    });
    let mut record = vec![
        cell.strategy.clone(),
        cell.faults.clone(),
        cell.point.to_string(),
        cell.store.clone(),
        cell.lock.clone().unwrap_or_default(),
        cell.verdict.to_owned(),
        cell.expected.as_ref().map(ToString::to_string).unwrap_or_default(),
        cell.met.to_string(),
        cell.trials.to_string(),
        cell.requests.to_string(),
        cell.acknowledged.to_string(),
    ];
    let figures = [
        cell.upper_bound_95,
        Some(goodput.median),
        Some(goodput.mad),
        goodput.low,
        goodput.high,
        ratio.map(|ratio| ratio.median),
        ratio.and_then(|ratio| ratio.low),
        ratio.and_then(|ratio| ratio.high),
        Some(waits.p50),
        Some(waits.p99),
        Some(waits.p999),
        Some(waits.max),
        cost.attempts_per_effect,
        cost.operations_per_effect,
        cost.commits_per_effect,
        cost.raft_writes_per_effect,
        cost.logged_bytes_per_effect,
        cost.kept_bytes_per_message,
        cell.available,
        cell.recovery_ms,
    ];
    record.extend(figures.map(maybe));
    record.extend(["in_progress", "refused", "failed", "unknown"].map(|what| cell.told[what].to_string()));
    record.push(fewest.map(|faults| faults.to_string()).unwrap_or_default());
    record.push(cell.explored.as_ref().map(|explored| explored.schedules.clone()).unwrap_or_default());
    for kind in Violation::ALL {
        let rate = cell.rates.get(kind.name());
        record.push(rate.map_or(0, |rate| rate.count).to_string());
        record.push(maybe(rate.map(|rate| rate.low)));
        record.push(maybe(rate.map(|rate| rate.high)));
    }
    let fired = |fault: &FaultKind| cell.fired.get(fault.name()).copied().unwrap_or_default().to_string();
    record.extend(FaultKind::ALL.iter().map(fired));
    record
}

/// The front table: one row per strategy, fault level and point.
#[must_use]
pub fn matrix(summary: &Summary) -> Table {
    let heads = heads(summary);
    let mut columns = vec![("", Align::Left)];
    columns.extend(&heads);
    columns.extend([
        ("acked", Align::Right),
        ("per s", Align::Right),
        ("p99 ms", Align::Right),
        ("verdict", Align::Left),
        ("violations", Align::Left),
    ]);
    let mut table = Table::new(&columns);
    for cell in &summary.cells {
        let mut row = vec![if cell.met { "" } else { "!" }.to_owned()];
        row.extend(head(&heads, cell));
        row.extend([
            cell.acknowledged.to_string(),
            format!("{:.0}", cell.goodput_per_s),
            format!("{:.1}", cell.latency_ms.p99),
            cell.verdict.to_owned(),
        ]);
        let mut row: Vec<Vec<String>> = row.into_iter().map(|value| vec![value]).collect();
        row.push(violations(cell));
        table.push(row);
    }
    for failed in without_a_row(summary) {
        let what = match failed.trials {
            1 => "not judged: its trial failed".to_owned(),
            many => format!("not judged: its {many} trials failed"),
        };
        let mut row = vec!["!".to_owned()];
        row.extend(heads.iter().map(|(name, _)| match *name {
            "faults" => failed.faults.to_owned(),
            "at" => failed.point.to_owned(),
            _ => failed.strategy.to_owned(),
        }));
        row.extend(["", "", "", "failed", &what].map(str::to_owned));
        table.push(row.into_iter().map(|value| vec![value]).collect());
    }
    table
}

/// What was found, one part per kind; or that nothing was, with the rate that it stays under.
pub(super) fn violations(cell: &CellSummary) -> Vec<String> {
    let found = |tolerated: bool| {
        let kinds = Violation::ALL.into_iter().map(Violation::name);
        let kinds = kinds.filter(move |kind| cell.tolerated.contains(kind) == tolerated);
        kinds.filter_map(|kind| Some((kind, *cell.violations.get(kind)?))).filter(|(_, count)| *count > 0)
    };
    let mut parts: Vec<String> = found(false).map(|(kind, count)| format!("{count} {kind}")).collect();
    if parts.is_empty() {
        parts.push(match cell.upper_bound_95 {
            Some(rate) => format!("0 of {} (<{})", cell.acknowledged, bound(rate)),
            None => "none to count".to_owned(),
        });
    }
    parts.extend(found(true).map(|(kind, count)| format!("({count} {kind})")));
    parts
}

/// Why, in short: for each strategy that broke, the causes of its foremost violation, most frequent first.
#[must_use]
pub fn foremost_causes(summary: &Summary) -> Table {
    let mut table = Table::new(&[("strategy", Align::Left), ("shows", Align::Left), ("because of", Align::Left)]);
    for cell in &summary.cells {
        let kinds = Violation::ALL.into_iter().map(Violation::name).filter(|kind| !cell.tolerated.contains(kind));
        let Some((kind, causes)) = kinds.filter_map(|kind| Some((kind, cell.causes.get(kind)?))).next() else {
            continue;
        };
        let mut causes: Vec<(&str, u64)> = causes.iter().map(|(cause, count)| (*cause, *count)).collect();
        causes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let causes = causes.iter().map(|(cause, count)| format!("{count} {cause}")).collect();
        table.push(vec![vec![cell.strategy.clone()], vec![kind.to_owned()], causes]);
    }
    table
}

/// Why: one row per strategy, fault level, violation and cause.
#[must_use]
pub fn causes(summary: &Summary) -> Table {
    let mut table = Table::new(&[
        ("strategy", Align::Left),
        ("faults", Align::Left),
        ("violation", Align::Left),
        ("cause", Align::Left),
        ("messages", Align::Right),
    ]);
    for cell in &summary.cells {
        for (violation, causes) in &cell.causes {
            for (cause, count) in causes {
                let row = [&cell.strategy, &cell.faults, *violation, *cause].map(|value| vec![value.to_owned()]);
                table.push(row.into_iter().chain([vec![count.to_string()]]).collect());
            }
        }
    }
    table
}
