//! What is thought of a schedule that is over, or as far as it has come.

use crate::explore::ExploreError;
use crate::explore::environment::Environment;
use crate::explore::rules::{FINAL_ATTEMPT, Lane};
use crate::explore::schedule::{Fate, Step};
use crate::explore::violations::{Violations, Why};
use crate::terms::{Retries, Violation};

use super::{MemoPlace, State, StateGraph};

/// The violations that stay once they are there. The others are judged when a schedule has come to its end.
fn lasting() -> Violations {
    Violation::ALL.into_iter().filter(|violation| violation.lasts()).collect()
}

impl StateGraph<'_> {
    /// The verdict on a schedule that is over.
    ///
    /// # Errors
    /// As [`new`](StateGraph::new).
    #[inline]
    pub fn judge(&mut self, state: &State, witness: impl FnOnce() -> Vec<Step>) -> Result<Violations, ExploreError> {
        let end = self.end_of(state);
        if let Some(verdict) = self.judged.get(&end) {
            return Ok(*verdict);
        }
        let settled = self.settle(state)?;
        let verdict = self.verdict(settled, witness)?;
        self.judged.insert(end, verdict);
        Ok(verdict)
    }

    /// What the verdict on a schedule that is over depends on. Nothing is in flight any more: in the place of that stand the turns that
    /// have left something to do.
    #[inline]
    fn end_of(&self, state: &State) -> MemoPlace {
        if self.bound.residents == 0 {
            return state.at;
        }
        let has_turn_left = |lane: &u8| state.lanes[usize::from(*lane)].has_turn_left();
        let left = self.bound.turns().filter(has_turn_left).fold(0, |left, lane| left | 1 << lane);
        MemoPlace { flights: left, ..state.at }
    }

    /// What is seen in the end of a schedule that is over: after a fault-free retry of each request whose client gave up, and a last turn
    /// of what works for the system and has left something to do.
    ///
    /// # Errors
    /// As [`new`](StateGraph::new).
    pub(in crate::explore) fn settle(&mut self, state: &State) -> Result<u32, ExploreError> {
        let mut end = *state;
        let has_given_up = |request: u8| self.memo.seen(end.at.seen).has_given_up(request);
        let is_retried = self.executor.retries != Retries::Never && (0..self.bound.requests).any(has_given_up);
        if is_retried || self.bound.turns().any(|lane| state.lanes[usize::from(lane)].has_turn_left()) {
            ((), end) = self.rules(&end, |rules| rules.environment.settle());
        }
        for request in 0..self.bound.requests.min(self.bound.requesting()) {
            let lane = request * self.bound.stride();
            let gave_up = self.memo.seen(end.at.seen).has_given_up(request);
            if !gave_up || self.executor.retries == Retries::Never {
                continue;
            }
            end = self.last_attempt(end, lane)?;
        }
        for lane in self.bound.turns() {
            if end.lanes[usize::from(lane)].has_turn_left() {
                end = self.last_attempt(end, lane)?;
            }
        }
        Ok(end.at.seen)
    }

    /// Where an attempt of a lane leads after everything has settled, without faults.
    fn last_attempt(&mut self, mut end: State, lane: u8) -> Result<State, ExploreError> {
        end.lanes[usize::from(lane)] = Lane { attempt: FINAL_ATTEMPT, ..Lane::default() };
        self.begin_attempt(&mut end, lane);
        while !end.lanes[usize::from(lane)].is_ended() {
            end = match self.step(&end, Step { lane, fate: Fate::Arrives })? {
                Some(to) => to,
                None => {
                    let pending = self.pending_op(&end, lane);
                    let (effect, to) = self.rules(&end, |rules| rules.give_way(lane, pending));
                    self.follow(to, lane, effect.expect("it has an operation to make"))?
                }
            };
        }
        Ok(end)
    }

    /// The verdict on what was seen in the end, by the checks: they are asked once for each different end. `witness` gives a
    /// schedule that ends so.
    ///
    /// # Errors
    /// As [`new`](StateGraph::new).
    fn verdict(&mut self, settled: u32, witness: impl FnOnce() -> Vec<Step>) -> Result<Violations, ExploreError> {
        if let Some(verdict) = self.verdicts.get(&settled) {
            return Ok(*verdict);
        }
        let mut execution = self.executor.begin()?;
        for step in witness() {
            execution.must_step(step)?;
        }
        let verdict = execution.settle()?.findings().iter().map(|finding| finding.violation).collect();
        self.verdicts.insert(settled, verdict);
        Ok(verdict)
    }

    /// The violations that these steps show, with their causes: in the end, if it is the end, or else as far as they stay, whatever
    /// comes; what is left then runs on without faults, since a cause can depend on it.
    ///
    /// # Errors
    /// As [`new`](StateGraph::new).
    pub fn causes(&self, steps: &[Step]) -> Result<Vec<Why>, ExploreError> {
        let mut execution = self.executor.begin()?;
        for step in steps {
            execution.must_step(*step)?;
        }
        execution.whys()
    }

    /// The violations that are there already and will stay, whatever comes.
    ///
    /// # Errors
    /// As [`new`](StateGraph::new).
    pub fn visible(&mut self, seen: u32, witness: impl FnOnce() -> Vec<Step>) -> Result<Violations, ExploreError> {
        if let Some(visible) = self.visible.get(&seen) {
            return Ok(*visible);
        }
        let mut execution = self.executor.begin()?;
        for step in witness() {
            execution.must_step(step)?;
        }
        let found: Violations = execution.so_far().findings().iter().map(|finding| finding.violation).collect();
        let visible = found.without(found.without(lasting()));
        self.visible.insert(seen, visible);
        Ok(visible)
    }
}
