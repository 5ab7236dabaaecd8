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
}

/// A bug, as often as it was shown.
struct ShownBug {
    bug: Bug,
    hits: u64,
    times: u64,
    divergences: u64,
    seconds: f64,
}

impl Bug {
    /// The command that shows it.
    fn command(&self, times: u32) -> String {
        let quoted = |word: &String| if word.contains(' ') { format!("\"{word}\"") } else { word.clone() };
        let arguments: Vec<String> = self.arguments.iter().map(quoted).collect();
        format!("oncelab replay {} --times {times}", arguments.join(" "))
    }

    /// Runs the command in a process of its own, as anybody would.
    fn show(self, of: &TrackRecord) -> anyhow::Result<ShownBug> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("replay").args(&self.arguments).args(["--times", &of.times.to_string(), "--json"]);
        if let Some(how) = &of.provision {
            command.args(["--provision", how]);
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
        let number = |value: &Value| value.as_u64().unwrap_or(0);
        Ok(ShownBug {
            hits: number(&document["violations"][self.shows.as_str()]),
            times: number(&document["times"]),
            divergences: number(&document["divergences"]),
            seconds,
            bug: self,
        })
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
        let mut rows = Vec::new();
        for bug in bugs.bug {
            output::tell(&bug.command(self.times));
            rows.push(bug.show(self)?);
        }
        let table = self.table(&rows);
        if let Some(file) = &self.splice {
            let text = read(file)?;
            let (before, _, after) = around(&text).ok_or_else(|| no_table(file))?;
            std::fs::write(file, format!("{before}{}{after}", to_markdown(&table)))
                .map_err(|error| UsageError(format!("--splice {}: {error}", file.display())))?;
            output::tell(&format!("put into {}", file.display()));
        }
        output::print(&if self.json {
            serde_json::to_string_pretty(&self.as_json(&rows))? + "\n"
        } else {
            self.as_text(&rows)
        })?;
        if let Some(file) = &self.check {
            let text = read(file)?;
            let (_, there, _) = around(&text).ok_or_else(|| no_table(file))?;
            if without_seconds(there) != without_seconds(&to_markdown(&table)) {
                let again = "oncelab track-record --splice";
                return Err(UsageError(format!(
                    "{} holds another table; `{again} {0}` puts this one in",
                    file.display()
                ))
                .into());
            }
        }
        let all = rows.iter().all(|row| row.hits == row.times && row.divergences == 0);
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

    fn as_json(&self, rows: &[ShownBug]) -> Value {
        let row = |row: &ShownBug| {
            json!({
                "bug": row.bug.name,
                "source": row.bug.source,
                "shows": row.bug.shows,
                "hits": row.hits,
                "times": row.times,
                "divergences": row.divergences,
                "seconds": (row.seconds * 10.0).round() / 10.0,
                "command": row.bug.command(self.times),
            })
        };
        json!({ "bugs": rows.iter().map(row).collect::<Vec<_>>() })
    }

    fn as_text(&self, rows: &[ShownBug]) -> String {
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

/// A table in Markdown without its column of seconds.
fn without_seconds(table: &str) -> String {
    let keep = |line: &str| {
        let cells: Vec<&str> = line.split(" | ").collect();
        cells.iter().enumerate().filter(|(n, _)| *n != 3).map(|(_, cell)| *cell).collect::<Vec<_>>().join(" | ")
    };
    table.lines().map(keep).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::{BUGS, Bugs, MARKER, around, without_seconds};

    #[test]
    fn a_table_is_found_between_its_marker_and_the_next_text() {
        let text = format!("before\n{MARKER}\n| a |\n| b |\n\nafter\n");
        let (before, table, after) = around(&text).expect("there is one");
        assert_eq!((before.len(), table, after), (8 + MARKER.len(), "| a |\n| b |\n", "\nafter\n"));
        assert_eq!(around("no marker\n| a |\n"), None);
    }

    #[test]
    fn tables_that_differ_in_seconds_are_the_same() {
        let row = |hits, seconds| format!("| x | duplicate | {hits} of 9 | {seconds} | `y` |\n");
        assert_eq!(without_seconds(&row(9, 1.5)), without_seconds(&row(9, 2.5)));
        assert_ne!(without_seconds(&row(9, 1.5)), without_seconds(&row(8, 1.5)));
    }

    #[test]
    fn the_documentation_has_a_row_for_every_bug_with_its_command() {
        let document = include_str!("../../docs/replay.md");
        let (_, table, _) = around(document).expect("it has the table");
        let bugs: Bugs = toml::from_str(BUGS).expect("it is well formed");
        assert_eq!(table.lines().count(), bugs.bug.len() + 2);
        for (bug, line) in bugs.bug.iter().zip(table.lines().skip(2)) {
            assert!(line.contains(&bug.name) && line.contains(&bug.command(100)), "{line}");
            assert!(line.contains("| 100 of 100 |"), "{line}");
        }
    }
}
