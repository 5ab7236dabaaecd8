//! The shortest schedules of what a run has recorded, each with the command that replays it.

use crate::results::Shortened;

/// The section of a report in Markdown; nothing if there is nothing to show.
#[must_use]
pub fn lifts_to_markdown(lifts: &[Shortened]) -> String {
    if lifts.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "## Step by step\n\nOf each strategy\'s first recorded violation, the shortest schedule that shows the same, and the command that \
         replays it on real backends:\n\n",
    );
    for Shortened { strategy, violation, command, .. } in lifts {
        out.push_str(&format!("- {strategy}, {violation}: `{command}`\n"));
    }
    out.push('\n');
    out
}
