//! `oncelab track-record`: one row for each famous bug, each shown on real backends by one command.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{UsageError, output};
use crate::exit;
use crate::report::{Align, Table, to_markdown, to_text};
use crate::results::{LARGEST_DOCUMENT, read_text};

#[derive(Debug, Args)]
pub(super) struct TrackRecord {
    /// How often each bug is replayed
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    times: u32,
    /// How servers are started: auto, container or process
    #[arg(long, value_name = "HOW", value_parser = ["auto", "container", "process"])]
    provision: Option<String>,
    /// An etcd for rows that need a version other than the installed one, e.g. one that images/etcd-from-source has built; may be
    /// given more than once. Without it such rows are skipped
    #[arg(long = "etcd-binary", value_name = "PATH", env = "ONCELAB_ETCD_BINARIES", value_delimiter = ',')]
    etcd_binaries: Vec<PathBuf>,
    /// Put the table into this file, in place of the table that stands there
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    splice: Option<PathBuf>,
    /// Compare the table with the table in this file, except the seconds
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
    /// Print one JSON document, and nothing else, on stdout
    #[arg(long)]
    json: bool,
}

/// The bugs, as data: no driver knows a strategy by name.
const BUGS: &str = include_str!("../../experiments/track-record/bugs.toml");

/// What stands before the table in a file.
const MARKER: &str = "<!-- oncelab track-record -->";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bugs {
    bug: Vec<Bug>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bug {
    name: String,
    /// Where it is from, or what happens.
    source: String,
    /// Those of `oncelab replay`.
    arguments: Vec<String>,
    /// The violation.
    shows: String,
    /// How the version of etcd that it needs begins; any if none.
    etcd: Option<String>,
    /// What that etcd is called in the command, if it is not the one that is installed.
    binary: Option<String>,
    #[serde(default)]
    hits: Hits,
}

/// How many of the replays must show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Hits {
    #[default]
    All,
    /// It is mended there.
    None,
}

/// What became of a row.
enum BugRow {
    Shown(ShownBug),
    /// It needs what is not here.
    Skipped {
        bug: Bug,
        why: String,
    },
}

/// A bug, as often as it was shown.
struct ShownBug {
    bug: Bug,
    hits: u64,
    times: u64,
    divergences: u64,
    seconds: f64,
    /// The version of the etcd that it was replayed on.
    etcd: Option<String>,
}

impl ShownBug {
    /// What the command of a bug has printed, in so many seconds.
    fn new(bug: Bug, document: &Value, seconds: f64) -> Self {
        let number = |value: &Value| value.as_u64().unwrap_or(0);
        ShownBug {
            hits: number(&document["violations"][bug.shows.as_str()]),
            times: number(&document["times"]),
            divergences: number(&document["divergences"]),
            seconds,
            etcd: document["lock_server"].as_str().map(|server| server.trim_start_matches("etcd ").to_owned()),
            bug,
        }
    }

    fn is_as_expected(&self) -> bool {
        let expected = match self.bug.hits {
            Hits::All => self.times,
            Hits::None => 0,
        };
        self.hits == expected && self.divergences == 0
    }
}

/// What an etcd says that its version is.
fn version_of(etcd: &Path) -> Option<String> {
    let said = Command::new(etcd).arg("--version").output().ok()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    said.lines().find_map(|line| line.strip_prefix("etcd Version: ")).map(str::to_owned)
}

impl Bug {
    /// The command that shows it.
    fn command(&self, times: u32) -> String {
        let quoted = |word: &String| if word.contains(' ') { format!("\"{word}\"") } else { word.clone() };
        let arguments: Vec<String> = self.arguments.iter().map(quoted).collect();
        let etcd = self.binary.as_ref().map_or(String::new(), |binary| format!(" --etcd-binary {binary}"));
        format!("oncelab replay {}{etcd} --times {times}", arguments.join(" "))
    }

    fn needs_kafka(&self) -> bool {
        self.arguments.iter().any(|argument| argument == "broker=kafka")
    }

    /// Whether an etcd that calls itself so is the one that it needs.
    fn is_for(&self, version: &str) -> bool {
        self.etcd.as_ref().is_none_or(|needed| version.starts_with(&format!("{needed}.")))
    }

