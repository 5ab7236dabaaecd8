//! The shortest way to break a strategy: fewest faults, then fewest switches from lane to lane, then fewest steps.
//!
//! A search in the order of costs (Dijkstra's algorithm) over states and the lane that moved last. The first schedule found
//! that shows a violation is a minimum: every cheaper one was looked at before.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use rustc_hash::FxHashSet;

use crate::check::Violation;
use crate::strategy::Strategy;

use super::bound::Bound;
use super::engine::{Engine, State, Violations, Way};
use super::limits::{EVERY, Limits, Watch};
use super::schedule::{Fate, Schedule, Step};
use super::{ExploreError, Flaws, Reason};

/// The least schedule that shows a violation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minimal {
    pub violation: Violation,
    /// It ends with the step after which the violation is there.
    pub schedule: Schedule,
    /// How long it took to find, from the beginning of the search.
    pub took: Duration,
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

/// A state on the way.
struct Node {
    state: State,
    before: u32,
    step: Step,
}

/// No lane has moved, and no step was made.
const NONE: u32 = u32::MAX;

/// Faults, switches and steps: compared in this order.
type Cost = (u8, u16, u16);

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
    let bound = bound.for_strategy(strategy);
    let mut engine = Engine::new(strategy, bound, flaws, false)?;
    match search(&mut engine, wanted, limits, watch)? {
        Some(shortest) => Ok(shortest),
        None => {
            let mut engine = Engine::new(strategy, bound, flaws, true)?;
            search(&mut engine, wanted, limits, watch).map(|shortest| shortest.expect("tokens matter already"))
        }
    }
}

fn search(
    engine: &mut Engine<'_>,
    wanted: Violations,
    limits: Limits,
    watch: &mut dyn Watch,
) -> Result<Option<Shortest>, ExploreError> {
    let began = Instant::now();
    let mut shortest = Shortest::default();
    let mut left = wanted;
    let mut nodes: Vec<Node> = Vec::new();
    let mut done: FxHashSet<(State, u8)> = FxHashSet::default();
    let mut queue: BinaryHeap<Reverse<(Cost, u32)>> = BinaryHeap::new();
    let mut ways: Vec<Way> = Vec::new();
    let first = engine.beginning()?;
    nodes.push(Node { state: first, before: NONE, step: Step { lane: u8::MAX, fate: Fate::Arrives } });
    queue.push(Reverse(((0, 0, 0), 0)));
    while let Some(Reverse(((_, switches, steps), at))) = queue.pop() {
        if left.is_empty() {
            break;
        }
        let Node { state, step: last, .. } = nodes[at as usize];
        if !done.insert((state, last.lane)) {
            continue;
        }
        shortest.states += 1;
        if shortest.states.is_multiple_of(EVERY) {
            let bytes = nodes.capacity() * size_of::<Node>()
                + done.capacity() * size_of::<(State, u8)>() * 2
                + engine.tables.bytes();
            if bytes > limits.memory_bytes || !watch.goes_on(shortest.states, 0) {
                return Ok(Some(shortest));
            }
        }
        let over = engine.is_over(&state);
        let mut found = engine.visible(state.at.seen, || steps_to(&nodes, at))?;
        if over {
            found = found.and(engine.judge(&state, || steps_to(&nodes, at))?);
        }
        for violation in found.iter().filter(|violation| left.contains(*violation)) {
            let schedule = Schedule(steps_to(&nodes, at));
            shortest.minimal.push(Minimal { violation, schedule, took: began.elapsed() });
        }
        left = left.without(found);
        if over {
            continue;
        }
        engine.ways(&state, &mut ways)?;
        if engine.tables.tokens_needed {
            return Ok(None);
        }
        for Way { step, to } in &ways {
            if begins_out_of_order(engine, &state, *step) || done.contains(&(*to, step.lane)) {
                continue;
            }
            let switched = last.lane != u8::MAX && last.lane != step.lane;
            let cost = (to.faults, switches + u16::from(switched), steps + 1);
            let number = u32::try_from(nodes.len())
                .map_err(|_| Reason::TooLarge { what: "more than 2^32 states".to_owned() })?;
            nodes.push(Node { state: *to, before: at, step: *step });
            queue.push(Reverse((cost, number)));
        }
    }
    shortest.complete = true;
    shortest.minimal.sort_by_key(|minimal| minimal.violation);
    Ok(Some(shortest))
}

/// Of lanes with the same request, which are interchangeable, an earlier one moves first.
fn begins_out_of_order(engine: &Engine<'_>, state: &State, step: Step) -> bool {
    let requests = engine.bound.requests.max(1);
    let has_not_moved = |lane: u8| {
        let lane = state.lanes[usize::from(lane)];
        lane.attempt == 0 && lane.flags == 0 && engine.automaton.depth(lane.node) == 0
    };
    step.lane >= requests && has_not_moved(step.lane) && has_not_moved(step.lane - requests)
}

fn steps_to(nodes: &[Node], last: u32) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut at = last;
    while nodes[at as usize].before != NONE {
        steps.push(nodes[at as usize].step);
        at = nodes[at as usize].before;
    }
    steps.reverse();
    steps
}
