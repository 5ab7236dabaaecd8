//! Search on a real database, for strategies that no model knows: every schedule within a bound, or schedules drawn at random,
//! each from empty tables.
//!
//! There is no state to go back to: each schedule is run from its beginning. What waits is found out by sending it and asking the
//! server; the run is spoilt then, and another begins without that step. Sleep sets leave out what was run the other way round
//! already, as far as it is known what the statements touch. Source: P. Godefroid, "Model Checking for Programming Languages
//! using VeriSoft" (POPL 1997).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::testbed::Testbed;
use super::touches::{TablePast, TableTouch};
use super::with_model::ReplayError;
use super::without_model::{Went, WithoutModel};
use crate::explore::execution::Executor;
use crate::explore::{Bound, Fate, Flaws, Schedule, Step, Why};
use crate::strategy::Strategy;
use crate::terms::Violation;

/// How schedules are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// All of them, those with fewer faults first, depth first.
    Every,
    /// So that each step is as likely as every other, from a seed.
    AtRandom { seed: u64 },
}

/// What a search came to.
#[derive(Debug, Clone, Default)]
pub struct Searched {
    /// Schedules that were run to their end.
    pub schedules: u64,
    /// Runs of steps on the database, those that came to a wait included.
    pub runs: u64,
    /// By violation: the schedules that showed it.
    pub violations: BTreeMap<Violation, u64>,
    /// By violation and cause: a short schedule that shows it, and after how long the first one was found.
    pub found: BTreeMap<Why, (Schedule, Duration)>,
    /// The places in which every lane waited for another.
    pub deadlocks: u64,
    /// Every schedule within the bound was run, one of each class.
    pub complete: bool,
    pub elapsed: Duration,
}

/// One place on the way.
struct DatabaseNode {
    /// What is to be tried, last first.
    untried: Vec<Step>,
    /// What need not be tried, with what it touches.
    sleep: Vec<(Step, TableTouch)>,
    /// What was tried and could be made.
    done: Vec<(Step, TableTouch)>,
}

struct DatabaseSearch<'e, 'w> {
    without_model: WithoutModel<'e>,
    bound: Bound,
    most_runs: u64,
    goes_on: &'w (dyn Fn(u64) -> bool + Sync),
    searched: Searched,
    began: Instant,
    /// What each lane has done, along the present way.
    pasts: Vec<TablePast>,
}

/// Searches on real backends, until every schedule was run, so many runs were made, or `goes_on` says that it is enough.
///
/// # Errors
/// [`ReplayError`] if the strategy awaits anything else than its operations, or a server breaks down.
pub fn search(
    testbed: &Testbed,
    strategy: &dyn Strategy,
    bound: Bound,
    how: How,
    most_runs: u64,
    goes_on: &(dyn Fn(u64) -> bool + Sync),
) -> Result<Searched, ReplayError> {
    let bound = bound.for_strategy(strategy);
    let gate = testbed.gate(strategy.needs(), bound, true);
    let mut gate = Some(gate.map_err(|error| ReplayError::Backend { position: 0, error })?);
    let began = Instant::now();
    let mut searched = Searched::default();
    // Fewer faults first: what is found first is what is simplest.
    let faults = match how {
        How::Every => 0..=bound.faults,
        How::AtRandom { .. } => bound.faults..=bound.faults,
    };
    for faults in faults {
        let bound = Bound { faults, ..bound };
        let executor = Executor::new(strategy, bound, Flaws::default());
        let without_model = WithoutModel::new(&executor, gate.take().expect("it is given back"));
        let pasts = vec![TablePast::default(); bound.lanes.into()];
        let mut search = DatabaseSearch {
            without_model,
            bound,
            most_runs,
            goes_on,
            searched: std::mem::take(&mut searched),
            began,
            pasts,
        };
        search.searched.complete = match how {
            How::Every => search.every()?,
            How::AtRandom { seed } => {
                search.at_random(seed)?;
                false
            }
        };
        searched = search.searched;
        gate = Some(search.without_model.into_gate());
        if !searched.complete {
            break;
        }
    }
    searched.elapsed = began.elapsed();
    Ok(searched)
}

