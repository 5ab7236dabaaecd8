//! States and what each step leads to, by looking it up: the fast engine's half of the work. What to visit, and in which
//! order, is up to the census, the search for the shortest way, and the rest.

mod judging;

use std::hash::{Hash, Hasher};

use rustc_hash::FxHashMap;

use crate::strategy::{Strategy, WithHop};
use crate::terms::Reply;
use crate::world::{Acts, Op, Outcome};

use super::attempt::Next;
use super::bound::{Bound, MAX_LANES};
use super::environment::Flight;
use super::execution::Executor;
use super::memo::{Cursor, Memo, MemoPlace};
use super::observations::Sight;
use super::rules::{Blocked, FINAL_ATTEMPT, Lane, Lanes, Rules, StepEffect, end_lane};
use super::schedule::{Fate, Step};
use super::strategy_tree::{MAX_DEPTH, NodeId, StrategyTree};
use super::violations::Violations;
use super::{ExploreError, Flaws, Reason, require_store, too_many_lanes};

/// Everything that the rest of a schedule can depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    pub lanes: Lanes,
    pub at: MemoPlace,
    pub faults: u8,
}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        for lane in self.lanes {
            hasher.write_u64(lane.bits());
        }
        hasher.write_u32(self.at.services);
        hasher.write_u64(u64::from(self.at.seen) << 32 | u64::from(self.at.flights) << 8 | u64::from(self.faults));
    }
}

/// A step that can be made from a state, and where it leads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Transition {
    pub step: Step,
    pub to: State,
}

/// The states of one strategy within one bound.
pub(super) struct StateGraph<'s> {
    pub bound: Bound,
    pub tree: StrategyTree<'s>,
    pub memo: Memo,
    pub executor: Executor<'s>,
    /// The verdict on what was seen of a schedule that has come to its end and was settled.
    verdicts: FxHashMap<u32, Violations>,
    /// What is there to be seen before the end.
    visible: FxHashMap<u32, Violations>,
    /// What steps lead to that no other lane can change anything about, by where the lane and the services stand.
    plain_steps: FxHashMap<(u64, u64), PlainStep>,
    recent: Recent,
    /// The verdict on what a schedule has left behind.
    judged: FxHashMap<MemoPlace, Violations>,
    /// Requests and answers cross a hop.
    has_hop: bool,
}

/// What a step leads to, whatever the other lanes are at.
#[derive(Clone, Copy, Default)]
struct PlainStep {
    lane: Lane,
    services: u32,
    committed: u32,
    /// It has to wait.
    waits: bool,
    /// The strategy has its reply.
    replies: bool,
}

/// The plain steps that were made most recently, by a hash of their keys: going through schedules one after the other
/// makes the same few steps again and again.
const RECENT: usize = 1 << 10;
type Recent = Box<[((u64, u64), PlainStep); RECENT]>;

/// Where a step is among the recent ones.
#[inline]
fn recent_place(key: (u64, u64)) -> usize {
    // Fibonacci hashing: the upper bits of a product with 2^64 divided by the golden ratio.
    let mixed = (key.0 ^ key.1.rotate_left(29)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 54) as usize % RECENT
}

impl Hash for MemoPlace {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u32(self.services);
        hasher.write_u64(u64::from(self.flights) << 32 | u64::from(self.seen));
    }
}

/// Whether what comes of an operation, when it is made, depends on its own lane and the services alone: not on who is inside a
/// critical section, nor on whose timers nobody keeps running any more; and whether it changes nothing about other lanes.
fn is_plain(bound: &Bound, op: Op) -> bool {
    let acts = op.acts();
    !acts.any(Acts::ENTERS.and(Acts::QUEUES)) && (bound.actors == 0 || !acts.any(Acts::LEASES))
}

/// Where a lane and the services stand, and what the lane's operation meets.
fn plain_key(state: &State, Step { lane, fate }: Step) -> (u64, u64) {
    let which = u64::from(state.at.services) << 16 | u64::from(lane) << 8 | fate as u64;
    (state.lanes[usize::from(lane)].bits(), which)
}