    /// Runs the command in a process of its own, as anybody would, on the etcd that it needs.
    fn show(self, of: &TrackRecord) -> anyhow::Result<BugRow> {
        if self.needs_kafka() {
            // Nothing else that a row needs is so seldom there.
            return match self.run(of, of.times, None) {
                Ok(row) => Ok(BugRow::Shown(row)),
                Err(NotRun { bug, error }) => match error.downcast::<Lacking>() {
                    Ok(Lacking(why)) => {
                        output::tell(&format!("SKIPPED: {}: {why}", bug.name));
                        Ok(BugRow::Skipped { bug: *bug, why })
                    }
                    Err(error) => Err(error),
                },
            };
        }
        let Some(needed) = self.etcd.clone() else { return Ok(BugRow::Shown(self.run(of, of.times, None)?)) };
        let named = of.etcd_binaries.iter().find(|path| version_of(path).is_some_and(|version| self.is_for(&version)));
        if named.is_some() {
            return Ok(BugRow::Shown(self.run(of, of.times, named)?));
        }
        if self.binary.is_some() {
            return Ok(self.skipped(&needed, ""));
        }
        // Whether the one that comes without being named is the right one, one replay tells.
        let ShownBug { bug, etcd, .. } = self.run(of, 1, None)?;
        let there = etcd.unwrap_or_default();
        if bug.is_for(&there) {
            return Ok(BugRow::Shown(bug.run(of, of.times, None)?));
        }
        Ok(bug.skipped(&needed, &format!(", and the one here is {there}")))
    }

    fn skipped(self, needed: &str, there: &str) -> BugRow {
        let why = format!(
            "it needs an etcd {needed}{there}: build one with `images/etcd-from-source`, and name it with --etcd-binary"
        );
        output::tell(&format!("SKIPPED: {}: {why}", self.name));
        BugRow::Skipped { bug: self, why }
    }

    fn run(self, of: &TrackRecord, times: u32, etcd: Option<&PathBuf>) -> Result<ShownBug, NotRun> {
        match self.replayed(of, times, etcd) {
            Ok((document, seconds)) => Ok(ShownBug::new(self, &document, seconds)),
            Err(error) => Err(NotRun { bug: Box::new(self), error }),
        }
    }

    /// What the command prints, and how many seconds it takes.
    fn replayed(&self, of: &TrackRecord, times: u32, etcd: Option<&PathBuf>) -> anyhow::Result<(Value, f64)> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("replay").args(&self.arguments).args(["--times", &times.to_string(), "--json"]);
        if let Some(how) = &of.provision {
            command.args(["--provision", how]);
        }
        if let Some(path) = etcd {
            command.arg("--etcd-binary").arg(path);
        }
        let began = std::time::Instant::now();
        let done = command.stderr(std::process::Stdio::piped()).output()?;
        let seconds = began.elapsed().as_secs_f64();
        let Ok(document) = serde_json::from_slice::<Value>(&done.stdout) else {
            let said = String::from_utf8_lossy(&done.stderr);
            let why = said.lines().last().unwrap_or("it said nothing").trim_start_matches("error: ").to_owned();
            // What it lacks is the same for every row.
            return Err(match done.status.code() {
                Some(code) if code == i32::from(exit::UNAVAILABLE) => Lacking(why).into(),
                Some(code) if code == i32::from(exit::USAGE) => {
                    UsageError(format!("{}: {why}", self.command(of.times))).into()
                }
                _ => anyhow::anyhow!("{}: {why}", self.command(of.times)),
            });
        };
        Ok((document, seconds))
    }
}

/// A row that could not be run.
struct NotRun {
    bug: Box<Bug>,
    error: anyhow::Error,
}

impl From<NotRun> for anyhow::Error {
    fn from(row: NotRun) -> Self {
        row.error
    }
}

/// A row's backend cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Lacking(String);

