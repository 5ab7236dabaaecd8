//! What stands behind the claim of one strategy: its schedules, their replays, its conformance, and a run.

use serde_json::{Value, json};

use crate::exit;
use crate::replay::Conformed;
use crate::terms::{Cause, Violation};

/// A shortest schedule, and how often it shows its violation on real backends.
pub(super) struct Hit {
    pub violation: Violation,
    pub cause: Cause,
    pub requests: u8,
    pub schedule: String,
    pub hits: usize,
    pub times: usize,
    pub divergences: usize,
}

/// What a run of one strategy came to, under one fault level.
pub(super) struct RunCell {
    pub acknowledged: u64,
    /// The violations that were seen, with how many there were.
    pub violations: Vec<(String, u64)>,
    pub met: bool,
    /// It could not have shown a violation.
    pub inconclusive: bool,
    pub command: String,
}

/// The row of a strategy.
pub(super) struct EvidenceRow {
    pub strategy: &'static str,
    /// Lanes of what works for the system come behind those of its deliveries.
    pub has_residents: bool,
    /// What the schedules within the bound say of its claim, as an exit code.
    pub explored: u8,
    pub schedules: Vec<Hit>,
    /// Nothing if the store has no model of its own.
    pub conformed: Option<Conformed>,
    /// Nothing if it was left out.
    pub run: Option<Vec<RunCell>>,
}

impl EvidenceRow {
    /// The exit code that the row calls for.
    pub fn code(&self) -> u8 {
        let misses = |hit: &Hit| hit.hits < hit.times || hit.divergences > 0;
        let diverges = self.conformed.as_ref().is_some_and(|conformed| conformed.divergences > 0);
        let unmet = self.run.iter().flatten().any(|cell| !cell.met && !cell.inconclusive);
        let undecided = self.run.iter().flatten().any(|cell| cell.inconclusive);
        if self.explored == exit::BROKEN || self.schedules.iter().any(misses) || diverges || unmet {
            exit::BROKEN
        } else if undecided || self.conformed.as_ref().is_some_and(|conformed| !conformed.complete) {
            exit::INCONCLUSIVE
        } else {
            self.explored
        }
    }

    /// Its cells in a table.
    pub fn cells(&self) -> Vec<Vec<String>> {
        let explored = match self.explored {
            exit::MET => "agrees",
            exit::BROKEN => "DISAGREES",
            _ => "not decided",
        };
        let hits: usize = self.schedules.iter().map(|hit| hit.hits).sum();
        let times: usize = self.schedules.iter().map(|hit| hit.times).sum();
        let replayed =
            if self.schedules.is_empty() { "nothing to show".to_owned() } else { format!("{hits} of {times}") };
        let conformed = self
            .conformed
            .as_ref()
            .map_or("no model".to_owned(), |conformed| format!("{} of {}", conformed.divergences, conformed.replayed));
        let run = match &self.run {
            None => vec!["left out".to_owned()],
            Some(cells) => cells.iter().flat_map(RunCell::words).collect(),
        };
        let one = |text: String| vec![text];
        vec![one(self.strategy.to_owned()), one(explored.to_owned()), one(replayed), one(conformed), run]
    }

    pub fn as_json(&self) -> Value {
        let schedule = |hit: &Hit| {
            json!({
                "violation": hit.violation.name(),
                "cause": hit.cause.name(),
                "requests": hit.requests,
                "schedule": hit.schedule,
                "hits": hit.hits,
                "times": hit.times,
                "divergences": hit.divergences,
            })
        };
        let cell = |cell: &RunCell| {
            json!({
                "acknowledged": cell.acknowledged,
                "violations": cell.violations.iter().map(|(name, count)| (name.clone(), json!(count))).collect::<serde_json::Map<_, _>>(),
                "met": cell.met,
                "inconclusive": cell.inconclusive,
                "command": cell.command,
            })
        };
        json!({
            "strategy": self.strategy,
            "agrees": match self.explored {
                exit::MET => Some(true),
                exit::BROKEN => Some(false),
                _ => None,
            },
            "schedules": self.schedules.iter().map(schedule).collect::<Vec<_>>(),
            "conformed": self.conformed.as_ref().map(|conformed| json!({
                "classes": conformed.classes.map(|classes| classes.to_string()),
                "replayed": conformed.replayed,
                "divergences": conformed.divergences,
            })),
            "run": self.run.as_ref().map(|cells| cells.iter().map(cell).collect::<Vec<_>>()),
            "holds": self.code() == exit::MET,
        })
    }
}

impl RunCell {
    /// What was seen, one thing a line.
    fn words(&self) -> Vec<String> {
        let mut words: Vec<String> = self.violations.iter().map(|(name, count)| format!("{count} {name}")).collect();
        if words.is_empty() {
            words.push(format!("0 of {}", self.acknowledged));
        }
        if self.inconclusive {
            words.push("inconclusive".to_owned());
        } else if !self.met {
            words.push("NOT as expected".to_owned());
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(hits: usize, met: bool) -> EvidenceRow {
        let hit = Hit {
            violation: Violation::Duplicate,
            cause: Cause::Redelivery,
            requests: 1,
            schedule: "a b".to_owned(),
            hits,
            times: 100,
            divergences: 0,
        };
        let cell =
            RunCell { acknowledged: 2_500, violations: Vec::new(), met, inconclusive: false, command: String::new() };
        EvidenceRow {
            strategy: "x",
            has_residents: false,
            explored: exit::MET,
            schedules: vec![hit],
            conformed: None,
            run: Some(vec![cell]),
        }
    }

    #[test]
    fn a_row_holds_if_every_replay_hits_and_the_run_is_as_expected() {
        assert_eq!(row(100, true).code(), exit::MET);
        assert_eq!(row(99, true).code(), exit::BROKEN);
        assert_eq!(row(100, false).code(), exit::BROKEN);
        assert_eq!(EvidenceRow { explored: exit::INCONCLUSIVE, ..row(100, true) }.code(), exit::INCONCLUSIVE);
        let mut undecided = row(100, false);
        undecided.run.iter_mut().flatten().for_each(|cell| cell.inconclusive = true);
        assert_eq!(undecided.code(), exit::INCONCLUSIVE);
        assert_eq!(row(100, false).cells()[4], [vec!["0 of 2500", "NOT as expected"]].concat());
        assert_eq!(row(99, true).as_json()["holds"], false);
    }
}
