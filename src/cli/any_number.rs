//! `oncelab explore --lanes any`: for any number of deliveries, retries and faults.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use super::explore::Explore;
use super::explore_bound::{kinds, stands_in};
use super::output::WIDTH;
use super::progress::Spinner;
use super::proof::{Certificate, file_in};
use super::{UsageError, output};
use crate::exit;
use crate::explore::{AnyNumber, Bound, Flaws, ForAny, Kinds, Minimal, Schedule, any_number};
use crate::report::{Align, Table, to_text};
use crate::strategy::{Registry, Strategy};
use crate::terms::Violation;

/// As many requests as a table looks at.
const REQUESTS: [u8; 2] = [1, 2];

/// A strategy for any number of deliveries of so many requests.
struct AnyRow {
    strategy: &'static str,
    requests: u8,
    any: AnyNumber,
    /// It breaks what its claim rules out, or breaks though its claim is that nothing breaks it.
    is_denied: bool,
    /// What is explored can speak for the store.
    speaks: bool,
}

impl Explore {
    /// Looks at any number of lanes, and prints what was found.
    pub fn for_any_number(&self, registry: &Registry, bound: Bound) -> anyhow::Result<ExitCode> {
        let bound = if bound.faults == 0 { Bound { kinds: Kinds::NONE, ..bound } } else { bound };
        let strategies = match &self.strategy {
            Some(name) => vec![registry.get(name)?],
            None => registry.iter().cloned().collect(),
        };
        let mut rows = Vec::new();
        for strategy in strategies {
            let several = self.strategy.is_none() && bound.requests == 1;
            for requests in if several { REQUESTS.to_vec() } else { vec![bound.requests] } {
                let bound = Bound { requests, ..bound };
                let mut watch = Spinner::new(strategy.name());
                let any = any_number(strategy.as_ref(), bound, Flaws::default(), self.limits(), &mut watch);
                watch.finish();
                if watch.is_stopped() {
                    return Ok(ExitCode::from(exit::INTERRUPTED));
                }
                let any = match any {
                    Ok(any) => any,
                    Err(error) if self.strategy.is_none() => {
                        output::tell(&format!("skipped: {error}"));
                        break;
                    }
                    Err(error) => return Err(error.into()),
                };
                self.certify(strategy.as_ref(), bound, &any)?;
                let is_proved = matches!(any.answer, ForAny::Proved { .. });
                let is_denied = is_denied(strategy.as_ref(), bound, &any.answer);
                let speaks = bound.speaks_for(strategy.as_ref());
                rows.push(AnyRow { strategy: strategy.name(), requests, any, is_denied, speaks });
                if !is_proved {
                    break;
                }
            }
        }
        output::print(&match (self.json, rows.as_slice()) {
            (true, [row]) if self.strategy.is_some() => self.document(as_json(row, bound))?,
            (true, rows) => {
                self.document(json!({ "strategies": rows.iter().map(|row| as_json(row, bound)).collect::<Vec<_>>() }))?
            }
            (false, [row]) if self.strategy.is_some() => self.one_as_text(row, bound),
            (false, rows) => all_as_text(rows, bound),
        })?;
        let code = |row: &AnyRow| match row.any.answer {
            _ if row.is_denied => exit::BROKEN,
            _ if !row.speaks => exit::INCONCLUSIVE,
            ForAny::NotProved { .. } => exit::INCONCLUSIVE,
            ForAny::Proved { .. } | ForAny::Broken(_) => exit::MET,
        };
        Ok(ExitCode::from(self.code(&rows.iter().map(code).collect::<Vec<_>>(), false)))
    }

    /// Refuses what makes no sense without a bound.
    ///
    /// # Errors
    /// [`UsageError`] with the flag.
    pub fn require_any(&self, bound: &Bound) -> Result<(), UsageError> {
        let flags = [
            ("--retries", self.retries != 1),
            ("--faults", bound.faults > 1),
            ("--schedule", self.schedule.is_some()),
            ("--diagram", self.diagram.is_some()),
            ("--walk", self.walk.is_some()),
            ("--on-real", self.on_real),
            ("--batch", bound.batch),
            ("--other-body", bound.other_body),
        ];
        if let Some((flag, _)) = flags.into_iter().find(|(_, is_there)| *is_there) {
            let but = if flag == "--faults" { " (--faults 0 is for no faults at all)" } else { "" };
            return Err(UsageError(format!("{flag} does not go with --lanes any: leave it out{but}")));
        }
        if bound.requests > 2 {
            return Err(UsageError("--requests is 1 or 2 with --lanes any: two stand for any number".to_owned()));
        }
        Ok(())
    }