impl<'s> StateGraph<'s> {
    /// An engine that knows the beginning only. With `tokens`, states differ by the tokens in them.
    ///
    /// # Errors
    /// [`ExploreError`] if the strategy cannot be explored.
    pub fn new(strategy: &'s dyn Strategy, bound: Bound, flaws: Flaws, tokens: bool) -> Result<Self, ExploreError> {
        if bound.lanes > MAX_LANES {
            return Err(too_many_lanes(&bound).into());
        }
        require_store(strategy, bound.store_kind())?;
        Ok(StateGraph {
            bound,
            tree: StrategyTree::new(strategy, &bound)?,
            memo: Memo::new(bound, flaws, strategy.needs(), tokens),
            executor: Executor::new(strategy, bound, flaws),
            verdicts: FxHashMap::default(),
            visible: FxHashMap::default(),
            plain_steps: FxHashMap::default(),
            recent: Box::new([((u64::MAX, u64::MAX), PlainStep::default()); RECENT]),
            judged: FxHashMap::default(),
            has_hop: WithHop::is(strategy),
        })
    }

    /// Where every schedule begins.
    ///
    /// # Errors
    /// As [`new`](StateGraph::new).
    pub fn beginning(&mut self) -> Result<State, ExploreError> {
        let mut state = State { lanes: Lanes::default(), at: MemoPlace::default(), faults: self.bound.copies };
        for lane in 0..self.bound.lanes {
            match self.bound.is_actor(lane) {
                true => state.lanes[usize::from(lane)] = Lane::ASLEEP,
                false if self.bound.is_carried(lane, 0) => {}
                false => self.begin_attempt(&mut state, lane),
            }
        }
        Ok(state)
    }

    /// Whether every lane has ended and nothing is in flight.
    #[inline]
    pub fn is_over(&self, state: &State) -> bool {
        state.lanes[..usize::from(self.bound.lanes)].iter().all(|lane| lane.is_ended()) && state.at.flights == 0
    }

    /// A number that every step raises.
    pub fn potential(&self, state: &State) -> u32 {
        let of = |lane: &Lane| {
            let attempts = self.attempts_over(*lane);
            let depth = if lane.is_ended() { 0 } else { self.tree.depth(lane.node) };
            u32::from(attempts) * u32::from(MAX_DEPTH + 1) + u32::from(depth)
        };
        let lanes = &state.lanes[..usize::from(self.bound.lanes)];
        let lanes: u32 = match self.bound.actors {
            0 => lanes.iter().map(of).sum(),
            _ => (0..self.bound.lanes).map(|lane| self.potential_beside(state, lane)).sum(),
        };
        // As many requests are in flight as there were faults, at the most.
        let flights = self.memo.flights(state.at.flights).iter().map(|flight| self.weight(flight)).sum::<u32>();
        lanes + 2 * u32::from(state.faults) - flights
    }

    /// How many attempts of a lane are over, for the potential. A handler that nobody hears begins after the last of them, where its
    /// request weighed as much as an attempt while it was in flight.
    pub(super) fn attempts_over(&self, lane: Lane) -> u8 {
        if lane.is_ended() {
            self.bound.retries + 1
        } else if lane.is_unheard() {
            self.bound.retries
        } else {
            lane.attempt
        }
    }

    /// How much the potential rises when a request lands.
    fn weight(&self, flight: &Flight) -> u32 {
        if flight.op.acts().any(Acts::ARRIVES) { self.attempt_weight() } else { 1 }
    }

    /// How much the potential rises by an attempt of a lane, with what works beside it.
    fn attempt_weight(&self) -> u32 {
        if self.bound.actors == 0 { u32::from(MAX_DEPTH + 1) } else { self.attempt_weight_beside() }
    }

