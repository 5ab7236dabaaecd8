//! A diagram as a sequence diagram of Mermaid, which code hosts and editors draw from text.

use super::{DiagramRow, lane_title, rows, title};
use crate::explore::{Fate, Story, lane_name};

/// The diagram of a schedule, in Mermaid's words.
///
/// Source: <https://mermaid.js.org/syntax/sequenceDiagram.html>.
#[must_use]
pub fn to_mermaid(story: &Story) -> String {
    let last = story.roles.last().map_or("", |role| role.name());
    let all = format!("{},{last}", lane_name(0));
    let mut lines = vec![format!("title {}", escape(&title(story)))];
    lines.extend(
        (0..story.bound.lanes).map(|lane| format!("participant {} as {}", lane_name(lane), lane_title(story, lane))),
    );
    lines.extend(story.roles.iter().map(|role| match (role.name(), role.title()) {
        (name, title) if name == title => format!("participant {name}"),
        (name, title) => format!("participant {name} as {title}"),
    }));
    for row in rows(story) {
        lines.extend(statements(&row, &all));
    }
    lines.iter().fold("sequenceDiagram\n".to_owned(), |out, line| format!("{out}    {line}\n"))
}

/// What draws a row. `all` names the participants that words go across.
fn statements(row: &DiagramRow, all: &str) -> Vec<String> {
    let note = |over: &str, what: &str| vec![format!("Note over {over}: {}", escape(what))];
    let lane_note = |lane: u8, what: &str| note(&lane_name(lane).to_string(), what);
    match row {
        DiagramRow::Message { lane, to, fate, did, learned } => {
            message(lane_name(*lane), to.name(), *fate, did, learned)
        }
        DiagramRow::Landing { lane, to, did, learned } => {
            let to = to.name();
            let mut lines = vec![arrow(&lane_name(*lane).to_string(), "--)", to, did)];
            lines.extend(note(to, learned));
            lines
        }
        DiagramRow::Crash { lane, before } => lane_note(*lane, before),
        DiagramRow::Expiry { lane, at, what } => {
            note(at.name(), &format!("the {what} of {} expires", lane_name(*lane)))
        }
        DiagramRow::Crossing { lane, way: _, what } | DiagramRow::Told { lane, what } => lane_note(*lane, what),
        DiagramRow::Broken { what } => note(all, &format!("✗ {what}")),
        DiagramRow::Aside { what } => note(all, what),
    }
}

/// A request and its response, as far as they get.
fn message(lane: char, backend: &str, fate: Fate, did: &str, learned: &str) -> Vec<String> {
    let lane = lane.to_string();
    match fate {
        Fate::RequestLost => vec![arrow(&lane, "-x", backend, &format!("{did}: {learned}"))],
        Fate::TimesOut => vec![arrow(&lane, "-)", backend, &format!("{did}: {learned}"))],
        Fate::ReplyLost => vec![arrow(&lane, "->>", backend, did), arrow(backend, "--x", &lane, learned)],
        _ => vec![arrow(&lane, "->>", backend, did), arrow(backend, "-->>", &lane, learned)],
    }
}

fn arrow(from: &str, by: &str, to: &str, words: &str) -> String {
    format!("{from}{by}{to}: {}", escape(words))
}

/// Words that stand on one line and mean nothing to Mermaid: a semicolon would end the statement, a number sign the words, `%%`
/// begins a comment or a directive, `$$` a formula, a backslash a line break, and angle brackets are markup.
fn escape(words: &str) -> String {
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut out = String::new();
    for letter in words.chars() {
        match letter {
            '#' | ';' | '%' | '$' | '\\' | '<' | '>' | '&' => out.push_str(&format!("#{};", u32::from(letter))),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::{Bound, tell};
    use crate::strategy::Registry;

    fn drawn(strategy: &str, schedule: &str) -> Vec<String> {
        let strategy = Registry::default().get(strategy).expect("it is registered");
        let schedule = schedule.parse().expect("it is well formed");
        let story = tell(strategy.as_ref(), Bound::new(1, 1, 1), &schedule).expect("it can be made");
        to_mermaid(&story).lines().map(|line| line.trim().to_owned()).collect()
    }

    fn holds(lines: &[String], line: &str) {
        assert!(lines.iter().any(|it| it == line), "'{line}' is not in {lines:#?}");
    }

    #[test]
    fn what_means_something_to_mermaid_is_written_as_a_number() {
        assert_eq!(escape("SELECT 1;\n  DROP # x"), "SELECT 1#59; DROP #35; x");
        assert_eq!(escape("a < $$b$$ %% \\n"), "a #60; #36;#36;b#36;#36; #37;#37; #92;n");
        assert_eq!(escape("balance 20: K → X"), "balance 20: K → X");
    }

    #[test]
    fn a_race_is_messages_with_their_responses_and_a_note_where_it_breaks() {
        let lines = drawn("check-then-act", "a b b a");
        assert_eq!(lines[..3], ["sequenceDiagram", "title check-then-act: a b b a", "participant a as lane a"]);
        let at = |line: &str| lines.iter().position(|it| it == line).unwrap_or_else(|| panic!("{line}: {lines:#?}"));
        assert!(at("a->>store: read K") < at("store-->>a: nothing there"));
        assert!(at("store-->>a: balance 20") < at("Note over a,store: ✗ duplicate: X is in the ledger twice"));
        assert!(!lines.iter().any(|line| line.contains("lock")), "{lines:#?}");
    }

    #[test]
    fn a_lost_message_ends_in_a_cross() {
        let lines = drawn("check-then-act", "a! a a?");
        holds(&lines, "store--xa: done, and the reply lost");
        holds(&lines, "Note over a: its client is told 'unknown', and retries");
        holds(&lines, "a-xstore: read K: lost on its way there");
    }

    #[test]
    fn what_timed_out_is_an_open_arrow_and_lands_with_another() {
        let lines = drawn("check-then-act", "a a~ a a+");
        holds(&lines, "a-)store: apply X: timed out, still in flight");
        holds(&lines, "a--)store: apply X lands late");
        holds(&lines, "Note over store: balance 10, and nobody hears");
    }

    #[test]
    fn a_lease_expires_at_the_lock_service_and_a_crash_is_noted_at_its_lane() {
        let lines = drawn("etcd-lock", "a a a* b b ax");
        holds(&lines, "participant lock as lock service");
        holds(&lines, "Note over lock: the lease of a expires");
        holds(&lines, "Note over a: crash before apply X");
        holds(&lines, "a->>lock: acquire");
    }
}
