//! The matrix: which trials an experiment consists of, and in which order they run.

use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::{Experiment, Point};
use crate::strategy::Registry;
use crate::terms::Shard;

/// A strategy under a fault level, at a point of a sweep if the experiment has one: what a row of a report is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    pub strategy: String,
    pub level: String,
    pub point: Point,
}

/// One trial that is to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialPlan {
    pub cell: Cell,
    /// Which repetition of its cell, from 0.
    pub repeat: u16,
    /// The same for every cell of a repetition, so that all meet the same requests and the same faults.
    pub seed: u64,
}

impl TrialPlan {
    /// The name of the trial, unique within its experiment: also the name of its history's file.
    #[must_use]
    pub fn id(&self) -> String {
        let Cell { strategy, level, point } = &self.cell;
        let at: String = point.0.iter().map(|(axis, value)| format!(".{axis}={value}")).collect();
        format!("{strategy}.{level}{at}.{}", self.repeat)
    }
}

/// The streams of the run's generator, by purpose.
const ORDER: u64 = 0;
const TRIAL_SEEDS: u64 = 1;

/// The trials of an experiment in the order in which they run: each repetition goes through all cells, in an order of
/// its own drawn from the seed, so that a slow spell of the machine hits no strategy alone.
#[must_use]
pub fn matrix(experiment: &Experiment, strategies: &[String], seed: u64) -> Vec<TrialPlan> {
    let stream = |number| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(number);
        rng
    };
    let (mut order, mut seeds) = (stream(ORDER), stream(TRIAL_SEEDS));
    let points = experiment.points();
    let mut cells = Vec::new();
    for (strategy, level) in strategies.iter().flat_map(|name| experiment.faults.iter().map(move |level| (name, level)))
    {
        let at = |point: &Point| Cell { strategy: strategy.clone(), level: level.name.clone(), point: point.clone() };
        cells.extend(points.iter().map(at));
    }
    let mut trials = Vec::new();
    for repeat in 0..experiment.repeats.get() {
        let trial_seed = seeds.next_u64();
        let mut block: Vec<TrialPlan> =
            cells.iter().map(|cell| TrialPlan { cell: cell.clone(), repeat, seed: trial_seed }).collect();
        block.shuffle(&mut order);
        trials.append(&mut block);
    }
    trials
}

/// Those of the trials that a shard runs. Where there are as many repetitions as shards, a shard has whole repetitions, so that all cells of one
/// meet the same machine, and one speed can be divided by another; otherwise the trials are dealt out one by one.
#[must_use]
pub fn of_shard(trials: Vec<TrialPlan>, shard: Shard, repeats: u16) -> Vec<TrialPlan> {
    let by_repeat = !splits_repeats(shard.of(), repeats);
    let is_own = |(n, trial): &(usize, TrialPlan)| shard.has(if by_repeat { usize::from(trial.repeat) } else { *n });
    trials.into_iter().enumerate().filter(is_own).map(|(_, trial)| trial).collect()
}

/// Whether so many shards take the trials of one repetition apart.
#[must_use]
pub fn splits_repeats(shards: u16, repeats: u16) -> bool {
    shards > repeats
}

/// The strategies of an experiment, by name: those that it names, or all, but for those of scenarios unless it wants every strategy.
#[must_use]
pub fn strategies(experiment: &Experiment, registry: &Registry) -> Vec<String> {
    match experiment.strategies.as_slice() {
        [] => {
            let general =
                registry.iter().filter(|strategy| experiment.every_strategy || !strategy.belongs_to_a_scenario());
            general.map(|strategy| strategy.name().to_owned()).collect()
        }
        named => named.iter().map(|name| name.get_ref().clone()).collect(),
    }
}
