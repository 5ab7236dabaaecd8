//! Verdicts: what the counts say of a strategy, and whether that was expected.

use super::{Tally, Violation};
use crate::load::Expected;
use crate::strategy::Claim;

/// Fewer requests than this, and a pass proves nothing: by the rule of three, 0 of 100 leaves room for 3 %.
const ENOUGH: u64 = 100;

/// What can be said of a strategy after its trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// No violation that counts against its claim, and the trials were fit to show one.
    Valid,
    /// At least one violation. Whatever else is in doubt, this is not.
    Invalid,
    /// Nobody can tell what became of some requests.
    Unknown,
    /// No violation, but the trials were not fit to show one.
    Inconclusive(Inconclusive),
}

/// Why a pass proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inconclusive {
    /// The experiment asks for faults, and none fired.
    NoFaultFired,
    /// Too few requests were acknowledged or refused.
    TooFewRequests,
}

impl Verdict {
    /// The verdict on counts. `has_faults` tells whether the fault level asks for any.
    #[must_use]
    pub fn of(tally: &Tally, claim: &Claim, has_faults: bool) -> Verdict {
        let counts = |violation: &Violation| claim.counts(*violation) && tally.count(*violation) > 0;
        if Violation::ALL.iter().any(counts) {
            Verdict::Invalid
        } else if tally.undecided > 0 {
            Verdict::Unknown
        } else if has_faults && tally.faults_fired() == 0 {
            Verdict::Inconclusive(Inconclusive::NoFaultFired)
        } else if tally.acknowledged + tally.refused < ENOUGH {
            Verdict::Inconclusive(Inconclusive::TooFewRequests)
        } else {
            Verdict::Valid
        }
    }

    /// The word for it in tables and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Valid => "valid",
            Verdict::Invalid => "invalid",
            Verdict::Unknown => "unknown",
            Verdict::Inconclusive(_) => "inconclusive",
        }
    }
}

impl Inconclusive {
    /// What to do about it.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Inconclusive::NoFaultFired => {
                "no fault fired: raise the probabilities of the level, or --set load.requests"
            }
            Inconclusive::TooFewRequests => "fewer than 100 requests finished: raise load.requests or repeats",
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// Whether a verdict is the expected one.
///
/// A strategy that should break must show every kind of violation that is expected of it, or the experiment has lost its
/// teeth; and no strategy may show a violation that its claim rules out. Without an expectation only the latter counts.
#[must_use]
pub fn is_met(verdict: Verdict, expected: Option<&Expected>, tally: &Tally, claim: &Claim) -> bool {
    let keeps_its_claim = claim.rules_out.iter().all(|violation| tally.count(*violation) == 0);
    let is_as_expected = match expected {
        None => true,
        Some(Expected::Valid) => verdict == Verdict::Valid,
        Some(Expected::Shows(kinds)) => verdict == Verdict::Invalid && kinds.iter().all(|kind| tally.count(*kind) > 0),
    };
    keeps_its_claim && is_as_expected
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Cause;
    use crate::fault::FaultKind;
    use crate::strategy::Retries;

    const CLAIM: Claim = Claim {
        promise: "a test's",
        retries: Retries::UntilAcknowledged,
        rules_out: &[Violation::Lost],
        tolerates: &[Violation::Abandoned],
        breaks: &[],
    };

    fn fit() -> Tally {
        Tally { requests: 1_000, acknowledged: 1_000, fired: [(FaultKind::Crash, 5)].into(), ..Tally::default() }
    }

    fn with(mut tally: Tally, violation: Violation) -> Tally {
        tally.violations.insert((violation, Cause::Unexplained), 1);
        tally
    }

    #[test]
    fn a_fit_trial_without_violations_is_valid() {
        assert_eq!(Verdict::of(&fit(), &CLAIM, true), Verdict::Valid);
    }

    #[test]
    fn invalid_dominates_unknown_and_unknown_dominates_inconclusive() {
        let undecided = Tally { undecided: 1, ..Tally::default() };
        assert_eq!(Verdict::of(&undecided, &CLAIM, true), Verdict::Unknown);
        assert_eq!(Verdict::of(&with(undecided, Violation::Duplicate), &CLAIM, true), Verdict::Invalid);
    }

    #[test]
    fn a_pass_without_faults_or_with_too_few_requests_is_inconclusive() {
        let quiet = Tally { fired: [].into(), ..fit() };
        assert_eq!(Verdict::of(&quiet, &CLAIM, true), Verdict::Inconclusive(Inconclusive::NoFaultFired));
        assert_eq!(Verdict::of(&quiet, &CLAIM, false), Verdict::Valid);
        let few = Tally { acknowledged: 99, ..fit() };
        assert_eq!(Verdict::of(&few, &CLAIM, true), Verdict::Inconclusive(Inconclusive::TooFewRequests));
    }

    #[test]
    fn what_a_claim_tolerates_does_not_count() {
        assert_eq!(Verdict::of(&with(fit(), Violation::Abandoned), &CLAIM, true), Verdict::Valid);
    }

    #[test]
    fn a_strategy_must_show_what_is_expected_of_it_and_nothing_that_it_rules_out() {
        let expected = Expected::Shows(vec![Violation::Duplicate, Violation::Deviating]);
        let met = |tally: &Tally| is_met(Verdict::of(tally, &CLAIM, true), Some(&expected), tally, &CLAIM);
        let both = with(with(fit(), Violation::Duplicate), Violation::Deviating);
        assert!(met(&both));
        assert!(!met(&with(fit(), Violation::Duplicate)), "an experiment that has lost its teeth");
        assert!(!met(&with(both, Violation::Lost)), "ruled out");
    }

    #[test]
    fn without_an_expectation_only_the_claim_counts() {
        assert!(is_met(Verdict::Invalid, None, &with(fit(), Violation::Duplicate), &CLAIM));
        assert!(!is_met(Verdict::Invalid, None, &with(fit(), Violation::Lost), &CLAIM));
    }
}
