//! `schedules.json`: what schedules say about the strategies of a run.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::explore::Schedule;
use crate::strategy::name_fault;
use crate::terms::{Cause, Violation};

/// What explorations show, and what of the run's own violations could be said as a schedule.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedules {
    /// One for each strategy that can be explored.
    pub explored: Vec<Explored>,
    /// For each violation that a strategy showed and that counts, with each of its causes: the shortest schedule that shows the same
    /// because of the same.
    pub shortened: Vec<Shortened>,
}

/// Whether a command is one of the lab's, and no other when it is typed: words, and schedules in double quotes.
fn is_command(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-_./=:, ".contains(c);
    let in_quotes = |text: &str| text.parse::<Schedule>().is_ok();
    let mut parts = text.split('"').enumerate();
    let begins = ["oncelab explore ", "oncelab replay "].iter().any(|verb| text.starts_with(verb));
    let is_closed = text.matches('"').count().is_multiple_of(2);
    begins && is_closed && parts.all(|(n, part)| if n % 2 == 0 { part.chars().all(is_word) } else { in_quotes(part) })
}

/// How many lanes move in a schedule.
fn lanes(schedule: &str) -> usize {
    let letters: BTreeSet<char> = schedule.split_whitespace().filter_map(|token| token.chars().next()).collect();
    letters.len()
}

impl Schedules {
    /// Whether everything in it is what the lab writes: names, counts, schedules and commands.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let is_violation = |name: &str| Violation::from_name(name).is_some();
        let is_schedule = |text: &str| text.parse::<Schedule>().is_ok();
        let explored = |one: &Explored| {
            let is_count = one.schedules.bytes().all(|c| c.is_ascii_digit() || c == b'+');
            let breaks =
                |one: &Breaking| is_violation(&one.violation) && is_schedule(&one.schedule) && is_command(&one.command);
            name_fault(&one.strategy).is_none() && is_count && is_command(&one.command) && one.breaks.iter().all(breaks)
        };
        let shortened = |one: &Shortened| {
            let is_named = name_fault(&one.strategy).is_none() && Cause::from_name(&one.cause).is_some();
            is_named && is_violation(&one.violation) && is_schedule(&one.schedule) && is_command(&one.command)
        };
        self.explored.iter().all(explored) && self.shortened.iter().all(shortened)
    }

    /// The shortest schedules, each once for all that it shows: another violation with the same cause whose schedule only goes on a
    /// little is the same story.
    #[must_use]
    pub fn stories(&self) -> Vec<(Vec<&str>, &Shortened)> {
        let mut stories: Vec<(Vec<&str>, &Shortened)> = Vec::new();
        for one in &self.shortened {
            let same = stories.iter_mut().find(|(_, known)| {
                let begins = one.schedule.starts_with(&known.schedule) || known.schedule.starts_with(&one.schedule);
                let alike = (&known.strategy, &known.cause, known.faults) == (&one.strategy, &one.cause, one.faults);
                alike && begins && lanes(&one.schedule) == lanes(&known.schedule)
            });
            match same {
                Some((violations, known)) => {
                    violations.push(&one.violation);
                    if one.schedule.len() > known.schedule.len() {
                        *known = one;
                    }
                }
                None => stories.push((vec![&one.violation], one)),
            }
        }
        stories
    }

    /// What was explored of a strategy.
    #[must_use]
    pub fn explored(&self, strategy: &str) -> Option<&Explored> {
        self.explored.iter().find(|explored| explored.strategy == strategy)
    }
}

/// Every schedule of a strategy within a bound, on a model of the run's kind of store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Explored {
    pub strategy: String,
    pub lanes: u8,
    pub retries: u8,
    pub faults: u8,
    /// How many schedules there are within the bound: digits, since it may be beyond 2^53.
    pub schedules: String,
    /// Whether all of them were gone through.
    pub complete: bool,
    /// Whether no number of deliveries, retries and faults breaks it, in the model.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proved: bool,
    /// The shortest way to each violation that there is; none if nothing breaks it.
    pub breaks: Vec<Breaking>,
    /// The command that explores it again.
    pub command: String,
}

/// The shortest way to a violation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Breaking {
    pub violation: String,
    /// The fewest faults that it takes.
    pub faults: u8,
    /// How many different requests the lanes carry.
    pub requests: u8,
    pub schedule: String,
    /// The command that replays it on the run's kind of backends.
    pub command: String,
}

/// The shortest schedule that shows a violation with a cause, as a strategy's trials did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shortened {
    pub strategy: String,
    pub violation: String,
    pub cause: String,
    /// The faults in it, copies made on the way among them.
    pub faults: u8,
    /// How many different requests the lanes carry.
    pub requests: u8,
    /// Whether they carry the first one's id with another body too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub other_body: bool,
    pub schedule: String,
    /// The command that replays it on the run's backends.
    pub command: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_one_of_the_labs_and_no_other() {
        for text in [
            "oncelab explore dedup-table --faults 2 --store-model sqlite",
            "oncelab replay etcd-lock \"a b? a b\" --lock etcd",
        ] {
            assert!(is_command(text), "{text}");
        }
        for text in [
            "rm -rf /",
            "oncelab replay a \"a b\"; rm -rf /",
            "oncelab replay a \"$(rm)\"",
            "oncelab replay a \"a b",
            "oncelab explore a `rm`",
            "oncelab explore a\nrm",
        ] {
            assert!(!is_command(text), "{text}");
        }
    }
}
