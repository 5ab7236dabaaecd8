//! The order of the steps: one that the times of the history allow, and in which the model answers as the servers did.
//!
//! Operations overlap, and when each took effect is not written down: between its beginning and its end. So this is the search for
//! a linearization, after J. Wing and C. Gong, "Testing and Verifying Concurrent Objects" (1993): of the operations that come
//! next on each lane, one goes first that began before any other had ended; the one that ended earliest is tried first.

use crate::explore::execution::{Execution, Executor};
use crate::explore::{Bound, Did, ExploreError, Fate, Flaws, MadeStep, Step};
use crate::world::{Acts, Outcome};

use super::visits::{Visit, VisitItem};
use super::{LiftError, Lifted, Lifting};

/// How many steps are made before the search is given up.
const STEPS: u32 = 40_000;
/// How many orders that fit the model are judged.
const ORDERS: u32 = 24;

/// What happened on one lane, or what landed late from it, in the order of time.
pub(super) struct Track {
    lane: u8,
    items: Vec<Placed>,
}

/// An item with the attempt of its lane.
struct Placed {
    attempt: u8,
    item: VisitItem,
}

impl Track {
    /// The tracks of these lanes, as far as they began before then.
    pub fn of(lanes: &[Vec<&Visit>], horizon: u64) -> Vec<Track> {
        let mut tracks = Vec::new();
        for which in [|visit: &Visit| visit.items.clone(), |visit: &Visit| visit.landings.clone()] {
            for (lane, visits) in (0..).zip(lanes) {
                let of_visit = |(attempt, visit): (u8, &&Visit)| {
                    let items = which(visit).into_iter().filter(|item| item.began_ns <= horizon);
                    items.map(|item| Placed { attempt, item }).collect::<Vec<_>>()
                };
                let mut items: Vec<Placed> = (0..).zip(visits).flat_map(of_visit).collect();
                items.sort_by_key(|placed| (placed.attempt, placed.item.began_ns));
                tracks.push(Track { lane, items });
            }
        }
        tracks
    }
}

/// How far a search has come.
#[derive(Clone)]
struct OrderPlace {
    steps: Vec<Step>,
    /// By track: the items that are behind.
    done: Vec<usize>,
    /// By lane: the attempt that ended last, and whether with an answer.
    ended: Vec<Option<(u8, bool)>>,
    /// By lane: when its lease was asked for.
    leased_ns: Vec<Option<u64>>,
}

/// What came of trying a way.
enum Tried {
    Fits(Box<OrderPlace>),
    /// The model does something else: its execution cannot be used any more.
    Differs,
    /// It cannot be made now, and nothing has changed.
    Disabled,
}

/// A search for an order.
pub(super) struct OrderSearch<'s> {
    lifting: &'s Lifting<'s>,
    bound: Bound,
    tracks: Vec<Track>,
    lanes: usize,
    lease_ns: u64,
    /// Whether responses must be of the same form as in the history, not only the operations that follow from them.
    strict: bool,
    steps_left: u32,
    orders_left: u32,
    /// Where it came furthest, by the number of items, and what could not be made there.
    stuck: (usize, Option<LiftError>),
}

impl<'s> OrderSearch<'s> {
    pub fn new(lifting: &'s Lifting<'s>, tracks: Vec<Track>, (lanes, retries): (usize, usize), strict: bool) -> Self {
        let bound = lifting.bound(lanes, u8::try_from(retries).unwrap_or(u8::MAX), usize::MAX);
        OrderSearch {
            lifting,
            bound,
            tracks,
            lanes,
            lease_ns: u64::try_from(lifting.case.evidence.lease.as_nanos()).unwrap_or(u64::MAX),
            strict,
            steps_left: STEPS,
            orders_left: ORDERS,
            stuck: (0, None),
        }
    }