impl DatabaseSearch<'_, '_> {
    fn is_enough(&self) -> bool {
        self.searched.runs >= self.most_runs || !(self.goes_on)(self.searched.runs)
    }

    /// Every schedule with exactly as many faults as the bound allows, or fewer if there is no fault in it at all.
    fn every(&mut self) -> Result<bool, ReplayError> {
        let mut nodes: Vec<DatabaseNode> = Vec::new();
        let mut steps: Vec<Step> = Vec::new();
        loop {
            if self.is_enough() {
                return Ok(false);
            }
            // The way to the last node, which was made before.
            self.searched.runs += 1;
            self.walk(&steps)?;
            let mut spoilt = false;
            while !self.without_model.is_over() && !spoilt {
                if nodes.len() == steps.len() {
                    let node = self.node(&nodes, &steps);
                    nodes.push(node);
                }
                let Some(step) = nodes[steps.len()].untried.pop() else { break };
                let touch = self.touch(step);
                if self.make(step, steps.len() + 1)? {
                    nodes[steps.len()].done.push((step, touch));
                    steps.push(step);
                } else {
                    // What waits is no step here. Nor is another way to send the same operation.
                    spoilt = true;
                    let waits = |other: &Step| other.lane == step.lane && other.fate == Fate::ReplyLost;
                    if step.fate == Fate::Arrives {
                        nodes[steps.len()].untried.retain(|other| !waits(other));
                    }
                }
            }
            if self.without_model.is_over() && !spoilt {
                self.judge(&steps)?;
            }
            if spoilt && !nodes[steps.len()].untried.is_empty() {
                continue;
            }
            let is_dead = |node: &DatabaseNode| node.done.is_empty() && node.sleep.is_empty();
            self.searched.deadlocks += u64::from(spoilt && is_dead(&nodes[steps.len()]));
            // Back to where there is something left to try.
            nodes.truncate(steps.len() + 1);
            if nodes.last().is_some_and(|node| node.untried.is_empty()) && nodes.len() == steps.len() + 1 {
                nodes.pop();
            }
            while nodes.last().is_some_and(|node| node.untried.is_empty()) {
                nodes.pop();
            }
            if nodes.is_empty() {
                return Ok(true);
            }
            steps.truncate(nodes.len() - 1);
        }
    }

    /// What is to be tried after these steps.
    fn node(&self, nodes: &[DatabaseNode], steps: &[Step]) -> DatabaseNode {
        let mut sleep = Vec::new();
        if let (Some(before), Some(step)) = (nodes.last(), steps.last()) {
            let (_, its) = before.done.last().expect("the last step was made from there");
            let earlier = &before.done[..before.done.len() - 1];
            let stays = |(other, touch): &&(Step, TableTouch)| other.lane != step.lane && !touch.conflicts_with(its);
            sleep.extend(before.sleep.iter().chain(earlier).filter(stays).cloned());
        }
        let is_awake = |step: &Step| !sleep.iter().any(|(other, _)| other == step);
        let mut untried: Vec<Step> = self.without_model.candidates().into_iter().filter(is_awake).collect();
        untried.retain(|step| self.begins_in_order(*step, steps));
        untried.reverse();
        DatabaseNode { untried, sleep, done: Vec::new() }
    }

    /// Of lanes with the same request, which are interchangeable, an earlier one moves first.
    fn begins_in_order(&self, step: Step, steps: &[Step]) -> bool {
        let requests = self.bound.requests.max(1);
        let has_moved = |lane: u8| steps.iter().any(|step| step.lane == lane);
        step.lane < requests || has_moved(step.lane) || has_moved(step.lane - requests)
    }

