//! Going through states in the order of what it costs to come there (Dijkstra's algorithm): fewest faults, then fewest switches
//! from lane to lane, then fewest steps.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashSet;

use super::bound::Bound;
use super::limits::{EVERY, Limits, Watch};
use super::schedule::{Fate, Step};
use super::state_graph::{State, StateGraph, Transition};
use super::{ExploreError, Reason};
use crate::terms::{Leg, Role};
use crate::world::Acts;

/// How states are gone through.
pub(super) struct InOrder {
    pub limits: Limits,
    /// How many states are looked at before the search is given up.
    pub most_states: u64,
    /// Whether states differ by what led to them: which faults met which lanes, and who looked while who was at work. Causes depend on
    /// that, and what can happen does not.
    pub tags: bool,
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InOrderEnd {
    /// Nothing was left, or the visitor had enough.
    Through,
    /// It was stopped, or had used up what it may use.
    Stopped,
    /// An operation has a token: the search must begin again with an engine to which tokens matter.
    TokensNeeded,
}

/// A state that a search has come to.
pub(super) struct SearchPlace<'n> {
    pub state: State,
    pub is_over: bool,
    /// What led to it, as far as causes depend on it.
    pub tag: u64,
    nodes: &'n [SearchNode],
    at: u32,
}

impl SearchPlace<'_> {
    /// The steps that lead there.
    pub fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut at = self.at;
        while self.nodes[at as usize].before != NONE {
            steps.push(self.nodes[at as usize].step);
            at = self.nodes[at as usize].before;
        }
        steps.reverse();
        steps
    }
}

/// A state on the way.
struct SearchNode {
    state: State,
    tag: u64,
    before: u32,
    step: Step,
}

/// No lane has moved, and no step was made.
const NONE: u32 = u32::MAX;

/// Faults, switches and steps: compared in this order.
type SearchCost = (u8, u16, u16);

impl InOrder {
    /// Goes through the states, until `visit` says that it is enough. Says how it ended, and how many states there were.
    ///
    /// # Errors
    /// [`ExploreError`] if the strategy cannot be explored.
    pub fn run(
        &self,
        engine: &mut StateGraph<'_>,
        visit: &mut dyn FnMut(&mut StateGraph<'_>, &SearchPlace<'_>) -> Result<bool, ExploreError>,
        watch: &mut dyn Watch,
    ) -> Result<(InOrderEnd, u64), ExploreError> {
        let mut states: u64 = 0;
        let mut nodes: Vec<SearchNode> = Vec::new();
        let mut done: FxHashSet<(State, u64, u8)> = FxHashSet::default();
        let mut queue: BinaryHeap<Reverse<(SearchCost, u32)>> = BinaryHeap::new();
        let mut ways: Vec<Transition> = Vec::new();
        let first = engine.beginning()?;
        nodes.push(SearchNode {
            state: first,
            tag: 0,
            before: NONE,
            step: Step { lane: u8::MAX, fate: Fate::Arrives },
        });
        queue.push(Reverse(((first.faults, 0, 0), 0)));
        while let Some(Reverse(((_, switches, steps), at))) = queue.pop() {
            let SearchNode { state, tag, step: last, .. } = nodes[at as usize];
            if !done.insert((state, tag, last.lane)) {
                continue;
            }
            states += 1;
            if states.is_multiple_of(EVERY) {
                let bytes = nodes.capacity() * size_of::<SearchNode>()
                    + done.capacity() * size_of::<(State, u64, u8)>() * 2
                    + engine.memo.bytes();
                if bytes > self.limits.memory_bytes || !watch.goes_on(states, 0) {
                    return Ok((InOrderEnd::Stopped, states));
                }
            }
            if states > self.most_states {
                return Ok((InOrderEnd::Stopped, states));
            }
            let is_over = engine.is_over(&state);
            if !visit(engine, &SearchPlace { state, is_over, tag, nodes: &nodes, at })? {
                return Ok((InOrderEnd::Through, states));
            }
            if is_over {
                continue;
            }
            engine.ways(&state, &mut ways)?;
            if engine.memo.tokens_needed {
                return Ok((InOrderEnd::TokensNeeded, states));
            }
            for Transition { step, to } in &ways {
                let tag = if self.tags { tag.wrapping_add(tag_of(engine, &state, *step)) } else { 0 };
                if begins_out_of_order(engine, &state, *step) || done.contains(&(*to, tag, step.lane)) {
                    continue;
                }
                let switched = last.lane != u8::MAX && last.lane != step.lane;
                let cost = (to.faults, switches + u16::from(switched), steps + 1);
                let number = u32::try_from(nodes.len())
                    .map_err(|_| Reason::TooLarge { what: "more than 2^32 states".to_owned() })?;
                nodes.push(SearchNode { state: *to, tag, before: at, step: *step });
                queue.push(Reverse((cost, number)));
            }
        }
        Ok((InOrderEnd::Through, states))
    }
}