    fn certify(&self, strategy: &dyn Strategy, bound: Bound, any: &AnyNumber) -> anyhow::Result<()> {
        let (Some(path), ForAny::Proved { rules_out, lines }) = (&self.certificate, &any.answer) else { return Ok(()) };
        let name = strategy.name();
        let file = match self.strategy {
            Some(_) => path.clone(),
            None => {
                std::fs::create_dir_all(path).map_err(|error| {
                    UsageError(format!("--certificate: {} cannot be made: {error}", path.display()))
                })?;
                file_in(path, name, bound.requests)
            }
        };
        let command = format!("{} --certificate {}", self.any_command(name, bound), shown(&file));
        let has_hop = !self.hop.option().is_empty();
        Certificate::new(name, has_hop, bound, command, *rules_out, lines.clone()).write(&file)?;
        if self.strategy.is_some() {
            output::tell(&format!("certificate: {}; `oncelab check {}` checks it again", file.display(), shown(&file)));
        }
        Ok(())
    }

    fn any_command(&self, strategy: &str, bound: Bound) -> String {
        let requests = if bound.requests == 1 { String::new() } else { format!(" --requests {}", bound.requests) };
        let faults = if bound.kinds == Kinds::NONE {
            " --faults 0".to_owned()
        } else if self.fault_kinds.is_empty() {
            String::new()
        } else {
            format!(" --fault-kinds {}", self.fault_kinds.join(","))
        };
        let reaper = if bound.reaps { " --reaper" } else { "" };
        let late = if self.late { "" } else { " --late=false" };
        let model = super::explore_bound::model_option(bound.store);
        format!("oncelab explore {strategy} --lanes any{requests}{faults}{late}{reaper}{}{model}", self.hop.option())
    }

    fn one_as_text(&self, row: &AnyRow, bound: Bound) -> String {
        let AnyNumber { answer, size, views, took } = &row.any;
        let within = format!(
            "{views} views with {} in sight; {}",
            if *size == 1 { "one lane".to_owned() } else { format!("{size} lanes") },
            time(*took)
        );
        let faults = if bound.kinds == Kinds::NONE {
            "no faults".to_owned()
        } else {
            format!("any number of faults ({})", kinds(&bound))
        };
        let numbers = format!("any number of deliveries and retries, {faults}, {}", requests(row.requests));
        let mut text = match answer {
            ForAny::Proved { rules_out, .. } => {
                let names = rules_out.iter().map(Violation::name).collect::<Vec<_>>().join(", ");
                let means = "This is about the model of the backends, in which each statement is one step. `oncelab conform` compares the model with the servers.";
                [
                    format!("{}: proved. Never: {names}.", row.strategy),
                    format!("For {numbers}: {within}."),
                    means.to_owned(),
                ]
                .map(|line| output::wrap(&line))
                .join("\n")
            }
            ForAny::Broken(minimal) => {
                let told = |minimal: &Minimal| format!("  {:<10} \"{}\"\n", minimal.violation.name(), minimal.schedule);
                let commands =
                    minimal.first().map(|it| format!("again: {}\n", output::here(&self.told(row, &it.schedule))));
                let head =
                    format!("{}: broken, with {}. The shortest schedules:", row.strategy, requests(row.requests));
                let schedules: String = minimal.iter().map(told).collect();
                format!("{}\n{schedules}{}", output::wrap(&head), commands.unwrap_or_default())
            }
            ForAny::NotProved { why, searched } => {
                let bounds = searched.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                let lines = [
                    format!("{}: not proved: {why}.", row.strategy),
                    format!("No schedule was found within: {bounds}."),
                ];
                lines.map(|line| output::wrap(&line)).join("\n")
            }
        };
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&model_note(bound));
        format!("\n{text}")
    }

    fn told(&self, row: &AnyRow, schedule: &Schedule) -> String {
        let lanes = schedule.0.iter().map(|step| step.lane + 1).max().unwrap_or(1).max(2).max(row.requests);
        let lanes = if lanes == 2 { String::new() } else { format!(" --lanes {lanes} --retries 0") };
        let requests = if row.requests == 1 { String::new() } else { format!(" --requests {}", row.requests) };
        let reaper = if self.reaper { " --reaper" } else { "" };
        format!(
            "oncelab explore {}{lanes}{requests}{reaper}{} --schedule \"{schedule}\"",
            row.strategy,
            self.hop.option()
        )
    }
}

