//! Conformance: one schedule of each equivalence class on the real backends, against the model.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustc_hash::FxHashSet;

use super::class_digest::ClassDigest;
use super::selection::Selection;
use super::testbed::Testbed;
use super::with_model::{Divergence, ReplayError, WithModel};
use super::workers::{ReplayWork, replay_all};
use crate::explore::execution::Executor;
use crate::explore::{Bound, ExploreError, Flaws, Schedule};
use crate::strategy::Strategy;
use crate::terms::{Shard, TooManyShards};
use crate::world::Op;

/// What is to be held against the model.
#[derive(Debug, Clone, Copy)]
pub struct Conformance {
    pub bound: Bound,
    pub flaws: Flaws,
    /// The part of each strategy's classes; all of them if there is none.
    pub shard: Option<Shard>,
    /// At most so many schedules of a strategy, drawn from its classes, or from those of the shard.
    pub sample: Option<usize>,
    /// If there is no sample: no more classes than these, in the shard if there is one.
    pub max_classes: usize,
    pub seed: u64,
    pub workers: usize,
    /// It ends at the first divergence.
    pub until_divergence: bool,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Conformed {
    pub strategy: &'static str,
    /// The classes within the bound; none if they could not be counted.
    pub classes: Option<u128>,
    /// The numbers of the classes that were to be replayed, or that the sample was drawn from.
    pub range: Option<Range<u128>>,
    pub replayed: usize,
    /// The digest of the schedules that were replayed.
    pub digest: ClassDigest,
    /// Places in which an operation waits, says the model: sent there, it did wait or is a divergence.
    pub waits: usize,
    pub divergences: usize,
    /// The smallest schedule that diverges, and how.
    pub smallest: Option<(Schedule, Divergence)>,
    /// How many were replayed before the first divergence, it included.
    pub first_after: Option<usize>,
    pub elapsed: Duration,
    /// It was not stopped.
    pub complete: bool,
}

/// Conformance cannot be shown.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConformError {
    #[error(
        "{strategy} has {classes} within the bound, more than --max-classes {max}; draw some of them with --sample {max}, raise --max-classes, or lower --lanes, --retries or --faults"
    )]
    TooMany { strategy: &'static str, classes: String, max: usize },
    #[error(
        "{strategy} has too many classes to count them, so they cannot be divided for --shard {shard}; lower --lanes, --retries or --faults, or leave --shard out and draw some with --sample"
    )]
    Uncounted { strategy: &'static str, shard: Shard },
    #[error("--shard {0}")]
    Shards(TooManyShards),
    #[error(transparent)]
    Explore(#[from] ExploreError),
    /// A server broke down; so far it was like this.
    #[error("{strategy}, after {replayed} schedules: {source}", strategy = .so_far.strategy, replayed = .so_far.replayed)]
    Replay { source: ReplayError, so_far: Box<Conformed> },
}

/// What has been held against the model so far.
#[derive(Default)]
struct ConformTally {
    replayed: usize,
    digest: ClassDigest,
    divergences: usize,
    first_after: Option<usize>,
    /// The cheapest schedule that diverges, of several the first: its place, itself, and how it diverges.
    smallest: Option<(usize, Schedule, Divergence)>,
    stopped: bool,
}

impl ConformTally {
    /// The schedule at this place of all diverges.
    fn diverges(&mut self, schedule: &Schedule, place: usize, divergence: Divergence) {
        self.divergences += 1;
        self.first_after.get_or_insert(self.replayed);
        let is_smaller = |(its_place, smallest, _): &(usize, Schedule, Divergence)| {
            (schedule.cost(), place) < (smallest.cost(), *its_place)
        };
        if self.smallest.as_ref().is_none_or(is_smaller) {
            self.smallest = Some((place, schedule.clone(), divergence));
        }
    }
}

/// Holds a strategy's schedules on the real backends against the model. `watch` is told how many are done, of how many, and says
/// whether to go on.
///
/// # Errors
/// [`ConformError`]; what was found before a server broke down is in it.
pub fn conform(
    testbed: &Testbed,
    strategy: &dyn Strategy,
    of: &Conformance,
    watch: &(dyn Fn(usize, usize) -> bool + Sync),
) -> Result<Conformed, ConformError> {
    let began = Instant::now();
    let of = Conformance { bound: of.bound.for_strategy(strategy), ..*of };
    let mut selection = Selection::new(strategy, &of)?;
    let mut probes = Probes::new(strategy, of);
    let (mut held, mut ended) = (ConformTally::default(), Ok(()));
    while ended.is_ok() && !held.stopped {
        let schedules = selection.next_chunk()?;
        if schedules.is_empty() {
            break;
        }
        ended = replay_chunk(testbed, strategy, &of, &schedules, &mut held, &|done| watch(done, selection.total));
        if ended.is_ok() && !held.stopped {
            ended = probes.look_for_places(&schedules).map_err(ReplayError::from);
        }
    }
    let mut waits = 0;
    if ended.is_ok() && !held.stopped {
        let sent = probes.send_all(testbed, &mut held, &|| watch(selection.total, selection.total));
        ended = sent.map(|sent| waits = sent);
    }
    let conformed = Conformed {
        strategy: strategy.name(),
        classes: selection.classes,
        range: selection.range,
        replayed: held.replayed,
        digest: held.digest,
        waits,
        divergences: held.divergences,
        smallest: held.smallest.map(|(_, schedule, divergence)| (schedule, divergence)),
        first_after: held.first_after,
        elapsed: began.elapsed(),
        complete: held.replayed == selection.total,
    };
    match ended {
        Ok(()) => Ok(conformed),
        Err(source) => Err(ConformError::Replay { source, so_far: Box::new(conformed) }),
    }
}

/// Replays these schedules, and takes in what came of it.
fn replay_chunk(
    testbed: &Testbed,
    strategy: &dyn Strategy,
    of: &Conformance,
    schedules: &[Schedule],
    held: &mut ConformTally,
    goes_on: &(dyn Fn(usize) -> bool + Sync),
) -> Result<(), ReplayError> {
    let (bound, flaws, workers) = (of.bound, of.flaws, of.workers);
    let work = ReplayWork { strategy, bound, flaws, schedules, times: 1, workers, has_model: true };
    let before = held.replayed;
    let held = Mutex::new(held);
    let locked = || held.lock().unwrap_or_else(PoisonError::into_inner);
    replay_all(testbed, work, &|place, it| {
        let schedule = &schedules[place];
        let diverges = it.divergence.is_some();
        let done = {
            let mut held = locked();
            held.replayed += 1;
            held.digest.add(schedule);
            if let Some(divergence) = it.divergence {
                held.diverges(schedule, before + place, divergence);
            }
            held.replayed
        };
        let goes_on = goes_on(done) && !(diverges && of.until_divergence);
        if !goes_on {
            locked().stopped = true;
        }
        goes_on
    })
}

/// The most places of a strategy in which it is looked whether what waits in the model waits.
const MOST_PROBES: usize = 64;

/// Where an operation waits, says the model.
struct Probe {
    schedule: Schedule,
    /// So many of its steps come before.
    steps: usize,
    lane: u8,
}

/// Places to probe: one for each situation that the lanes can be in.
struct Probes<'s> {
    strategy: &'s dyn Strategy,
    of: Conformance,
    known: FxHashSet<Vec<Option<Op>>>,
    places: Vec<Probe>,
}

