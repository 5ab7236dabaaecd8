//! The documents keep their word: their commands are taken and run, their tables and drawings are up to date, their links lead somewhere.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oncelab::explore::{Bound, Schedule, tell};
use oncelab::strategy::{Registry, WithHop};
use oncelab::terms::{Cause, Violation};

use crate::common::{oncelab, text};

/// A document, by its path from the root.
pub struct Document {
    pub path: PathBuf,
    pub text: String,
}

/// The folder of the package.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Reads a document.
pub fn read(path: &str) -> Document {
    let text = std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    Document { path: PathBuf::from(path), text }
}

/// The README and everything in `docs/`: what has commands and tables.
fn documents() -> Vec<Document> {
    let names = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| format!("docs/{}", name.to_str().unwrap())).collect();
    names.sort();
    assert!(names.len() >= 8, "{names:?}");
    std::iter::once("README.md").chain(names.iter().map(String::as_str)).map(read).collect()
}

/// What a text sets apart between a pair of these marks.
pub fn set_apart(text: &str, mark: char) -> impl Iterator<Item = &str> {
    text.split(mark).skip(1).step_by(2)
}

/// The words of a line as a shell reads them: up to a comment or a redirection, with what is quoted as one word.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quoted, mut word) = (Vec::new(), false, String::new());
    for c in line.chars().chain([' ']) {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    assert!(!quoted, "{line}");
    words.into_iter().filter(|word| !word.is_empty()).take_while(|word| word != "#" && word != ">").collect()
}

/// Every command line of the lab in the documents, each with where it stands: those of the blocks for a shell and of tables.
fn commands() -> Vec<(String, Vec<String>)> {
    let mut commands = Vec::new();
    for document in documents() {
        let mut is_shell = false;
        for line in document.text.lines() {
            let inline = set_apart(line, '`').filter(|code| line.starts_with('|') && code.starts_with("oncelab "));
            let typed = if line.starts_with("```") {
                is_shell = line == "```sh";
                None
            } else {
                is_shell.then_some(line).filter(|line| !line.is_empty())
            };
            for command in typed.into_iter().chain(inline) {
                let mut words = words(command);
                if words[0] == "cargo" {
                    // `cargo run --release … -- words` is the same with the words, also of an example.
                    let begins = words.iter().position(|word| word == "--").map_or(words.len(), |place| place + 1);
                    if words[1] != "run" {
                        assert_eq!(words[1..].join(" "), "test", "{command}");
                        continue;
                    }
                    words = std::iter::once("oncelab".to_owned()).chain(words.split_off(begins)).collect();
                }
                assert_eq!(words[0], "oncelab", "{}: {command}", document.path.display());
                commands.push((format!("{}: {command}", document.path.display()), words));
            }
        }
    }
    assert!(commands.len() >= 50, "{}", commands.len());
    commands
}

#[test]
fn the_command_line_takes_every_command_of_the_documents() {
    for (place, words) in commands() {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if let Err(why) = oncelab::cli::accepts(&words) {
            panic!("{place}: {why}");
        }
    }
    assert!(oncelab::cli::accepts(&["oncelab", "run", "--sotre", "postgres"]).is_err());
}

/// Names of strategies, experiments and tokens are read later than the command line is, so they are looked at here.
#[test]
fn the_strategies_experiments_and_schedules_of_the_commands_are_there() {
    let registry = Registry::default();
    let is_known = |name: &str| registry.get(name).is_ok() || ["take-over", "insert-if-absent"].contains(&name);
    let experiments = oncelab::experiment::builtin_names();
    let (mut strategies, mut schedules, mut runs) = (0, 0, 0);
    for (place, words) in commands() {
        let value = |flag: &str| words.iter().position(|word| word == flag).map(|n| words[n + 1].as_str());
        let verb = words.get(1).map_or("run", String::as_str);
        let first = words.get(2).map(String::as_str).filter(|word| !word.starts_with('-'));
        let named = if ["explore", "replay", "conform"].contains(&verb) { first } else { None };
        let listed = value("--strategies").into_iter().flat_map(|names| names.split(','));
        for name in listed.chain(named).chain(value("--strategy")) {
            assert!(is_known(name), "{place}: no strategy is named {name}");
            strategies += 1;
        }
        let replayed = if verb == "replay" { Some(words[3].as_str()) } else { value("--schedule") };
        if let Some(line) = replayed {
            let schedule: Schedule = line.parse().unwrap_or_else(|error| panic!("{place}: {error}"));
            // The model can make each of its steps. It has no queues, and does not know strategies with SQL of their own.
            if let Some(strategy) = named.and_then(|name| registry.get(name).ok()).filter(|_| !line.contains('&')) {
                let requests: u8 = value("--requests").map_or(1, |number| number.parse().unwrap());
                let has = |flag: &str| words.iter().any(|word| word == flag);
                let (reaps, batch) = (has("--reaper"), has("--batch"));
                let bound = Bound { requests, reaps, batch, ..Bound::new(requests, 1, 0) };
                let strategy = if value("--hop").is_some() { Arc::new(WithHop::new(strategy)) } else { strategy };
                if let Err(error) = tell(strategy.as_ref(), bound, &schedule) {
                    panic!("{place}: {error}");
                }
                schedules += 1;
            }
        }
        if let Some(name) = first.filter(|name| verb == "run" && !name.ends_with(".toml")) {
            assert!(experiments.contains(&name), "{place}: no experiment is named {name}");
            runs += 1;
        }
    }
    assert!(strategies >= 30 && schedules >= 15 && runs >= 10, "{strategies}, {schedules}, {runs}");
}

