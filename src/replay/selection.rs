//! Which classes are replayed: all of them, a shard of them, or a sample. Never more of them in memory than a chunk.

use std::ops::Range;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rustc_hash::FxHashSet;

use super::class_digest::ClassDigest;
use super::conform::{ConformError, Conformance};
use crate::explore::{ClassIndex, ClassWalk, ExploreError, Limits, Schedule, Watch, draw_numbers, each_class};
use crate::strategy::Strategy;
use crate::terms::Shard;

/// States that are gone through to count the classes.
const STATES: u64 = 2_000_000;

/// So many schedules are in memory at a time. Within a chunk they come in an order in which every beginning is a fair sample.
const CHUNK: usize = 100_000;

/// Stops counting after so many states.
struct ClassCounting(u64);

impl Watch for ClassCounting {
    fn goes_on(&mut self, states: u64, _: u128) -> bool {
        states <= self.0
    }
}

/// The classes of a strategy that are to be replayed, a chunk at a time.
pub(super) struct Selection<'s> {
    /// The classes within the bound; none if they could not be counted.
    pub classes: Option<u128>,
    /// The numbers of the classes that are replayed, or that the sample is drawn from.
    pub range: Option<Range<u128>>,
    /// How many schedules there are in all chunks together.
    pub total: usize,
    left: Left<'s>,
    rng: ChaCha8Rng,
}

/// What has not been handed out.
enum Left<'s> {
    /// All classes with these numbers.
    Range(Box<ClassIndex<'s>>, Range<u128>),
    /// Those that were drawn, the last one first.
    Drawn(Box<ClassIndex<'s>>, Vec<u128>),
    /// Those that were come upon by walking at random, where nobody knows how many classes there are.
    Walked(Vec<Schedule>),
}

impl<'s> Selection<'s> {
    /// Counts the classes, and draws if a sample is asked for.
    ///
    /// # Errors
    /// [`ConformError`] if there are too many of them, or too few for the shards.
    pub fn new(strategy: &'s dyn Strategy, of: &Conformance) -> Result<Self, ConformError> {
        let index = ClassIndex::new(strategy, of.bound, of.flaws, Limits::default(), &mut ClassCounting(STATES))?;
        let mut rng = ChaCha8Rng::seed_from_u64(of.seed);
        let Some(index) = index else {
            let Some(wanted) = of.sample.filter(|_| of.shard.is_none()) else {
                return Err(match of.shard {
                    Some(shard) => ConformError::Uncounted { strategy: strategy.name(), shard },
                    None => too_many(strategy, of, "too many classes to count".to_owned()),
                });
            };
            let walked = walk(strategy, of, wanted, &mut rng)?;
            return Ok(Selection { classes: None, range: None, total: walked.len(), left: Left::Walked(walked), rng });
        };
        let classes = index.len();
        let shard = of.shard.unwrap_or(Shard::WHOLE);
        if of.shard.is_some() {
            shard.require_at_most(classes, &format!("classes of {}", strategy.name())).map_err(ConformError::Shards)?;
        }
        // Shards of the same size do not draw the same places.
        rng.set_stream(u64::from(shard.number()) - 1);
        let range = shard.range(classes);
        let len = range.end - range.start;
        let (total, left) = match of.sample {
            Some(wanted) if (wanted as u128) < len => {
                (wanted, Left::Drawn(Box::new(index), draw_numbers(&range, wanted, &mut rng)))
            }
            sample => match usize::try_from(len) {
                Ok(len) if sample.is_some() || len <= of.max_classes => {
                    (len, Left::Range(Box::new(index), range.clone()))
                }
                Ok(_) | Err(_) => {
                    let within = of.shard.map_or_else(String::new, |shard| format!(" in shard {shard}"));
                    return Err(too_many(strategy, of, format!("{len} classes{within}")));
                }
            },
        };
        Ok(Selection { classes: Some(classes), range: Some(range), total, left, rng })
    }

    /// The next schedules; none are left if it is empty.
    ///
    /// # Errors
    /// [`ExploreError`] if the strategy cannot be explored.
    pub fn next_chunk(&mut self) -> Result<Vec<Schedule>, ExploreError> {
        match &mut self.left {
            Left::Range(index, range) => {
                let end = range.end.min(range.start + CHUNK as u128);
                let chunk: Result<Vec<_>, _> = index.range(range.start..end).collect();
                range.start = end;
                let mut chunk = chunk?;
                chunk.shuffle(&mut self.rng);
                Ok(chunk)
            }
            Left::Drawn(index, numbers) => {
                let chunk = numbers.split_off(numbers.len().saturating_sub(CHUNK));
                let at = |number| Ok(index.at(number)?.expect("it was drawn from those that there are"));
                chunk.into_iter().map(at).collect()
            }
            Left::Walked(walked) => Ok(std::mem::take(walked)),
        }
    }
}

fn too_many(strategy: &dyn Strategy, of: &Conformance, classes: String) -> ConformError {
    ConformError::TooMany { strategy: strategy.name(), classes, max: of.max_classes }
}

/// Walks at random until so many different schedules have been come upon.
fn walk(
    strategy: &dyn Strategy,
    of: &Conformance,
    wanted: usize,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<Schedule>, ExploreError> {
    let mut walk = ClassWalk::new(strategy, of.bound, of.flaws)?;
    let mut drawn = FxHashSet::default();
    let mut all = Vec::new();
    while all.len() < wanted {
        if let Some(schedule) = walk.walk(rng)?
            && drawn.insert(schedule.0.clone())
        {
            all.push(schedule);
        }
    }
    Ok(all)
}

/// What would be replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    pub strategy: &'static str,
    /// The classes within the bound; none if they could not be counted.
    pub classes: Option<u128>,
    /// The numbers of those that would be replayed, or that a sample is drawn from.
    pub range: Option<Range<u128>>,
    /// How many would be replayed.
    pub selected: u128,
    /// The digest of those.
    pub digest: ClassDigest,
}

/// Goes through the classes that would be replayed, however many, and replays none. All classes are gone through one after the
/// other, without their numbers; so what shards select by number can be held against it.
///
/// # Errors
/// As [`conform`](super::conform()).
pub fn select(strategy: &dyn Strategy, of: &Conformance) -> Result<Selected, ConformError> {
    let of = Conformance { bound: of.bound.for_strategy(strategy), max_classes: usize::MAX, ..*of };
    let mut selection = Selection::new(strategy, &of)?;
    let mut selected = Selected {
        strategy: strategy.name(),
        classes: selection.classes,
        range: selection.range.clone(),
        selected: 0,
        digest: ClassDigest::default(),
    };
    let mut take_in = |schedule: &Schedule| {
        selected.selected += 1;
        selected.digest.add(schedule);
        true
    };
    if of.shard.is_none() && of.sample.is_none() {
        each_class(strategy, of.bound, of.flaws, take_in)?;
        return Ok(selected);
    }
    loop {
        let chunk = selection.next_chunk()?;
        if chunk.is_empty() {
            return Ok(selected);
        }
        chunk.iter().for_each(|schedule| _ = take_in(schedule));
    }
}
