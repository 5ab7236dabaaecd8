//! From load to schedule: a violation that a load run has recorded, said in the explorer's language.
//!
//! A message's deliveries become lanes, what was done to its operations becomes the faults of steps, and the order of the steps is
//! looked for among those that the times of the history allow: in the one that is taken, the model answers as the servers did, and
//! the checks find the same violation. Nothing is guessed: what a schedule cannot say is an error that names it.

mod minimal;
mod order;
#[cfg(test)]
mod tests;
mod visits;

pub use minimal::Shortener;

use crate::check::{Case, Finding};
use crate::explore::{Bound, ExploreError, Fate, Kinds, MAX_LANES, Schedule, Step, guarded, tell};
use crate::history::{Event, What};
use crate::strategy::Strategy;
use crate::terms::{Delivery, MessageId, Profile, Reply, Retries, Violation};
use crate::world::{Acts, OpKind};

use order::{OrderSearch, Track};
use visits::{Visit, lanes, visits};

/// A recorded violation as a schedule in which the explorer's model shows it too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifted {
    /// It ends with the step after which the violation is there, if there is such a step.
    pub schedule: Schedule,
    /// As many lanes, retries and faults as the schedule needs, and every kind of fault.
    pub bound: Bound,
}

impl Lifted {
    /// The command that replays it, with these options for where.
    #[must_use]
    pub fn command(&self, strategy: &str, options: &str) -> String {
        let retries = match self.bound.retries {
            1 => String::new(),
            retries => format!(" --retries {retries}"),
        };
        format!("oncelab replay {strategy}{options}{retries} \"{}\"", self.schedule)
    }
}

/// A recorded violation cannot be said in a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LiftError {
    /// Something between handler and store repeated an operation.
    #[error("`{}` of delivery {by} was carried out twice on its way, which no schedule can say", .kind.name())]
    Repeated { kind: OpKind, by: Delivery },
    #[error("{lanes} deliveries were on their way at once, and a schedule has {MAX_LANES} lanes at the most")]
    TooManyLanes { lanes: usize },
    #[error(
        "a lane was retried {retries} times, and a schedule has {} retries at the most",
        crate::explore::MAX_RETRIES
    )]
    TooManyRetries { retries: usize },
    /// Only where clients never retry: elsewhere it is another lane.
    #[error(
        "its client had given up while the delivery was still on its way or at work, and a schedule's clients wait"
    )]
    ClientGaveUp,
    #[error("the strategy has actors, and a history does not say which operations are theirs")]
    HasActors,
    #[error(
        "the strategy has a second store, or a peer, and lifting knows one store: `oncelab explore` gives the shortest schedule for each of its violations"
    )]
    SeveralStores,
    #[error(
        "its id came with another body too, and lifting gives every lane the request's own: `oncelab explore --other-body` gives the \
         shortest schedule"
    )]
    OtherBody,
    #[error("the message has no operation")]
    NoOperation,
    /// The model does not do what the history says, whichever operation goes first.
    #[error(
        "in no order of its own operations does the model come to `{}` of delivery {by} as the history has it: other \
         messages had a part in it", .kind.name()
    )]
    NoOrder { kind: OpKind, by: Delivery },
    #[error("its own operations do not show it in the model: other messages had a part in it")]
    NotShown,
    #[error(transparent)]
    Explore(#[from] ExploreError),
}

/// Lifts a finding of a recorded trial into a schedule on a model of the store.
///
/// # Errors
/// [`LiftError`]: why no schedule says it.
pub fn lift(strategy: &dyn Strategy, store: Profile, case: &Case<'_>, finding: &Finding) -> Result<Lifted, LiftError> {
    let lifting = Lifting { strategy, store, case, message: finding.message, wanted: finding.violation };
    guarded(strategy.name(), || Ok(lifting.lift()))?
}

/// What is to be lifted.
struct Lifting<'l> {
    strategy: &'l dyn Strategy,
    store: Profile,
    case: &'l Case<'l>,
    message: MessageId,
    wanted: Violation,
}

