//! Classes by number: how many there are below each state, so that any of them can be gone to at once.
//!
//! Below a state with a sleep set there are as many classes as below all that comes after it together. Each state is counted
//! once, however many schedules lead there. The number of a class is its place in the order of
//! [`each_class`](super::each_class).

use std::ops::Range;
use std::vec::IntoIter;

use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::strategy::Strategy;

use super::bound::Bound;
use super::limits::{EVERY, Limits, Watch};
use super::schedule::Schedule;
use super::state_graph::{State, StateGraph, Transition};
use super::traces::{Sleep, awake};
use super::{ExploreError, Flaws};

/// The classes of a strategy's schedules within a bound, each with a number from 0 on.
pub struct ClassIndex<'s> {
    parts: Vec<CountedPart<'s>>,
}

/// One of the [parts](Bound::parts) of the bound, with the number of classes below each of its states.
struct CountedPart<'s> {
    engine: StateGraph<'s>,
    first: State,
    below: FxHashMap<(State, Sleep), u128>,
}

/// The ways from a state that have not been gone.
type WaysLeft = IntoIter<(Transition, Sleep)>;

impl<'s> ClassIndex<'s> {
    /// Counts the classes; nothing if it was stopped or ran out of memory.
    ///
    /// # Errors
    /// [`ExploreError`] if the strategy cannot be explored.
    pub fn new(
        strategy: &'s dyn Strategy,
        bound: Bound,
        flaws: Flaws,
        limits: Limits,
        watch: &mut dyn Watch,
    ) -> Result<Option<Self>, ExploreError> {
        let mut parts = Vec::new();
        for part in bound.parts(strategy) {
            match CountedPart::new(strategy, part, flaws, limits, watch)? {
                Some(part) => parts.push(part),
                None => return Ok(None),
            }
        }
        Ok(Some(ClassIndex { parts }))
    }

    /// How many classes there are.
    #[must_use]
    pub fn len(&self) -> u128 {
        self.parts.iter().map(CountedPart::len).sum()
    }

    /// Whether there are no classes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The schedule of the class with this number; none if there are not so many.
    ///
    /// # Errors
    /// [`ExploreError`] if the strategy cannot be explored.
    pub fn at(&mut self, number: u128) -> Result<Option<Schedule>, ExploreError> {
        self.range(number..number.saturating_add(1)).next().transpose()
    }

    /// One schedule of each class with these numbers, in their order. Goes to the first of them at once. Keeps the way to one
    /// schedule only, however many there are.
    pub fn range(&mut self, numbers: Range<u128>) -> Classes<'_, 's> {
        let end = numbers.end.min(self.len());
        let left = end.saturating_sub(numbers.start);
        Classes { index: self, part: 0, ways: Vec::new(), schedule: Schedule::default(), skips: numbers.start, left }
    }
}

impl<'s> CountedPart<'s> {
    /// Counts depth first. What is below a state is known when all that comes after it has been counted.
    fn new(
        strategy: &'s dyn Strategy,
        bound: Bound,
        flaws: Flaws,
        limits: Limits,
        watch: &mut dyn Watch,
    ) -> Result<Option<Self>, ExploreError> {
        let mut engine = StateGraph::new(strategy, bound, flaws, true)?;
        let first = engine.beginning()?;
        let ways = awake(&mut engine, &first, 0)?.into_iter();
        let mut part = CountedPart { engine, first, below: FxHashMap::default() };
        let mut path = vec![(first, 0, ways, 0)];
        while let Some((state, sleep, ways, classes)) = path.last_mut() {
            let more = match ways.next() {
                Some((way, asleep)) => match part.known_below(&way.to, asleep) {
                    Some(known) => known,
                    None => {
                        let ways = awake(&mut part.engine, &way.to, asleep)?.into_iter();
                        path.push((way.to, asleep, ways, 0));
                        continue;
                    }
                },
                None => {
                    let classes = *classes;
                    part.below.insert((*state, *sleep), classes);
                    path.pop();
                    if (part.below.len() as u64).is_multiple_of(EVERY) {
                        let counted = path.first().map_or(0, |(.., classes)| *classes);
                        if part.bytes() > limits.memory_bytes || !watch.goes_on(part.below.len() as u64, counted) {
                            return Ok(None);
                        }
                    }
                    classes
                }
            };
            if let Some((.., classes)) = path.last_mut() {
                *classes += more;
            }
        }
        Ok(Some(part))
    }

