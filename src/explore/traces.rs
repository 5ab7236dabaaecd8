//! Equivalence classes: schedules that differ only in the order of steps that have nothing to do with each other.
//!
//! Sleep sets leave out a step where the same thing was already explored the other way round, so that of each class exactly
//! one schedule is gone through to its end. Source: P. Godefroid, "Partial-Order Methods for the Verification of Concurrent
//! Systems" (1996), chapter 5.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::strategy::Strategy;

use super::bound::{Bound, MAX_LANES};
use super::independence::Touch;
use super::limits::{EVERY, Limits, Watch};
use super::schedule::{Fate, Schedule, Step};
use super::state_graph::{State, StateGraph, Transition};
use super::{ExploreError, Flaws};

/// The steps that need not be made from a state: by lane and fate, as bits.
pub(super) type Sleep = u64;

// Every step that a lane can make has a bit.
const _: () = assert!(MAX_LANES as u32 * Fate::COUNT <= Sleep::BITS);

fn bit(step: Step) -> Sleep {
    1 << (u32::from(step.lane) * Fate::COUNT + step.fate as u32)
}

/// The ways from a state that are not asleep, each with what sleeps after it.
pub(super) fn awake(
    engine: &mut StateGraph<'_>,
    state: &State,
    sleep: Sleep,
) -> Result<Vec<(Transition, Sleep)>, ExploreError> {
    let mut ways = Vec::new();
    engine.ways(state, &mut ways)?;
    let touches: Vec<Touch> = ways.iter().map(|way| engine.touch(state, way)).collect();
    // Where lanes give way to each other, every order is another.
    let gives_way = !ways.iter().any(|way| !way.step.fate.is_fault() && engine.can(state, way.step));
    let mut asleep = sleep;
    let mut awake = Vec::new();
    for (way, touch) in ways.iter().zip(&touches) {
        if sleep & bit(way.step) != 0 {
            continue;
        }
        let stays = |(other, its): (&Transition, &Touch)| {
            asleep & bit(other.step) != 0
                && other.step.lane != way.step.lane
                && !gives_way
                && !its.conflicts_with(*touch)
        };
        let after = ways.iter().zip(&touches).filter(|other| stays(*other)).map(|(other, _)| bit(other.step));
        awake.push((*way, after.fold(0, |a, b| a | b)));
        asleep |= bit(way.step);
    }
    Ok(awake)
}

/// Counts the classes of a strategy's schedules within a bound; nothing if it was stopped or ran out of memory.
///
/// # Errors
/// [`ExploreError`] if the strategy cannot be explored.
pub fn count_classes(
    strategy: &dyn Strategy,
    bound: Bound,
    flaws: Flaws,
    limits: Limits,
    watch: &mut dyn Watch,
) -> Result<Option<u128>, ExploreError> {
    let mut classes = 0;
    for part in bound.parts(strategy) {
        match count_in_part(strategy, part, flaws, limits, watch)? {
            Some(more) => classes += more,
            None => return Ok(None),
        }
    }
    Ok(Some(classes))
}

fn count_in_part(
    strategy: &dyn Strategy,
    bound: Bound,
    flaws: Flaws,
    limits: Limits,
    watch: &mut dyn Watch,
) -> Result<Option<u128>, ExploreError> {
    let mut engine = StateGraph::new(strategy, bound, flaws, true)?;
    let mut waiting: BTreeMap<u32, FxHashMap<(State, Sleep), u128>> = BTreeMap::new();
    let first = engine.beginning()?;
    waiting.entry(engine.potential(&first)).or_default().insert((first, 0), 1);
    let (mut classes, mut gone_through, mut kept) = (0, 0_u64, 1_usize);
    while let Some((_, states)) = waiting.pop_first() {
        kept -= states.len();
        for ((state, sleep), count) in states {
            gone_through += 1;
            if gone_through.is_multiple_of(EVERY) {
                let bytes = kept * 2 * size_of::<((State, Sleep), u128)>() + engine.memo.bytes();
                if bytes > limits.memory_bytes || !watch.goes_on(gone_through, classes) {
                    return Ok(None);
                }
            }
            if engine.is_over(&state) {
                classes += count;
                continue;
            }
            for (way, sleep) in awake(&mut engine, &state, sleep)? {
                let potential = engine.potential(&way.to);
                let before = waiting.entry(potential).or_default().entry((way.to, sleep)).or_insert_with(|| {
                    kept += 1;
                    0
                });
                *before += count;
            }
        }
    }
    Ok(Some(classes))
}

/// Goes through one schedule of each class, depth first, until `visit` says that it is enough. Says how many there were.
///
/// # Errors
/// [`ExploreError`] if the strategy cannot be explored.
pub fn each_class(
    strategy: &dyn Strategy,
    bound: Bound,
    flaws: Flaws,
    mut visit: impl FnMut(&Schedule) -> bool,
) -> Result<u64, ExploreError> {
    let mut classes = 0;
    for part in bound.parts(strategy) {
        let (more, goes_on) = each_in_part(strategy, part, flaws, &mut visit)?;
        classes += more;
        if !goes_on {
            break;
        }
    }
    Ok(classes)
}

/// The number of classes, and whether to go on.
fn each_in_part(
    strategy: &dyn Strategy,
    bound: Bound,
    flaws: Flaws,
    visit: &mut impl FnMut(&Schedule) -> bool,
) -> Result<(u64, bool), ExploreError> {
    let mut engine = StateGraph::new(strategy, bound, flaws, true)?;
    let first = engine.beginning()?;
    let mut ways = vec![awake(&mut engine, &first, 0)?.into_iter()];
    let mut schedule = Schedule::default();
    let mut classes = 0;
    while let Some(last) = ways.last_mut() {
        let Some((way, sleep)) = last.next() else {
            ways.pop();
            schedule.0.pop();
            continue;
        };
        schedule.0.push(way.step);
        if engine.is_over(&way.to) {
            classes += 1;
            if !visit(&schedule) {
                return Ok((classes, false));
            }
            schedule.0.pop();
        } else {
            ways.push(awake(&mut engine, &way.to, sleep)?.into_iter());
        }
    }
    Ok((classes, true))
}

/// Draws a schedule of some class at random: at each step, every way that is awake is as likely as every other. Classes are not
/// equally likely. None if the way led to where everything sleeps.
pub(crate) struct ClassWalk<'s> {
    engine: StateGraph<'s>,
}

impl<'s> ClassWalk<'s> {
    /// Walks within a bound.
    ///
    /// # Errors
    /// [`ExploreError`] if the strategy cannot be explored.
    pub fn new(strategy: &'s dyn Strategy, bound: Bound, flaws: Flaws) -> Result<Self, ExploreError> {
        Ok(ClassWalk { engine: StateGraph::new(strategy, bound.for_strategy(strategy), flaws, true)? })
    }

    /// One walk.
    ///
    /// # Errors
    /// As [`ClassWalk::new`].
    pub fn walk(&mut self, rng: &mut rand::rngs::ChaCha8Rng) -> Result<Option<Schedule>, ExploreError> {
        use rand::RngExt;
        let (mut state, mut sleep) = (self.engine.beginning()?, 0);
        let mut schedule = Schedule::default();
        while !self.engine.is_over(&state) {
            let ways = awake(&mut self.engine, &state, sleep)?;
            if ways.is_empty() {
                return Ok(None);
            }
            let (way, after) = ways[rng.random_range(0..ways.len())];
            schedule.0.push(way.step);
            (state, sleep) = (way.to, after);
        }
        Ok(Some(schedule))
    }
}
