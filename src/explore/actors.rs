//! Actors in the graph of states: lanes that begin and end with another.

use crate::service::contract::MAX_ASKED;
use crate::terms::Reply;
use crate::world::{Acts, Outcome};

use super::attempt::Next;
use super::rules::{FINAL_ATTEMPT, Lane};
use super::state_graph::{State, StateGraph};
use super::strategy_tree::MAX_DEPTH;

impl StateGraph<'_> {
    /// The same of one lane, where there are actors: what works beside an attempt counts for less than the next attempt.
    #[cold]
    pub(super) fn potential_beside(&self, state: &State, lane: u8) -> u32 {
        let (its, host) = (state.lanes[usize::from(lane)], state.lanes[usize::from(self.bound.host_of(lane))]);
        let attempts = self.attempts_over(host);
        let depth = if its.is_ended() { MAX_DEPTH } else { self.tree.depth(its.node) };
        let one = u32::from(MAX_DEPTH) + 2;
        let whole = one * u32::from(MAX_ASKED + 1);
        match (self.bound.is_actor(lane), its.asked()) {
            (false, _) if its.is_ended() => u32::from(attempts) * whole,
            (false, _) => u32::from(attempts) * whole + u32::from(depth),
            (true, 0) => u32::from(attempts) * whole,
            (true, woken) => u32::from(attempts) * whole + u32::from(woken - 1) * one + 1 + u32::from(depth),
        }
    }

    /// How much an attempt counts for with what works beside it.
    #[cold]
    pub(super) fn attempt_weight_beside(&self) -> u32 {
        (u32::from(MAX_DEPTH) + 2) * u32::from(MAX_ASKED + 1) * u32::from(self.bound.stride())
    }

    /// A delivery that was given a lease has its actors begin their work for it.
    #[cold]
    pub(super) fn wake_actors(&mut self, state: &mut State, lane: u8, learned: Outcome) {
        let host = state.lanes[usize::from(lane)];
        let is_lease = self.tree.op(host.node).is_some_and(|op| op.acts().any(Acts::LEASES));
        let Outcome::Ok(response) = learned else { return };
        if !is_lease || host.attempt == FINAL_ATTEMPT {
            return;
        }
        let number = response.asked().and_then(|id| u8::try_from(id - 1).ok()).unwrap_or(0);
        for (n, actor) in (0..).zip(self.bound.actors_of(lane)) {
            let root = self.tree.actor_root(n, number);
            state.lanes[usize::from(actor)].wake(host.attempt, root);
            if let Next::Replies(reply) = self.tree.next(root) {
                self.end_attempt(state, actor, Some(reply));
            }
        }
    }

    /// What works beside a lane goes with its attempt. Says whether the lane itself is an actor, whose work is over.
    #[cold]
    pub(super) fn end_with_actors(&mut self, state: &mut State, lane: u8, reply: Option<Reply>) -> bool {
        let is_actor = self.bound.is_actor(lane);
        let over = if is_actor { lane..lane + 1 } else { self.bound.actors_of(lane) };
        for actor in over {
            let (_, to) = self.rules(state, |rules| rules.end_attempt(actor, reply));
            *state = to;
            if !is_actor {
                state.lanes[usize::from(actor)] = Lane::ASLEEP;
            }
        }
        is_actor
    }
}
