//! An exploration: the census, the shortest schedule for each violation it found, and whether that agrees with the claim.

use std::time::{Duration, Instant};

use crate::check::Violation;
use crate::fault::FaultKind;
use crate::strategy::{Break, Claim, Strategy};

use super::bound::{Bound, Kinds};
use super::census::{Census, census};
use super::engine::Violations;
use super::limits::{Limits, Watch};
use super::shortest::{Minimal, shortest};
use super::{ExploreError, Flaws};

/// What was found out about a strategy within a bound.
#[derive(Debug, Clone)]
pub struct Exploration {
    pub strategy: &'static str,
    /// The bound, as far as it makes sense for the strategy.
    pub bound: Bound,
    pub census: Census,
    /// The shortest schedule for each violation that there is, in the order of violations.
    pub minimal: Vec<Minimal>,
    pub elapsed: Duration,
}

impl Exploration {
    /// Explores a strategy.
    ///
    /// # Errors
    /// [`ExploreError`] if it cannot be explored. Being stopped and running out of memory are no errors: the census is not
    /// complete then.
    pub fn new(
        strategy: &dyn Strategy,
        bound: Bound,
        limits: Limits,
        watch: &mut dyn Watch,
    ) -> Result<Self, ExploreError> {
        let began = Instant::now();
        let bound = bound.for_strategy(strategy);
        let flaws = Flaws::default();
        let census = census(strategy, bound, flaws, limits, watch)?;
        let wanted: Violations = census.violations.keys().copied().collect();
        let found = if wanted.is_empty() {
            Vec::new()
        } else {
            shortest(strategy, bound, flaws, wanted, limits, watch)?.minimal
        };
        Ok(Exploration { strategy: strategy.name(), bound, census, minimal: found, elapsed: began.elapsed() })
    }

    /// Whether any schedule shows this violation.
    #[must_use]
    pub fn shows(&self, violation: Violation) -> bool {
        self.census.violations.contains_key(&violation)
    }

    /// The violations that the claim rules out and that there are.
    #[must_use]
    pub fn broken_promises(&self, claim: &Claim) -> Vec<Violation> {
        claim.rules_out.iter().copied().filter(|violation| self.shows(*violation)).collect()
    }
}

/// The breaks of a claim of which there is nothing to be seen in any of these explorations, although their faults can happen
/// in one of them.
#[must_use]
pub fn unseen(claim: &Claim, explorations: &[&Exploration]) -> Vec<&'static Break> {
    let can_happen = |b: &&Break| {
        explorations.iter().any(|exploration| b.faults.iter().any(|fault| can_happen(*fault, &exploration.bound)))
    };
    let is_seen = |b: &&Break| {
        b.shows.iter().any(|violation| explorations.iter().any(|exploration| exploration.shows(*violation)))
    };
    claim.breaks.iter().filter(can_happen).filter(|b| !is_seen(b)).collect()
}

/// Whether a fault of a load run can happen within a bound. What repeats or delays a message is another lane; so is what goes
/// on while a handler stands still.
fn can_happen(fault: FaultKind, bound: &Bound) -> bool {
    match fault {
        FaultKind::Duplicated | FaultKind::Delayed | FaultKind::Pause => bound.lanes > bound.requests,
        FaultKind::ServerPaused | FaultKind::ServerKilled | FaultKind::Partition => false,
        _ => bound.faults > 0 && Kinds::of(fault).iter().any(|fate| bound.kinds.contains(fate)),
    }
}