    /// Every step that can be made from a state, in the order of lanes and fates.
    ///
    /// # Errors
    /// As [`new`](StateGraph::new).
    pub fn ways(&mut self, state: &State, ways: &mut Vec<Transition>) -> Result<(), ExploreError> {
        ways.clear();
        let mut moves = false;
        let in_flight = !self.memo.flights(state.at.flights).is_empty();
        for lane in 0..self.bound.lanes {
            let ended = state.lanes[usize::from(lane)].is_ended();
            if ended && !in_flight {
                continue;
            }
            for fate in self.bound.fates() {
                if fate.is_fault() && (ended || state.faults >= self.bound.faults || !self.bound.kinds.contains(fate))
                    || fate == Fate::Lands && !in_flight
                {
                    continue;
                }
                if let Some(to) = self.step(state, Step { lane, fate })? {
                    moves |= !fate.is_fault();
                    ways.push(Transition { step: Step { lane, fate }, to });
                }
            }
        }
        if !moves && !self.is_over(state) {
            self.give_way(state, ways)?;
        }
        Ok(())
    }

    #[cold]
    fn give_way(&mut self, state: &State, ways: &mut Vec<Transition>) -> Result<(), ExploreError> {
        for lane in 0..self.bound.lanes {
            let pending = self.pending_op(state, lane);
            let (effect, to) = self.rules(state, |rules| rules.give_way(lane, pending));
            if let Some(effect) = effect {
                let fate = if pending.is_some() { Fate::Arrives } else { Fate::Lands };
                let to = self.follow(to, lane, effect)?;
                ways.push(Transition { step: Step { lane, fate }, to });
            }
        }
        Ok(())
    }

    /// Whether a step can be made from a state, other than by giving way.
    pub fn can(&mut self, state: &State, step: Step) -> bool {
        let pending = self.pending_op(state, step.lane);
        self.rules(state, |rules| rules.step(step, pending.as_ref())).0.is_ok()
    }

    pub(super) fn pending_op(&self, state: &State, lane: u8) -> Option<crate::world::Op> {
        let lane = state.lanes[usize::from(lane)];
        if lane.is_ended() { None } else { self.tree.op(lane.node) }
    }

    /// What a step leads to; none if it cannot be made.
    ///
    /// # Errors
    /// As [`new`](StateGraph::new).
    pub fn step(&mut self, state: &State, step: Step) -> Result<Option<State>, ExploreError> {
        let mut to = *state;
        Ok(self.make(&mut to, step)?.then_some(to))
    }

    /// Makes a step; false, and nothing has changed, if it cannot be made. Of the lanes only the one that moves changes, what
    /// works beside it, and the one whose request is in its batch.
    ///
    /// # Errors
    /// As [`new`](StateGraph::new).
    #[inline]
    pub fn make(&mut self, state: &mut State, step: Step) -> Result<bool, ExploreError> {
        let may_be_plain = matches!(step.fate, Fate::Arrives | Fate::RequestLost | Fate::ReplyLost);
        if may_be_plain {
            // What was made before is known without asking what it was.
            let key = plain_key(state, step);
            let (recent, made) = &self.recent[recent_place(key)];
            if *recent == key {
                let made = *made;
                return Ok(self.make_plain(state, step, &made));
            }
            if let Some(made) = self.plain_steps.get(&key).copied() {
                self.recent[recent_place(key)] = (key, made);
                return Ok(self.make_plain(state, step, &made));
            }
        }
        self.make_otherwise(state, step, may_be_plain)
    }

    fn make_otherwise(&mut self, state: &mut State, step: Step, may_be_plain: bool) -> Result<bool, ExploreError> {
        let pending = self.pending_op(state, step.lane);
        if may_be_plain && pending.is_some_and(|op| is_plain(&self.bound, op)) {
            if step.fate.is_fault() && (state.faults >= self.bound.faults || !self.bound.kinds.contains(step.fate)) {
                return Ok(false);
            }
            let made = self.learn_plain_step(state, step)?;
            return Ok(self.make_plain(state, step, &made));
        }
        let (effect, to) = self.rules(state, |rules| rules.step(step, pending.as_ref()));
        match effect {
            Ok(effect) => *state = self.follow(to, step.lane, effect)?,
            Err(Blocked::Disabled | Blocked::Waits) => return Ok(false),
            Err(Blocked::TooMany(what)) => {
                return Err(Reason::TooMany { strategy: self.executor.strategy.name(), what }.into());
            }
        }
        Ok(true)
    }