impl TrackRecord {
    /// Shows every bug, and prints the table.
    pub fn execute(&self) -> anyhow::Result<ExitCode> {
        let bugs: Bugs = toml::from_str(BUGS).context("the list of bugs")?;
        for path in &self.etcd_binaries {
            if version_of(path).is_none() {
                return Err(UsageError(format!(
                    "--etcd-binary {}: this does not say that it is an etcd",
                    path.display()
                ))
                .into());
            }
        }
        let (mut rows, mut skipped) = (Vec::new(), Vec::new());
        for bug in bugs.bug {
            output::tell(&bug.command(self.times));
            match bug.show(self)? {
                BugRow::Shown(row) => rows.push(row),
                BugRow::Skipped { bug, why } => skipped.push((bug, why)),
            }
        }
        let table = self.table(&rows);
        if let (Some(file), Some((bug, why))) = (&self.splice, skipped.first()) {
            let text = format!("--splice {}: the table would lose the row '{}': {why}", file.display(), bug.name);
            return Err(UsageError(text).into());
        }
        if let Some(file) = &self.splice {
            let text = read(file)?;
            let (before, _, after) = around(&text).ok_or_else(|| no_table(file))?;
            std::fs::write(file, format!("{before}{}{after}", to_markdown(&table)))
                .map_err(|error| UsageError(format!("--splice {}: {error}", file.display())))?;
            output::tell(&format!("put into {}", file.display()));
        }
        output::print(&if self.json {
            serde_json::to_string_pretty(&self.as_json(&rows, &skipped))? + "\n"
        } else {
            self.as_text(&rows, &skipped)
        })?;
        if let Some(file) = &self.check {
            let text = read(file)?;
            let (_, there, _) = around(&text).ok_or_else(|| no_table(file))?;
            // Whatever number of times the table there was made with: a command is known by what it replays.
            let is_skipped = |line: &&str| {
                let command = bug_command(line);
                skipped.iter().any(|(bug, _)| command == bug_command(&format!("`{}`", bug.command(self.times))))
            };
            let there: String = there.split_inclusive('\n').filter(|line| !is_skipped(line)).collect();
            if comparable(&there) != comparable(&to_markdown(&table)) {
                let again = "oncelab track-record --splice";
                return Err(UsageError(format!(
                    "{} holds another table; `{again} {0}` puts this one in",
                    file.display()
                ))
                .into());
            }
        }
        let all = rows.iter().all(ShownBug::is_as_expected);
        Ok(ExitCode::from(if all { exit::MET } else { exit::BROKEN }))
    }

    fn table(&self, rows: &[ShownBug]) -> Table {
        let columns = [
            ("bug", Align::Left),
            ("shows", Align::Left),
            ("hits", Align::Right),
            ("seconds", Align::Right),
            ("command", Align::Left),
        ];
        let mut table = Table::new(&columns);
        for row in rows {
            let values = [
                format!("{} ({})", row.bug.name, row.bug.source),
                row.bug.shows.clone(),
                format!("{} of {}", row.hits, row.times),
                format!("{:.1}", row.seconds),
                format!("`{}`", row.bug.command(self.times)),
            ];
            table.push(values.map(|value| vec![value]).to_vec());
        }
        table
    }

    fn as_json(&self, rows: &[ShownBug], skipped: &[(Bug, String)]) -> Value {
        let row = |row: &ShownBug| {
            json!({
                "bug": row.bug.name,
                "source": row.bug.source,
                "shows": row.bug.shows,
                "etcd": row.etcd,
                "expected": if row.bug.hits == Hits::All { row.times } else { 0 },
                "hits": row.hits,
                "times": row.times,
                "divergences": row.divergences,
                "seconds": (row.seconds * 10.0).round() / 10.0,
                "command": row.bug.command(self.times),
            })
        };
        let left_out = |(bug, why): &(Bug, String)| json!({ "bug": bug.name, "source": bug.source, "why": why });
        json!({
            "bugs": rows.iter().map(row).collect::<Vec<_>>(),
            "skipped": skipped.iter().map(left_out).collect::<Vec<_>>(),
        })
    }

    fn as_text(&self, rows: &[ShownBug], skipped: &[(Bug, String)]) -> String {
        let columns = [("bug", Align::Left), ("shows", Align::Left), ("hits", Align::Right), ("seconds", Align::Right)];
        let mut table = Table::new(&columns);
        for row in rows {
            let hits = format!("{} of {}", row.hits, row.times);
            let values = [row.bug.name.clone(), row.bug.shows.clone(), hits, format!("{:.1}", row.seconds)];
            table.push(values.map(|value| vec![value]).to_vec());
        }
        let mut out = format!("\n{}\n", to_text(&table, 80));
        for row in rows {
            out.push_str(&format!("{}\n  {}\n", row.bug.source, output::here(&row.bug.command(self.times))));
        }
        for (bug, why) in skipped {
            out.push_str(&format!("{}\n", output::wrap(&format!("SKIPPED: {} ({}): {why}", bug.name, bug.source))));
        }
        out
    }
}

fn read(file: &Path) -> anyhow::Result<String> {
    Ok(read_text(file, LARGEST_DOCUMENT)?)
}

