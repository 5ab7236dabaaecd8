//! Conformance: one schedule of each equivalence class on the real backends, against the model.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rustc_hash::FxHashSet;

use super::testbed::Testbed;
use super::with_model::{Divergence, ReplayError, WithModel};
use super::workers::{ReplayWork, replay_all};
use crate::explore::execution::Executor;
use crate::explore::{Bound, ClassWalk, ExploreError, Flaws, Limits, Schedule, Watch, count_classes, each_class};
use crate::strategy::Strategy;
use crate::world::Op;

/// So many classes are gone through to draw a sample from them; of more, the sample is drawn by walking at random.
const TO_DRAW_FROM: u128 = 200_000;

/// States that are gone through to count the classes.
const STATES: u64 = 2_000_000;

/// What is to be held against the model.
#[derive(Debug, Clone, Copy)]
pub struct Conformance {
    pub bound: Bound,
    pub flaws: Flaws,
    /// At most so many schedules of a strategy, drawn from its classes.
    pub sample: Option<usize>,
    /// If there is no sample: no more classes than these.
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
    pub replayed: usize,
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
        "{strategy} has {classes} classes within the bound, more than --max-classes {max}; draw some of them with --sample {max}, raise --max-classes, or lower --lanes, --retries or --faults"
    )]
    TooMany { strategy: &'static str, classes: String, max: usize },
    #[error(transparent)]
    Explore(#[from] ExploreError),
    /// A server broke down; so far it was like this.
    #[error("{strategy}, after {replayed} schedules: {source}", strategy = .so_far.strategy, replayed = .so_far.replayed)]
    Replay { source: ReplayError, so_far: Box<Conformed> },
}

/// Stops counting after so many states.
struct ClassCounting(u64);

impl Watch for ClassCounting {
    fn goes_on(&mut self, states: u64, _: u128) -> bool {
        states <= self.0
    }
}

/// The schedules to be replayed, and how many classes there are.
fn schedules(strategy: &dyn Strategy, of: &Conformance) -> Result<(Vec<Schedule>, Option<u128>), ConformError> {
    let classes = count_classes(strategy, of.bound, of.flaws, Limits::default(), &mut ClassCounting(STATES))?;
    let max = of.max_classes;
    let few = |most: u128| classes.is_some_and(|classes| classes <= most);
    if of.sample.is_none() && !few(max as u128) {
        let classes = classes.map_or_else(|| "too many to count".to_owned(), |classes| classes.to_string());
        return Err(ConformError::TooMany { strategy: strategy.name(), classes, max });
    }
    let mut rng = ChaCha8Rng::seed_from_u64(of.seed);
    if of.sample.is_none() || few(TO_DRAW_FROM) {
        let mut all = Vec::new();
        each_class(strategy, of.bound, of.flaws, |schedule| {
            all.push(schedule.clone());
            true
        })?;
        // In an order in which every beginning is a fair sample.
        all.shuffle(&mut rng);
        all.truncate(of.sample.unwrap_or(usize::MAX));
        return Ok((all, classes));
    }
    let wanted = of.sample.unwrap_or(0);
    let mut walk = ClassWalk::new(strategy, of.bound, of.flaws)?;
    let mut drawn = FxHashSet::default();
    let mut all = Vec::with_capacity(wanted);
    while all.len() < wanted {
        if let Some(schedule) = walk.walk(&mut rng)?
            && drawn.insert(schedule.0.clone())
        {
            all.push(schedule);
        }
    }
    Ok((all, classes))
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
    let (schedules, classes) = schedules(strategy, &of)?;
    let replayed = AtomicUsize::new(0);
    let found: Mutex<Vec<(usize, usize, Divergence)>> = Mutex::new(Vec::new());
    let work = ReplayWork {
        strategy,
        bound: of.bound,
        flaws: of.flaws,
        schedules: &schedules,
        times: 1,
        workers: of.workers,
        has_model: true,
    };
    let ended = replay_all(testbed, work, &|place, it| {
        let done = replayed.fetch_add(1, Ordering::Relaxed) + 1;
        let diverges = it.divergence.is_some();
        if let Some(divergence) = it.divergence {
            found.lock().unwrap_or_else(PoisonError::into_inner).push((place, done, divergence));
        }
        watch(done, schedules.len()) && !(diverges && of.until_divergence)
    });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut waits = 0;
    let mut ended = ended;
    let has_enough = of.until_divergence && !found.is_empty();
    if ended.is_ok() && !has_enough {
        match probe_all(testbed, strategy, &of, &schedules, &|| watch(schedules.len(), schedules.len())) {
            Ok((sent, diverging)) => {
                waits = sent;
                found.extend(diverging.into_iter().map(|(place, divergence)| (place, schedules.len(), divergence)));
            }
            Err(error) => ended = Err(error),
        }
    }
    let smallest = found.iter().min_by_key(|(place, ..)| (schedules[*place].cost(), *place));
    let replayed = replayed.into_inner();
    let conformed = Conformed {
        strategy: strategy.name(),
        classes,
        replayed,
        waits,
        divergences: found.len(),
        smallest: smallest.map(|(place, _, divergence)| (schedules[*place].clone(), divergence.clone())),
        first_after: found.iter().map(|(_, done, _)| *done).min(),
        elapsed: began.elapsed(),
        complete: replayed == schedules.len(),
    };
    match ended {
        Ok(()) => Ok(conformed),
        Err(source) => Err(ConformError::Replay { source, so_far: Box::new(conformed) }),
    }
}

/// The most places of a strategy in which it is looked whether what waits in the model waits.
const MOST_PROBES: usize = 64;

/// Where an operation waits, says the model: the schedule, how many of its steps come before, and the lane. One for each
/// situation that the lanes can be in.
fn places_to_probe(
    strategy: &dyn Strategy,
    of: &Conformance,
    schedules: &[Schedule],
) -> Result<Vec<(usize, usize, u8)>, ExploreError> {
    let executor = Executor::new(strategy, of.bound, of.flaws);
    let mut model = executor.execution();
    let mut known: FxHashSet<Vec<Option<Op>>> = FxHashSet::default();
    let mut probes = Vec::new();
    for (place, schedule) in schedules.iter().enumerate() {
        model.begin_again()?;
        for (n, step) in schedule.0.iter().enumerate() {
            model.must_step(*step)?;
            let waiting = (0..of.bound.lanes).filter(|lane| model.waits(*lane)).collect::<Vec<_>>();
            let lanes = || (0..of.bound.lanes).map(|lane| model.pending(lane));
            if !waiting.is_empty() && waiting.len() < usize::from(of.bound.lanes) && known.insert(lanes().collect()) {
                probes.push((place, n + 1, waiting[0]));
            }
            if probes.len() >= MOST_PROBES {
                return Ok(probes);
            }
        }
    }
    Ok(probes)
}

/// Sends what waits in the model, and sees whether it waits. Says how often that was done, and where it did not.
fn probe_all(
    testbed: &Testbed,
    strategy: &dyn Strategy,
    of: &Conformance,
    schedules: &[Schedule],
    goes_on: &dyn Fn() -> bool,
) -> Result<(usize, Vec<(usize, Divergence)>), ReplayError> {
    let probes = places_to_probe(strategy, of, schedules)?;
    let executor = Executor::new(strategy, of.bound, of.flaws);
    let gate = testbed.gate(strategy.needs(), of.bound, false);
    let mut with_model = WithModel::new(&executor, gate.map_err(|error| ReplayError::Backend { position: 0, error })?);
    let (mut sent, mut diverging) = (0, Vec::new());
    for (place, steps, lane) in probes {
        if !goes_on() {
            break;
        }
        sent += 1;
        if let Some(divergence) = with_model.probe(&schedules[place].0[..steps], lane)? {
            diverging.push((place, divergence));
        }
    }
    Ok((sent, diverging))
}