/// What a step adds to a tag: a fault that meets an attempt at one of its operations, a look while another attempt is at work, and which attempt came first
/// and which second with an effect. The sum of mixed numbers does not depend on their order.
fn tag_of(engine: &StateGraph<'_>, state: &State, step: Step) -> u64 {
    let lane = state.lanes[usize::from(step.lane)];
    let who = |number: u8| u64::from(number) << 8 | u64::from(state.lanes[usize::from(number)].attempt);
    let mut tag = 0_u64;
    let mut add = |kind: u64, what: u64| tag = tag.wrapping_add(mixed(kind << 48 | what));
    if step.fate != Fate::Arrives {
        let depth = if lane.is_ended() { 0 } else { engine.tree.depth(lane.node) };
        add(1, who(step.lane) << 16 | u64::from(depth) << 8 | step.fate as u64);
    }
    let op = if lane.is_ended() { None } else { engine.tree.op(lane.node) };
    let may_apply = match step.fate {
        Fate::Lands => true,
        Fate::Arrives | Fate::ReplyLost => op.is_some_and(|op| op.acts().may_apply()),
        Fate::RequestLost | Fate::TimesOut | Fate::Crashes | Fate::Expires | Fate::Queues => false,
    };
    if may_apply {
        let flight =
            || engine.memo.flights(state.at.flights).iter().find(|flight| flight.lane == step.lane).map(|it| it.op);
        let role = if step.fate == Fate::Lands { flight() } else { op }.map_or(Role::STORE, |op| op.role);
        let effects = engine.memo.seen(state.at.seen).effects(engine.bound.request_of(step.lane), role);
        add(3, who(step.lane) << 8 | u64::from(effects));
        if engine.bound.carries_batch(step.lane, lane.attempt) {
            let effects = engine.memo.seen(state.at.seen).effects(engine.bound.request_of(Bound::IN_BATCH), role);
            add(3, who(Bound::IN_BATCH) << 8 | u64::from(effects));
        }
    }
    if step.fate == Fate::Arrives && op.is_some_and(|op| op.leg() != Leg::LOCK && op.acts().any(Acts::LOOKS)) {
        let at_work = |other: &u8| {
            let its = state.lanes[usize::from(*other)];
            *other != step.lane && !its.is_ended() && engine.tree.depth(its.node) > 0
        };
        (0..engine.bound.lanes).filter(at_work).for_each(|other| add(2, who(step.lane) << 16 | who(other)));
    }
    tag
}

/// A number as good as drawn (SplitMix64's finalizer: S. Vigna, "An experimental exploration of Marsaglia's xorshift generators").
fn mixed(number: u64) -> u64 {
    let once = (number ^ number >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let twice = (once ^ once >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    twice ^ twice >> 31
}

/// Of lanes with the same request, which are interchangeable, an earlier one moves first.
fn begins_out_of_order(engine: &StateGraph<'_>, state: &State, step: Step) -> bool {
    if engine.bound.has_no_delivery(step.lane) {
        return false;
    }
    let requests = engine.bound.deliveries_apart();
    let has_not_moved = |lane: u8| {
        let lane = state.lanes[usize::from(lane)];
        lane.attempt == 0 && lane.flags == 0 && engine.tree.depth(lane.node) == 0
    };
    let Some(earlier) = step.lane.checked_sub(requests) else { return false };
    let is_in_batch = engine.bound.has_batch() && earlier <= Bound::IN_BATCH;
    !is_in_batch
        && engine.bound.has_client(earlier) == engine.bound.has_client(step.lane)
        && has_not_moved(step.lane)
        && has_not_moved(earlier)
}
