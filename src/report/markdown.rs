//! Tables and whole reports in Markdown.

use super::analysis::told;
use super::at_each_store::at_each_store;
use super::brief::{brief, plain};
use super::guide::guide;
use super::lifts::lifts_to_markdown;
use super::references::references;
use super::shown::Shown;
use super::sweep::sweep;
use super::table::{Align, Table};
use super::tables::sections;
use crate::quote::printable;

/// Draws a table in Markdown.
#[must_use]
pub fn to_markdown(table: &Table) -> String {
    let line = |values: Vec<String>| format!("| {} |\n", values.join(" | "));
    let mut out = line(table.columns.iter().map(|column| escape(&column.heading)).collect());
    out.push_str(&line(
        table.columns.iter().map(|column| if column.align == Align::Left { ":--" } else { "--:" }.to_owned()).collect(),
    ));
    for row in &table.rows {
        out.push_str(&line(row.iter().map(|parts| escape(&parts.join(", "))).collect()));
    }
    out
}

/// Names and sentences may come from anywhere; none may break out of its cell, bring HTML along, or load anything.
pub(super) fn escape(text: &str) -> String {
    let text = text.replace('\\', r"\\").replace('|', r"\|").replace('<', "&lt;").replace(['\n', '\r'], " ");
    // A link or a picture; brackets without it are figures in brackets.
    printable(&text.replace("](", r"]\(").replace("][", r"]\["))
}

/// A text as code: whatever stands in it.
pub(super) fn code(text: &str) -> String {
    let text = text.replace(['\n', '\r'], " ");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    // Next to a fence a backtick of the text needs a space between.
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

/// The report of a run: what was asked, the answers, why, and how to repeat it.
#[must_use]
pub fn document(shown: &Shown<'_>) -> String {
    let Shown { summary, experiment, meta, .. } = shown;
    let mut out = format!("# {}\n\n{}\n\n", escape(&summary.experiment), escape(&summary.question));
    for warning in shown.warnings() {
        out.push_str(&format!("{}\n\n", escape(&warning)));
    }
    for sentence in brief(shown.facts) {
        out.push_str(&format!("- {}\n", escape(&plain(&sentence))));
    }
    for view in sweep(summary, experiment) {
        out.push_str(&format!("\n## {}\n\n{}", escape(&view.title), to_markdown(&view.table)));
    }
    for section in sections(summary) {
        let table = to_markdown(&section.table);
        out.push_str(&format!("\n## {}\n\n{table}\n{}\n", section.title, section.legend));
    }
    out.push('\n');
    for line in references(summary, &experiment.references).into_iter().chain(at_each_store(summary)) {
        out.push_str(&format!("{}\n\n", escape(&line)));
    }
    for (n, sentence) in told(&experiment.analysis, shown.facts).iter().enumerate() {
        if n == 0 {
            out.push_str("## What it means\n\n");
        }
        out.push_str(&format!("{}\n\n", escape(&plain(sentence))));
    }
    out.push_str(&lifts_to_markdown(shown.schedules));
    for (n, advice) in guide(shown.facts).iter().enumerate() {
        if n == 0 {
            out.push_str("## Which way to take\n\n");
        }
        out.push_str(&format!("**{}.** {}\n\n", escape(&advice.situation), escape(&plain(&advice.advice))));
    }
    out.push_str(&format!(
        "## Again\n\n{} makes this run again: the seed decides the same requests, and the same fault for each operation. It does \
         not decide timing, so the counts differ. A single row: the same command with `--strategies NAME --faults LEVEL`.\n",
        code(&meta.command())
    ));
    for (key, value) in shown.origin() {
        out.push_str(&format!("\n- {}: {}", escape(&key), escape(&value)));
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_markdown_that_does_something() {
        assert_eq!(escape("<script>a|b</script>\n<!-- x"), "&lt;script>a\\|b&lt;/script> &lt;!-- x");
        assert_eq!(escape("![x](http://a) [y][z] [1, 2]"), "![x]\\(http://a) [y]\\[z] [1, 2]");
        assert_eq!(escape("\u{1b}[2J"), "\\u001b[2J");
    }

    #[test]
    fn code_ends_where_its_text_does() {
        assert_eq!(code("oncelab run quick"), "`oncelab run quick`");
        assert_eq!(code("a `b` <i>"), "``a `b` <i>``");
        assert_eq!(code("`a``"), "``` `a`` ```");
    }
}
