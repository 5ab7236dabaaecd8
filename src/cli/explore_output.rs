//! How explorations are shown.

use std::sync::Arc;
use std::time::Duration;

use super::explore_bound::{another_claim, kinds, not_tried, stands_in, waits_unmodelled};
use super::output;
use crate::check::Finding;
use crate::exit;
use crate::explore::{Bound, ByCause, Caused, Exploration, Schedule, Story, Walked, at_stores, unseen};
use crate::lab::Both;
use crate::replay::Searched;
use crate::report::{Align, Table, to_text};
use crate::strategy::{Claim, Strategy, WithHop};
use crate::terms::{Cause, Retries, Violation};

const WIDTH: usize = 80;

/// A number with its thousands set apart.
pub(super) fn grouped(n: u128) -> String {
    crate::report::grouped(&n.to_string())
}

pub(super) fn share(part: u128, of: u128) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a share for people to look at")]
    let share = part as f64 / (of.max(1)) as f64;
    share
}

fn percent(part: u128, of: u128) -> String {
    let percent = 100.0 * share(part, of);
    if percent > 0.0 && percent < 0.1 { "<0.1 %".to_owned() } else { format!("{percent:.1} %") }
}

pub(super) fn millis(elapsed: Duration) -> f64 {
    (elapsed.as_secs_f64() * 1e6).round() / 1e3
}

pub(super) fn took(elapsed: Duration) -> String {
    if elapsed < Duration::from_secs(1) {
        format!("{:.1} ms", millis(elapsed))
    } else {
        format!("{:.1} s", elapsed.as_secs_f64())
    }
}

/// An exploration for a terminal.
pub(super) fn as_text(
    exploration: &Exploration,
    strategy: &dyn Strategy,
    classes: Option<u128>,
    stories: &[(ToldSchedule, Story)],
    command: &dyn Fn(&Schedule, u8) -> String,
) -> String {
    let Exploration { census, bound, .. } = exploration;
    let claim = bound.claim_of(strategy);
    let mut out = format!("\n{}\n", output::hanging(&format!("{}: ", strategy.name()), strategy.steps()));
    let mut say = |key: &str, text: &str| out.push_str(&output::hanging(&format!("{key:<9}"), text));
    say("promises", claim.promise);
    let never = match (claim.retries, bound.kinds.has_repeats()) {
        (Retries::UntilAcknowledged, _) => "",
        (Retries::Never, true) => " (its client sends once; the network may repeat the request, as a fault)",
        (Retries::Never, false) => " (its client sends once, and nothing repeats the request)",
    };
    say("bound", &format!("{bound}{never}; the store is {}", bound.store_kind().name()));
    if let Some(model) = stands_in(bound.store) {
        say("model", &model);
    }
    if WithHop::is(strategy) {
        say("hop", "the request is the first step of a lane's attempt, and the answer its last one (HTTP)");
    }
    if bound.faults > 0 {
        say("faults", &kinds(bound));
    }
    let all = if census.complete { "all of them, exactly" } else { "so far" };
    let classes = classes.map_or(String::new(), |classes| format!(", {} classes", grouped(classes)));
    let covered =
        format!("{} schedules, {all}; {} states{classes}", grouped(census.schedules), grouped(census.states.into()));
    say("covered", &format!("{covered}; {}", took(exploration.elapsed)));
    if !census.complete {
        let why = if census.out_of_memory {
            "bound too large: the memory is used up. Lower --lanes, --retries or --faults, raise --memory, or try schedules at random with --walk"
        } else {
            "interrupted: these are partial figures"
        };
        say("", why);
    }
    if let Some(kind) = census.waits_unmodelled {
        say("", &format!("? {}", waits_unmodelled(kind)));
    }
    out.push('\n');
    if census.violations.is_empty() {
        let none = if census.complete { "None of them breaks anything." } else { "None of these breaks anything." };
        out.push_str(&output::wrap(&format!("{none} {}", not_tried(&exploration.asked, exploration.batches))));
        out.push('\n');
    } else {
        out.push_str(&to_text(&violations(exploration), WIDTH));
        out.push_str("\nA share of schedules is not a probability: not all are equally likely.\n");
        if let Some(causes) = &exploration.causes {
            out.push('\n');
            out.push_str(&to_text(&causes_table(causes), WIDTH));
            if !causes.complete {
                out.push_str("\nNot every state was searched for causes: there may be other causes.\n");
            }
        }
    }
    for (told, story) in stories {
        out.push_str(&one_story(told, story));
        out.push_str(&format!("again: {}\n", output::here(&command(&told.schedule, told.lanes))));
    }
    out.push('\n');
    out.push_str(&judgement(exploration, strategy, &claim));
    out
}