    fn at_random(&mut self, seed: u64) -> Result<(), ReplayError> {
        for number in 0.. {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(number);
            let (mut steps, mut waits): (Vec<Step>, Vec<Step>) = (Vec::new(), Vec::new());
            'again: loop {
                if self.is_enough() {
                    return Ok(());
                }
                self.searched.runs += 1;
                self.walk(&steps)?;
                while !self.without_model.is_over() {
                    let mut ways = self.without_model.candidates();
                    ways.retain(|step| !waits.contains(step));
                    // Faults are rare, or there would be nothing else.
                    let quiet: Vec<Step> = ways.iter().copied().filter(|step| !step.fate.is_fault()).collect();
                    let ways = if quiet.is_empty() || rng.random_bool(0.1) { ways } else { quiet };
                    if ways.is_empty() {
                        break 'again;
                    }
                    let step = ways[rng.random_range(0..ways.len())];
                    if !self.make(step, steps.len() + 1)? {
                        waits.push(step);
                        continue 'again;
                    }
                    steps.push(step);
                    waits.clear();
                }
                self.judge(&steps)?;
                break;
            }
        }
        Ok(())
    }

    /// Begins again, and makes steps that could be made before.
    fn walk(&mut self, steps: &[Step]) -> Result<(), ReplayError> {
        self.without_model.begin()?;
        self.pasts.fill(TablePast::default());
        for (n, step) in steps.iter().enumerate() {
            if !self.make(*step, n + 1)? {
                return Err(ReplayError::Differs { position: n + 1, step: *step });
            }
        }
        Ok(())
    }

    fn touch(&self, step: Step) -> TableTouch {
        self.pasts[usize::from(step.lane)].touch(step, self.without_model.pending(step.lane))
    }

    fn make(&mut self, step: Step, position: usize) -> Result<bool, ReplayError> {
        let op = self.without_model.pending(step.lane);
        let made = self.without_model.step(step, position)?;
        if made {
            let past = &mut self.pasts[usize::from(step.lane)];
            past.follow(step, op);
            if self.without_model.last_made().is_some_and(|made| made.replied.is_some()) {
                *past = TablePast::default();
            }
        }
        Ok(made)
    }

    /// Judges a schedule that has come to its end.
    fn judge(&mut self, steps: &[Step]) -> Result<(), ReplayError> {
        let executed = self.without_model.settle(steps.len())?;
        self.searched.schedules += 1;
        for violation in executed.violations() {
            *self.searched.violations.entry(violation).or_default() += 1;
        }
        for why in executed.whys() {
            if !self.searched.found.contains_key(&why) {
                let after = self.began.elapsed();
                let short = self.shortened(steps, why)?;
                self.searched.found.insert(why, (Schedule(short), after));
            }
        }
        Ok(())
    }

    /// Leaves out the end of a schedule, as far as what runs on by itself shows the violation with its cause all the same.
    fn shortened(&mut self, steps: &[Step], why: Why) -> Result<Vec<Step>, ReplayError> {
        let mut short = steps.to_vec();
        while let Some((_, shorter)) = short.split_last() {
            self.searched.runs += 1;
            self.without_model.complete(shorter)?;
            if !self.without_model.settle(shorter.len())?.whys().contains(&why) {
                break;
            }
            short.pop();
        }
        Ok(short)
    }
}

/// A schedule of a strategy that no model knows, so often: the first time tells what the others are held against.
///
/// # Errors
/// [`ReplayError`] if a step of it cannot be made, or a server breaks down.
pub(super) fn steps_of(without_model: &mut WithoutModel<'_>, schedule: &Schedule) -> Result<Vec<Step>, ReplayError> {
    match without_model.go(&schedule.0)? {
        Went::AllTheWay if without_model.is_over() => Ok(schedule.0.clone()),
        _ => without_model.complete(&schedule.0),
    }
}
