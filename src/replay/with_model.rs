//! A schedule on the model and on real backends at once: after every step, both must have said the same.

use crate::check::Finding;
use crate::explore::execution::{Execution, Executor};
use crate::explore::step_words::Words;
use crate::explore::{Did, Executed, ExploreError, Fate, Line, MadeStep, Schedule, ScheduleError, Step, Why};
use crate::service::BackendError;
use crate::terms::Violation;
use crate::world::Outcome;

use super::gate::Gate;

/// What a server does where the model goes on.
const WAITS: &str = "it has to wait for another transaction or lock";

/// How often a schedule is replayed until the server lets those who wait go on in its order.
const MOST_CHOICES: u32 = 40;

/// A schedule cannot be replayed to its end.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReplayError {
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The same steps came to something else.
    #[error(
        "step {position}, {step}, could be made before and cannot be made now: the strategy or the server is not deterministic"
    )]
    Differs { position: usize, step: Step },
    /// A server has broken down, in the step with this number.
    #[error("in step {position}, {error}")]
    Backend { position: usize, error: BackendError },
}

impl From<ExploreError> for ReplayError {
    fn from(error: ExploreError) -> Self {
        ReplayError::Schedule(error.into())
    }
}

/// The first difference between the model and the real backends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// The step, from 1.
    pub position: usize,
    pub step: Option<Step>,
    pub model: String,
    pub real: String,
}

impl std::fmt::Display for Divergence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.step {
            Some(step) => write!(f, "step {}, {step}: ", self.position)?,
            None => write!(f, "after {} steps: ", self.position)?,
        }
        write!(f, "the model says {}, the real one {}", self.model, self.real)
    }
}

/// One replay.
#[derive(Debug, Clone)]
pub struct Replayed {
    /// What happened on the real backends; as far as it went, if there is a divergence.
    pub executed: Option<Executed>,
    pub findings: Vec<Finding>,
    pub divergence: Option<Divergence>,
}

impl Replayed {
    /// Whether it shows this violation.
    #[must_use]
    pub fn shows(&self, violation: Violation) -> bool {
        self.findings.iter().any(|finding| finding.violation == violation)
    }

    /// Whether it shows this violation with this cause.
    #[must_use]
    pub fn shows_because(&self, (violation, cause): Why) -> bool {
        self.findings.iter().any(|finding| (finding.violation, finding.cause) == (violation, cause))
    }
}

/// The two executions side by side.
pub(crate) struct WithModel<'e> {
    model: Execution<'e>,
    real: Execution<'e, Gate>,
    words: Words,
}

impl<'e> WithModel<'e> {
    /// `executor` says what the model is, mistakes included.
    pub fn new(executor: &'e Executor<'e>, gate: Gate) -> Self {
        WithModel { model: executor.execution(), real: executor.execution_on(gate), words: Words::of(executor) }
    }

    /// The gate, which stands before the backends.
    pub fn gate(&mut self) -> &mut Gate {
        &mut self.real.backends
    }

    /// Gives the gate back.
    pub fn into_gate(self) -> Gate {
        self.real.backends
    }

    /// Replays a schedule, with new messages and a new account, to its end.
    ///
    /// Where several statements wait for the same transaction, its end lets them all go on, and which of them is first is the server's
    /// choice. If it is another one than in the schedule, the replay is made again, until the server makes the schedule's choice: only
    /// if it never does, that is a divergence.
    ///
    /// # Errors
    /// [`ReplayError`] if the schedule is none, or a server breaks down.
    pub fn replay(&mut self, schedule: &Schedule, mut tell: Option<&mut Vec<Line>>) -> Result<Replayed, ReplayError> {
        let mut choices = 1;
        loop {
            let (replayed, is_overtaken) = self.replay_once(schedule, tell.as_deref_mut())?;
            if !is_overtaken || choices == MOST_CHOICES {
                return Ok(replayed);
            }
            choices += 1;
            if let Some(told) = &mut tell {
                told.clear();
            }
        }
    }