/// A schedule that is told once, for all that it shows.
pub(super) struct ToldSchedule {
    pub shows: Vec<Violation>,
    pub cause: Cause,
    pub faults: usize,
    pub lanes: u8,
    pub schedule: Schedule,
}

/// The schedules to tell: one for each violation with each of its causes. What another one shows on its way is told there, and one
/// that differs from another only by going on a little is the same story.
pub(super) fn to_tell(exploration: &Exploration) -> Vec<ToldSchedule> {
    let mut told: Vec<ToldSchedule> = Vec::new();
    let mut found: Vec<&Caused> = exploration.causes.iter().flat_map(|causes| &causes.found).collect();
    found.sort_by_key(|caused| (caused.cost(), caused.why()));
    for caused in found {
        let same = told.iter_mut().find(|other| {
            let (short, long) = (&other.schedule.0, &caused.schedule.0);
            let in_as_many_lanes = other.lanes == caused.lanes;
            other.cause == caused.cause && other.faults == caused.faults && in_as_many_lanes && long.starts_with(short)
        });
        match same {
            Some(other) => {
                other.schedule = caused.schedule.clone();
                other.shows.push(caused.violation);
            }
            None => told.push(ToldSchedule {
                shows: vec![caused.violation],
                cause: caused.cause,
                faults: caused.faults,
                lanes: caused.lanes,
                schedule: caused.schedule.clone(),
            }),
        }
    }
    told
}

