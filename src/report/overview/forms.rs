//! The overview as tables.

use super::{Mark, Overview, OverviewFinding, Standing};
use crate::report::figure::{bound, three_digits};
use crate::report::{Align, Table};

/// A row for each strategy, a column for each backend, and the operations that an effect takes.
#[must_use]
pub fn by_backend(overview: &Overview) -> Table {
    let backends = overview.backends.iter().map(|backend| (backend.name.clone(), Align::Left));
    let columns: Vec<(String, Align)> = std::iter::once(("strategy".to_owned(), Align::Left))
        .chain(backends)
        .chain([("ops".to_owned(), Align::Right)])
        .collect();
    let mut table = Table::new(&columns);
    for strategy in overview.strategies() {
        let cells = overview.of(strategy).map(said);
        // The same on each backend, but for what is tried again: the last one is as good as any.
        let known = overview.of(strategy).filter_map(|standing| standing.price.operations_per_effect);
        let ops = vec![three_digits(known.last())];
        table.push(std::iter::once(vec![strategy.to_owned()]).chain(cells).chain([ops]).collect());
    }
    table
}

/// A row for each strategy on each backend.
#[must_use]
pub fn by_violation(overview: &Overview) -> Table {
    let columns = [
        ("strategy", Align::Left),
        ("on", Align::Left),
        ("acked", Align::Right),
        ("per s", Align::Right),
        ("ops", Align::Right),
        ("commits", Align::Right),
        ("shows", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for standing in overview.standings.iter().filter(|standing| standing.mark != Mark::Absent) {
        let price = standing.price;
        let figures = [
            price.goodput_per_s.map(|speed| format!("{speed:.0}")).unwrap_or_default(),
            three_digits(price.operations_per_effect),
            three_digits(price.commits_per_effect),
        ];
        let head = [standing.strategy.clone(), standing.backend.clone(), standing.acknowledged.to_string()];
        let head = head.into_iter().chain(figures).map(|value| vec![value]);
        table.push(head.chain([said(standing)]).collect());
    }
    table.without_empty_columns()
}

/// How a strategy stands, in words.
fn said(standing: &Standing) -> Vec<String> {
    let below = standing.upper_bound_95.map(|share| format!(" (<{})", bound(share))).unwrap_or_default();
    let found = |tolerated: bool| {
        let of = standing.findings.iter().filter(move |finding| finding.tolerated == tolerated);
        of.map(|finding: &OverviewFinding| format!("{} {}", finding.count, finding.violation)).collect::<Vec<_>>()
    };
    let open = found(true).into_iter().map(|text| format!("({text})"));
    let mut parts = match standing.mark {
        Mark::Breaks => {
            let mut found = found(false);
            if let Some(first) = found.first_mut() {
                first.insert_str(0, "✗ ");
            }
            found
        }
        Mark::Proved => vec![format!("✓ proved{below}")],
        Mark::Holds => vec![format!("✓{below}")],
        Mark::NotExercised => vec![format!("?{below}")],
        Mark::Tolerated | Mark::NotJudged | Mark::Absent => vec!["–".to_owned()],
    };
    parts.extend(open);
    parts
}
