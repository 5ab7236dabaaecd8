//! The shortest schedules that show what a run has recorded, each with the command that replays it.

use super::markdown::{code, escape};
use crate::results::{Schedules, Shortened};

/// The section of a report in Markdown; nothing if there is nothing to show.
#[must_use]
pub fn lifts_to_markdown(schedules: &Schedules) -> String {
    if schedules.shortened.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "## Step by step\n\nFor each violation with each of its causes, the shortest schedule that shows the same because of the same, \
         and the command that replays it on real backends:\n\n",
    );
    for (violations, Shortened { strategy, cause, command, .. }) in schedules.stories() {
        let violations = escape(&violations.join(" and "));
        out.push_str(&format!(
            "- {}, {violations} because of {}: {}\n",
            escape(strategy),
            escape(cause),
            code(command)
        ));
    }
    out.push('\n');
    out
}
