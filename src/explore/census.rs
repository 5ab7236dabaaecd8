//! The census: how many schedules there are within a bound, and how many show each violation, exactly.
//!
//! Schedules that lead to the same state are counted together, and lanes with the same request are interchangeable; the
//! number of schedules that lead to a state is the sum over the states before it. Every step raises the potential of a
//! state, so states are gone through in the order of their potentials, and each of them once.

use std::collections::BTreeMap;
use std::collections::hash_map::Entry as Place;

use rustc_hash::FxHashMap;

use crate::strategy::Strategy;
use crate::terms::Violation;
use crate::world::OpKind;

use super::bound::{Bound, MAX_LANES};
use super::limits::{EVERY, Limits, Watch};
use super::schedule::{Fate, Step};
use super::state_graph::{State, StateGraph, Transition};
use super::violations::Violations;
use super::{ExploreError, Flaws, Reason};

/// How many schedules there are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Census {
    /// The schedules that were counted.
    pub schedules: u128,
    /// The states that were gone through: different ones, with interchangeable lanes taken as one.
    pub states: u64,
    /// By violation: the schedules that show it.
    pub violations: BTreeMap<Violation, u128>,
    /// Nothing is missing: neither stopped, nor out of memory.
    pub complete: bool,
    /// The places in which the strategy can stand.
    pub places: usize,
    /// An operation, if there is one, that waits after it has taken a snapshot: a server goes on with that snapshot after the wait, and
    /// the model takes a newer one. What happens then is not among the schedules.
    pub waits_unmodelled: Option<OpKind>,
    /// It was stopped because the memory that it may use was used up.
    pub out_of_memory: bool,
}

/// A state that is still to be gone through.
struct Arrival {
    /// The schedules that lead to it.
    count: u128,
    /// One of them, by its last step.
    witness: u32,
}

/// The last step of a witness: the step before it, the step, and the lanes' new places after it.
struct Predecessor {
    before: u32,
    step: Step,
    places: [u8; MAX_LANES as usize],
}

/// No step before.
const FIRST: u32 = u32::MAX;

/// The steps that lead to a link, with the lanes named as they were in the beginning.
fn steps_to(links: &[Predecessor], last: u32) -> Vec<Step> {
    let mut chain = Vec::new();
    let mut at = last;
    while at != FIRST {
        chain.push(at);
        at = links[at as usize].before;
    }
    // Which lane of the beginning is at each place.
    let mut lanes: [u8; MAX_LANES as usize] = [0, 1, 2, 3, 4, 5];
    let name = |at: &u32| {
        let Predecessor { step, places, .. } = &links[*at as usize];
        let named = Step { lane: lanes[usize::from(step.lane)], ..*step };
        let before = lanes;
        for (old, new) in places.iter().enumerate() {
            lanes[usize::from(*new)] = before[old];
        }
        named
    };
    chain.iter().rev().map(name).collect()
}

/// Counts every schedule of a strategy within a bound.
///
/// # Errors
/// [`ExploreError`] if the strategy cannot be explored. Running out of memory and being stopped are no errors: the census
/// says so, and has the figures so far.
pub fn census(
    strategy: &dyn Strategy,
    bound: Bound,
    flaws: Flaws,
    limits: Limits,
    watch: &mut dyn Watch,
) -> Result<Census, ExploreError> {
    let mut whole = Census { complete: true, ..Census::default() };
    for part in bound.parts(strategy) {
        let mut engine = StateGraph::new(strategy, part, flaws, false)?;
        let census = match count(&mut engine, limits, watch)? {
            Some(census) => census,
            None => {
                let mut engine = StateGraph::new(strategy, part, flaws, true)?;
                count(&mut engine, limits, watch)?.expect("tokens matter already")
            }
        };
        whole.add(census);
    }
    Ok(whole)
}

impl Census {
    /// Adds another part of the bound.
    fn add(&mut self, part: Census) {
        self.schedules += part.schedules;
        self.states += part.states;
        for (violation, schedules) in part.violations {
            *self.violations.entry(violation).or_default() += schedules;
        }
        self.complete &= part.complete;
        self.places = self.places.max(part.places);
        self.out_of_memory |= part.out_of_memory;
        self.waits_unmodelled = self.waits_unmodelled.or(part.waits_unmodelled);
    }

    /// Whether it says of every schedule within the bound what a server does: nothing is missing, and nothing waits in a way that the
    /// model does not know.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.complete && self.waits_unmodelled.is_none()
    }
}

/// Counts; nothing if the engine takes tokens not to matter and they do.
fn count(engine: &mut StateGraph<'_>, limits: Limits, watch: &mut dyn Watch) -> Result<Option<Census>, ExploreError> {
    let counted = count_states(engine, limits, watch)?;
    Ok(counted.map(|census| Census { waits_unmodelled: engine.memo.waits_unmodelled, ..census }))
}