    /// Replays a schedule once, and says whether a statement that waited was overtaken by another one that waited.
    fn replay_once(
        &mut self,
        schedule: &Schedule,
        mut tell: Option<&mut Vec<Line>>,
    ) -> Result<(Replayed, bool), ReplayError> {
        self.model.begin_again()?;
        self.real.begin_again()?;
        self.check(0)?;
        let mut shown = Vec::new();
        let mut position = 0;
        let mut wanted = schedule.0.iter();
        let mut waiting = Vec::new();
        loop {
            let (ran_on, before) = (wanted.len() == 0, position);
            position += 1;
            match wanted.next() {
                Some(step) if self.model.is_over() => {
                    return Err(ScheduleError::AfterTheEnd { position, step: *step }.into());
                }
                Some(step) => self.follow_model(*step, position)?,
                None if self.model.is_over() => return Ok((self.settle(before)?, false)),
                None => self.model.run_on_once()?,
            }
            let model = *self.model.last_made().expect("a step was made");
            if let Some(divergence) = self.follow_really(&model, position)? {
                self.gate().abandon();
                let is_overtaken = divergence.real == WAITS && waiting.contains(&model.step.lane) && waiting.len() > 1;
                let replayed = Replayed { executed: None, findings: Vec::new(), divergence: Some(divergence) };
                return Ok((replayed, is_overtaken));
            }
            match model.step.fate {
                Fate::Queues => waiting.push(model.step.lane),
                // What was on its way before lands, and a time runs out, beside what the lane is at.
                Fate::Lands | Fate::Expires => {}
                Fate::Arrives | Fate::RequestLost | Fate::ReplyLost | Fate::TimesOut | Fate::Crashes => {
                    waiting.retain(|lane| *lane != model.step.lane);
                }
            }
            if let Some(told) = &mut tell {
                let shows = newly_shown(&self.model, &mut shown);
                let real = *self.real.last_made().expect("a step was made");
                let remarks = self.real.backends.take_remarks();
                told.push(with_remarks(self.words.line(&real, shows, ran_on), &remarks));
            }
        }
    }

    /// Replays the first steps of a schedule, and sends the operation of a lane that waits then, says the model. Nothing if it does
    /// wait, says the server.
    ///
    /// # Errors
    /// As [`replay`](WithModel::replay).
    pub fn probe(&mut self, steps: &[Step], lane: u8) -> Result<Option<Divergence>, ReplayError> {
        self.model.begin_again()?;
        self.real.begin_again()?;
        self.check(0)?;
        for (n, step) in steps.iter().enumerate() {
            let position = n + 1;
            self.follow_model(*step, position)?;
            let model = *self.model.last_made().expect("a step was made");
            if let Some(divergence) = self.follow_really(&model, position)? {
                self.gate().abandon();
                return Ok(Some(divergence));
            }
        }
        let (position, step) = (steps.len() + 1, Step { lane, fate: Fate::Arrives });
        let went = self.real.step(step)?;
        self.check(position)?;
        self.gate().abandon();
        self.check(position)?;
        let made = self.real.last_made().filter(|_| went);
        let model = WAITS.to_owned();
        Ok(made.map(|made| Divergence { position, step: Some(step), model, real: said(made) }))
    }

    /// Makes a step on the model.
    fn follow_model(&mut self, step: Step, position: usize) -> Result<(), ReplayError> {
        if self.model.step(step)? {
            return Ok(());
        }
        let enabled = self.model.enabled();
        if !enabled.contains(&step) {
            let enabled = enabled.iter().map(ToString::to_string).collect();
            return Err(ScheduleError::Disabled { position, step, enabled }.into());
        }
        Ok(self.model.must_step(step)?)
    }

    /// Makes the step on the real backends that the model has just made.
    fn follow_really(&mut self, model: &MadeStep, position: usize) -> Result<Option<Divergence>, ReplayError> {
        let step = model.step;
        let token = match model.did {
            Did::Made { learned: Outcome::Ok(response), .. } => response.ranked(),
            _ => None,
        };
        self.real.backends.expect_token(token);
        let made = if model.gave_way { self.real.give_way(step.lane)?.is_some() } else { self.real.step(step)? };
        self.check(position)?;
        let diverges = |model: String, real: String| Ok(Some(Divergence { position, step: Some(step), model, real }));
        let real = match self.real.last_made() {
            Some(real) if made => *real,
            _ if step.fate == Fate::Expires => {
                return diverges(said(model), "there is no lease to expire".to_owned());
            }
            _ => return diverges(said(model), WAITS.to_owned()),
        };
        if is_same(model, &real) { Ok(None) } else { diverges(said(model), said(&real)) }
    }

