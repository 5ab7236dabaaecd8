//! `oncelab list`: what there is to choose from.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::output;
use crate::exit;
use crate::experiment::{self, Expectation, Experiment};
use crate::report::unknown_name;
use crate::strategy::{Claim, Registry};
use crate::terms::{FaultKind, StoreKind};

#[derive(Debug, Args)]
pub(super) struct List {
    /// What to list
    #[arg(value_enum)]
    what: Listed,
    /// Print one JSON document, and nothing else, on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Listed {
    Strategies,
    Experiments,
    Backends,
    Faults,
}

impl List {
    /// Prints the list.
    pub fn execute(&self, registry: &Registry) -> anyhow::Result<ExitCode> {
        let items = match self.what {
            Listed::Strategies => registry.iter().map(|s| strategy(s.as_ref())).collect(),
            Listed::Experiments => experiments(registry)?,
            Listed::Backends => backends(),
            Listed::Faults => FaultKind::ALL.iter().map(|f| item(f.name(), &[("meaning", f.description())])).collect(),
        };
        output::print(&if self.json {
            serde_json::to_string_pretty(&items)? + "\n"
        } else {
            items.iter().map(as_text).collect()
        })?;
        Ok(ExitCode::from(exit::MET))
    }
}

fn item(name: &str, fields: &[(&str, &str)]) -> Value {
    let fields = fields.iter().map(|(key, value)| ((*key).to_owned(), json!(value)));
    let name = std::iter::once(("name".to_owned(), json!(name)));
    Value::Object(name.chain(fields).collect())
}

fn strategy(strategy: &dyn crate::strategy::Strategy) -> Value {
    let claim = strategy.claim(StoreKind::Sqlite);
    let needs: Vec<String> = strategy.needs().iter().map(|need| format!("a {}", need.role.title())).collect();
    let needs = needs.join(" and ");
    let broken = broken_by(&claim);
    let mut fields = vec![("steps", strategy.steps()), ("promises", claim.promise), ("broken by", &broken)];
    let on_postgres = strategy.claim(StoreKind::Postgres);
    let broken_on_postgres = broken_by(&on_postgres);
    if on_postgres != claim {
        fields.extend([("on postgres", on_postgres.promise), ("broken there by", &broken_on_postgres)]);
    }
    let on_mariadb = strategy.claim(StoreKind::Mariadb);
    let broken_on_mariadb = broken_by(&on_mariadb);
    if on_mariadb != on_postgres {
        fields.extend([("on mariadb", on_mariadb.promise), ("broken on mariadb by", &broken_on_mariadb)]);
    }
    let reaped = strategy.reaper().map(|reaped| broken_by(&reaped.claim));
    fields.extend(reaped.as_deref().map(|broken| ("broken with a reaper by", broken)));
    fields.push(("needs", &needs));
    item(strategy.name(), &fields)
}

fn broken_by(claim: &Claim) -> String {
    if claim.breaks.is_empty() && claim.rules_out.is_empty() {
        return "not said: it claims nothing".to_owned();
    }
    if claim.breaks.is_empty() {
        return "no fault of the lab, says its claim; `explore` and `run` hold it to that".to_owned();
    }
    let one = |b: &crate::strategy::Break| {
        let faults: Vec<&str> = b.faults.iter().map(|fault| fault.name()).collect();
        let shows: Vec<&str> = b.shows.iter().map(|violation| violation.name()).collect();
        format!("{} → {}: {}", faults.join(", "), shows.join(", "), b.because)
    };
    claim.breaks.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn experiments(registry: &Registry) -> anyhow::Result<Vec<Value>> {
    let names = experiment::builtin_names().into_iter();
    names
        .map(|name| {
            let experiment = experiment::load(name, &[], registry, unknown_name)?;
            let levels: Vec<&str> = experiment.faults.iter().map(|level| level.name.as_str()).collect();
            let levels = levels.join(", ");
            let fields =
                [("asks", &*experiment.question), ("fault levels", &levels), ("expects", &expects(&experiment))];
            Ok(item(name, &fields))
        })
        .collect()
}

/// What an experiment expects, in words.
fn expects(experiment: &Experiment) -> String {
    let under = |(level, answers): (&String, &BTreeMap<String, Expectation>)| {
        answers.iter().map(|(strategy, answer)| format!("{strategy} under {level} ({answer})")).collect::<Vec<_>>()
    };
    let written: Vec<String> = experiment.expect.iter().flat_map(under).collect();
    if written.is_empty() {
        return "what follows from the claims".to_owned();
    }
    format!("what follows from the claims, except of {}", written.join(", "))
}

fn backends() -> Vec<Value> {
    let backend = |name, role, is| item(name, &[("role", role), ("is", is)]);
    vec![
        backend("sqlite", "store", "a SQLite file in a temporary folder, through sqlx (the default)"),
        backend("postgres", "store", "PostgreSQL, in a container, from the installed binaries, or at --store-url"),
        backend(
            "mariadb",
            "store",
            "MariaDB, in a container, from the installed binaries, or at --store-url (mysql://…)",
        ),
        backend("null", "store", "does nothing: for measuring the lab itself"),
        backend("embedded", "lock service", "speaks etcd's gRPC over loopback, in this process (the default)"),
        backend("etcd", "lock service", "etcd, in containers, from the installed binary, or at --lock-url"),
        backend("embedded", "cache", "speaks Redis's protocol over loopback, in this process (the default)"),
        backend("redis", "cache", "Redis, in a container, from the installed binary, or at --use cache=redis@URL"),
        backend(
            "kafka",
            "broker",
            "Kafka, in a container, from the jars in --kafka-home, or at --use broker=kafka@URL; none where it is not asked for",
        ),
    ]
}

/// An item as a heading with its fields below.
fn as_text(item: &Value) -> String {
    let fields = item.as_object().into_iter().flatten();
    let mut out = String::new();
    for (key, value) in fields {
        let value = value.as_str().unwrap_or_default();
        match key.as_str() {
            "name" => out.insert_str(0, &format!("{value}\n")),
            _ => out.push_str(&field(key, value)),
        }
    }
    out
}

/// A field on lines of at most 80 columns, indented below its key.
fn field(key: &str, value: &str) -> String {
    const WIDTH: usize = 80;
    let indent = " ".repeat(key.len() + 4);
    let mut out = format!("  {key}: ");
    let mut column = indent.len();
    for (n, word) in value.split(' ').enumerate() {
        let length = word.chars().count();
        if n > 0 && column + 1 + length > WIDTH {
            out.push_str(&format!("\n{indent}"));
            column = indent.len();
        } else if n > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out + "\n"
}
