//! The reference engine: every schedule, one after the other, each executed from the beginning with the strategy's own
//! futures. Trivially right, and slow.

use super::bound::Bound;
use super::execution::{Execution, Executor};
use super::schedule::{Fate, Step};
use super::{ExploreError, Flaws};
use crate::backend::Entry;
use crate::strategy::Strategy;

/// A place where the schedule could go several ways.
#[derive(Clone, Copy)]
struct Fork {
    /// The way that is taken: an index into [`step_at`].
    way: u8,
    /// Nothing could move here but by giving way.
    stuck: bool,
}

/// The faults, in the order in which they are tried.
const FAULTS: [Fate; 5] = [Fate::RequestLost, Fate::ReplyLost, Fate::TimesOut, Fate::Crashes, Fate::Expires];

/// The ways there are at a fork: first the lanes go on, then what is in flight lands, then faults happen.
fn step_at(way: u8, lanes: u8) -> Step {
    match way / lanes {
        0 => Step { lane: way, fate: Fate::Arrives },
        1 => Step { lane: way - lanes, fate: Fate::Lands },
        _ => {
            let fault = usize::from(way - 2 * lanes);
            Step { lane: (fault / FAULTS.len()) as u8, fate: FAULTS[fault % FAULTS.len()] }
        }
    }
}

fn ways(executor: &Executor<'_>) -> u8 {
    let faults = if executor.bound.faults > 0 { FAULTS.len() as u8 } else { 0 };
    executor.bound.lanes * (2 + faults)
}

/// The step that was made, if it can be.
fn take(execution: &mut Execution<'_>, fork: Fork, lanes: u8) -> Result<Option<Step>, ExploreError> {
    let step = step_at(fork.way, lanes);
    if fork.stuck && fork.way < lanes {
        execution.give_way(step.lane)
    } else {
        Ok(execution.step(step)?.then_some(step))
    }
}

/// Finds the first way from `start` on that can be taken, and takes it. `stuck` is known if the fork has been at before.
fn choose(
    execution: &mut Execution<'_>,
    (start, known): (u8, Option<bool>),
    (lanes, ways): (u8, u8),
    mut enters: impl FnMut(Step) -> bool,
) -> Result<Option<(Fork, Step)>, ExploreError> {
    let mut stuck = known.unwrap_or(false);
    let mut way = start;
    let mut left_out = false;
    while way < ways {
        if way == 2 * lanes && known.is_none() && !stuck && !left_out {
            // No lane goes on and nothing lands: then they give way.
            stuck = true;
            way = 0;
        }
        let fork = Fork { way, stuck };
        if !enters(step_at(way, lanes)) {
            left_out = true;
        } else if !(stuck && (lanes..2 * lanes).contains(&way))
            && let Some(step) = take(execution, fork, lanes)?
        {
            return Ok(Some((fork, step)));
        }
        way += 1;
        if way == ways && ways == 2 * lanes && known.is_none() && !stuck && !left_out {
            stuck = true;
            way = 0;
        }
    }
    Ok(None)
}

/// Executes every schedule within the executor's bound, depth first, and hands each to `visit` before it is settled. `enters`
/// may leave out schedules by how they begin: it is asked before each step, with the steps so far. Says how many there were.
///
/// # Errors
/// [`ExploreError`] if the strategy awaits anything else than its operations, or panics.
pub(super) fn every_schedule(
    executor: &Executor<'_>,
    mut enters: impl FnMut(&[Step], Step) -> bool,
    mut visit: impl FnMut(Execution<'_>, &[Step]) -> Result<(), ExploreError>,
) -> Result<u64, ExploreError> {
    let (lanes, ways) = (executor.bound.lanes, ways(executor));
    let mut forks: Vec<Fork> = Vec::new();
    let mut steps: Vec<Step> = Vec::new();
    let mut schedules = 0;
    let mut resume = (0, None);
    loop {
        let mut execution = executor.begin()?;
        for fork in &forks {
            take(&mut execution, *fork, lanes)?;
        }
        let ended = loop {
            if execution.is_over() {
                break true;
            }
            let chosen = choose(&mut execution, resume, (lanes, ways), |step| enters(&steps, step))?;
            resume = (0, None);
            let Some((fork, step)) = chosen else { break false };
            forks.push(fork);
            steps.push(step);
        };
        if ended {
            schedules += 1;
            visit(execution, &steps)?;
        }
        loop {
            let Some(last) = forks.pop() else { return Ok(schedules) };
            steps.pop();
            if last.way + 1 < ways {
                resume = (last.way + 1, Some(last.stuck));
                break;
            }
        }
    }
}

/// Executes every schedule of a strategy within a bound with its own futures, and shows the ledger that each of them ends with.
/// Says how many there were.
///
/// # Errors
/// [`ExploreError`] if the strategy cannot be explored.
pub fn execute_all(
    strategy: &dyn Strategy,
    bound: Bound,
    flaws: Flaws,
    mut visit: impl FnMut(&[Entry]),
) -> Result<u64, ExploreError> {
    let executor = Executor::new(strategy, bound.for_strategy(strategy), flaws);
    every_schedule(&executor, |_, _| true, |execution, _| {
        visit(execution.ledger());
        Ok(())
    })
}
