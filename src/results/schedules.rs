//! `schedules.json`: what schedules say about the strategies of a run.

use serde::{Deserialize, Serialize};

/// What explorations show, and what of the run's own violations could be said as a schedule.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedules {
    /// One for each strategy that can be explored.
    pub explored: Vec<Explored>,
    /// Of each strategy's foremost recorded violation, the shortest schedule that shows the same.
    pub shortened: Vec<Shortened>,
}

impl Schedules {
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

/// The shortest schedule that shows what a strategy's first recorded violation shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shortened {
    pub strategy: String,
    pub violation: String,
    pub schedule: String,
    /// The command that replays it on the run's backends.
    pub command: String,
}
