//! The tally of a trial: how many requests, what became of them, which faults fired, which violations there were.

use std::collections::BTreeMap;

use super::{Case, Cause, Finding, Violation, Work};
use crate::fault::FaultKind;
use crate::history::What;
use crate::world::Trouble;

/// Counts, which add up over trials.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub requests: u64,
    /// Told success, by the fault-free retry at the latest.
    pub acknowledged: u64,
    /// Told that they are refused for good.
    pub refused: u64,
    /// Neither, although their client would have retried, and not in the ledger: nobody can tell what will become of them.
    pub undecided: u64,
    /// Deliveries that a client sent, the duplicates of the network included.
    pub deliveries: u64,
    /// Operations made.
    pub operations: u64,
    /// Entries in the ledger.
    pub effects: u64,
    pub events: u64,
    pub work: Work,
    pub fired: BTreeMap<FaultKind, u64>,
    pub violations: BTreeMap<(Violation, Cause), u64>,
}

impl Tally {
    /// Counts a trial.
    #[must_use]
    pub fn new(case: &Case<'_>, findings: &[Finding]) -> Self {
        let mut tally = Tally {
            requests: case.evidence.requests.len() as u64,
            effects: case.evidence.ledger.len() as u64,
            events: case.evidence.events.len() as u64,
            work: Work::of(case),
            ..Tally::default()
        };
        for event in case.evidence.events {
            match event.what {
                What::Sent { .. } => tally.deliveries += 1,
                What::Called { .. } => tally.operations += 1,
                _ => {}
            }
            let delayed = event.is_delayed().then_some(FaultKind::Delayed);
            let duplicated = event.is_duplicate().then_some(FaultKind::Duplicated);
            for fault in event.fault().into_iter().chain(delayed).chain(duplicated) {
                *tally.fired.entry(fault).or_default() += 1;
            }
        }
        for disturbed in case.evidence.disturbed {
            *tally.fired.entry(disturbed.disturbed.kind()).or_default() += 1;
        }
        for message in case.messages() {
            let told = case.told(message);
            let refused = !told.success && told.failed_at_ns.is_some() && !told.gave_up;
            let is_unknown = matches!(told.final_reply, Some(Err(Trouble::Unknown)));
            tally.acknowledged += u64::from(told.success);
            tally.refused += u64::from(refused);
            tally.undecided += u64::from(is_unknown && !case.is_applied(message));
        }
        for finding in findings {
            *tally.violations.entry((finding.violation, finding.cause)).or_default() += 1;
        }
        tally
    }

    /// Adds another trial's counts.
    pub fn add(&mut self, other: &Tally) {
        self.requests += other.requests;
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.undecided += other.undecided;
        self.deliveries += other.deliveries;
        self.operations += other.operations;
        self.effects += other.effects;
        self.events += other.events;
        self.work += other.work;
        for (fault, count) in &other.fired {
            *self.fired.entry(*fault).or_default() += count;
        }
        for (violation, count) in &other.violations {
            *self.violations.entry(*violation).or_default() += count;
        }
    }

    /// How many messages show this violation.
    #[must_use]
    pub fn count(&self, violation: Violation) -> u64 {
        self.causes(violation).map(|(_, count)| count).sum()
    }

    /// The causes of a violation, with their counts.
    pub fn causes(&self, violation: Violation) -> impl Iterator<Item = (Cause, u64)> + '_ {
        let of_kind = self.violations.iter().filter(move |((kind, _), _)| *kind == violation);
        of_kind.map(|((_, cause), count)| (*cause, *count))
    }

    /// How many faults fired, of all kinds.
    #[must_use]
    pub fn faults_fired(&self) -> u64 {
        self.fired.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::{COPY, FIRST, RETRY, Story, apply, sent};
    use crate::check::{Case, Tally, Violation, findings};
    use crate::fault::FaultKind;
    use crate::history::What;
    use crate::world::{Answer, Delivery, Response, Trouble};

    fn tally(story: &Story) -> Tally {
        let case = Case::new(story.evidence());
        Tally::new(&case, &findings(&case))
    }

    #[test]
    fn counts_what_happened() {
        let mut story = Story::of(4);
        story.at(0, 0, FIRST, sent(None)).smooth(1, 0, FIRST);
        story.at(10, 1, FIRST, sent(Some(FaultKind::RequestLost))).at(20, 1, RETRY, sent(None)).smooth(21, 1, RETRY);
        story.at(30, 2, FIRST, What::Sent { fault: None, delayed: true }).answer(31, 2, FIRST, Err(Trouble::Refused));
        story.at(40, 3, FIRST, What::GaveUp).answer(41, 3, Delivery::FINAL, Err(Trouble::Unknown));
        story
            .done(50, 0, COPY, apply(0), Response::Applied(Some(Answer(30))))
            .at(51, 0, COPY, What::Crashed)
            .entry(0, COPY);
        let tally = tally(&story);
        assert_eq!((tally.requests, tally.acknowledged, tally.refused, tally.undecided), (4, 2, 1, 1));
        assert_eq!((tally.deliveries, tally.operations, tally.effects), (4, 3, 3));
        let fired = [(FaultKind::RequestLost, 1), (FaultKind::Delayed, 1), (FaultKind::Crash, 1)];
        assert_eq!(tally.fired, fired.into());
        assert_eq!(tally.count(Violation::Duplicate), 1);
    }

    #[test]
    fn adds_up() {
        let mut story = Story::of(1);
        story.smooth(0, 0, FIRST).smooth(10, 0, RETRY);
        let one = tally(&story);
        let mut sum = one.clone();
        sum.add(&one);
        assert_eq!((sum.requests, sum.acknowledged, sum.effects), (2, 2, 4));
        assert_eq!(sum.count(Violation::Duplicate), 2);
    }
}
