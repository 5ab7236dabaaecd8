//! The workers that replay: each with connections, tables and locks of its own.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::gate::Gate;
use super::search::steps_of;
use super::testbed::Testbed;
use super::with_model::{ReplayError, Replayed, WithModel};
use super::without_model::WithoutModel;
use crate::explore::execution::Executor;
use crate::explore::story::server_roles;
use crate::explore::{Bound, Executed, Flaws, Line, Schedule, Step, Story};
use crate::service::Kept;
use crate::strategy::{Strategy, WithHop};
use crate::terms::Entry;

/// What is to be replayed.
#[derive(Clone, Copy)]
pub struct ReplayWork<'w> {
    pub strategy: &'w dyn Strategy,
    /// Requests, retries and store are its affair; lanes and faults must be enough for the schedules.
    pub bound: Bound,
    /// The mistakes that the model is to have.
    pub flaws: Flaws,
    pub schedules: &'w [Schedule],
    /// How often each of them.
    pub times: usize,
    pub workers: usize,
    /// The model goes along. It cannot where a strategy has SQL of its own: then a replay is held against the first one.
    pub has_model: bool,
}

/// Either way to replay.
enum Replayer<'e> {
    Beside(Box<WithModel<'e>>),
    /// With the steps of each schedule to its end, and what they came to the first time.
    WithoutModel(Box<WithoutModel<'e>>, Vec<Option<(Vec<Step>, Executed)>>),
}

impl<'e> Replayer<'e> {
    fn new(testbed: &Testbed, work: &ReplayWork<'_>, executor: &'e Executor<'e>) -> Result<Self, ReplayError> {
        let gate = testbed.gate(work.strategy.needs(), work.bound, !work.has_model);
        let gate = gate.map_err(|error| ReplayError::Backend { position: 0, error })?;
        Ok(if work.has_model {
            Replayer::Beside(Box::new(WithModel::new(executor, gate)))
        } else {
            Replayer::WithoutModel(Box::new(WithoutModel::new(executor, gate)), vec![None; work.schedules.len()])
        })
    }

    fn replay(&mut self, place: usize, schedule: &Schedule) -> Result<Replayed, ReplayError> {
        match self {
            Replayer::Beside(with_model) => with_model.replay(schedule, None),
            Replayer::WithoutModel(without_model, known) => {
                if let Some((steps, first)) = &known[place] {
                    return without_model.replay(steps, Some(first));
                }
                let steps = steps_of(without_model, schedule)?;
                let replayed = without_model.replay(&steps, None)?;
                known[place] = replayed.executed.clone().map(|first| (steps, first));
                Ok(replayed)
            }
        }
    }

    fn tell(&mut self, schedule: &Schedule) -> Result<(Replayed, Vec<Line>), ReplayError> {
        match self {
            Replayer::Beside(with_model) => {
                let mut lines = Vec::new();
                let replayed = with_model.replay(schedule, Some(&mut lines))?;
                Ok((replayed, lines))
            }
            Replayer::WithoutModel(without_model, _) => {
                let steps = steps_of(without_model, schedule)?;
                without_model.tell(&steps, schedule.0.len())
            }
        }
    }

    fn gate(&mut self) -> &mut Gate {
        match self {
            Replayer::Beside(with_model) => with_model.gate(),
            Replayer::WithoutModel(without_model, _) => without_model.gate(),
        }
    }

    fn into_gate(self) -> Gate {
        match self {
            Replayer::Beside(with_model) => with_model.into_gate(),
            Replayer::WithoutModel(without_model, _) => without_model.into_gate(),
        }
    }
}

/// Replays schedules, several at a time, and hands each result to `done` with the place of its schedule; until that says stop,
/// or a server breaks down.
///
/// # Errors
/// The first [`ReplayError`]; what was done before was handed over.
pub fn replay_all(
    testbed: &Testbed,
    work: ReplayWork<'_>,
    done: &(dyn Fn(usize, Replayed) -> bool + Sync),
) -> Result<(), ReplayError> {
    let next = AtomicUsize::new(0);
    let stops = AtomicBool::new(false);
    let failed: Mutex<Option<ReplayError>> = Mutex::new(None);
    let total = work.schedules.len() * work.times;
    let worker = || {
        let executor = Executor::new(work.strategy, work.bound, work.flaws);
        let mut replayer = Replayer::new(testbed, &work, &executor)?;
        while !stops.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= total {
                break;
            }
            let place = number % work.schedules.len();
            let replayed = replayer.replay(place, &work.schedules[place])?;
            if !done(place, replayed) {
                stops.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        for _ in 0..work.workers.clamp(1, total.max(1)) {
            scope.spawn(|| {
                if let Err(error) = worker() {
                    stops.store(true, Ordering::Relaxed);
                    failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            });
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

/// A replay with all that can be told of it.
#[derive(Debug, Clone)]
pub struct ToldReplay {
    pub replayed: Replayed,
    /// What happened, with the responses of the real backends.
    pub story: Story,
    /// The effects as they stand in the stores.
    pub rows: Vec<Entry>,
    pub kept: Option<Kept>,
}

/// Replays a schedule once and tells every step; then lets the database stay, in this folder if it is a file.
///
/// # Errors
/// [`ReplayError`] if the schedule is none, or a server breaks down.
pub fn replay_and_tell(
    testbed: &Testbed,
    work: ReplayWork<'_>,
    keep: Option<&Path>,
) -> Result<ToldReplay, ReplayError> {
    let in_the_beginning = |error| ReplayError::Backend { position: 0, error };
    let executor = Executor::new(work.strategy, work.bound, work.flaws);
    let mut replayer = Replayer::new(testbed, &work, &executor)?;
    let schedule = work.schedules.first().cloned().unwrap_or_default();
    let (replayed, lines) = replayer.tell(&schedule)?;
    let rows = replayer.gate().rows().map_err(in_the_beginning)?.joined();
    let kept = match keep {
        Some(folder) => replayer.into_gate().keep(folder).map_err(in_the_beginning)?,
        None => None,
    };
    let story = Story {
        strategy: work.strategy.name(),
        bound: work.bound,
        schedule,
        lines,
        retried: replayed.executed.iter().flat_map(|executed| executed.retried.clone()).collect(),
        turned: replayed.executed.iter().flat_map(|executed| executed.turned.clone()).collect(),
        findings: replayed.findings.clone(),
        roles: server_roles(work.strategy),
        has_hop: WithHop::is(work.strategy),
    };
    Ok(ToldReplay { replayed, story, rows, kept })
}
