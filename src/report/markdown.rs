//! Tables and whole reports in Markdown.

use super::lifts::{Shortened, lifts_to_markdown};
use super::references::references;
use super::table::{Align, Table};
use super::tables::{causes, matrix};
use crate::load::Experiment;
use crate::results::{Meta, Summary};

/// Draws a table in Markdown.
#[must_use]
pub fn to_markdown(table: &Table) -> String {
    let line = |values: Vec<String>| format!("| {} |\n", values.join(" | "));
    let mut out = line(table.columns.iter().map(|column| escape(column.heading)).collect());
    out.push_str(&line(
        table.columns.iter().map(|column| if column.align == Align::Left { ":--" } else { "--:" }.to_owned()).collect(),
    ));
    for row in &table.rows {
        out.push_str(&line(row.iter().map(|parts| escape(&parts.join(", "))).collect()));
    }
    out
}

/// Names may come from anywhere; none may break out of its cell.
fn escape(text: &str) -> String {
    text.replace('\\', r"\\").replace('|', r"\|").replace('<', "&lt;").replace(['\n', '\r'], " ")
}

/// The report of a run: what was asked, the answers, why, and how to repeat it.
#[must_use]
pub fn document(summary: &Summary, experiment: &Experiment, meta: &Meta, lifts: &[Shortened]) -> String {
    let analysis = &experiment.analysis;
    let mut out = format!("# {}\n\n{}\n\n", escape(&summary.experiment), escape(&summary.question));
    if summary.trials < summary.trials_planned {
        out.push_str(&format!(
            "Interrupted: {} of {} trials are finished.\n\n",
            summary.trials, summary.trials_planned
        ));
    }
    out.push_str(&to_markdown(&matrix(summary)));
    out.push_str(
        "\n`!`: not what the experiment expects. In brackets: part of what the strategy promises; shown, not judged.\n\n",
    );
    for (strategy, why) in &summary.skipped {
        out.push_str(&format!("Skipped: {} because {}\n\n", escape(strategy), escape(why)));
    }
    for line in references(summary, &experiment.references) {
        out.push_str(&format!("{}\n\n", escape(&line)));
    }
    if !analysis.trim().is_empty() {
        out.push_str(&format!("{}\n\n", analysis.trim()));
    }
    out.push_str("## Why\n\n");
    out.push_str(&to_markdown(&causes(summary)));
    out.push('\n');
    out.push_str(&lifts_to_markdown(lifts));
    out.push_str(&format!(
        "## Again\n\n`{}` makes this run again: the same requests, and the same fault for each operation. A single row: the \
         same command with `--strategies NAME --faults LEVEL`.\n\n",
        meta.command()
    ));
    out.push_str(&format!(
        "Made {} by oncelab {} ({}{}, {}, {}) on {}, {} cores, {} MiB, kernel {}.\n",
        meta.started,
        meta.oncelab,
        meta.git_revision.get(..10).unwrap_or(&meta.git_revision),
        if meta.git_dirty { " with changes" } else { "" },
        meta.profile,
        meta.rustc,
        meta.cpu,
        meta.cores,
        meta.memory_mib,
        meta.kernel,
    ));
    for (key, value) in &meta.backends {
        out.push_str(&format!("\n- {}: {}", escape(key), escape(value)));
    }
    out.push('\n');
    out
}
