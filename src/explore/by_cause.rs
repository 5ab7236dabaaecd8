//! The shortest way to each violation with each of its causes.
//!
//! What can happen does not depend on what led to a state, and a cause does: so states are told apart by the faults that met each
//! attempt, and by who looked while who was at work. A schedule is executed for each combination of these, and the checks say
//! which causes its history shows.

use rustc_hash::FxHashSet;

use crate::strategy::Strategy;
use crate::terms::{Cause, Violation};

use super::bound::Bound;
use super::in_order::{InOrder, InOrderEnd, SearchPlace};
use super::limits::{Limits, Watch};
use super::schedule::Schedule;
use super::state_graph::StateGraph;
use super::violations::Why;
use super::{ExploreError, Flaws};

/// The least schedule that shows a violation with this cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caused {
    pub violation: Violation,
    pub cause: Cause,
    /// It ends with the step after which the violation is there.
    pub schedule: Schedule,
    /// How many faults there are in it, copies made on the way among them.
    pub faults: usize,
    /// How many lanes there are: as few as show it.
    pub lanes: u8,
}

impl Caused {
    /// The violation and its cause.
    #[must_use]
    pub fn why(&self) -> Why {
        (self.violation, self.cause)
    }

    /// What makes one schedule simpler than another: fewer faults, then fewer switches, then fewer steps.
    #[must_use]
    pub fn cost(&self) -> (usize, usize, usize) {
        (self.faults, self.schedule.switches(), self.schedule.0.len())
    }
}

/// What a search for causes has found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ByCause {
    /// In the order of violations and causes.
    pub found: Vec<Caused>,
    /// Every pair that was looked for was found, or there is none within the bound.
    pub complete: bool,
}

/// The bounds that are searched: those that an exploration is made of, with fewer lanes first. One lane is easier to follow than two,
/// and what only the end shows needs no other lane to run to its end.
fn searched(strategy: &dyn Strategy, bound: Bound) -> Vec<Bound> {
    let fewer = |part: Bound| {
        // With fewer lanes the letters of what works for the system would be others.
        let least = if part.copies > 0 || part.residents > 0 {
            part.requesting()
        } else {
            bound.requests.max(1).min(part.requesting())
        };
        (least..=part.requesting()).map(move |lanes| part.with_requesting(lanes))
    };
    bound.parts(strategy).into_iter().flat_map(fewer).collect()
}

/// Finds the shortest schedule for each pair of a violation and a cause within the bound: of those that are wanted, or of all.
///
/// # Errors
/// [`ExploreError`] if the strategy cannot be explored.
pub fn by_cause(
    strategy: &dyn Strategy,
    bound: Bound,
    wanted: Option<&[Why]>,
    limits: Limits,
    watch: &mut dyn Watch,
) -> Result<ByCause, ExploreError> {
    let mut whole = ByCause { found: Vec::new(), complete: true };
    for part in searched(strategy, bound) {
        let more = in_part(strategy, part, wanted, limits, watch)?;
        whole.complete &= more.complete;
        for caused in more.found {
            match whole.found.iter_mut().find(|known| known.why() == caused.why()) {
                Some(known) if known.cost() <= caused.cost() => {}
                Some(known) => *known = caused,
                None => whole.found.push(caused),
            }
        }
    }
    whole.found.sort_by_key(Caused::why);
    Ok(whole)
}

fn in_part(
    strategy: &dyn Strategy,
    bound: Bound,
    wanted: Option<&[Why]>,
    limits: Limits,
    watch: &mut dyn Watch,
) -> Result<ByCause, ExploreError> {
    for tokens in [false, true] {
        let mut engine = StateGraph::new(strategy, bound, Flaws::default(), tokens)?;
        let mut found: Vec<Caused> = Vec::new();
        let mut asked: FxHashSet<(u32, u64, bool)> = FxHashSet::default();
        let mut visit = |engine: &mut StateGraph<'_>, place: &SearchPlace<'_>| {
            let mut shown = engine.visible(place.state.at.seen, || place.steps())?;
            if place.is_over {
                shown = shown.and(engine.judge(&place.state, || place.steps())?);
            }
            if shown.is_empty() || !asked.insert((place.state.at.seen, place.tag, place.is_over)) {
                return Ok(true);
            }
            let steps = place.steps();
            for why in engine.causes(&steps)? {
                let is_wanted = shown.contains(why.0) && wanted.is_none_or(|wanted| wanted.contains(&why));
                if is_wanted && !found.iter().any(|known| known.why() == why) {
                    let (schedule, faults) = (Schedule(steps.clone()), place.state.faults.into());
                    let lanes = bound.requesting();
                    found.push(Caused { violation: why.0, cause: why.1, schedule, faults, lanes });
                }
            }
            Ok(wanted.is_none_or(|wanted| found.len() < wanted.len()))
        };
        let search = InOrder { limits, most_states: limits.caused_states, tags: true };
        let (went, _) = search.run(&mut engine, &mut visit, watch)?;
        if went != InOrderEnd::TokensNeeded {
            return Ok(ByCause { found, complete: went == InOrderEnd::Through });
        }
    }
    unreachable!("tokens matter already")
}
