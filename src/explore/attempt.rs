//! One attempt: a strategy's future, polled one operation at a time.

use std::task::{Context, Poll, Waker};

use tokio_util::sync::ReusableBoxFuture;

use crate::strategy::{Actor, Resident, Strategy, Turn, by_role};
use crate::terms::{Answer, ByRole, LeaseId, Reply, Request, Role, Trouble};
use crate::world::{Acts, Call, Calls, HandOver, Op, Outcome, Port, ServiceKind, World};

use super::standstill::{StepWatch, Stepper, steps_of};
use super::{ExploreError, Reason};

/// Hands each operation to the engine.
struct EnginePort;

impl Port for EnginePort {
    fn call(&mut self, op: Op) -> Call<'_> {
        Call::HandedOver(HandOver::new(op))
    }

    /// Two operations are one step, if there is an operation that does both. Others are made one after the other.
    fn call_all(&mut self, ops: Vec<Op>) -> Calls<'_> {
        Box::pin(async move {
            if let [first, second] = ops[..]
                && let Some(both) = first.of.joined_with(second.of)
            {
                return match self.call(Op { of: both, ..first }).await {
                    Outcome::Ok(response) => response.parts().map(Outcome::Ok).to_vec(),
                    other @ (Outcome::Failed(_) | Outcome::Unknown) => vec![other; 2],
                };
            }
            let mut outcomes = Vec::with_capacity(ops.len());
            for op in ops {
                outcomes.push(self.call(op).await);
            }
            outcomes
        })
    }
}

/// What a strategy does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It makes this operation.
    Asks(Op),
    /// It has a reply for its client.
    Replies(Reply),
    /// It has a reply for each of the two clients of a batch.
    RepliesBoth([Reply; 2]),
    /// Its request is in a batch that another lane carries.
    IsCarried,
}

/// A strategy at work on one delivery.
pub(super) struct Attempt<'a> {
    future: ReusableBoxFuture<'a, Replies>,
    /// Whether it may issue SQL of its own: there is a database, and not only a model.
    has_database: bool,
    /// The thread that it is on.
    stepper: &'static Stepper,
    /// The services that it may ask.
    needs: ByRole<Option<ServiceKind>>,
}

/// What a strategy tells its clients: the second reply is there if it works on a batch.
type Replies = (Reply, Option<Reply>);