    #[inline]
    fn make_plain(&mut self, state: &mut State, step: Step, made: &PlainStep) -> bool {
        let is_fault = step.fate.is_fault();
        if made.waits || is_fault && (state.faults >= self.bound.faults || !self.bound.kinds.contains(step.fate)) {
            return false;
        }
        state.lanes[usize::from(step.lane)] = made.lane;
        state.at.services = made.services;
        state.at.seen = self.memo.see_effects(state.at.seen, made.committed);
        state.faults += u8::from(is_fault);
        if made.replies {
            self.end_replied(state, step.lane, made.lane.node);
        }
        true
    }

    #[cold]
    fn learn_plain_step(&mut self, state: &State, step: Step) -> Result<PlainStep, ExploreError> {
        let place = usize::from(step.lane);
        let pending = self.pending_op(state, step.lane);
        self.memo.last_committed = 0;
        let (effect, to) = self.rules(state, |rules| rules.step(step, pending.as_ref()));
        let mut made = PlainStep {
            services: to.at.services,
            committed: self.memo.last_committed,
            waits: true,
            ..PlainStep::default()
        };
        if let Ok(StepEffect::Made { learns }) = effect {
            let node = self.tree.child(to.lanes[place].node, learns)?;
            made.lane = Lane { node, ..to.lanes[place] };
            made.waits = false;
            made.replies = self.tree.op(node).is_none();
        }
        self.plain_steps.insert(plain_key(state, step), made);
        Ok(made)
    }

    #[inline]
    pub(super) fn rules<T>(&mut self, state: &State, make: impl FnOnce(&mut Rules<'_, Cursor<'_>>) -> T) -> (T, State) {
        let mut to = *state;
        let mut cursor = Cursor { memo: &mut self.memo, at: state.at };
        let mut rules =
            Rules { bound: &self.bound, environment: &mut cursor, lanes: &mut to.lanes, faults: &mut to.faults };
        let made = make(&mut rules);
        to.at = cursor.at;
        (made, to)
    }

    #[inline]
    pub(super) fn follow(&mut self, mut to: State, lane: u8, effect: StepEffect) -> Result<State, ExploreError> {
        match effect {
            StepEffect::Made { learns } => {
                if self.bound.actors > 0 {
                    self.wake_actors(&mut to, lane, learns);
                }
                let node = self.tree.child(to.lanes[usize::from(lane)].node, learns)?;
                to.lanes[usize::from(lane)].node = node;
                self.end_replied(&mut to, lane, node);
            }
            StepEffect::Crashed => {
                let carries_batch = self.bound.carries_batch(lane, to.lanes[usize::from(lane)].attempt);
                self.end_attempt(&mut to, lane, None);
                if carries_batch {
                    self.end_attempt(&mut to, Bound::IN_BATCH, None);
                }
            }
            StepEffect::Landed(_) => {
                if let Some(learns) = effect.begins() {
                    self.begin_unheard(&mut to, lane, learns)?;
                }
            }
            StepEffect::Expired { .. } | StepEffect::Queued => {}
        }
        Ok(to)
    }

    /// Puts a lane behind the first operation of its request, which landed late.
    #[cold]
    fn begin_unheard(&mut self, state: &mut State, lane: u8, learns: Outcome) -> Result<(), ExploreError> {
        let node = self.tree.child(u16::from(self.bound.request_of(lane)), learns)?;
        state.lanes[usize::from(lane)].node = node;
        self.end_replied(state, lane, node);
        Ok(())
    }