/// Why each violation came about, a line each.
pub(super) fn because(findings: &[Finding]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for finding in findings {
        let at = at_stores(std::iter::once(finding));
        let line = format!("     {}{at} because of: {}\n", finding.violation, finding.cause);
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.concat()
}

fn one_story(told: &ToldSchedule, story: &Story) -> String {
    let ToldSchedule { shows, cause, faults, schedule, .. } = told;
    let some = |n: usize, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
    let switches = match schedule.switches() {
        1 => "1 switch".to_owned(),
        switches => format!("{switches} switches"),
    };
    let names: Vec<&str> = shows.iter().map(|violation| violation.name()).collect();
    let title = format!(
        "{}, at its shortest: {}, {switches}, {}",
        names.join(" and "),
        some(*faults, "fault"),
        some(schedule.0.len(), "step")
    );
    format!("\n{}\n\n{}     because of: {cause}\n", output::wrap(&title), story.as_text())
}

/// The fewest faults and the shortest schedule for each violation with each of its causes.
fn causes_table(causes: &ByCause) -> Table {
    let columns =
        [("violation", Align::Left), ("cause", Align::Left), ("faults", Align::Right), ("shortest", Align::Left)];
    let mut table = Table::new(&columns);
    for caused in &causes.found {
        let row = [
            caused.violation.to_string(),
            caused.cause.to_string(),
            caused.faults.to_string(),
            fitting(&caused.schedule),
        ];
        table.push(row.map(|value| vec![value]).to_vec());
    }
    table
}

pub(super) fn violations(exploration: &Exploration) -> Table {
    let columns =
        [("violation", Align::Left), ("schedules", Align::Right), ("share", Align::Right), ("faults", Align::Right)];
    let mut table = Table::new(&columns);
    for (violation, schedules) in &exploration.census.violations {
        let minimal = exploration.minimal.iter().find(|minimal| minimal.violation == *violation);
        let row = [
            violation.to_string(),
            grouped(*schedules),
            percent(*schedules, exploration.census.schedules),
            minimal.map_or("?".to_owned(), |minimal| minimal.faults.to_string()),
        ];
        table.push(row.map(|value| vec![value]).to_vec());
    }
    table
}

/// A schedule as far as it fits into the table; all of it is told below.
fn fitting(schedule: &Schedule) -> String {
    const ROOM: usize = 32;
    let line = schedule.to_string();
    if line.len() <= ROOM { line } else { format!("{}…", line[..ROOM - 1].trim_end()) }
}

/// Whether what was found agrees with what the strategy claims.
fn judgement(exploration: &Exploration, strategy: &dyn Strategy, claim: &Claim) -> String {
    let broken = exploration.broken_promises(claim);
    if !broken.is_empty() {
        let names: Vec<&str> = broken.iter().map(|violation| violation.name()).collect();
        return output::wrap(&format!(
            "A PROMISE IS BROKEN: the claim of the strategy rules out {}.",
            names.join(", ")
        )) + "\n";
    }
    if !exploration.bound.speaks_for(strategy) {
        return output::wrap(&another_claim(exploration.bound.store)) + "\n";
    }
    let found: Vec<Violation> = exploration.census.violations.keys().copied().collect();
    if found.is_empty() && exploration.census.waits_unmodelled.is_some() {
        return "Nothing is shown: a server can do more than these schedules.\n".to_owned();
    }
    let text = match (found.is_empty(), exploration.census.complete) {
        (true, true) => "Nothing within this bound breaks a promise.",
        (false, _) if found.iter().all(|violation| !claim.counts(*violation)) => {
            "Nothing within this bound breaks a promise: the strategy does not promise to avoid what was found."
        }
        (false, _) => "As the strategy claims: its claim does not rule out these violations.",
        (true, false) => "Nothing is shown: not every schedule within the bound was tried.",
    };
    text.to_owned() + "\n"
}

/// The table of every strategy.
pub(super) fn all_as_text(rows: &[(Arc<dyn Strategy>, Both)], bound: Bound) -> String {
    let store = bound.store_kind().name();
    let columns = [
        ("", Align::Left),
        ("strategy", Align::Left),
        ("schedules", Align::Right),
        ("breaks: fewest faults", Align::Left),
    ];
    let mut table = Table::new(&columns);
    let mut notes = String::new();
    let mut elapsed = Duration::ZERO;
    let mut is_denied = false;
    for (strategy, row) in rows {
        elapsed += row.both().map(|exploration| exploration.elapsed).sum::<Duration>();
        let claim = bound.claim_of(strategy.as_ref());
        let code = row.verdict(strategy.as_ref());
        let is_silent = why_silent(strategy.as_ref(), row).is_some();
        is_denied |= code != exit::MET && !is_silent;
        let mark = match code {
            exit::MET => "",
            _ if is_silent => "?",
            _ => "!",
        };
        let schedules = row.one.census.schedules;
        let parts = fewest(row, &claim);
        table.push(vec![vec![mark.to_owned()], vec![strategy.name().to_owned()], vec![short(schedules)], parts]);
        if code != exit::MET {
            notes.push_str(&note(strategy.as_ref(), row, &claim));
        }
    }
    let mut out = format!(
        "\n{}\n\n",
        output::wrap(&format!("{bound}: {}; the store is {store}; {}", kinds(&bound), took(elapsed)))
    );
    out.push_str(&to_text(&table, WIDTH));
    let legend = "The number is the fewest faults that show the violation. In brackets: the strategy does not promise to avoid this violation. 2r: only with two requests at once.";
    out.push_str(&format!("\n{}\n", output::wrap(legend)));
    out.push_str(&output::wrap(&not_tried(&bound, false)));
    out.push('\n');
    if let Some(model) = stands_in(bound.store) {
        out.push_str(&format!("{}\n", output::wrap(&format!("The model is {model}"))));
    }
    out.push_str(&notes);
    out.push_str(match (is_denied, notes.is_empty()) {
        (true, _) => "NOT every strategy does what its claim says: see the rows marked '!'.\n",
        (false, true) => "Every strategy does what its claim says.\n",
        (false, false) => {
            "Every strategy does what its claim says, but for the rows marked '?', of which nothing is shown.\n"
        }
    });
    out
}

/// By violation: the fewest faults that it takes; or that there is none.
fn fewest(row: &Both, claim: &Claim) -> Vec<String> {
    let mut parts = Vec::new();
    for violation in Violation::ALL {
        let least = |exploration: &Exploration| {
            let minimal = exploration.minimal.iter().find(|minimal| minimal.violation == violation);
            minimal.map(|minimal| minimal.faults)
        };
        let (part, found) = match (least(&row.one), row.two.as_ref().and_then(least)) {
            (Some(faults), _) => (format!("{violation} {faults}"), true),
            (None, Some(faults)) => (format!("{violation} {faults} (2r)"), true),
            (None, None) => (String::new(), false),
        };
        if found {
            parts.push(if claim.counts(violation) { part } else { format!("({part})") });
        }
    }
    if parts.iter().all(|part| part.starts_with('(')) {
        let complete = row.both().all(|exploration| exploration.census.is_whole());
        parts.insert(0, if complete { "none".to_owned() } else { "none so far".to_owned() });
    }
    parts
}

/// A count that fits a column.
fn short(n: u128) -> String {
    if n < 10_000_000_000 {
        return grouped(n);
    }
    let digits = n.to_string();
    format!("{}.{}e{}", &digits[..1], &digits[1..3], digits.len() - 1)
}

/// Why nothing is shown of a strategy although every schedule was tried; nothing if something is shown.
fn why_silent(strategy: &dyn Strategy, row: &Both) -> Option<String> {
    let is_decided = row.verdict(strategy) != exit::INCONCLUSIVE;
    if is_decided || row.both().any(|exploration| !exploration.census.complete) {
        return None;
    }
    let bound = row.one.bound;
    let another = || (!bound.speaks_for(strategy)).then(|| another_claim(bound.store));
    row.both().find_map(|exploration| exploration.census.waits_unmodelled).map(waits_unmodelled).or_else(another)
}

fn note(strategy: &dyn Strategy, row: &Both, claim: &Claim) -> String {
    let mut out = String::new();
    let explorations: Vec<&Exploration> = row.both().collect();
    if let Some(why) = why_silent(strategy, row) {
        return output::wrap(&format!("? {}: {why}", strategy.name())) + "\n";
    }
    let mut say = |text: String| out.push_str(&(output::wrap(&format!("! {}: {text}", strategy.name())) + "\n"));
    for exploration in &explorations {
        for violation in exploration.broken_promises(claim) {
            say(format!("its claim rules out {violation}"));
        }
        if !exploration.census.complete {
            say("not every schedule within the bound was tried: lower --lanes, --retries or --faults, or raise --memory".to_owned());
        }
    }
    for unseen in unseen(claim, strategy.has_timers(), &explorations) {
        let faults: Vec<&str> = unseen.faults.iter().map(|fault| fault.name()).collect();
        say(format!("its claim says that it breaks under {}, but no schedule shows this", faults.join(", ")));
    }
    out
}

/// The violation, the schedule that was drawn, and the shortest one.
pub(super) type Found = (Violation, Schedule, Option<Schedule>);

/// Walks for a terminal.
pub(super) fn walked_as_text(
    strategy: &str,
    bound: Bound,
    seed: u64,
    walked: &Walked,
    found: &[Found],
    command: &dyn Fn(&Schedule) -> String,
) -> String {
    let mut out =
        format!("\n{strategy}: {} schedules drawn within {bound}, seed {seed}\n\n", grouped(walked.walks.into()));
    if let Some(model) = stands_in(bound.store) {
        out.push_str(&format!("{}\n\n", output::wrap(&format!("The model is {model}"))));
    }
    if found.is_empty() {
        out.push_str("None of them breaks anything. This is not a proof: there are other schedules.\n");
    }
    for (violation, drawn, minimal) in found {
        let times = walked.violations[violation];
        out.push_str(&format!("{violation}: in {} of them, first in\n", grouped(times.into())));
        out.push_str(&output::hanging("  ", &drawn.to_string()));
        match minimal {
            Some(minimal) => {
                out.push_str(&format!(
                    "  at its shortest (certified): {minimal}\n  again: {}\n\n",
                    output::here(&command(minimal))
                ));
            }
            None => out.push_str("  not shortened: the memory is used up; raise --memory\n\n"),
        }
    }
    out
}

/// What a search on real backends has found, for a terminal.
pub(super) fn searched_as_text(
    strategy: &str,
    bound: &Bound,
    on: &str,
    seed: Option<u64>,
    searched: &Searched,
    command: &dyn Fn(&Schedule) -> String,
) -> String {
    let mut out = format!("\n{strategy} on the real {on}: {bound}\n\n");
    let how = match seed {
        Some(seed) => format!("drawn at random, seed {seed}"),
        None if searched.complete => "all within the bound, one schedule of each class".to_owned(),
        None => "fewest faults first, but not all of them: raise --runs for more".to_owned(),
    };
    let runs = format!(
        "{} schedules in {} ({} runs of steps): {how}",
        grouped(searched.schedules.into()),
        took(searched.elapsed),
        grouped(searched.runs.into()),
    );
    out.push_str(&format!("{}\n", output::wrap(&runs)));
    if searched.deadlocks > 0 {
        out.push_str(&format!("{} times every lane waited for another (a deadlock)\n", searched.deadlocks));
    }
    for (violation, schedules) in &searched.violations {
        let count = grouped((*schedules).into());
        out.push_str(&format!("\n  ✗  {violation} in {count} of them: {}\n", crate::explore::meaning(*violation)));
        for ((_, cause), (schedule, after)) in searched.found.iter().filter(|((kind, _), _)| kind == violation) {
            out.push_str(&format!("     because of: {cause}; first after {}: {schedule}\n", took(*after)));
            out.push_str(&format!("     {}\n", output::here(&command(schedule))));
        }
    }
    if searched.violations.is_empty() {
        out.push_str(&output::wrap(&format!("\n  No violation. {}", not_tried(bound, false))));
        out.push('\n');
    }
    out
}
