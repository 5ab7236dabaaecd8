//! Verdicts: what the counts say of a strategy, and whether that was expected.

use super::{Faults, Tally};
use crate::fault::Level;
use crate::strategy::Claim;
use crate::terms::{Expected, Violation};

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
    /// The level asks for these faults, the strategy's operations can meet them, and they never fired.
    NeverFired(Faults),
    /// Too few requests were acknowledged.
    TooFewRequests,
}

impl Verdict {
    /// The verdict on the counts of every trial of a strategy at a fault level. Where it was not written down which operations
    /// were made, it is enough that any fault fired.
    #[must_use]
    pub fn of(tally: &Tally, claim: &Claim, level: &Level) -> Verdict {
        let missing = Faults::missing(level, &tally.made, &tally.fired);
        let counts = |violation: &Violation| claim.counts(*violation) && tally.count(*violation) > 0;
        if Violation::ALL.iter().any(counts) {
            Verdict::Invalid
        } else if tally.undecided > 0 {
            Verdict::Unknown
        } else if tally.acknowledged < ENOUGH {
            Verdict::Inconclusive(Inconclusive::TooFewRequests)
        } else if !missing.is_empty() {
            Verdict::Inconclusive(Inconclusive::NeverFired(missing))
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
    /// Why, and what to do about it.
    #[must_use]
    pub fn remedy(self) -> String {
        match self {
            Inconclusive::NeverFired(faults) => {
                format!("never fired: {faults}; raise their probabilities, or --set load.requests")
            }
            Inconclusive::TooFewRequests => {
                format!("fewer than {ENOUGH} requests were acknowledged: raise load.requests or repeats")
            }
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
    use crate::check::{Fired, Made};
    use crate::fault::Probability;
    use crate::terms::{Cause, FaultKind, Leg, Retries};
    use crate::world::OpKind;

    const CLAIM: Claim = Claim {
        promise: "a test's",
        retries: Retries::UntilAcknowledged,
        rules_out: &[Violation::Lost],
        tolerates: &[Violation::Abandoned],
        breaks: &[],
    };

    /// A thousand applied requests, of which five crashed.
    fn fit() -> Tally {
        let mut tally = Tally { requests: 1_000, acknowledged: 1_000, ..Tally::default() };
        tally.fired.add(FaultKind::Crash, None, 5);
        tally.made.add(OpKind::named("apply"), 1_000, 1_000);
        tally
    }

    /// A level that crashes handlers.
    fn crashes() -> Level {
        let mut level = Level::none();
        level.handler.crash = Probability::new(0.01).unwrap();
        level
    }

    fn verdict(tally: &Tally) -> Verdict {
        Verdict::of(tally, &CLAIM, &crashes())
    }

    fn with(mut tally: Tally, violation: Violation) -> Tally {
        tally.violations.insert((violation, Cause::Unexplained), 1);
        tally
    }

    #[test]
    fn a_fit_trial_without_violations_is_valid() {
        assert_eq!(verdict(&fit()), Verdict::Valid);
    }

    #[test]
    fn invalid_dominates_unknown_and_unknown_dominates_inconclusive() {
        let undecided = Tally { undecided: 1, ..Tally::default() };
        assert_eq!(verdict(&undecided), Verdict::Unknown);
        assert_eq!(verdict(&with(undecided, Violation::Duplicate)), Verdict::Invalid);
    }

    #[test]
    fn a_pass_is_inconclusive_where_a_fault_of_the_level_never_fired() {
        let mut level = crashes();
        assert_eq!(Verdict::of(&fit(), &CLAIM, &level), Verdict::Valid);
        level.store.reply_lost = Probability::new(0.00001).unwrap();
        let pass = Verdict::of(&fit(), &CLAIM, &level);
        let Verdict::Inconclusive(why) = pass else { panic!("{pass:?}") };
        assert!(why.remedy().contains("never fired: store.reply_lost"), "{}", why.remedy());
        // What operations cannot meet is not missing, and neither is anything where a violation was found.
        level.store.reply_lost = Probability::default();
        level.lock.reply_lost = Probability::new(0.00001).unwrap();
        assert_eq!(Verdict::of(&fit(), &CLAIM, &level), Verdict::Valid);
        let mut fired = fit();
        fired.fired = Fired::default();
        fired.fired.add(FaultKind::ReplyLost, Some(Leg::STORE), 5);
        assert_ne!(verdict(&fired), Verdict::Valid);
        assert_eq!(verdict(&with(fired, Violation::Duplicate)), Verdict::Invalid);
    }

    #[test]
    fn a_pass_needs_acknowledged_requests() {
        let few = Tally { acknowledged: 99, refused: 901, ..fit() };
        assert_eq!(verdict(&few), Verdict::Inconclusive(Inconclusive::TooFewRequests));
        assert_eq!(verdict(&Tally { acknowledged: 100, ..fit() }), Verdict::Valid);
        let refuses_all = with(Tally { acknowledged: 0, refused: 1_000, ..fit() }, Violation::Refused);
        assert_eq!(verdict(&refuses_all), Verdict::Invalid);
    }

    #[test]
    fn where_operations_were_not_written_down_it_is_enough_that_any_fault_fired() {
        let mut old = fit();
        old.made = Made::default();
        assert_eq!(verdict(&old), Verdict::Valid);
        old.fired = Fired::default();
        assert!(matches!(verdict(&old), Verdict::Inconclusive(Inconclusive::NeverFired(_))));
        assert_eq!(Verdict::of(&old, &CLAIM, &Level::none()), Verdict::Valid);
    }

    #[test]
    fn what_a_claim_tolerates_does_not_count() {
        assert_eq!(verdict(&with(fit(), Violation::Abandoned)), Verdict::Valid);
    }

    #[test]
    fn a_strategy_must_show_what_is_expected_of_it_and_nothing_that_it_rules_out() {
        let expected = Expected::Shows(vec![Violation::Duplicate, Violation::Deviating]);
        let met = |tally: &Tally| is_met(verdict(tally), Some(&expected), tally, &CLAIM);
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

    #[test]
    fn what_is_expected_to_be_valid_must_be_valid() {
        let valid = Some(&Expected::Valid);
        assert!(is_met(Verdict::Valid, valid, &fit(), &CLAIM));
        for verdict in [Verdict::Invalid, Verdict::Unknown, Verdict::Inconclusive(Inconclusive::TooFewRequests)] {
            assert!(!is_met(verdict, valid, &fit(), &CLAIM), "{verdict}");
        }
    }

    #[test]
    fn every_verdict_has_a_word_of_its_own_and_pads_it() {
        let few = Inconclusive::TooFewRequests;
        let all = [Verdict::Valid, Verdict::Invalid, Verdict::Unknown, Verdict::Inconclusive(few)];
        assert_eq!(all.map(Verdict::name), ["valid", "invalid", "unknown", "inconclusive"]);
        assert_eq!(format!("{:>8}|", Verdict::Valid), "   valid|");
        assert!(few.remedy().contains("fewer than 100 requests"), "{}", few.remedy());
    }
}