    fn check(&mut self, position: usize) -> Result<(), ReplayError> {
        match self.gate().take_trouble() {
            Some(error) => Err(ReplayError::Backend { position, error }),
            None => Ok(()),
        }
    }

    /// Retries what was given up, on both sides, and compares what is in the ledgers.
    fn settle(&mut self, position: usize) -> Result<Replayed, ReplayError> {
        let model = self.model.settle()?;
        // The tokens of the fault-free retry are compared by their order alone.
        self.real.backends.expect_token(None);
        let real = self.real.settle()?;
        self.check(position)?;
        let entries = |executed: &Executed| {
            let entry = |entry: &crate::terms::Entry| {
                format!("m{} {:+} by {} = {}", entry.message.0, entry.amount, entry.by, entry.balance)
            };
            executed.ledger.iter().map(entry).collect::<Vec<_>>().join(", ")
        };
        let retried = |executed: &Executed| format!("{:?}", executed.retried);
        let differ = |model: String, real: String| Some(Divergence { position, step: None, model, real });
        let divergence = if !is_same_ledger(&model, &real) {
            differ(format!("that the ledger holds [{}]", entries(&model)), format!("[{}]", entries(&real)))
        } else if model.retried != real.retried {
            differ(format!("that a fault-free retry gets {}", retried(&model)), retried(&real))
        } else {
            None
        };
        Ok(Replayed { findings: real.findings(), executed: Some(real), divergence })
    }
}

/// What is there to be seen now that was not before.
fn newly_shown(model: &Execution<'_>, shown: &mut Vec<Violation>) -> Vec<Violation> {
    let shows = model.so_far().lasting_violations(shown);
    shown.extend(&shows);
    shows
}

/// Whether both sides did the same, and learned the same. What a held request came to, nobody hears on a wire.
fn is_same(model: &MadeStep, real: &MadeStep) -> bool {
    let same = match (model.did, real.did) {
        (Did::Landed { op, outcome: _ }, Did::Landed { op: its, outcome: Outcome::Unknown }) => op == its,
        (one, other) => one == other,
    };
    same && MadeStep { did: real.did, ..*model } == *real
}

fn is_same_ledger(model: &Executed, real: &Executed) -> bool {
    let same = |(one, other): (&crate::terms::Entry, &crate::terms::Entry)| {
        crate::terms::Entry { token: None, ..*one } == crate::terms::Entry { token: None, ..*other }
            && one.token.is_some() == other.token.is_some()
    };
    model.ledger.len() == real.ledger.len() && model.ledger.iter().zip(&real.ledger).all(same)
}

/// A step's words, with what the servers said beside the response: process ids, revisions, leases.
pub(super) fn with_remarks(mut line: Line, remarks: &[String]) -> Line {
    if !remarks.is_empty() {
        let between = if line.learned.is_empty() { "" } else { " " };
        line.learned = format!("{}{between}({})", line.learned, remarks.join(", "));
    }
    line
}

/// What a step came to.
pub(super) fn said(made: &MadeStep) -> String {
    let outcome = |outcome: Outcome| match outcome {
        Outcome::Ok(response) => response.to_string(),
        Outcome::Failed(failure) => format!("failed: {failure}"),
        Outcome::Unknown => "unknown".to_owned(),
    };
    match made.did {
        Did::Made { op, learned } => format!("`{op}` comes back with `{}`", outcome(learned)),
        Did::Landed { op, outcome: came } => format!("`{op}` lands with `{}`", outcome(came)),
        Did::Crashed { op } => format!("a crash before `{op}`"),
        Did::Expired { .. } => "the lease expires".to_owned(),
        Did::Queued { op } => format!("`{op}` begins and waits"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Finding, Replayed};
    use crate::terms::{Cause, MessageId, Violation};

    #[test]
    fn the_same_violation_with_another_cause_is_another_thing() {
        let (violation, cause) = (Violation::Duplicate, Cause::Redelivery);
        let finding = Finding { violation, cause, message: MessageId(0), at: None, detail: String::new() };
        let replayed = Replayed { executed: None, findings: vec![finding], divergence: None };
        assert!(replayed.shows(violation) && replayed.shows_because((violation, cause)));
        assert!(!replayed.shows_because((violation, Cause::LateLanding)));
        assert!(!replayed.shows_because((Violation::Lost, cause)));
    }
}
