//! The reference engine: every schedule, one after the other, each executed from the beginning with the strategy's own
//! futures. Trivially right, and slow.

use std::ops::Range;

use super::attempt::guarded;
use super::bound::Bound;
use super::execution::{Execution, Executor};
use super::schedule::{Fate, Step};
use super::{ExploreError, Flaws};
use crate::strategy::Strategy;
use crate::terms::Entry;

/// A place where the schedule could go several ways.
#[derive(Clone, Copy)]
struct Fork {
    /// The way that is taken: an index into the steps of [`Ways`].
    way: u8,
    /// Nothing could move here but by giving way.
    stuck: bool,
    /// The ways that may be open here, as bits: whether they are is seen when they are tried.
    may_be_open: u64,
}

/// The faults, in the order in which they are tried.
const FAULTS: [Fate; 5] = [Fate::RequestLost, Fate::ReplyLost, Fate::TimesOut, Fate::Crashes, Fate::Expires];

/// The ways that there can be at a fork.
struct Ways {
    lanes: u8,
    /// How many of them are no faults.
    moves: u8,
    /// First the lanes go on, then what is in flight lands, then what has to wait begins, then faults happen.
    steps: Vec<Step>,
}

impl Ways {
    fn new(bound: &Bound) -> Self {
        let all = |fate| (0..bound.lanes).map(move |lane| Step { lane, fate });
        let faults = (0..bound.lanes).flat_map(|lane| FAULTS.map(|fate| Step { lane, fate }));
        let faults = faults.filter(|_| bound.faults > 0);
        let waits = all(Fate::Queues).filter(|_| bound.kinds.contains(Fate::Queues));
        let moves: Vec<Step> = all(Fate::Arrives).chain(all(Fate::Lands)).chain(waits).collect();
        let count = u8::try_from(moves.len()).expect("three for each lane at the most");
        Ways { lanes: bound.lanes, moves: count, steps: moves.into_iter().chain(faults).collect() }
    }

    fn len(&self) -> u8 {
        u8::try_from(self.steps.len()).expect("six lanes and eight fates at the most")
    }

    /// The ways for which there is something that could be done, whether or not it has to wait.
    fn may_be_open(&self, execution: &Execution<'_>) -> u64 {
        let open = self.steps.iter().enumerate().filter(|(_, step)| execution.has_cause_for(**step));
        open.fold(0, |open, (way, _)| open | 1 << way)
    }
}

/// Takes a way, and says which step it was; none if it is not open.
#[inline]
fn take(execution: &mut Execution<'_>, fork: Fork, ways: &Ways) -> Result<Option<Step>, ExploreError> {
    let step = ways.steps[usize::from(fork.way)];
    if fork.stuck && fork.way < ways.lanes {
        execution.give_way(step.lane)
    } else {
        Ok(execution.step(step)?.then_some(step))
    }
}

/// Finds the first way of a fork from `start` on that can be taken, and takes it. A fork that has been at before is known.
fn choose(
    execution: &mut Execution<'_>,
    (start, known): (u8, Option<Fork>),
    of: &Ways,
) -> Result<Option<(Fork, Step)>, ExploreError> {
    let (lanes, moves, ways) = (of.lanes, of.moves, of.len());
    let may_be_open = known.map_or_else(|| of.may_be_open(execution), |fork| fork.may_be_open);
    let mut first_of = |among: Range<u8>, stuck: bool| {
        for way in among {
            let fork = Fork { way, stuck, may_be_open };
            if may_be_open & 1 << way == 0 && !stuck {
                continue;
            }
            if let Some(step) = take(execution, fork, of)? {
                return Ok(Some((fork, step)));
            }
        }
        Ok::<_, ExploreError>(None)
    };
    if let Some(Fork { stuck, .. }) = known {
        let tried = if stuck { lanes } else { moves };
        let taken = first_of(start..tried.max(start), stuck)?;
        return if taken.is_some() { Ok(taken) } else { first_of(start.max(moves)..ways, stuck) };
    }
    let taken = first_of(0..moves, false)?;
    if taken.is_some() {
        return Ok(taken);
    }
    // No lane goes on and nothing lands: then they give way.
    let taken = first_of(0..lanes, true)?;
    if taken.is_some() { Ok(taken) } else { first_of(moves..ways, true) }
}

/// Executes every schedule within the executor's bound, depth first, and hands each to `visit` before it is settled, with its
/// steps. `records` says whether a history is kept. Says how many there were.
///
/// # Errors
/// [`ExploreError`] if the strategy awaits anything else than its operations, or panics.
pub(super) fn every_schedule(
    executor: &Executor<'_>,
    mut visit: impl FnMut(&mut Execution<'_>, &[Step]) -> Result<(), ExploreError>,
    records: bool,
) -> Result<u64, ExploreError> {
    let ways = Ways::new(&executor.bound);
    let mut forks: Vec<Fork> = Vec::new();
    let mut steps: Vec<Step> = Vec::new();
    let mut schedules = 0;
    let mut resume = (0, None);
    let mut execution = executor.execution();
    execution.records = records;
    loop {
        execution.begin_again()?;
        for fork in &forks {
            take(&mut execution, *fork, &ways)?;
        }
        let ended = loop {
            if execution.is_over() {
                break true;
            }
            let chosen = choose(&mut execution, resume, &ways)?;
            resume = (0, None);
            let Some((fork, step)) = chosen else { break false };
            forks.push(fork);
            steps.push(step);
        };
        if ended {
            schedules += 1;
            visit(&mut execution, &steps)?;
        }
        loop {
            let Some(last) = forks.pop() else { return Ok(schedules) };
            steps.pop();
            let left = if last.stuck { u64::MAX >> (64 - ways.len()) } else { last.may_be_open };
            if left >> (last.way + 1) != 0 {
                resume = (last.way + 1, Some(last));
                break;
            }
        }
    }
}

/// Executes every schedule of a strategy within a bound with its own futures, and shows the effects that each of them ends with.
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
    let mut visit = |execution: &mut Execution<'_>, _: &[Step]| {
        visit(execution.ledger());
        Ok(())
    };
    let mut schedules = 0;
    for part in bound.parts(strategy) {
        let executor = Executor::new(strategy, part, flaws);
        schedules += guarded(strategy.name(), || every_schedule(&executor, &mut visit, false))?;
    }
    Ok(schedules)
}
