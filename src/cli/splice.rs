//! Tables in a file, each made by the command in the comment before it: brought up to date, or compared.

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use super::report::Report;
use super::{UsageError, output};
use crate::exit;
use crate::quote::shell_path;
use crate::report::{COMMENT_BEGINS as BEGINS, COMMENT_ENDS as ENDS, with_tables};
use crate::results::{LARGEST_DOCUMENT, read_text};
use crate::strategy::Registry;

/// The options of a comment, read as the command line is.
#[derive(Debug, Parser)]
#[command(name = "oncelab report", no_binary_name = true)]
struct Comment {
    #[command(flatten)]
    report: Report,
}

/// Brings every table of a file up to date; only those of one run, if `only` names it. With `check` nothing is changed, and the
/// exit code tells whether they are.
///
/// # Errors
/// A file that cannot be read or written, a comment that cannot be read as a command, a run that cannot be opened.
pub(super) fn splice(file: &Path, only: Option<&Path>, check: bool, registry: &Registry) -> anyhow::Result<ExitCode> {
    let trouble = |error: std::io::Error| UsageError(format!("--splice {}: {error}", file.display()));
    let text = read_text(file, LARGEST_DOCUMENT)?;
    let wanted =
        |arguments: &str| only.is_none_or(|dir| arguments.split_whitespace().any(|word| Path::new(word) == dir));
    let mut made = 0;
    let new = with_tables(&text, |arguments| {
        if !wanted(arguments) {
            return Ok(None);
        }
        made += 1;
        let comment = Comment::try_parse_from(arguments.split_whitespace()).map_err(|error| {
            let why = error.to_string();
            UsageError(format!(
                "{}: {BEGINS}{arguments}{}: {}",
                file.display(),
                ENDS.trim_end(),
                why.lines().next().unwrap_or_default()
            ))
        })?;
        comment.report.made(registry).map(Some)
    })?;
    if made == 0 {
        let which = only.map_or(String::new(), |dir| format!(" that names {}", dir.display()));
        let example = format!("{BEGINS}results/… --format md --table matrix{}", ENDS.trim_end());
        return Err(UsageError(format!(
            "{} has no comment{which}: write `{example}` before the table",
            file.display()
        ))
        .into());
    }
    if new == text {
        output::print(&format!("{}: {made} tables are what the results say\n", file.display()))?;
        return Ok(ExitCode::from(exit::MET));
    }
    if check {
        let line = text.lines().zip(new.lines()).position(|(old, new)| old != new).unwrap_or(0) + 1;
        output::tell(&format!(
            "{}:{line}: the table is not what the results say; `oncelab report --splice {}` brings it up to date",
            file.display(),
            shell_path(file)
        ));
        return Ok(ExitCode::from(exit::BROKEN));
    }
    std::fs::write(file, new).map_err(trouble)?;
    output::print(&format!("{}: {made} tables brought up to date\n", file.display()))?;
    Ok(ExitCode::from(exit::MET))
}