    /// Ends the attempt of a lane whose strategy has its reply at this node, and that of the one whose request is in its batch.
    #[inline]
    fn end_replied(&mut self, state: &mut State, lane: u8, node: NodeId) {
        match self.tree.next(node) {
            Next::Replies(reply) => self.end_attempt(state, lane, Some(reply)),
            Next::RepliesBoth([first, second]) => {
                self.end_attempt(state, lane, Some(first));
                self.end_attempt(state, Bound::IN_BATCH, Some(second));
            }
            Next::Asks(_) | Next::IsCarried => {}
        }
    }

    /// Puts a lane at the root of its request. A strategy may have its reply there already.
    #[inline]
    pub(super) fn begin_attempt(&mut self, state: &mut State, lane: u8) {
        let request = self.bound.request_of(lane);
        let mut root = match self.bound.is_resident(lane) {
            false => u16::from(request),
            true => self.tree.resident_root(self.bound.resident_of(lane), request),
        };
        if self.bound.carries_batch(lane, state.lanes[usize::from(lane)].attempt) {
            root = self.tree.batch_root();
            state.lanes[usize::from(Bound::IN_BATCH)].node = self.tree.carried_root();
        }
        state.lanes[usize::from(lane)].node = root;
        self.end_replied(state, lane, root);
    }

    /// What the handler said that has come to this node, where its answer crosses a hop, and whether it came through; nothing if it
    /// said nothing.
    fn said(&self, node: NodeId, reply: Option<Reply>) -> Option<(Reply, bool)> {
        let (before, learned) = reply.and_then(|_| self.tree.before(node))?;
        Some((self.tree.op(before)?.said()?, learned != Outcome::Unknown))
    }

    #[inline]
    pub(super) fn end_attempt(&mut self, state: &mut State, lane: u8, reply: Option<Reply>) {
        if self.bound.actors > 0 && self.end_with_actors(state, lane, reply) {
            return;
        }
        if self.bound.is_resident(lane) {
            // Nobody waits for what it comes to.
            (_, *state) = self.rules(state, |rules| rules.end_attempt(lane, reply));
            return;
        }
        let request = self.bound.request_of(lane);
        let Lane { node, attempt, .. } = state.lanes[usize::from(lane)];
        let is_final = attempt == FINAL_ATTEMPT;
        let has_client = self.bound.has_client(lane) && !state.lanes[usize::from(lane)].is_unheard();
        let said = if self.has_hop { self.said(node, reply) } else { reply.map(|reply| (reply, true)) };
        match (is_final, reply, said) {
            (true, Some(reply), _) => {
                state.at.seen = self.memo.see(state.at.seen, Sight::Retried { request, reply });
            }
            (false, _, Some((reply, is_heard))) => {
                let heard = has_client && is_heard;
                let sight = Sight::Answered { request, reply, heard };
                // What a node replies is known, but not to whom else.
                let is_carried = self.bound.is_carried(lane, attempt);
                state.at.seen = match is_carried {
                    true => self.memo.see(state.at.seen, sight),
                    false => self.memo.see_reply(state.at.seen, (node, heard), sight),
                };
            }
            _ => {}
        }
        let again = if state.lanes[usize::from(lane)].is_in_transaction() {
            let (again, to) = self.rules(state, |rules| rules.end_attempt(lane, reply));
            *state = to;
            again
        } else {
            end_lane(&self.bound, &mut state.lanes[usize::from(lane)], reply)
        };
        if is_final {
            return;
        }
        if again {
            return self.begin_attempt(state, lane);
        }
        if reply.is_some_and(|reply| reply.is_ok()) || !has_client {
            return;
        }
        let has_client = |other: &u8| self.bound.has_client(*other) && self.bound.request_of(*other) == request;
        let mut others = (0..self.bound.lanes).filter(has_client);
        let is_over = others.all(|other| state.lanes[usize::from(other)].has_no_client_left());
        let refused = reply.is_some_and(|reply| reply.err().is_some_and(|trouble| trouble.is_final()));
        if is_over && !refused && !self.memo.seen(state.at.seen).is_answered(request) {
            state.at.seen = self.memo.see(state.at.seen, Sight::GaveUp { request });
        }
    }
}
