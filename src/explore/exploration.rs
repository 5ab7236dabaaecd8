//! An exploration: the census, the shortest schedule for each violation it found, and whether that agrees with the claim.

use std::time::{Duration, Instant};

use crate::strategy::{Break, Claim, Strategy};
use crate::terms::{Cause, FaultKind, Retries, Violation};

use super::bound::{Bound, Kinds};
use super::by_cause::{ByCause, by_cause};
use super::census::{Census, census};
use super::limits::{Limits, Watch};
use super::shortest::{Minimal, shortest};
use super::violations::Violations;
use super::{ExploreError, Flaws};

/// What was found out about a strategy within a bound.
#[derive(Debug, Clone)]
pub struct Exploration {
    pub strategy: &'static str,
    /// Whether it handles several deliveries at once.
    pub batches: bool,
    /// The bound that was asked for.
    pub asked: Bound,
    /// The bound, as far as it makes sense for the strategy.
    pub bound: Bound,
    pub census: Census,
    /// The shortest schedule for each violation that there is, in the order of violations.
    pub minimal: Vec<Minimal>,
    /// The shortest schedule for each violation with each of its causes, if they were looked for.
    pub causes: Option<ByCause>,
    /// What counting and the shortest schedules took; a search for causes comes on top.
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
        let asked = bound;
        let flaws = Flaws::default();
        let census = census(strategy, asked, flaws, limits, watch)?;
        let wanted: Violations = census.violations.keys().copied().collect();
        let found = if wanted.is_empty() {
            Vec::new()
        } else {
            shortest(strategy, asked, flaws, wanted, limits, watch)?.minimal
        };
        let bound = asked.for_strategy(strategy);
        let elapsed = began.elapsed();
        Ok(Exploration {
            strategy: strategy.name(),
            batches: strategy.largest_batch() > 1,
            asked,
            bound,
            census,
            minimal: found,
            causes: None,
            elapsed,
        })
    }

    /// The same, with the shortest schedule for each violation with each of its causes.
    ///
    /// # Errors
    /// As [`Exploration::new`].
    pub fn with_causes(
        mut self,
        strategy: &dyn Strategy,
        limits: Limits,
        watch: &mut dyn Watch,
    ) -> Result<Self, ExploreError> {
        self.causes = Some(by_cause(strategy, self.asked, None, limits, watch)?);
        Ok(self)
    }

    /// The cause of the shortest schedule for a violation, where causes were looked for.
    #[must_use]
    pub fn cause_of(&self, minimal: &Minimal) -> Option<Cause> {
        let of_kind = |caused: &&super::Caused| caused.violation == minimal.violation;
        let cheapest = self.causes.as_ref()?.found.iter().filter(of_kind).min_by_key(|caused| caused.cost());
        cheapest.map(|caused| caused.cause)
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
pub fn unseen(claim: &Claim, has_leases: bool, explorations: &[&Exploration]) -> Vec<&'static Break> {
    let can_happen = |b: &&Break| {
        let within = |bound: &Bound| b.faults.iter().any(|fault| can_happen(*fault, claim, has_leases, bound));
        explorations.iter().any(|exploration| within(&exploration.asked))
    };
    let is_seen = |b: &&Break| {
        b.shows.iter().any(|violation| explorations.iter().any(|exploration| exploration.shows(*violation)))
    };
    claim.breaks.iter().filter(can_happen).filter(|b| !is_seen(b)).collect()
}

/// Whether a fault of a load run can happen within a bound. What repeats or delays a message is another lane; where clients never
/// retry, it is a copy, which costs a fault. What goes on while a handler stands still is another lane too, but for one that is kept
/// out by a lock: there the lease must expire, which is a fault.
fn can_happen(fault: FaultKind, claim: &Claim, has_leases: bool, bound: &Bound) -> bool {
    let is_sent_once = claim.retries == Retries::Never;
    let more_lanes = bound.requesting() > bound.requests;
    let named = || bound.faults > 0 && Kinds::of(fault).iter().any(|fate| bound.kinds.contains(fate));
    if fault.is_done_to_a_server() {
        return false;
    }
    // Where an id has another body fewer lanes carry the same: what needs them is judged without it.
    if bound.other_body || fault == FaultKind::OtherBody {
        return bound.other_body && fault == FaultKind::OtherBody && bound.requesting() >= bound.requests;
    }
    if fault == FaultKind::Duplicated && is_sent_once {
        return more_lanes && bound.faults > 0 && bound.kinds.has_repeats();
    }
    if ![FaultKind::Duplicated, FaultKind::Delayed, FaultKind::Pause].contains(&fault) {
        return named();
    }
    let waits_for_a_lease = fault == FaultKind::Pause && has_leases;
    !is_sent_once && if waits_for_a_lease { named() } else { more_lanes }
}