/// Those that take a second or so: lists, and explorations of two lanes on the model.
#[test]
fn the_cheap_commands_of_the_documents_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut ran = 0;
    for (place, words) in commands() {
        let has = |flag: &str| words.iter().any(|word| word == flag);
        let is_cheap = match words.get(1).map(String::as_str) {
            Some("list" | "completions") => true,
            Some("explore") => !place.contains("--example") && !has("--lanes") && !has("--walk"),
            _ => false,
        };
        if !is_cheap {
            continue;
        }
        let arguments: Vec<&str> = words[1..].iter().map(String::as_str).collect();
        let done = oncelab(folder.path(), &arguments);
        assert!(done.status.success() && (has("--diagram") || !done.stdout.is_empty()), "{place}: {done:?}");
        ran += 1;
    }
    assert!(ran >= 10, "{ran}");
}

/// The comments of the documents that begin with this verb: file, options, and what stands after.
fn comments(verb: &str) -> Vec<(PathBuf, String, String)> {
    let begins = format!("<!-- oncelab {verb}");
    let mut comments = Vec::new();
    for document in documents() {
        for (place, _) in document.text.match_indices(&begins) {
            let rest = &document.text[place + begins.len()..];
            if let Some((options, after)) = rest.split_once(" -->\n").filter(|(options, _)| !options.contains('\n')) {
                comments.push((document.path.clone(), options.trim_start().to_owned(), after.to_owned()));
            }
        }
    }
    comments
}

#[test]
fn the_explorations_of_the_documents_are_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let (mut tables, mut drawings) = (0, 0);
    for (path, options, after) in comments("explore") {
        let path = path.display();
        let options = words(&options);
        let mut arguments: Vec<&str> = std::iter::once("explore").chain(options.iter().map(String::as_str)).collect();
        if let Some(place) = arguments.iter().position(|word| *word == "--diagram") {
            let file = std::mem::replace(&mut arguments[place + 1], "drawn.svg");
            assert!(oncelab(folder.path(), &arguments).status.success(), "{path}: {options:?}");
            let drawn = std::fs::read_to_string(folder.path().join("drawn.svg")).unwrap();
            let there = std::fs::read_to_string(root().join(file)).unwrap();
            assert_eq!(there, drawn, "draw it again: oncelab {}", arguments.join(" "));
            assert!(
                after.starts_with("![") && after.lines().next().unwrap().ends_with(&format!("{file})")),
                "{path}: {file}"
            );
            drawings += 1;
        } else {
            let printed = text(&oncelab(folder.path(), &arguments).stdout);
            // The first lines say how long it took.
            let (_, table) = printed.split_at(printed.find(" strategy").unwrap());
            assert!(after.starts_with(&format!("```text\n{table}")), "put this into {path}:\n{table}");
            tables += 1;
        }
    }
    assert_eq!((tables, drawings), (1, 3));
}

