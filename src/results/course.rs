//! The course of a trial: what happened when, and how long clients waited. Reports draw curves of it.

use serde::{Deserialize, Serialize};

use super::row::MOST;

/// Stretches of equal length since the first measured request, and the waits of acknowledged requests.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Course {
    pub stretch_ms: u64,
    /// How many requests were acknowledged in each stretch.
    pub acknowledged: Vec<u32>,
    /// How many faults happened to messages and handlers in each stretch.
    pub faults: Vec<u32>,
    /// What was done to backends.
    pub outages: Vec<OutageSpan>,
    /// How many requests waited for so many microseconds, to two digits, retries included, from the intended start.
    pub waits_us: Vec<(u64, u64)>,
}

/// Something that was done to a backend, in milliseconds since the first measured request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutageSpan {
    /// The name of the fault.
    pub what: String,
    pub server: String,
    pub from_ms: f64,
    pub until_ms: f64,
}

impl Course {
    /// What no trial's course has, if there is such a thing in this one: counts that cannot be added up.
    pub(super) fn fault(&self) -> Option<String> {
        let waits: u128 = self.waits_us.iter().map(|(_, count)| u128::from(*count)).sum();
        if waits > u128::from(u32::MAX) {
            return Some(format!("`waits_us` counts {waits} requests, and no trial has so many"));
        }
        let longest = self.waits_us.iter().map(|(us, _)| *us).max().unwrap_or(0).max(self.stretch_ms);
        (longest > MOST).then(|| format!("{longest} is longer than any trial"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_that_cannot_be_added_up_are_none_of_a_trial() {
        let course = |waits_us| Course { stretch_ms: 10, waits_us, ..Course::default() };
        assert_eq!(course(vec![(5, 1), (7, 2)]).fault(), None);
        assert!(course(vec![(5, 1), (7, u64::MAX)]).fault().unwrap().contains("18446744073709551616 requests"));
        assert!(course(vec![(u64::MAX, 1)]).fault().is_some());
    }
}