fn no_table(file: &Path) -> UsageError {
    UsageError(format!(
        "{} has no line '{MARKER}' with a table after it: write the line where the table belongs",
        file.display()
    ))
}

/// What stands before the table after the marker, the table, and what stands after it.
fn around(text: &str) -> Option<(&str, &str, &str)> {
    let begins = text.find(MARKER)? + MARKER.len() + 1;
    let rest = text.get(begins..)?;
    let length: usize = rest.split_inclusive('\n').take_while(|line| line.starts_with('|')).map(str::len).sum();
    Some((&text[..begins], &rest[..length], &rest[length..]))
}

/// The command at the end of a row, but for the number of times.
fn bug_command(line: &str) -> &str {
    let command = line.trim_end().trim_end_matches([' ', '|', '`']).rsplit('`').next().unwrap_or_default();
    command.rsplit_once(" --times ").map_or(command, |(command, _)| command)
}

/// A table in Markdown as it is compared: without its seconds, and with all, none or so many of the times, whichever their number is.
fn comparable(table: &str) -> String {
    let hits = |cell: &str| match cell.split_once(" of ") {
        Some((hits, times)) if hits == times => "all".to_owned(),
        Some(("0", _)) => "none".to_owned(),
        _ => cell.to_owned(),
    };
    let keep = |line: &str| {
        let mut cells: Vec<String> = line.split(" | ").map(str::to_owned).collect();
        if let [_, _, hit, seconds, command] = cells.as_mut_slice() {
            *hit = hits(hit);
            seconds.clear();
            *command = bug_command(command).to_owned();
        }
        cells.join(" | ")
    };
    table.lines().map(keep).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::{BUGS, Bugs, Hits, MARKER, around, bug_command, comparable};

    #[test]
    fn a_table_is_found_between_its_marker_and_the_next_text() {
        let text = format!("before\n{MARKER}\n| a |\n| b |\n\nafter\n");
        let (before, table, after) = around(&text).expect("there is one");
        assert_eq!((before.len(), table, after), (8 + MARKER.len(), "| a |\n| b |\n", "\nafter\n"));
        assert_eq!(around("no marker\n| a |\n"), None);
    }

    #[test]
    fn tables_that_differ_in_seconds_or_in_the_number_of_times_are_the_same() {
        let row = |hits, times, seconds| {
            comparable(&format!("| x | duplicate | {hits} of {times} | {seconds} | `y --times {times}` |\n"))
        };
        assert_eq!(row(9, 9, 1.5), row(9, 9, 2.5));
        assert_eq!((row(9, 9, 1.5), row(0, 9, 1.5)), (row(20, 20, 1.5), row(0, 100, 1.5)));
        assert_ne!(row(9, 9, 1.5), row(8, 9, 1.5));
        assert_ne!(row(9, 9, 1.5), row(0, 9, 1.5));
        let other = "| x | duplicate | 9 of 9 | 1.5 | `z --times 9` |\n";
        assert_ne!(row(9, 9, 1.5), comparable(other));
        assert_eq!(bug_command(other), "z");
    }

    #[test]
    fn the_documentation_has_a_row_for_every_bug_with_its_command() {
        let document = include_str!("../../docs/replay.md");
        let (_, table, _) = around(document).expect("it has the table");
        let bugs: Bugs = toml::from_str(BUGS).expect("it is well formed");
        assert_eq!(table.lines().count(), bugs.bug.len() + 2);
        for (bug, line) in bugs.bug.iter().zip(table.lines().skip(2)) {
            assert!(line.contains(&bug.name) && line.contains(&bug.command(100)), "{line}");
            let hits = if bug.hits == Hits::All { "| 100 of 100 |" } else { "| 0 of 100 |" };
            assert!(line.contains(hits), "{line}");
        }
    }

    #[test]
    fn a_row_that_needs_a_version_takes_no_other() {
        let bugs: Bugs = toml::from_str(BUGS).expect("it is well formed");
        let needing =
            |version: &str| bugs.bug.iter().find(|bug| bug.etcd.as_deref() == Some(version)).expect("there is one");
        assert!(
            needing("3.4").is_for("3.4.23") && !needing("3.4").is_for("3.5.35") && !needing("3.4").is_for("3.40.1")
        );
        assert!(needing("3.5").is_for("3.5.35") && needing("3.5").hits == Hits::None);
        assert!(bugs.bug.iter().filter(|bug| bug.etcd.is_none()).all(|bug| bug.is_for("") && bug.binary.is_none()));
    }
}
