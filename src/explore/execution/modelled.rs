//! What can be done with an execution on the model alone: looking ahead, going on by itself, and telling of it in between.

use super::{Executed, Execution};
use crate::explore::rules::Rules;
use crate::explore::schedule::{Fate, Step};
use crate::explore::{ExploreError, Why};
use crate::terms::{Entry, by_store};

impl Execution<'_> {
    /// The effects so far.
    pub fn ledger(&self) -> &[Entry] {
        &self.backends.ledger
    }

    /// Makes one step of those that are left, without faults: the lane that moved last goes on if it can, else another does,
    /// or something lands that is in flight.
    ///
    /// # Errors
    /// As [`Executor::begin`].
    pub fn run_on_once(&mut self) -> Result<(), ExploreError> {
        let lanes = self.of.bound.lanes;
        let last = self.last.unwrap_or(0);
        let order = || std::iter::once(last).chain((0..lanes).filter(move |lane| *lane != last));
        let steps = order().map(|lane| Step { lane, fate: Fate::Arrives });
        let landings = (0..lanes).map(|lane| Step { lane, fate: Fate::Lands });
        for step in steps.chain(landings) {
            if self.step(step)? {
                return Ok(());
            }
        }
        for lane in order() {
            if self.give_way(lane)?.is_some() {
                return Ok(());
            }
        }
        unreachable!("a lane that has not ended has something left to do")
    }

    /// The violations that are there and will stay, whatever comes, or all of them in the end, with their causes. What is left runs
    /// on without faults, since a cause can depend on it.
    ///
    /// # Errors
    /// As [`Executor::begin`].
    pub fn whys(&mut self) -> Result<Vec<Why>, ExploreError> {
        let there = if self.is_over() { None } else { Some(self.so_far().lasting_violations(&[])) };
        if there.as_ref().is_some_and(Vec::is_empty) {
            return Ok(Vec::new());
        }
        while !self.is_over() {
            self.run_on_once()?;
        }
        let whys = self.settle()?.whys();
        Ok(whys
            .into_iter()
            .filter(|(violation, _)| there.as_ref().is_none_or(|there| there.contains(violation)))
            .collect())
    }

    /// Makes a step of a schedule that is known to be one.
    ///
    /// # Errors
    /// As [`Executor::begin`].
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn must_step(&mut self, step: Step) -> Result<(), ExploreError> {
        let made =
            self.step(step)? || (!step.fate.is_fault() && self.is_stuck() && self.give_way(step.lane)?.is_some());
        assert!(made, "the engines disagree: {step} cannot be made after {} steps", self.steps);
        Ok(())
    }

    /// Whether no lane can go on and nothing can land.
    fn is_stuck(&self) -> bool {
        let ways = (0..self.of.bound.lanes)
            .flat_map(|lane| [Step { lane, fate: Fate::Arrives }, Step { lane, fate: Fate::Lands }]);
        !ways.into_iter().any(|step| self.can(step))
    }

    /// Whether a step can be made now: it is tried on a copy.
    fn can(&self, step: Step) -> bool {
        let (mut backends, mut lanes, mut faults) = (self.backends.clone(), self.lanes, self.faults);
        let mut rules =
            Rules { bound: &self.of.bound, environment: &mut backends, lanes: &mut lanes, faults: &mut faults };
        rules.step(step, self.pending.get(usize::from(step.lane)).and_then(Option::as_ref)).is_ok()
    }

    /// Whether a lane's operation has to wait for another's.
    pub fn waits(&self, lane: u8) -> bool {
        self.pending[usize::from(lane)].is_some() && !self.can(Step { lane, fate: Fate::Arrives })
    }

    /// Every step that can be made now, in the order of lanes and fates.
    pub fn enabled(&self) -> Vec<Step> {
        let of = |lane| Fate::named().map(move |fate| Step { lane, fate });
        let every = || (0..self.of.bound.lanes).flat_map(of);
        let enabled: Vec<Step> = every().filter(|step| self.can(*step)).collect();
        if enabled.iter().any(|step| !step.fate.is_fault()) || self.is_over() {
            return enabled;
        }
        let gives_way = |lane: u8| match self.pending[usize::from(lane)] {
            Some(_) => Some(Step { lane, fate: Fate::Arrives }),
            None => self
                .backends
                .flights
                .iter()
                .any(|flight| flight.lane == lane)
                .then_some(Step { lane, fate: Fate::Lands }),
        };
        (0..self.of.bound.lanes).filter_map(gives_way).chain(enabled).collect()
    }

    /// A copy of what has happened so far.
    pub fn so_far(&self) -> Executed {
        Executed {
            requests: self.of.bound.requests_by_id(),
            events: self.events.clone(),
            ledger: by_store(self.backends.ledger.clone()),
            balances: None,
            effects: self.of.effects,
            retries: self.of.retries,
            shape: self.of.strategy.shape(),
            made: self.made.clone(),
            retried: Vec::new(),
            turned: Vec::new(),
        }
    }
}