    /// Looks for an order. Inside, why there is none.
    ///
    /// # Errors
    /// [`ExploreError`] if the strategy cannot be explored.
    pub fn run(mut self) -> Result<Result<Lifted, LiftError>, ExploreError> {
        if usize::from(self.bound.lanes) < self.lanes {
            return Ok(Err(LiftError::TooManyLanes { lanes: self.lanes }));
        }
        let executor = Executor::new(self.lifting.strategy, self.bound, Flaws::default());
        let place = OrderPlace {
            steps: Vec::new(),
            done: vec![0; self.tracks.len()],
            ended: vec![None; self.lanes],
            leased_ns: vec![None; self.lanes],
        };
        let found = self.go_on(&executor, executor.begin()?, &place)?;
        let why =
            if self.orders_left < ORDERS { LiftError::NotShown } else { self.stuck.1.unwrap_or(LiftError::NotShown) };
        Ok(found.ok_or(why))
    }

    /// Goes on from here in every order that may be.
    fn go_on<'e>(
        &mut self,
        executor: &'e Executor<'_>,
        execution: Execution<'e>,
        place: &OrderPlace,
    ) -> Result<Option<Lifted>, ExploreError> {
        let heads = self.heads(place);
        if heads.is_empty() {
            return self.judge(place);
        }
        let mut execution = Some(execution);
        for (track, way) in heads
            .iter()
            .flat_map(|track| self.ways(*track, place).into_iter().map(|way| (*track, way)))
            .collect::<Vec<_>>()
        {
            let mut here = match execution.take() {
                Some(here) => here,
                None => again(executor, &place.steps)?,
            };
            match self.try_way(&mut here, place, track, &way)? {
                Tried::Disabled => execution = Some(here),
                Tried::Differs => {}
                Tried::Fits(next) => {
                    if let Some(found) = self.go_on(executor, here, &next)? {
                        return Ok(Some(found));
                    }
                }
            }
            if self.steps_left == 0 || self.orders_left == 0 {
                return Ok(None);
            }
        }
        self.note_stuck(place, heads[0]);
        self.expire(executor, place, &heads)
    }

    /// The tracks whose next item may go first: those that began before any other next item had ended, the earliest end first;
    /// where responses need not be the same, the others after them.
    fn heads(&self, place: &OrderPlace) -> Vec<usize> {
        let next = |track: &usize| self.next(*track, place);
        let mut open: Vec<usize> = (0..self.tracks.len()).filter(|track| next(track).is_some()).collect();
        let first_end = open.iter().filter_map(&next).map(|placed| placed.item.ended_ns).min();
        let key = |track: &usize| {
            let item = next(track).map(|placed| {
                (placed.item.ended_ns.min(placed.item.began_ns.saturating_add(self.lease_ns)), placed.item.began_ns)
            });
            let may_be_first = item.is_some_and(|(_, began)| first_end.is_none_or(|end| began <= end));
            (!may_be_first, item)
        };
        open.sort_by_key(key);
        if self.strict {
            open.retain(|track| !key(track).0);
        }
        open
    }

    fn next(&self, track: usize, place: &OrderPlace) -> Option<&Placed> {
        self.tracks[track].items.get(place.done[track])
    }

    fn ways(&self, track: usize, place: &OrderPlace) -> Vec<Vec<Fate>> {
        self.next(track, place).map(|placed| placed.item.ways.clone()).unwrap_or_default()
    }

    /// Tries to make the next item of a track in one of its ways.
    fn try_way(
        &mut self,
        execution: &mut Execution<'_>,
        place: &OrderPlace,
        track: usize,
        way: &[Fate],
    ) -> Result<Tried, ExploreError> {
        let lane = self.tracks[track].lane;
        let at = usize::from(lane);
        let placed = &self.tracks[track].items[place.done[track]];
        let (attempt, item) = (placed.attempt, &placed.item);
        let mut next = place.clone();
        next.done[track] += 1;
        if way.is_empty() {
            // A crash of what has come to an end already; or an operation that was not done, and the crash comes next.
            // Nobody heard the answer, if there was one, and so nobody on this lane goes on.
            let is_last = place.done[track] + 1 == self.tracks[track].items.len();
            let ended = place.ended[at].filter(|(ended, _)| *ended == attempt);
            let fits = item.kind.is_some() || ended.is_some_and(|(_, answered)| !answered || is_last);
            return Ok(if fits { Tried::Fits(Box::new(next)) } else { Tried::Disabled });
        }
        for (n, fate) in way.iter().enumerate() {
            let step = Step { lane, fate: *fate };
            let is_operation = !matches!(fate, Fate::Lands | Fate::Crashes);
            if is_operation && execution.pending(lane).map(|op| op.kind()) != item.kind {
                return Ok(if n == 0 { Tried::Disabled } else { Tried::Differs });
            }
            self.steps_left = self.steps_left.saturating_sub(1);
            if !execution.step(step)? {
                // Where nothing else can go, a wait comes to an end.
                if fate.is_fault() || !execution.enabled().contains(&step) {
                    return Ok(if n == 0 { Tried::Disabled } else { Tried::Differs });
                }
                execution.must_step(step)?;
            }
            let made = *execution.last_made().expect("a step was made");
            let fits = match made.did {
                Did::Landed { op, .. } => Some(op.kind()) == item.kind,
                _ => made.attempt == attempt,
            };
            if !fits || self.strict && !is_alike(&made, item.outcome) {
                return Ok(Tried::Differs);
            }
            next.steps.push(step);
            if made.replied.is_some() || matches!(made.did, Did::Crashed { .. }) {
                next.ended[at] = Some((attempt, matches!(made.replied, Some(Ok(_)))));
            }
            if item.kind.is_some_and(|kind| kind.acts().any(Acts::LEASES.and(Acts::SIGNS))) {
                next.leased_ns[at] = Some(item.began_ns);
            }
        }
        Ok(Tried::Fits(Box::new(next)))
    }

    /// Where somebody waits for a lock, or is told that its lease is gone: lets a lease expire that had run out by then.
    fn expire(
        &mut self,
        executor: &Executor<'_>,
        place: &OrderPlace,
        heads: &[usize],
    ) -> Result<Option<Lifted>, ExploreError> {
        let acquires = |track: &&usize| {
            self.next(**track, place)
                .and_then(|placed| placed.item.kind)
                .is_some_and(|kind| kind.acts().any(Acts::QUEUES))
        };
        let waiting = heads.iter().filter(acquires).filter_map(|track| self.next(*track, place));
        let Some(until) = waiting.map(|placed| placed.item.ended_ns).max() else { return Ok(None) };
        for (lane, leased) in (0..).zip(place.leased_ns.clone()) {
            if leased.is_none_or(|leased| leased.saturating_add(self.lease_ns) > until) {
                continue;
            }
            let mut here = again(executor, &place.steps)?;
            let step = Step { lane, fate: Fate::Expires };
            self.steps_left = self.steps_left.saturating_sub(1);
            if self.steps_left == 0 || !here.step(step)? {
                continue;
            }
            let mut next = place.clone();
            next.steps.push(step);
            next.leased_ns[usize::from(lane)] = None;
            if let Some(found) = self.go_on(executor, here, &next)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Whether an order that fits the model shows the violation there.
    fn judge(&mut self, place: &OrderPlace) -> Result<Option<Lifted>, ExploreError> {
        self.orders_left = self.orders_left.saturating_sub(1);
        match self.lifting.shown(&place.steps, self.bound.retries) {
            Ok(lifted) => Ok(lifted),
            Err(LiftError::Explore(error)) => Err(error),
            Err(_) => Ok(None),
        }
    }

    fn note_stuck(&mut self, place: &OrderPlace, head: usize) {
        let done = place.done.iter().sum();
        if self.stuck.1.is_none() || done > self.stuck.0 {
            let stuck = self.next(head, place).and_then(|placed| {
                let kind = placed.item.kind?;
                Some(LiftError::NoOrder { kind, by: placed.item.by })
            });
            self.stuck = (done, stuck);
        }
    }
}

/// Makes steps again that have been made before.
fn again<'e>(executor: &'e Executor<'_>, steps: &[Step]) -> Result<Execution<'e>, ExploreError> {
    let mut execution = executor.begin()?;
    steps.iter().try_for_each(|step| execution.must_step(*step))?;
    Ok(execution)
}

/// Whether the model's response is of the form of the recorded one: values may differ, since other messages change them.
fn is_alike(made: &MadeStep, recorded: Option<Outcome>) -> bool {
    let Did::Made { learned, .. } = made.did else { return true };
    if made.step.fate != Fate::Arrives {
        return true;
    }
    match (learned, recorded) {
        (_, None) => true,
        (Outcome::Ok(model), Some(Outcome::Ok(real))) => model.is_like(real),
        (model, Some(real)) => model == real,
    }
}