/// What a lane works on.
#[derive(Clone, Copy)]
pub(super) enum LaneWork<'a> {
    /// A delivery of this request.
    Delivery(&'a Request),
    /// Deliveries of two requests that are handled at once.
    Batch(&'a [Request; 2]),
    /// A round of an actor's work beside a delivery, for this lease.
    Beside(&'a dyn Actor, LeaseId),
    /// A turn of something that works for the system, about this request.
    Turn(&'a dyn Resident, &'a Request),
}

/// The strategy at work, with a port of its own.
async fn handle(strategy: &dyn Strategy, request: &Request) -> Replies {
    let mut port = EnginePort;
    let mut world = World::new(&mut port);
    (strategy.handle(&mut world, request).await, None)
}

/// The strategy at work on two deliveries at once.
async fn handle_both(strategy: &dyn Strategy, requests: &[Request; 2]) -> Replies {
    let mut port = EnginePort;
    let mut world = World::new(&mut port);
    let replies = strategy.handle_batch(&mut world, requests).await;
    let [first, second] = replies[..] else { panic!("a batch of 2 requests has {} replies", replies.len()) };
    (first, Some(second))
}

/// An actor at work, with a port of its own. Its reply goes to nobody.
async fn beside(actor: &dyn Actor, lease: LeaseId) -> Replies {
    let mut port = EnginePort;
    let mut world = World::new(&mut port);
    (actor.work(&mut world, lease).await.map(|()| Answer(0)), None)
}

/// A resident at work, with a port of its own. Its reply goes to nobody, and is an answer if there is nothing left to do.
async fn turn(resident: &dyn Resident, about: &Request) -> Replies {
    let mut port = EnginePort;
    let mut world = World::new(&mut port);
    let reply = match resident.turn(&mut world, about).await {
        Ok(Turn::Done) => Ok(Answer(0)),
        Ok(Turn::Again) => Err(Trouble::InProgress),
        Err(trouble) => Err(trouble),
    };
    (reply, None)
}

impl<'a> Attempt<'a> {
    /// Begins: what the strategy does first.
    ///
    /// # Errors
    /// [`ExploreError`] if it awaits anything else than its operations, or issues SQL of its own. A panic goes on to the caller.
    pub fn begin(
        strategy: &'a dyn Strategy,
        work: LaneWork<'a>,
        has_database: bool,
    ) -> Result<(Self, Next), ExploreError> {
        steps_of(strategy.name());
        let mut attempt = Attempt {
            future: match work {
                LaneWork::Delivery(request) => ReusableBoxFuture::new(handle(strategy, request)),
                LaneWork::Batch(requests) => ReusableBoxFuture::new(handle_both(strategy, requests)),
                LaneWork::Beside(actor, lease) => ReusableBoxFuture::new(beside(actor, lease)),
                LaneWork::Turn(resident, about) => ReusableBoxFuture::new(turn(resident, about)),
            },
            has_database,
            stepper: Stepper::own(),
            needs: by_role(strategy.needs()),
        };
        let next = attempt.poll(strategy, None)?;
        Ok((attempt, next))
    }

    /// Gives this one up, and begins another in its memory.
    ///
    /// # Errors
    /// As [`begin`](Attempt::begin).
    pub fn begin_another(&mut self, strategy: &'a dyn Strategy, work: LaneWork<'a>) -> Result<Next, ExploreError> {
        steps_of(strategy.name());
        match work {
            LaneWork::Delivery(request) => self.future.set(handle(strategy, request)),
            LaneWork::Batch(requests) => self.future.set(handle_both(strategy, requests)),
            LaneWork::Beside(actor, lease) => self.future.set(beside(actor, lease)),
            LaneWork::Turn(resident, about) => self.future.set(turn(resident, about)),
        }
        self.poll(strategy, None)
    }

    /// Goes on with what became of the last operation.
    ///
    /// # Errors
    /// As [`begin`](Attempt::begin).
    #[inline]
    pub fn go_on(&mut self, strategy: &dyn Strategy, learned: &Outcome) -> Result<Next, ExploreError> {
        self.poll(strategy, Some(learned))
    }

    #[inline]
    fn poll(&mut self, strategy: &dyn Strategy, brings: Option<&Outcome>) -> Result<Next, ExploreError> {
        HandOver::bring(brings);
        let step = StepWatch::begin(self.stepper);
        let polled = self.future.poll(&mut Context::from_waker(Waker::noop()));
        drop(step);
        match polled {
            Poll::Ready((reply, None)) => Ok(Next::Replies(reply)),
            Poll::Ready((first, Some(second))) => Ok(Next::RepliesBoth([first, second])),
            Poll::Pending => match HandOver::asked() {
                Some(op) if self.may_ask(&op) => Ok(Next::Asks(op)),
                Some(op) => Err(refused(strategy.name(), op).into()),
                None => Err(Reason::AwaitsSomethingElse { strategy: strategy.name() }.into()),
            },
        }
    }
}

impl Attempt<'_> {
    #[inline]
    fn may_ask(&self, op: &Op) -> bool {
        self.needs[op.role] == Some(op.of.service()) && (self.has_database || !op.acts().any(Acts::UNKNOWN))
    }
}

/// Why a strategy may not make an operation.
#[cold]
fn refused(strategy: &'static str, op: Op) -> Reason {
    match op.own_sql() {
        Some(sql) if op.role == Role::STORE => Reason::OwnSql { strategy, statement: sql.text() },
        _ => Reason::NotNeeded { strategy, op: op.to_string(), role: op.role.name() },
    }
}

/// Does something that polls a strategy, which may panic.
///
/// # Errors
/// [`Reason::Panicked`] if it does.
pub(crate) fn guarded<T>(
    strategy: &'static str,
    polls: impl FnOnce() -> Result<T, ExploreError>,
) -> Result<T, ExploreError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(polls)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let message = text.unwrap_or_else(|| "without a message".to_owned());
        Err(Reason::Panicked { strategy, message }.into())
    })
}
