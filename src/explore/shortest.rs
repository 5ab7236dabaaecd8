//! The shortest way to break a strategy: fewest faults, then fewest switches from lane to lane, then fewest steps.
//!
//! A search in the order of costs (Dijkstra's algorithm) over states and the lane that moved last. The first schedule found
//! that shows a violation is a minimum: every cheaper one was looked at before.

use std::time::{Duration, Instant};

use crate::strategy::Strategy;
use crate::terms::Violation;

use super::bound::Bound;
use super::in_order::{InOrder, InOrderEnd, SearchPlace};
use super::limits::{Limits, Watch};
use super::schedule::Schedule;
use super::state_graph::StateGraph;
use super::violations::Violations;
use super::{ExploreError, Flaws};

/// The least schedule that shows a violation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minimal {
    pub violation: Violation,
    /// It ends with the step after which the violation is there.
    pub schedule: Schedule,
    /// How many faults there are in it, copies made on the way among them.
    pub faults: usize,
    /// How long it took to find, from the beginning of the search.
    pub took: Duration,
}

impl Minimal {
    /// What makes one schedule simpler than another: fewer faults, then fewer switches, then fewer steps.
    #[must_use]
    pub fn cost(&self) -> (usize, usize, usize) {
        (self.faults, self.schedule.switches(), self.schedule.0.len())
    }
}

/// What a search for the shortest ways has found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shortest {
    pub minimal: Vec<Minimal>,
    /// The states that were looked at.
    pub states: u64,
    /// Every violation that was looked for was found, or there is none within the bound.
    pub complete: bool,
}

/// Finds the shortest schedule for each of these violations, as far as there are any within the bound.
///
/// # Errors
/// [`ExploreError`] if the strategy cannot be explored.
pub fn shortest(
    strategy: &dyn Strategy,
    bound: Bound,
    flaws: Flaws,
    wanted: Violations,
    limits: Limits,
    watch: &mut dyn Watch,
) -> Result<Shortest, ExploreError> {
    let mut whole = Shortest { complete: true, ..Shortest::default() };
    for part in bound.parts(strategy) {
        let shortest = in_part(strategy, part, flaws, wanted, limits, watch)?;
        whole.states += shortest.states;
        whole.complete &= shortest.complete;
        for minimal in shortest.minimal {
            match whole.minimal.iter_mut().find(|known| known.violation == minimal.violation) {
                Some(known) if known.cost() <= minimal.cost() => {}
                Some(known) => *known = minimal,
                None => whole.minimal.push(minimal),
            }
        }
    }
    whole.minimal.sort_by_key(|minimal| minimal.violation);
    Ok(whole)
}

fn in_part(
    strategy: &dyn Strategy,
    bound: Bound,
    flaws: Flaws,
    wanted: Violations,
    limits: Limits,
    watch: &mut dyn Watch,
) -> Result<Shortest, ExploreError> {
    let began = Instant::now();
    for tokens in [false, true] {
        let mut engine = StateGraph::new(strategy, bound, flaws, tokens)?;
        let mut minimal = Vec::new();
        let mut left = wanted;
        let mut visit = |engine: &mut StateGraph<'_>, place: &SearchPlace<'_>| {
            let mut found = engine.visible(place.state.at.seen, || place.steps())?;
            if place.is_over {
                found = found.and(engine.judge(&place.state, || place.steps())?);
            }
            for violation in found.iter().filter(|violation| left.contains(*violation)) {
                let (schedule, faults) = (Schedule(place.steps()), place.state.faults.into());
                minimal.push(Minimal { violation, schedule, faults, took: began.elapsed() });
            }
            left = left.without(found);
            Ok(!left.is_empty())
        };
        let search = InOrder { limits, most_states: u64::MAX, tags: false };
        let (went, states) = search.run(&mut engine, &mut visit, watch)?;
        if went != InOrderEnd::TokensNeeded {
            return Ok(Shortest { minimal, states, complete: went == InOrderEnd::Through });
        }
    }
    unreachable!("tokens matter already")
}
