//! A schedule on real backends alone, for a strategy that no model knows: what waits, the server says.

use crate::explore::execution::{Execution, Executor};
use crate::explore::step_words::Words;
use crate::explore::{Executed, Fate, Line, MadeStep, ScheduleError, Step};
use crate::world::Op;

use super::gate::Gate;
use super::with_model::{Divergence, ReplayError, Replayed, said, with_remarks};

/// An execution on real backends.
pub(super) struct WithoutModel<'e> {
    real: Execution<'e, Gate>,
    lanes: u8,
    /// Leases can expire.
    has_leases: bool,
    words: Words,
}

/// How far a run of steps came.
pub(super) enum Went {
    /// All of them were made.
    AllTheWay,
    /// This one, by its place, could not be made: it waits, or there is nothing that it could be.
    Until(usize),
}

impl<'e> WithoutModel<'e> {
    pub fn new(executor: &'e Executor<'e>, gate: Gate) -> Self {
        WithoutModel {
            lanes: executor.bound.lanes,
            has_leases: executor.strategy.has_timers(),
            words: Words::of(executor),
            real: executor.execution_on(gate),
        }
    }

    pub fn gate(&mut self) -> &mut Gate {
        &mut self.real.backends
    }

    pub fn into_gate(self) -> Gate {
        self.real.backends
    }

    /// Begins again, in a store without anything.
    pub fn begin(&mut self) -> Result<(), ReplayError> {
        // What a run has left open would stand in the way.
        if !self.real.is_over() {
            self.gate().abandon();
            self.check(0)?;
        }
        self.real.begin_again()?;
        self.check(0)
    }

    /// Makes a step; false if it waits or cannot be. What waits has spoilt the run: it is to begin again.
    pub fn step(&mut self, step: Step, position: usize) -> Result<bool, ReplayError> {
        let made = self.real.step(step)?;
        self.check(position)?;
        if !made {
            self.gate().abandon();
            self.check(position)?;
        }
        Ok(made)
    }

    /// Begins again and makes these steps.
    pub fn go(&mut self, steps: &[Step]) -> Result<Went, ReplayError> {
        self.begin()?;
        for (n, step) in steps.iter().enumerate() {
            if !self.step(*step, n + 1)? {
                return Ok(Went::Until(n));
            }
        }
        Ok(Went::AllTheWay)
    }

    /// Whether every lane has ended and nothing is in flight.
    pub fn is_over(&self) -> bool {
        self.real.is_over()
    }

    /// The steps for which there is cause, in the order of lanes and fates: whether they must wait is for the server to say.
    pub fn candidates(&self) -> Vec<Step> {
        let every = (0..self.lanes).flat_map(|lane| Fate::ALL.map(|fate| Step { lane, fate }));
        let can_be = |step: &Step| self.has_leases || step.fate != Fate::Expires;
        every.filter(|step| can_be(step) && self.real.has_cause_for(*step)).collect()
    }

    /// The operation that a lane is about to make.
    pub fn pending(&self, lane: u8) -> Option<Op> {
        self.real.pending(lane)
    }

    /// The last step that was made.
    pub fn last_made(&self) -> Option<&MadeStep> {
        self.real.last_made()
    }

    /// Retries what was given up, and reads the ledger.
    pub fn settle(&mut self, position: usize) -> Result<Executed, ReplayError> {
        let executed = self.real.settle()?;
        self.check(position)?;
        Ok(executed)
    }

    /// Completes a schedule that stops early: the lane that moved last goes on if it can, then others do, or something lands.
    ///
    /// # Errors
    /// [`ScheduleError::Disabled`] if a step of the schedule itself cannot be made.
    pub fn complete(&mut self, schedule: &[Step]) -> Result<Vec<Step>, ReplayError> {
        let mut steps = schedule.to_vec();
        let mut tried: Vec<Step> = Vec::new();
        'again: loop {
            if let Went::Until(at) = self.go(&steps)? {
                if at >= schedule.len() {
                    tried.push(steps[at]);
                    steps.truncate(at);
                    continue;
                }
                return Err(disabled(at, steps[at]).into());
            }
            while !self.is_over() {
                let last = steps.last().map_or(0, |step| step.lane);
                let lanes = || std::iter::once(last).chain((0..self.lanes).filter(move |lane| *lane != last));
                let of = |fate| lanes().map(move |lane| Step { lane, fate });
                let next = of(Fate::Arrives)
                    .chain(of(Fate::Lands))
                    .find(|step| self.real.has_cause_for(*step) && !tried.contains(step));
                let Some(next) = next else {
                    let at = steps.len();
                    return Err(ScheduleError::Stuck { position: at + 1 }.into());
                };
                if !self.step(next, steps.len() + 1)? {
                    tried.push(next);
                    continue 'again;
                }
                steps.push(next);
                tried.clear();
            }
            return Ok(steps);
        }
    }

    /// Replays steps that were found to lead to the end. `first` is what they came to before, if they were made before.
    pub fn replay(&mut self, steps: &[Step], first: Option<&Executed>) -> Result<Replayed, ReplayError> {
        if let Went::Until(at) = self.go(steps)? {
            let (position, step) = (at + 1, Some(steps[at]));
            let (model, real) = ("that it can be made".to_owned(), "that it cannot".to_owned());
            let divergence = Some(Divergence { position, step, model, real });
            return Ok(Replayed { executed: None, findings: Vec::new(), divergence });
        }
        let executed = self.settle(steps.len())?;
        let divergence = first.and_then(|first| difference(first, &executed));
        Ok(Replayed { findings: executed.findings(), executed: Some(executed), divergence })
    }

    /// Replays steps and tells them. The first so many were asked for.
    pub fn tell(&mut self, steps: &[Step], asked: usize) -> Result<(Replayed, Vec<Line>), ReplayError> {
        self.begin()?;
        let mut lines = Vec::new();
        for (n, step) in steps.iter().enumerate() {
            if !self.step(*step, n + 1)? {
                return Err(ReplayError::Differs { position: n + 1, step: *step });
            }
            let made = *self.real.last_made().expect("a step was made");
            let remarks = self.gate().take_remarks();
            lines.push(with_remarks(self.words.line(&made, Vec::new(), n >= asked), &remarks));
        }
        let executed = self.settle(steps.len())?;
        Ok((Replayed { findings: executed.findings(), executed: Some(executed), divergence: None }, lines))
    }

    fn check(&mut self, position: usize) -> Result<(), ReplayError> {
        match self.gate().take_trouble() {
            Some(error) => Err(ReplayError::Backend { position, error }),
            None => Ok(()),
        }
    }
}

/// The first difference between two runs of the same steps.
fn difference(first: &Executed, then: &Executed) -> Option<Divergence> {
    let differs = |(one, other): (&MadeStep, &MadeStep)| one != other;
    let at = first.made.iter().zip(&then.made).position(differs);
    let (position, step, model, real) = match at {
        Some(at) => (at + 1, Some(first.made[at].step), said(&first.made[at]), said(&then.made[at])),
        None if first.ledger != then.ledger => {
            let rows = |executed: &Executed| format!("{} rows in the ledger", executed.ledger.len());
            (first.made.len(), None, rows(first), rows(then))
        }
        None => return None,
    };
    Some(Divergence { position, step, model: format!("the first time {model}"), real })
}

fn disabled(at: usize, step: Step) -> ScheduleError {
    ScheduleError::WaitsReally { position: at + 1, step }
}