    fn bytes(&self) -> usize {
        self.below.capacity() * size_of::<((State, Sleep), u128)>() + self.engine.memo.bytes()
    }

    /// How many classes it has. A schedule without a step is in none.
    fn len(&self) -> u128 {
        *self.below.get(&(self.first, 0)).expect("it was counted")
    }

    /// How many classes are below a state; none if that has not been counted.
    fn known_below(&self, state: &State, sleep: Sleep) -> Option<u128> {
        if self.engine.is_over(state) { Some(1) } else { self.below.get(&(*state, sleep)).copied() }
    }
}

/// One schedule of each class of a range: see [`ClassIndex::range`].
pub struct Classes<'i, 's> {
    index: &'i mut ClassIndex<'s>,
    /// Which part of the bound it is in.
    part: usize,
    /// From each state on the way to the schedule, the ways that have not been gone.
    ways: Vec<WaysLeft>,
    schedule: Schedule,
    /// So many classes come before the first that is wanted.
    skips: u128,
    /// So many classes are wanted.
    left: u128,
}

impl Iterator for Classes<'_, '_> {
    type Item = Result<Schedule, ExploreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let found = self.go_on();
        if found.is_err() {
            self.left = 0;
        }
        Some(found)
    }
}

impl Classes<'_, '_> {
    /// Goes to the next class that is wanted. Whatever has only classes that are not wanted below it is passed by.
    fn go_on(&mut self) -> Result<Schedule, ExploreError> {
        loop {
            let part =
                self.index.parts.get_mut(self.part).expect("the classes below a state are as many as were counted");
            let Some(ways) = self.ways.last_mut() else {
                if self.skips >= part.len() {
                    self.skips -= part.len();
                    self.part += 1;
                } else {
                    self.ways.push(awake(&mut part.engine, &part.first, 0)?.into_iter());
                }
                continue;
            };
            let Some((way, sleep)) = ways.next() else {
                self.ways.pop();
                self.schedule.0.pop();
                self.part += usize::from(self.ways.is_empty());
                continue;
            };
            let below = part.known_below(&way.to, sleep).expect("all states were counted");
            if below <= self.skips {
                self.skips -= below;
                continue;
            }
            self.schedule.0.push(way.step);
            if part.engine.is_over(&way.to) {
                let found = self.schedule.clone();
                self.schedule.0.pop();
                return Ok(found);
            }
            self.ways.push(awake(&mut part.engine, &way.to, sleep)?.into_iter());
        }
    }
}