#[test]
fn continuous_integration_compares_every_table_of_the_documents() {
    let script = read(".ci/run").text;
    let compared = |before: &str, after: &str| -> BTreeSet<PathBuf> {
        let lines = script.lines().filter_map(|line| line.split_once(before)?.1.strip_suffix(after));
        lines.flat_map(str::split_whitespace).map(PathBuf::from).collect()
    };
    let with = |verb: &str| -> BTreeSet<PathBuf> { comments(verb).into_iter().map(|(path, ..)| path).collect() };
    let (reports, bugs) = (with("report "), with("track-record"));
    assert!(reports.len() >= 2 && bugs.len() == 1, "{reports:?} {bugs:?}");
    assert_eq!(compared("for document in ", "; do"), reports);
    assert!(script.contains("report --splice \"$document\" --check"));
    assert_eq!(compared("track-record --times 20 --check ", ""), bugs);
}

/// The name that a heading has in links: in small letters, without marks, blanks as hyphens.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    kept.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c)).map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn has_anchor(text: &str, wanted: &str) -> bool {
    text.lines().filter(|line| line.starts_with('#')).any(|line| anchor(line.trim_start_matches('#')) == wanted)
}

#[test]
fn links_between_the_documents_lead_somewhere() {
    let others = ["METHODOLOGY.md", "ARCHITECTURE.md", "CHANGELOG.md", "images/README.md", "results/README.md"];
    let deployed =
        ["", "slurm/", "kubernetes/", "github-actions/"].map(|engine| read(&format!("deploy/{engine}README.md")));
    let mut links = 0;
    for document in documents().into_iter().chain(others.map(read)).chain(deployed) {
        for (place, _) in document.text.match_indices("](") {
            let link = document.text[place + 2..].split(')').next().unwrap();
            if link.starts_with("https://") {
                continue;
            }
            let at = document.path.display();
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = root().join(document.path.parent().unwrap()).join(file);
            let target = if file.is_empty() { root().join(&document.path) } else { target };
            assert!(target.exists(), "{at}: {link}");
            if !anchor.is_empty() {
                assert!(has_anchor(&std::fs::read_to_string(&target).unwrap(), anchor), "{at}: {link}");
            }
            links += 1;
        }
    }
    assert!(links >= 40, "{links}");
    // A document that no other leads to is not found.
    let readme = read("README.md").text;
    for document in documents().iter().skip(1) {
        assert!(readme.contains(&format!("]({}", document.path.display())), "{}", document.path.display());
    }
}

/// The first cells of the rows of every table in a text.
fn first_cells(text: &str) -> BTreeSet<&str> {
    let rows = text.lines().filter(|line| line.starts_with("| "));
    rows.filter_map(|line| Some(line[2..].split_once(" |")?.0.trim_matches('`'))).collect()
}

#[test]
fn the_lists_of_strategies_and_experiments_are_complete() {
    let strategies = read("docs/strategies.md").text;
    let registry = Registry::default();
    let known: BTreeSet<&str> = registry.names().chain(["strategy"]).collect();
    assert_eq!(first_cells(&strategies), known);
    let experiments = read("docs/experiments.md").text;
    let asked = experiments.split("## ").next().unwrap();
    let known: BTreeSet<&str> = oncelab::experiment::builtin_names().into_iter().chain(["experiment"]).collect();
    assert_eq!(first_cells(asked), known);
}

#[test]
fn the_methodology_defines_every_violation_and_cause() {
    let methodology = read("METHODOLOGY.md").text;
    let defined: BTreeSet<&str> = first_cells(&methodology).into_iter().flat_map(|cell| cell.split(", ")).collect();
    let violations = Violation::ALL.into_iter().map(Violation::name);
    // A sentence below the tables defines the last one.
    let causes = Cause::ALL.into_iter().filter(|cause| *cause != Cause::Unexplained);
    let missing: Vec<&str> = violations.chain(causes.map(Cause::name)).filter(|name| !defined.contains(name)).collect();
    assert!(missing.is_empty(), "METHODOLOGY.md does not define {missing:?}");
}

/// Who cites the lab cites this version of it.
#[test]
fn the_citation_is_of_this_version_and_licence() {
    let citation = std::fs::read_to_string(root().join("CITATION.cff")).unwrap();
    let manifest: toml::Table = std::fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let package = &manifest["package"];
    assert!(citation.contains(&format!("\nversion: {}\n", package["version"].as_str().unwrap())), "{citation}");
    let (_, licences) = citation.split_once("\nlicense:\n").unwrap();
    let listed: Vec<&str> = licences.lines().map_while(|line| line.strip_prefix("  - ")).collect();
    assert_eq!(listed.join(" OR "), package["license"].as_str().unwrap());
    for key in ["cff-version", "message", "title", "authors", "type"] {
        assert!(citation.lines().any(|line| line.starts_with(&format!("{key}:"))), "{key}");
    }
}
