//! `schedules.json`: what schedules say about the strategies of a run.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

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

/// How many lanes move in a schedule.
fn lanes(schedule: &str) -> usize {
    let letters: BTreeSet<char> = schedule.split_whitespace().filter_map(|token| token.chars().next()).collect();
    letters.len()
}

impl Schedules {
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
    pub schedule: String,
    /// The command that replays it on the run's backends.
    pub command: String,
}