fn count_states(
    engine: &mut StateGraph<'_>,
    limits: Limits,
    watch: &mut dyn Watch,
) -> Result<Option<Census>, ExploreError> {
    let mut census = Census::default();
    let mut links: Vec<Predecessor> = Vec::new();
    let mut waiting: BTreeMap<u32, FxHashMap<State, Arrival>> = BTreeMap::new();
    let mut kept: usize = 1;
    let mut ways: Vec<Transition> = Vec::new();
    let first = engine.beginning()?;
    waiting.entry(engine.potential(&first)).or_default().insert(first, Arrival { count: 1, witness: FIRST });
    while let Some((_, states)) = waiting.pop_first() {
        kept -= states.len();
        for (state, Arrival { count, witness }) in states {
            census.states += 1;
            if engine.memo.tokens_needed {
                return Ok(None);
            }
            if census.states.is_multiple_of(EVERY) {
                let bytes = kept * (size_of::<(State, Arrival)>() + 8) * 2
                    + links.capacity() * size_of::<Predecessor>()
                    + engine.memo.bytes();
                census.out_of_memory = bytes > limits.memory_bytes;
                if census.out_of_memory || !watch.goes_on(census.states, census.schedules) {
                    census.places = engine.tree.len();
                    return Ok(Some(census));
                }
            }
            if engine.is_over(&state) {
                census.schedules += count;
                let found = engine.judge(&state, || steps_to(&links, witness))?;
                for violation in found.iter() {
                    *census.violations.entry(violation).or_default() += count;
                }
                continue;
            }
            engine.ways(&state, &mut ways)?;
            for Transition { step, to } in &ways {
                let (to, places) = engine.canonical(to);
                match waiting.entry(engine.potential(&to)).or_default().entry(to) {
                    Place::Occupied(mut arrival) => arrival.get_mut().count += count,
                    Place::Vacant(place) => {
                        let link = u32::try_from(links.len())
                            .map_err(|_| Reason::TooLarge { what: "more than 2^32 states".to_owned() })?;
                        links.push(Predecessor { before: witness, step: *step, places });
                        place.insert(Arrival { count, witness: link });
                        kept += 1;
                    }
                }
            }
        }
    }
    census.complete = true;
    census.places = engine.tree.len();
    // The last step may have been the one that needed a token.
    Ok(if engine.memo.tokens_needed { None } else { Some(census) })
}

/// Counts every schedule one by one, without merging anything, depth first: for comparison. Says how many show each set of
/// violations.
///
/// # Errors
/// As [`census`].
pub fn one_by_one(
    strategy: &dyn Strategy,
    bound: Bound,
    flaws: Flaws,
) -> Result<(u64, BTreeMap<Violation, u128>), ExploreError> {
    let mut found: Vec<(Violations, u64)> = Vec::new();
    let mut schedules = 0;
    for part in bound.parts(strategy) {
        let mut engine = StateGraph::new(strategy, part, flaws, true)?;
        let mut first = engine.beginning()?;
        schedules += match part.actors > 0 || part.has_batch() {
            false => go_on(&mut engine, &mut first, &mut Vec::new(), &mut found)?,
            true => go_on_by_copies(&mut engine, &first, &mut Vec::new(), &mut found)?,
        };
    }
    let mut by_kind = BTreeMap::new();
    for (violations, count) in found {
        for violation in violations.iter() {
            *by_kind.entry(violation).or_default() += u128::from(count);
        }
    }
    Ok((schedules, by_kind))
}

/// The same where other lanes change with one: its actors, or the one whose request is in its batch.
fn go_on_by_copies(
    engine: &mut StateGraph<'_>,
    state: &State,
    path: &mut Vec<Step>,
    found: &mut Vec<(Violations, u64)>,
) -> Result<u64, ExploreError> {
    if engine.is_over(state) {
        return go_on(engine, &mut { *state }, path, found);
    }
    let (mut ways, mut schedules) = (Vec::new(), 0);
    engine.ways(state, &mut ways)?;
    for Transition { step, to } in ways {
        path.push(step);
        schedules += go_on_by_copies(engine, &to, path, found)?;
        path.pop();
    }
    Ok(schedules)
}

fn go_on(
    engine: &mut StateGraph<'_>,
    state: &mut State,
    path: &mut Vec<Step>,
    found: &mut Vec<(Violations, u64)>,
) -> Result<u64, ExploreError> {
    if engine.is_over(state) {
        let verdict = engine.judge(state, || path.clone())?;
        match found.iter_mut().find(|(violations, _)| *violations == verdict) {
            Some((_, count)) => *count += 1,
            None => found.push((verdict, 1)),
        }
        return Ok(1);
    }
    let mut schedules = 0;
    let mut moves = false;
    let in_flight = state.at.flights != 0;
    // Only the lane that moves changes, and with it the backends: that is what is put back.
    let (at, faults) = (state.at, state.faults);
    for lane in 0..engine.bound.lanes {
        let before = state.lanes[usize::from(lane)];
        let fates = match (before.is_ended(), in_flight, faults < engine.bound.faults) {
            (true, false, _) => &[],
            (true, true, _) => &[Fate::Lands][..],
            (false, false, false) => &[Fate::Arrives],
            (false, true, false) => &[Fate::Arrives, Fate::Lands],
            (false, _, true) => &Fate::ALL,
        };
        let waits = [Fate::Queues];
        let may_wait = !before.is_ended() && engine.bound.kinds.contains(Fate::Queues);
        for fate in fates.iter().chain(waits.iter().filter(|_| may_wait)) {
            let step = Step { lane, fate: *fate };
            if engine.make(state, step)? {
                moves |= !fate.is_fault();
                path.push(step);
                schedules += go_on(engine, state, path, found)?;
                path.pop();
                state.lanes[usize::from(lane)] = before;
                (state.at, state.faults) = (at, faults);
            }
        }
    }
    if !moves {
        let mut ways = Vec::new();
        engine.ways(state, &mut ways)?;
        for Transition { step, mut to } in ways.into_iter().filter(|way| !way.step.fate.is_fault()) {
            path.push(step);
            schedules += go_on(engine, &mut to, path, found)?;
            path.pop();
        }
    }
    Ok(schedules)
}
