//! Which trials a run has: those of its experiment, without the strategies that it skips, and of a shard only its own.

use crate::experiment::{Experiment, TrialPlan, matrix, of_shard, strategies};
use crate::results::Meta;
use crate::strategy::Registry;

/// The trials of a run in the order in which they run.
#[must_use]
pub fn trials_of(meta: &Meta, experiment: &Experiment, registry: &Registry) -> Vec<TrialPlan> {
    let whole = whole_of(meta, experiment, registry);
    match meta.shard {
        Some(shard) => of_shard(whole, shard, experiment.repeats.get()),
        None => whole,
    }
}

/// The trials of a run and of the other shards, if it is a shard.
#[must_use]
pub fn whole_of(meta: &Meta, experiment: &Experiment, registry: &Registry) -> Vec<TrialPlan> {
    let mut trials = matrix(experiment, &strategies(experiment, registry), meta.seed);
    trials.retain(|trial| !meta.skipped.contains_key(&trial.cell.strategy));
    trials
}