/// What is said of a model that stands in for another store's.
fn model_note(bound: Bound) -> String {
    stands_in(bound.store).map_or(String::new(), |it| output::wrap(&format!("The model is {it}")) + "\n")
}

/// Whether an answer contradicts a claim.
fn is_denied(strategy: &dyn Strategy, bound: Bound, answer: &ForAny) -> bool {
    let ForAny::Broken(minimal) = answer else { return false };
    let claim = bound.claim_of(strategy);
    minimal.iter().any(|minimal| claim.rules_out.contains(&minimal.violation))
}

fn requests(requests: u8) -> String {
    if requests == 1 { "one request".to_owned() } else { format!("{requests} requests on one account") }
}

fn time(took: Duration) -> String {
    let ms = took.as_millis();
    if ms < 1_000 { format!("{ms} ms") } else { format!("{:.1} s", took.as_secs_f64()) }
}

fn shown(file: &Path) -> String {
    crate::quote::shell_path(file)
}

fn as_json(row: &AnyRow, bound: Bound) -> Value {
    let AnyNumber { answer, size, views, took } = &row.any;
    let mut document = json!({
        "strategy": row.strategy,
        "lanes": "any",
        "requests": row.requests,
        "fault_kinds": kinds(&bound),
        "lanes_in_sight": size,
        "views": views,
        "took_ms": took.as_secs_f64() * 1e3,
        "agrees_with_claim": !row.is_denied,
    });
    match answer {
        ForAny::Proved { rules_out, .. } => {
            document["answer"] = json!("proved");
            document["rules_out"] = rules_out.iter().map(Violation::name).collect();
        }
        ForAny::Broken(minimal) => {
            document["answer"] = json!("broken");
            let one = |it: &Minimal| json!({ "violation": it.violation.name(), "schedule": it.schedule.to_string(), "faults": it.faults });
            document["minimal"] = minimal.iter().map(one).collect();
        }
        ForAny::NotProved { why, searched } => {
            document["answer"] = json!("not proved");
            document["why"] = json!(why);
            document["searched"] = searched.iter().map(ToString::to_string).collect();
        }
    }
    document
}

fn all_as_text(rows: &[AnyRow], bound: Bound) -> String {
    let columns = [
        ("", Align::Left),
        ("strategy", Align::Left),
        ("any number of deliveries", Align::Left),
        ("views", Align::Right),
    ];
    let mut table = Table::new(&columns);
    let mut notes = String::new();
    let (mut proved, mut took) = (0, Duration::ZERO);
    let mut last = "";
    for row in rows {
        let is_first = row.strategy != last;
        last = row.strategy;
        took += row.any.took;
        let several = if row.requests == 1 { String::new() } else { format!(" ({}r)", row.requests) };
        let (answer, views) = match &row.any.answer {
            ForAny::Proved { .. } => {
                proved += usize::from(is_first);
                (format!("proved{several}"), row.any.views.to_string())
            }
            ForAny::Broken(minimal) => {
                let first =
                    minimal.first().map_or(String::new(), |it| format!(" {}: {}", it.violation.name(), it.schedule));
                (format!("broken{several}{first}"), String::new())
            }
            ForAny::NotProved { why, .. } => {
                notes.push_str(&format!("{}\n", output::wrap(&format!("{}{several}: {why}.", row.strategy))));
                (format!("not proved{several}"), row.any.views.to_string())
            }
        };
        let mark = match row.any.answer {
            _ if row.is_denied => "!",
            ForAny::NotProved { .. } => "?",
            _ => "",
        };
        let name = if is_first { row.strategy } else { "" };
        table.push(vec![vec![mark.to_owned()], vec![name.to_owned()], vec![answer], vec![views]]);
    }
    let faults =
        if bound.kinds == Kinds::NONE { "no faults".to_owned() } else { format!("any number of {}", kinds(&bound)) };
    let head = format!(
        "Any number of deliveries and retries, {faults}; the store is {}. {proved} strategies are proved. {}.",
        bound.store_kind().name(),
        time(took)
    );
    let legend = "Proved: no number shows a violation that the strategy does not tolerate, in the model. Broken: the shortest schedule. 2r: with two requests at once, where one request is proved.";
    format!(
        "\n{}\n\n{}\n{}\n{}{notes}",
        output::wrap(&head),
        to_text(&table, WIDTH),
        output::wrap(legend),
        model_note(bound)
    )
}