impl<'s> Probes<'s> {
    fn new(strategy: &'s dyn Strategy, of: Conformance) -> Self {
        Probes { strategy, of, known: FxHashSet::default(), places: Vec::new() }
    }

    /// Looks for more of them in these schedules.
    fn look_for_places(&mut self, schedules: &[Schedule]) -> Result<(), ExploreError> {
        let bound = self.of.bound;
        let executor = Executor::new(self.strategy, bound, self.of.flaws);
        let mut model = executor.execution();
        for schedule in schedules {
            model.begin_again()?;
            for (n, step) in schedule.0.iter().enumerate() {
                if self.places.len() >= MOST_PROBES {
                    return Ok(());
                }
                model.must_step(*step)?;
                let waiting = (0..bound.lanes).filter(|lane| model.waits(*lane)).collect::<Vec<_>>();
                let lanes = || (0..bound.lanes).map(|lane| model.pending(lane));
                if !waiting.is_empty()
                    && waiting.len() < usize::from(bound.lanes)
                    && self.known.insert(lanes().collect())
                {
                    self.places.push(Probe { schedule: schedule.clone(), steps: n + 1, lane: waiting[0] });
                }
            }
        }
        Ok(())
    }

    /// Sends what waits in the model, and sees whether it waits. Says how often that was done.
    fn send_all(
        &self,
        testbed: &Testbed,
        held: &mut ConformTally,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<usize, ReplayError> {
        let executor = Executor::new(self.strategy, self.of.bound, self.of.flaws);
        let gate = testbed.gate(self.strategy.needs(), self.of.bound, false);
        let gate = gate.map_err(|error| ReplayError::Backend { position: 0, error })?;
        let mut with_model = WithModel::new(&executor, gate);
        let mut sent = 0;
        for (place, Probe { schedule, steps, lane }) in self.places.iter().enumerate() {
            if !goes_on() {
                break;
            }
            sent += 1;
            if let Some(divergence) = with_model.probe(&schedule.0[..*steps], *lane)? {
                held.diverges(schedule, place, divergence);
            }
        }
        Ok(sent)
    }
}
