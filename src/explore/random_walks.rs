//! Walks: schedules drawn at random, for bounds that are too large to go through.

use std::collections::BTreeMap;

use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use crate::strategy::Strategy;
use crate::terms::Violation;

use super::bound::Bound;
use super::limits::{Limits, Watch};
use super::schedule::{Fate, Schedule, Step};
use super::shortest::shortest;
use super::state_graph::{State, StateGraph, Transition};
use super::violations::Violations;
use super::{ExploreError, Flaws};

/// How a walk chooses its steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walk {
    /// Each step with the same probability as every other that can be made.
    Random,
    /// The lanes have priorities, and the first of them that can go on does; at a few places, drawn beforehand, it falls behind
    /// all others. Finds a bug that takes `depth` such places with a probability that has a lower bound.
    ///
    /// Source: S. Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs" (ASPLOS 2010).
    Pct { depth: u8 },
    /// A lane goes on with a probability in proportion to the operations that it still has to make, so that every interleaving
    /// of lanes with so many operations is as likely as every other.
    ///
    /// Source: H. Zhao et al., "Selectively Uniform Concurrency Testing" (ASPLOS 2025).
    Uniform,
}

/// What walks have found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Walked {
    pub walks: u64,
    /// By violation: the walks that showed it.
    pub violations: BTreeMap<Violation, u64>,
    /// By violation: the first schedule that showed it.
    pub first: BTreeMap<Violation, Schedule>,
}

/// Walks so often, from a seed: the same seed, the same walks.
///
/// # Errors
/// [`ExploreError`] if the strategy cannot be explored.
pub fn walk(
    strategy: &dyn Strategy,
    bound: Bound,
    kind: Walk,
    walks: u64,
    seed: u64,
    watch: &mut dyn Watch,
) -> Result<Walked, ExploreError> {
    let bound = bound.for_strategy(strategy);
    let mut engine = StateGraph::new(strategy, bound, Flaws::default(), true)?;
    let mut walked = Walked::default();
    let length = solo_length(&mut engine)?;
    for number in 0..walks {
        if number.is_multiple_of(1024) && !watch.goes_on(number, u128::from(number)) {
            break;
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(number);
        let (schedule, found) = one_walk(&mut engine, kind, length, &mut rng)?;
        walked.walks += 1;
        for violation in found.iter() {
            *walked.violations.entry(violation).or_default() += 1;
            walked.first.entry(violation).or_insert_with(|| schedule.clone());
        }
    }
    Ok(walked)
}

/// The shortest schedule that shows a violation, given that one was found: nothing cheaper can be missed, since it is searched
/// for with as many faults. None if the search ran out of memory.
///
/// # Errors
/// [`ExploreError`] if the strategy cannot be explored.
pub fn shorten(
    strategy: &dyn Strategy,
    bound: Bound,
    violation: Violation,
    found: &Schedule,
    limits: Limits,
    watch: &mut dyn Watch,
) -> Result<Option<Schedule>, ExploreError> {
    let faults = u8::try_from(found.faults()).unwrap_or(u8::MAX).min(bound.faults);
    let wanted: Violations = [violation].into_iter().collect();
    let found = shortest(strategy, Bound { faults, ..bound }, Flaws::default(), wanted, limits, watch)?;
    Ok(found.minimal.into_iter().next().map(|minimal| minimal.schedule))
}

/// How many operations a lane makes if it is alone and nothing fails.
fn solo_length(engine: &mut StateGraph<'_>) -> Result<usize, ExploreError> {
    let mut state = engine.beginning()?;
    let mut length = 0;
    while let Some(to) = engine.step(&state, Step { lane: 0, fate: Fate::Arrives })? {
        state = to;
        length += 1;
    }
    Ok(length.max(1))
}

fn one_walk(
    engine: &mut StateGraph<'_>,
    kind: Walk,
    length: usize,
    rng: &mut ChaCha8Rng,
) -> Result<(Schedule, Violations), ExploreError> {
    let lanes = engine.bound.lanes;
    let whole = length * usize::from(lanes);
    let mut priorities: Vec<u8> = (0..lanes).collect();
    priorities.shuffle(rng);
    // Where the lane that would go on falls behind, and where there is a fault.
    let places = |count: u8, rng: &mut ChaCha8Rng| (0..count).map(|_| rng.random_range(0..whole)).collect::<Vec<_>>();
    let changes = match kind {
        Walk::Pct { depth } => places(depth.saturating_sub(1), rng),
        _ => Vec::new(),
    };
    let count = if engine.bound.faults > 0 { rng.random_range(0..=engine.bound.faults) } else { 0 };
    let faults = places(count, rng);
    let mut state = engine.beginning()?;
    let mut schedule = Schedule::default();
    let mut ways = Vec::new();
    while !engine.is_over(&state) {
        engine.ways(&state, &mut ways)?;
        let at = schedule.0.len();
        if changes.contains(&at) {
            let first = priorities.remove(0);
            priorities.push(first);
        }
        let way = match kind {
            Walk::Random => ways[rng.random_range(0..ways.len())],
            _ => {
                let lane = match kind {
                    Walk::Uniform => in_proportion(engine, &state, &ways, length, rng),
                    _ => priorities.iter().copied().find(|lane| ways.iter().any(|way| way.step.lane == *lane)),
                };
                let wants_fault = faults.contains(&at);
                let of_lane = |way: &&Transition| lane.is_none_or(|lane| way.step.lane == lane);
                let fitting: Vec<&Transition> =
                    ways.iter().filter(of_lane).filter(|way| way.step.fate.is_fault() == wants_fault).collect();
                let fitting = if fitting.is_empty() { ways.iter().filter(of_lane).collect() } else { fitting };
                *fitting[rng.random_range(0..fitting.len())]
            }
        };
        schedule.0.push(way.step);
        state = way.to;
    }
    let found = engine.judge(&state, || schedule.0.clone())?;
    Ok((schedule, found))
}

/// A lane that can go on, with a probability in proportion to what it still has to do.
fn in_proportion(
    engine: &StateGraph<'_>,
    state: &State,
    ways: &[Transition],
    length: usize,
    rng: &mut ChaCha8Rng,
) -> Option<u8> {
    let left = |lane: u8| {
        if !ways.iter().any(|way| way.step.lane == lane && !way.step.fate.is_fault()) {
            return 0;
        }
        let lane = state.lanes[usize::from(lane)];
        let done = if lane.is_ended() { length } else { usize::from(engine.tree.depth(lane.node)) };
        length.saturating_sub(done).max(1)
    };
    let total: usize = (0..engine.bound.lanes).map(left).sum();
    let mut drawn = rng.random_range(0..total.max(1));
    (0..engine.bound.lanes).find(|lane| {
        let its = left(*lane);
        let is_drawn = drawn < its;
        drawn = drawn.saturating_sub(its);
        is_drawn
    })
}
