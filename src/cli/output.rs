//! What the verbs print on stdout.

use std::io::{IsTerminal, Write};
use std::path::Path;

use super::UsageError;
use crate::quote::{printable, shell, shell_path};
use crate::report::{
    Shown, at_each_store, brief, foremost_causes, matrix, outcome, plain, references, sweep, to_text, told, unjudged,
};
use crate::results::{CellSummary, Shortened};

/// The width of tables, on a terminal and elsewhere.
pub(super) const WIDTH: usize = 80;

/// What stands in a text in the place of a colour, and the colour.
const COLOURS: [(char, &str); 3] = [(RED, "\u{1b}[31m"), (GREEN, "\u{1b}[32m"), (PLAIN, "\u{1b}[0m")];
const RED: char = '\u{e000}';
const GREEN: char = '\u{e001}';
const PLAIN: char = '\u{e002}';

/// Prints to stdout: nothing in the text is obeyed by a terminal. A reader that has gone away is no error.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let wants_colours =
        std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut text = printable(text);
    for (mark, colour) in COLOURS {
        text = text.replace(mark, if wants_colours { colour } else { "" });
    }
    let mut stdout = std::io::stdout();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(UsageError(format!("cannot write to stdout: {error}")).into())
        }
        _ => Ok(()),
    }
}

/// Prints a line to stderr, without anything that a terminal would obey.
pub(super) fn tell(line: &str) {
    // Where nobody reads, nobody is told.
    let _ = writeln!(std::io::stderr(), "{}", printable(line));
}

/// A command as it can be typed where this one was: with the path of the program, unless it was found by its name.
pub(super) fn here(command: &str) -> String {
    let program = std::env::args().next().filter(|program| program.contains(std::path::MAIN_SEPARATOR));
    match (program, command.strip_prefix("oncelab ")) {
        (Some(program), Some(arguments)) => format!("{} {arguments}", shell(&program)),
        _ => command.to_owned(),
    }
}

/// A run for a terminal.
pub(super) fn run_as_text(shown: &Shown<'_>) -> String {
    let Shown { summary, experiment, meta, .. } = shown;
    let dir = shell_path(Path::new(&summary.dir));
    let mut out = String::from("\n");
    let say = |out: &mut String, line: &str| {
        out.push_str(&wrap(line));
        out.push('\n');
    };
    say(&mut out, &format!("{}: {}", summary.experiment, summary.question));
    out.push('\n');
    for sentence in unjudged(shown.facts) {
        say(&mut out, &sentence);
        out.push('\n');
    }
    if summary.trials < summary.trials_planned || !summary.failed.is_empty() {
        say(&mut out, &format!("go on:  {}", here(&format!("oncelab run --resume {dir}"))));
        out.push('\n');
    }
    let views = sweep(summary, experiment);
    for view in &views {
        say(&mut out, &format!("{}:", view.title));
        out.push_str(&to_text(&view.table, WIDTH));
        out.push('\n');
    }
    // With a sweep the rows are many, and the tables above tell them.
    if views.is_empty() {
        out.push_str(&coloured(&to_text(&matrix(summary), WIDTH)));
        let why = foremost_causes(summary);
        if !why.rows.is_empty() {
            out.push('\n');
            out.push_str(&to_text(&why, WIDTH));
        }
    }
    if !shown.schedules.shortened.is_empty() {
        out.push_str("\nstep by step, the shortest way to the same violation with the same cause:\n");
    }
    let mut foremost: Vec<(&str, &str)> = Vec::new();
    for (violations, Shortened { strategy, cause, command, .. }) in shown.schedules.stories() {
        // A report tells of all of them.
        match foremost.iter().find(|(known, _)| known == strategy) {
            Some((_, violation)) if !violations.contains(violation) => continue,
            Some(_) => {}
            None => foremost.push((strategy, violations[0])),
        }
        let what = format!("{strategy}, {} because of {cause}:", violations.join(" and "));
        out.push_str(&hanging("  ", &what));
        out.push_str(&format!("    {}\n", here(command)));
    }
    for (strategy, why) in &summary.skipped {
        out.push('\n');
        say(&mut out, &format!("skipped: {strategy}, because {why}"));
    }
    for cell in summary.cells.iter().filter(|cell| !cell.met) {
        out.push('\n');
        say(&mut out, &unmet(cell));
        say(&mut out, &format!("  {}", here(&cell.reproduce)));
    }
    out.push('\n');
    for sentence in brief(shown.facts) {
        say(&mut out, &plain(&sentence));
    }
    for line in references(summary, &experiment.references).into_iter().chain(at_each_store(summary)) {
        out.push('\n');
        say(&mut out, &line);
    }
    for sentence in told(&experiment.analysis, shown.facts) {
        out.push('\n');
        say(&mut out, &plain(&sentence));
    }
    out.push('\n');
    if summary.cells.iter().any(|cell| cell.tolerated.iter().any(|kind| cell.rates.contains_key(kind))) {
        say(&mut out, "(in brackets: the strategy does not promise to avoid this; shown, not judged)");
    }
    say(&mut out, &format!("saved:  {}", summary.dir));
    say(&mut out, &format!("more:   {}", here(&format!("oncelab report {dir} --table cost"))));
    say(&mut out, "        or rates, waits, explored; everything with pictures is in report.html in that folder");
    say(&mut out, &format!("again:  {}", here(&meta.command())));
    say(&mut out, "        a single row: the same with --strategies NAME");
    say(&mut out, &outcome(summary));
    out
}

fn unmet(cell: &CellSummary) -> String {
    let expected = match &cell.expected {
        None => "no violation that its claim rules out".to_owned(),
        Some(expected) if cell.expected_by_claim => format!("{expected} (by its claim)"),
        Some(expected) => expected.to_string(),
    };
    let why = cell.inconclusive.as_ref().map_or(String::new(), |why| format!(" ({why})"));
    let at = if cell.point.0.is_empty() { String::new() } else { format!(" at {}", cell.point) };
    format!("! {} under '{}'{at}: expected {expected}, found {}{why}. Again:", cell.strategy, cell.faults, cell.verdict)
}

/// Marks the verdicts with their colours. The words say it all without them.
fn coloured(table: &str) -> String {
    let mark = |colour: char, word: &str| format!(" {colour}{word}{PLAIN} ");
    table.replace(" invalid ", &mark(RED, "invalid")).replace(" valid ", &mark(GREEN, "valid"))
}

/// A heading and text beside it, on lines of at most 80 columns.
pub(super) fn hanging(heading: &str, text: &str) -> String {
    let indent = heading.chars().count();
    let mut out = heading.to_owned();
    let mut column = indent;
    for (n, word) in text.split(' ').enumerate() {
        let length = word.chars().count();
        if n > 0 && column + 1 + length > WIDTH {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            column = indent;
        } else if n > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out + "\n"
}

/// Breaks a line between words; a command is never broken, so that it can be copied.
pub(super) fn wrap(line: &str) -> String {
    if line.contains("oncelab run") || line.contains("oncelab report") || line.chars().count() <= WIDTH {
        return line.to_owned();
    }
    let mut lines: Vec<String> = vec![String::new()];
    for word in line.split(' ') {
        let last = lines.len() - 1;
        if lines[last].is_empty() {
            lines[last].push_str(word);
        } else if lines[last].chars().count() + 1 + word.chars().count() <= WIDTH {
            lines[last].push(' ');
            lines[last].push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.join("\n")
}
