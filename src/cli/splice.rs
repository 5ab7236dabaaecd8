//! Tables in a file, each made by the command in the comment before it: brought up to date, or compared.

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use super::report::Report;
use super::{Usage, output};
use crate::exit;
use crate::strategy::Registry;

/// What a comment begins with whose table is made by `oncelab report`.
const BEGINS: &str = "<!-- oncelab report ";
const ENDS: &str = " -->\n";

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
    let trouble = |error: std::io::Error| Usage(format!("--splice {}: {error}", file.display()));
    let text = std::fs::read_to_string(file).map_err(trouble)?;
    let wanted =
        |arguments: &str| only.is_none_or(|dir| arguments.split_whitespace().any(|word| Path::new(word) == dir));
    let mut made = 0;
    let new = replaced(&text, |arguments| {
        if !wanted(arguments) {
            return Ok(None);
        }
        made += 1;
        let comment = Comment::try_parse_from(arguments.split_whitespace()).map_err(|error| {
            let why = error.to_string();
            Usage(format!(
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
        return Err(
            Usage(format!("{} has no comment{which}: write `{example}` before the table", file.display())).into()
        );
    }
    if new == text {
        output::print(&format!("{}: {made} tables are what the results say\n", file.display()))?;
        return Ok(ExitCode::from(exit::MET));
    }
    if check {
        let line = text.lines().zip(new.lines()).position(|(old, new)| old != new).unwrap_or(0) + 1;
        eprintln!(
            "{}:{line}: the table is not what the results say; `oncelab report --splice {0}` brings it up to date",
            file.display()
        );
        return Ok(ExitCode::from(exit::BROKEN));
    }
    std::fs::write(file, new).map_err(trouble)?;
    output::print(&format!("{}: {made} tables brought up to date\n", file.display()))?;
    Ok(ExitCode::from(exit::MET))
}

/// The text with the table after each comment replaced by what its command makes; left alone where that is nothing.
fn replaced(text: &str, mut make: impl FnMut(&str) -> anyhow::Result<Option<String>>) -> anyhow::Result<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(place) = rest.find(BEGINS) {
        let (before, comment) = rest.split_at(place);
        let Some((arguments, after)) = comment[BEGINS.len()..].split_once(ENDS) else { break };
        let length: usize = after.split_inclusive('\n').take_while(|line| line.starts_with('|')).map(str::len).sum();
        let (old, after) = after.split_at(length);
        out += before;
        out += &format!("{BEGINS}{arguments}{ENDS}");
        out += make(arguments)?.as_deref().unwrap_or(old);
        rest = after;
    }
    Ok(out + rest)
}

#[cfg(test)]
mod tests {
    use super::replaced;

    #[test]
    fn the_table_after_a_comment_is_replaced_and_nothing_else() {
        let text =
            "a\n<!-- oncelab report x --table y -->\n| old |\n| old |\n\nb\n| other |\n<!-- oncelab report z -->\nc\n";
        let mut asked = Vec::new();
        let new = replaced(text, |arguments| {
            asked.push(arguments.to_owned());
            Ok(Some("| new |\n".to_owned()))
        });
        let expected =
            "a\n<!-- oncelab report x --table y -->\n| new |\n\nb\n| other |\n<!-- oncelab report z -->\n| new |\nc\n";
        assert_eq!((new.unwrap().as_str(), asked), (expected, vec!["x --table y".to_owned(), "z".to_owned()]));
        assert_eq!(replaced("<!-- oncelab report", |_| Ok(None)).unwrap(), "<!-- oncelab report");
    }
}
