//! The overview as one page: strategy × backend × violation, and below it what stands behind each cell.

use minijinja::{AutoEscape, Environment, context};
use serde::Serialize;

use super::{Mark, Overview, OverviewFinding, Standing};
use crate::report::figure::{bound, three_digits};
use crate::report::plot::COLOURS;
use crate::report::story_id;

/// A row of the page's table.
#[derive(Serialize)]
struct RowOfPage {
    strategy: String,
    /// How many rows its strategy has; 0 in all but the first of them.
    span: usize,
    backend: String,
    cells: Vec<CellOfPage>,
    figures: Vec<String>,
}

#[derive(Serialize)]
struct CellOfPage {
    text: String,
    class: &'static str,
    /// Where what stands behind it is; empty if nothing does.
    link: String,
    title: String,
}

/// What stands behind the cells of a strategy on a backend.
#[derive(Serialize)]
struct BehindView {
    id: String,
    title: String,
    line: String,
    findings: Vec<FindingView>,
}

#[derive(Serialize)]
struct FindingView {
    id: String,
    title: String,
    /// Each cause with its count, and where its story is; empty if there is none.
    causes: Vec<(String, String)>,
    schedules: Vec<(String, String)>,
    levels: Vec<(String, String)>,
}

/// The page.
#[must_use]
pub fn overview_to_html(overview: &Overview) -> String {
    let kinds = overview.shown();
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment
        .add_template("overview", include_str!("overview.html"))
        .expect("the template is well formed: a test renders it");
    let style = [COLOURS, include_str!("../html/page.css"), include_str!("overview.css")].concat();
    let mut rows = Vec::new();
    for strategy in overview.strategies() {
        let standings: Vec<&Standing> = overview.of(strategy).collect();
        for (n, standing) in standings.iter().enumerate() {
            rows.push(row(standing, &kinds, if n == 0 { standings.len() } else { 0 }));
        }
    }
    let unseen: Vec<&str> = crate::terms::Violation::ALL
        .map(crate::terms::Violation::name)
        .into_iter()
        .filter(|kind| !kinds.contains(kind))
        .collect();
    let behind = overview.standings.iter().filter(|standing| standing.mark != Mark::Absent);
    let behind: Vec<BehindView> = behind.map(|standing| behind_of(standing, overview)).collect();
    let apart = overview.backends.iter().any(|backend| backend.speeds_apart);
    let template = environment.get_template("overview");
    let page =
        template.and_then(|template| template.render(context! { style, overview, kinds, rows, unseen, behind, apart }));
    page.expect("the template asks for what it is given: a test renders it")
}

fn row(standing: &Standing, kinds: &[&'static str], span: usize) -> RowOfPage {
    let id = id(standing);
    let of_kind = |kind: &&'static str| {
        let mark = standing.marks.get(kind).copied().unwrap_or(Mark::Absent);
        let finding = standing.findings.iter().find(|finding| finding.violation == *kind);
        let text = match (mark, finding) {
            (Mark::Breaks, Some(finding)) => format!("✗ {}", finding.count),
            (Mark::Tolerated, Some(finding)) => format!("({})", finding.count),
            _ => mark.sign().to_owned(),
        };
        let title = finding.map_or(String::new(), |finding| {
            finding.causes.iter().map(|(cause, count)| format!("{count} {cause}")).collect::<Vec<_>>().join(", ")
        });
        let link = match finding {
            Some(finding) => format!("#{id}-{}", finding.violation),
            None if mark == Mark::Absent => String::new(),
            None => format!("#{id}"),
        };
        CellOfPage { text, class: class(mark), link, title }
    };
    let whole = CellOfPage {
        text: match standing.mark {
            Mark::Proved => "✓ proved".to_owned(),
            mark => mark.sign().to_owned(),
        },
        class: class(standing.mark),
        link: if standing.mark == Mark::Absent { String::new() } else { format!("#{id}") },
        title: standing.why.clone().unwrap_or_default(),
    };
    let price = standing.price;
    let figures = vec![
        standing.upper_bound_95.map(|share| format!("<{}", bound(share))).unwrap_or_default(),
        price.goodput_per_s.map(|speed| format!("{speed:.0}")).unwrap_or_default(),
        three_digits(price.p99_ms),
        three_digits(price.operations_per_effect),
        three_digits(price.commits_per_effect),
    ];
    RowOfPage {
        strategy: standing.strategy.clone(),
        span,
        backend: standing.backend.clone(),
        cells: std::iter::once(whole).chain(kinds.iter().map(of_kind)).collect(),
        figures,
    }
}

fn class(mark: Mark) -> &'static str {
    match mark {
        Mark::Holds | Mark::Proved => "good",
        Mark::Breaks => "bad",
        Mark::NotExercised => "warn",
        Mark::Tolerated | Mark::NotJudged | Mark::Absent => "quiet",
    }
}

/// What leads to a strategy on a backend.
fn id(standing: &Standing) -> String {
    format!("{}-on-{}", standing.strategy, standing.backend)
        .replace(|c: char| !c.is_ascii_alphanumeric(), "-")
        .to_lowercase()
}

fn behind_of(standing: &Standing, overview: &Overview) -> BehindView {
    let folder = overview
        .backends
        .iter()
        .find(|backend| backend.name == standing.backend)
        .map_or("", |backend| backend.folder.as_str());
    let proved = if standing.proved { "; proved for any number of deliveries and faults, in the model" } else { "" };
    let below = standing.upper_bound_95.map_or(String::new(), |share| {
        format!("; with 95 % confidence fewer than {} of requests show a violation that counts", bound(share))
    });
    let why = standing.why.as_ref().map_or(String::new(), |why| format!("; not exercised: {why}"));
    BehindView {
        id: id(standing),
        title: format!("{} on {}", standing.strategy, standing.backend),
        line: format!("{} requests were acknowledged{below}{proved}{why}.", standing.acknowledged),
        findings: standing.findings.iter().map(|finding| finding_view(standing, finding, folder)).collect(),
    }
}

fn finding_view(standing: &Standing, finding: &OverviewFinding, folder: &str) -> FindingView {
    let open = if finding.tolerated { ", which its claim leaves open" } else { "" };
    let page = if folder.is_empty() { "report.html".to_owned() } else { format!("{folder}/report.html") };
    let cause = |(cause, count): &(&'static str, u64)| {
        let link = if finding.tolerated {
            String::new()
        } else {
            format!("{page}#at-{}", story_id(&standing.strategy, finding.violation, cause))
        };
        (format!("{count} {cause}"), link)
    };
    let level = |at: &super::AtLevel| {
        (format!("{} of {} requests under {}", at.count, at.requests, at.level), at.command.clone())
    };
    FindingView {
        id: format!("{}-{}", id(standing), finding.violation),
        title: format!("{} {}{open}", finding.count, finding.violation),
        causes: finding.causes.iter().map(cause).collect(),
        schedules: finding
            .schedules
            .iter()
            .map(|one| (format!("“{}”, because of {}", one.schedule, one.cause), one.command.clone()))
            .collect(),
        levels: finding.levels.iter().map(level).collect(),
    }
}