/// Draws so many different numbers of a range, or all of them if there are no more, and puts them into an order in which every
/// beginning is a fair sample. Each set of so many numbers is as likely as every other. Source: R. W. Floyd, in J. Bentley,
/// "Programming Pearls: A Sample of Brilliance" (1987).
pub fn draw_numbers(range: &Range<u128>, wanted: usize, rng: &mut ChaCha8Rng) -> Vec<u128> {
    use rand::RngExt;
    let len = range.end.saturating_sub(range.start);
    let first = len.saturating_sub(wanted as u128);
    let mut drawn = FxHashSet::default();
    let mut numbers = Vec::new();
    for most in first..len {
        let number = rng.random_range(0..=most);
        let number = if drawn.insert(number) { number } else { most };
        drawn.insert(number);
        numbers.push(range.start + number);
    }
    numbers.shuffle(rng);
    numbers
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;

    use super::{ClassIndex, draw_numbers};
    use crate::explore::tests::{bound, models_for};
    use crate::explore::traces::awake;
    use crate::explore::{Bound, ClassWalk, Flaws, Limits, Schedule, Watch, each_class};
    use crate::strategy::{Registry, Strategy};
    use crate::terms::Shard;

    fn index(strategy: &dyn Strategy, bound: Bound) -> ClassIndex<'_> {
        let index = ClassIndex::new(strategy, bound, Flaws::default(), Limits::default(), &mut ());
        index.expect("explorable").expect("small")
    }

    /// The first classes in the order of the walk through all of them: at most so many, and one.
    fn one_by_one(strategy: &dyn Strategy, bound: Bound, most: usize) -> Vec<Schedule> {
        let mut all = Vec::new();
        let visited = each_class(strategy, bound, Flaws::default(), |schedule| {
            all.push(schedule.clone());
            all.len() <= most
        });
        visited.expect("explorable");
        all
    }

    /// Where the index differs from the walk through all classes, if it does: for parts of each number, and for single classes.
    fn difference(index: &mut ClassIndex<'_>, all: &[Schedule]) -> Option<String> {
        if index.len() != all.len() as u128 {
            return Some(format!("{} classes, and not {}", index.len(), all.len()));
        }
        for of in [1, 2, 3, 7, 8, 11] {
            let mut joined = Vec::new();
            for number in 1..=of {
                let range = Shard::new(number, of).expect("there is such a shard").range(index.len());
                let part: Result<Vec<_>, _> = index.range(range.clone()).collect();
                let part = part.expect("explorable");
                if part.len() as u128 != range.end - range.start {
                    return Some(format!("{} classes in {range:?}", part.len()));
                }
                joined.extend(part);
            }
            if joined != all {
                return Some(format!("{of} shards are not the whole"));
            }
        }
        let stride = (all.len() / 150).max(1);
        for place in (0..all.len()).step_by(stride) {
            let found = index.at(place as u128).expect("explorable");
            if found.as_ref() != Some(&all[place]) {
                return Some(format!("{found:?} at {place}"));
            }
        }
        None
    }

    #[test]
    fn a_class_has_its_place_in_the_walk_as_its_number_and_shards_are_the_whole() {
        const MOST: usize = 1_000;
        let registry = Registry::default();
        let (mut compared, mut in_parts) = (0, 0);
        for name in registry.names() {
            let strategy = registry.get(name).expect("it is there");
            for store in models_for(strategy.as_ref()) {
                for (lanes, retries, faults) in [(2, 0, 0), (1, 1, 1), (2, 0, 1), (1, 1, 2)] {
                    let bound = Bound { store, ..bound(lanes, retries, faults) };
                    let all = one_by_one(strategy.as_ref(), bound, MOST);
                    if all.len() > MOST {
                        continue;
                    }
                    let mut index = index(strategy.as_ref(), bound);
                    assert_eq!(difference(&mut index, &all), None, "{name} {bound:?}");
                    assert_eq!(index.at(index.len()).expect("explorable"), None, "{name}: one more than there are");
                    assert_eq!(index.range(index.len()..u128::MAX).count(), 0);
                    compared += 1;
                    in_parts += usize::from(index.parts.len() > 1);
                }
            }
        }
        assert!(compared > 6 * registry.names().count(), "{compared} bounds");
        // Where something on the way repeats a request, a bound has parts.
        assert!(in_parts > 0);
    }

    #[test]
    fn a_wrong_count_is_caught() {
        let mut caught = 0;
        for name in ["check-then-act", "dedup-table", "etcd-lock", "claim-lease"] {
            let strategy = Registry::default().get(name).expect("it is there");
            let bound = bound(2, 0, 1);
            let all = one_by_one(strategy.as_ref(), bound, 10_000);
            for wrong in [1_i128, -1] {
                let mut index = index(strategy.as_ref(), bound);
                assert_eq!(difference(&mut index, &all), None, "{name}");
                let part = &mut index.parts[0];
                let (way, sleep) = awake(&mut part.engine, &part.first, 0).expect("explorable")[0];
                let below = part.below.get_mut(&(way.to, sleep)).expect("it was counted");
                *below = below.checked_add_signed(wrong).expect("some are below");
                // Either the classes are others, or there are not so many.
                let found = catch_unwind(AssertUnwindSafe(|| difference(&mut index, &all)));
                assert!(!matches!(found, Ok(None)), "{name}: {wrong} more were not noticed");
                caught += 1;
            }
        }
        assert_eq!(caught, 8);
    }

    #[test]
    fn counting_ends_when_it_is_stopped_or_has_no_memory_left() {
        struct Stop;
        impl Watch for Stop {
            fn goes_on(&mut self, _: u64, _: u128) -> bool {
                false
            }
        }
        let strategy = Registry::default().get("etcd-lock").expect("it is there");
        let large = bound(3, 1, 2);
        let counted = |limits: Limits, watch: &mut dyn Watch| {
            ClassIndex::new(strategy.as_ref(), large, Flaws::default(), limits, watch).expect("explorable").is_some()
        };
        assert!(!counted(Limits::default(), &mut Stop));
        assert!(!counted(Limits { memory_bytes: 0, ..Limits::default() }, &mut ()));
    }

    /// The statistic of a chi-square test that all are equally likely, where each of `rounds` draws takes `wanted` of them. Without
    /// replacement, the counts vary less: by the factor (1 - p) (N - 1) / N, where p is the part that is drawn.
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn chi_square(counts: &[u32], wanted: usize, rounds: u32) -> f64 {
        let len = counts.len() as f64;
        let part = wanted as f64 / len;
        let expected = f64::from(rounds) * part;
        let squares: f64 = counts.iter().map(|count| (f64::from(*count) - expected).powi(2)).sum();
        squares / (expected * (1.0 - part)) * (len - 1.0) / len
    }

    #[test]
    fn drawn_numbers_are_distinct_and_equally_likely() {
        let (mut counts, mut firsts) = ([0; 50], [0; 50]);
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        for _ in 0..5_000 {
            let mut drawn = draw_numbers(&(100..150), 20, &mut rng);
            firsts[usize::try_from(drawn[0] - 100).unwrap()] += 1;
            drawn.iter().for_each(|number| counts[usize::try_from(number - 100).unwrap()] += 1);
            drawn.sort_unstable();
            drawn.dedup();
            assert_eq!(drawn.len(), 20);
        }
        // 49 degrees of freedom: between these lie 99.8 %.
        for (counts, wanted) in [(counts, 20), (firsts, 1)] {
            let statistic = chi_square(&counts, wanted, 5_000);
            assert!((23.9..85.4).contains(&statistic), "{statistic}");
        }
        let mut all = draw_numbers(&(7..12), 9, &mut rng);
        all.sort_unstable();
        assert_eq!(all, [7, 8, 9, 10, 11]);
        assert!(draw_numbers(&(7..7), 9, &mut rng).is_empty());
        let far = draw_numbers(&(1 << 100..u128::MAX), 3, &mut rng);
        assert!(far.len() == 3 && far.iter().all(|number| *number >= 1 << 100), "{far:?}");
    }

    #[test]
    fn classes_by_number_are_equally_likely_and_those_of_a_random_walk_are_not() {
        const ROUNDS: u32 = 6_000;
        let strategy = Registry::default().get("check-then-act").expect("it is there");
        let bound = bound(2, 0, 0);
        let all = one_by_one(strategy.as_ref(), bound, 100);
        let place = |schedule: &Schedule| all.iter().position(|it| it == schedule).expect("it is one of them");
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut index = index(strategy.as_ref(), bound);
        let mut walk = ClassWalk::new(strategy.as_ref(), bound, Flaws::default()).expect("explorable");
        let (mut by_number, mut by_walk) = (vec![0; all.len()], vec![0; all.len()]);
        let mut walked = 0;
        for _ in 0..ROUNDS {
            let drawn = draw_numbers(&(0..index.len()), 1, &mut rng)[0];
            by_number[place(&index.at(drawn).expect("explorable").expect("it is there"))] += 1;
            if let Some(schedule) = walk.walk(&mut rng).expect("explorable") {
                by_walk[place(&schedule)] += 1;
                walked += 1;
            }
        }
        // Six classes, 5 degrees of freedom: 99.9 % lie below 20.5.
        assert_eq!(all.len(), 6);
        assert!(chi_square(&by_number, 1, ROUNDS) < 20.5, "{by_number:?}");
        assert!(chi_square(&by_walk, 1, walked) > 1_000.0, "{by_walk:?}");
    }
}
