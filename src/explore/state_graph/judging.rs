//! What is thought of a schedule that is over, or as far as it has come.

use crate::explore::ExploreError;
use crate::explore::environment::Environment;
use crate::explore::rules::{FINAL_ATTEMPT, Lane};
use crate::explore::schedule::{Fate, Step};
use crate::explore::violations::{Violations, Why};
use crate::terms::{Retries, Violation};

use super::{State, StateGraph};

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
        if let Some(verdict) = self.judged.get(&state.at) {
            return Ok(*verdict);
        }
        let settled = self.settle(state)?;
        let verdict = self.verdict(settled, witness)?;
        self.judged.insert(state.at, verdict);
        Ok(verdict)
    }

    /// What is seen in the end of a schedule that is over: after a fault-free retry of each request whose client gave up.
    ///
    /// # Errors
    /// As [`new`](StateGraph::new).
    fn settle(&mut self, state: &State) -> Result<u32, ExploreError> {
        let mut end = *state;
        let has_given_up = |request: u8| self.memo.seen(end.at.seen).has_given_up(request);
        if self.executor.retries != Retries::Never && (0..self.bound.requests).any(has_given_up) {
            ((), end) = self.rules(&end, |rules| rules.environment.settle());
        }
        for request in 0..self.bound.requests.min(self.bound.requesting()) {
            let lane = request * self.bound.stride();
            let gave_up = self.memo.seen(end.at.seen).has_given_up(request);
            if !gave_up || self.executor.retries == Retries::Never {
                continue;
            }
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
        }
        Ok(end.at.seen)
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