impl Lifting<'_> {
    fn lift(&self) -> Result<Lifted, LiftError> {
        let forgets = |event: &Event| matches!(event.what, What::Called { op, .. } if op.acts().any(Acts::FORGETS));
        let is_reaped = self.case.events_of(self.message).any(forgets);
        if !self.strategy.actors().is_empty() || !self.strategy.residents().is_empty() || is_reaped {
            return Err(LiftError::HasActors);
        }
        if self.strategy.needs_another_store() {
            return Err(LiftError::SeveralStores);
        }
        if self.case.told_other(self.message).is_some() {
            return Err(LiftError::OtherBody);
        }
        if self.case.evidence.retries == Retries::Never && self.outlives_its_client() {
            return Err(LiftError::ClientGaveUp);
        }
        let every = visits(self.case, self.message);
        let horizon = self.horizon();
        let until_then = |visit: &Visit| visit.delivery != Delivery::FINAL && visit.arrived_ns <= horizon;
        let contributing = self.contributing();
        // As it was up to the violation; then what left a trace alone; then everything.
        let whole = every.iter().filter(|visit| until_then(visit)).collect();
        let first = match self.try_with(whole, horizon) {
            Ok(lifted) => return Ok(lifted),
            Err(error) => error,
        };
        let left_trace = |visit: &&Visit| match contributing.as_slice() {
            [] => visit.left_trace,
            some => some.contains(&visit.delivery),
        };
        let traces = every.iter().filter(|visit| until_then(visit)).filter(left_trace).collect();
        let again = self.try_with(traces, horizon);
        again.or_else(|_| self.try_with(every.iter().collect(), u64::MAX)).map_err(|_| first)
    }

    fn events(&self) -> impl Iterator<Item = &Event> {
        self.case.events_of(self.message)
    }

    /// The moment after which nothing can have led to the violation.
    fn horizon(&self) -> u64 {
        match self.wanted {
            Violation::Duplicate => {
                let second = self.case.entries_of(self.message).nth(1).map(|entry| entry.by);
                let effects = |event: &&Event| Some(event.delivery) == second && may_apply(event);
                self.events().filter(effects).last().map_or(u64::MAX, |event| match event.what {
                    What::Landed { .. } => u64::MAX,
                    _ => event.ended_ns(),
                })
            }
            Violation::Deviating => self.answers().get(1).map_or(u64::MAX, |(event, _)| event.at_ns),
            _ => u64::MAX,
        }
    }

    /// The first answer, and the first that differs from it.
    fn answers(&self) -> Vec<(&Event, Reply)> {
        let mut answers = self.events().filter_map(|event| match event.what {
            What::Answered { reply, .. } if reply.map_or_else(|trouble| trouble.is_final(), |_| true) => {
                Some((event, reply))
            }
            _ => None,
        });
        let Some(first) = answers.next() else { return Vec::new() };
        std::iter::once(first).chain(answers.find(|(_, reply)| *reply != first.1)).collect()
    }

    /// The deliveries that left a trace which the violation is made of.
    fn contributing(&self) -> Vec<Delivery> {
        let mut contributing: Vec<Delivery> = self.case.entries_of(self.message).map(|entry| entry.by).collect();
        if self.wanted == Violation::Duplicate {
            contributing.truncate(2);
        } else {
            contributing.extend(self.answers().iter().map(|(event, _)| event.delivery));
        }
        contributing
    }

    /// Whether a delivery was still to come or at work when its client, which never retries, had given up.
    fn outlives_its_client(&self) -> bool {
        let gave_up = self.events().find(|event| event.what == What::GaveUp).map(|event| event.at_ns);
        gave_up.is_some_and(|gave_up| {
            self.events()
                .any(|event| matches!(event.what, What::Arrived | What::Called { .. }) && event.at_ns > gave_up)
        })
    }

    /// Looks for a schedule of these deliveries, as far as they went until then.
    fn try_with(&self, visits: Vec<&Visit>, horizon: u64) -> Result<Lifted, LiftError> {
        let working: Vec<&Visit> = visits.into_iter().filter(|visit| !visit.items.is_empty()).collect();
        if working.is_empty() {
            return self.never_began();
        }
        let repeated = |visit: &&Visit| {
            visit.repeated.filter(|(at_ns, _)| *at_ns <= horizon).map(|(_, kind)| (kind, visit.delivery))
        };
        if let Some((kind, by)) = working.iter().find_map(repeated) {
            return Err(LiftError::Repeated { kind, by });
        }
        let broke_off = working.iter().any(|visit| visit.broke_off);
        let first = match self.try_on(&lanes(&working, false), horizon) {
            Err(error) if broke_off => error,
            tried => return tried,
        };
        self.try_on(&lanes(&working, true), horizon).map_err(|_| first)
    }

    /// Looks for a schedule of these lanes.
    fn try_on(&self, lanes: &[Vec<&Visit>], horizon: u64) -> Result<Lifted, LiftError> {
        if lanes.len() > usize::from(MAX_LANES) {
            return Err(LiftError::TooManyLanes { lanes: lanes.len() });
        }
        let retries = lanes.iter().map(|lane| lane.len() - 1).max().unwrap_or(0);
        if retries > usize::from(crate::explore::MAX_RETRIES) {
            return Err(LiftError::TooManyRetries { retries });
        }
        let mut error = LiftError::NotShown;
        for strict in [true, false] {
            let search = OrderSearch::new(self, Track::of(lanes, horizon), (lanes.len(), retries), strict);
            match search.run()? {
                Ok(lifted) => return Ok(lifted),
                Err(why) => error = why,
            }
        }
        Err(error)
    }

    /// A message of which nothing was done: as if its handler had crashed before the first operation.
    fn never_began(&self) -> Result<Lifted, LiftError> {
        let crash = [Step { lane: 0, fate: Fate::Crashes }];
        match self.wanted {
            Violation::Abandoned => self.shown(&crash, 0)?.ok_or(LiftError::NoOperation),
            _ => Err(LiftError::NoOperation),
        }
    }

    /// A bound for so many lanes, retries and faults.
    fn bound(&self, lanes: usize, retries: u8, faults: usize) -> Bound {
        let count = |n: usize| u8::try_from(n).unwrap_or(u8::MAX);
        let bound =
            Bound { kinds: Kinds::all(), store: self.store, ..Bound::new(count(lanes), retries, count(faults)) };
        bound.for_strategy(self.strategy)
    }

    /// The schedule of these steps up to the one after which the violation is there, if the model shows it at all.
    fn shown(&self, steps: &[Step], retries: u8) -> Result<Option<Lifted>, LiftError> {
        // One retry is what the explorer gives a lane unless it is told otherwise; what only the end shows may need fewer.
        for retries in [retries.max(1), retries] {
            let all = renamed(steps);
            let Some((bound, at)) = self.tried(&all, retries) else { continue };
            if let Some(last) = at {
                let upto = renamed(&steps[..=last]);
                if let Some((bound, Some(_))) = self.tried(&upto, retries) {
                    return Ok(Some(Lifted { schedule: upto, bound }));
                }
            }
            return Ok(Some(Lifted { schedule: all, bound }));
        }
        Ok(None)
    }

    /// Whether a schedule shows the violation: with the bound, and the step after which it is there.
    fn tried(&self, schedule: &Schedule, retries: u8) -> Option<(Bound, Option<usize>)> {
        let lanes = schedule.0.iter().map(|step| usize::from(step.lane) + 1).max().unwrap_or(1);
        let bound = self.bound(lanes, retries, schedule.faults());
        let story = tell(self.strategy, bound, schedule).ok()?;
        story.findings.iter().find(|finding| finding.violation == self.wanted)?;
        let at = story.lines.iter().position(|line| line.shows.contains(&self.wanted));
        Some((bound, at.filter(|at| *at < schedule.0.len())))
    }
}

/// Whether an event may have put an effect into the ledger.
fn may_apply(event: &Event) -> bool {
    event.what.op().is_some_and(|op| writes_effects(op.kind()))
}

fn writes_effects(kind: OpKind) -> bool {
    kind.acts().may_apply()
}

/// The same steps with the lanes named in the order in which they move.
fn renamed(steps: &[Step]) -> Schedule {
    let mut order: Vec<u8> = Vec::new();
    let mut name = |lane: u8| {
        let known = order.iter().position(|known| *known == lane);
        let place = known.unwrap_or_else(|| {
            order.push(lane);
            order.len() - 1
        });
        u8::try_from(place).unwrap_or(u8::MAX)
    };
    Schedule(steps.iter().map(|step| Step { lane: name(step.lane), ..*step }).collect())
}
