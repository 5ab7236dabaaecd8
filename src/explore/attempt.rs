//! One attempt: a strategy's future, polled one operation at a time.

use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::strategy::Strategy;
use crate::world::{Call, Op, Outcome, Port, Reply, Request, World};

use super::ExploreError;

/// Where a strategy's port and its engine meet.
#[derive(Default)]
pub(super) struct Slot(Mutex<Exchange>);

#[derive(Default)]
struct Exchange {
    asked: Option<Op>,
    learned: Option<Outcome>,
}

impl Slot {
    fn exchange(&self) -> MutexGuard<'_, Exchange> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands each operation to the engine, and waits for what it says.
struct SlotPort<'a>(&'a Slot);

impl Port for SlotPort<'_> {
    fn call(&mut self, op: Op) -> Call<'_> {
        Box::pin(Asking { slot: self.0, op: Some(op) })
    }
}

struct Asking<'a> {
    slot: &'a Slot,
    op: Option<Op>,
}

impl Future for Asking<'_> {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Outcome> {
        let slot = self.slot;
        let mut exchange = slot.exchange();
        match self.op.take() {
            Some(op) => {
                exchange.asked = Some(op);
                Poll::Pending
            }
            None => exchange.learned.take().map_or(Poll::Pending, Poll::Ready),
        }
    }
}

/// What a strategy does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It makes this operation.
    Asks(Op),
    /// It has a reply for its client.
    Replies(Reply),
}

/// A strategy at work on one delivery.
pub(super) struct Attempt<'a> {
    slot: &'a Slot,
    future: Pin<Box<dyn Future<Output = Reply> + Send + 'a>>,
}

impl<'a> Attempt<'a> {
    /// Begins: what the strategy does first.
    ///
    /// # Errors
    /// [`ExploreError`] if it awaits anything else than its operations, or panics.
    pub fn begin(strategy: &'a dyn Strategy, request: &'a Request, slot: &'a Slot) -> Result<(Self, Next), ExploreError> {
        *slot.exchange() = Exchange::default();
        let future = Box::pin(async move {
            let mut port = SlotPort(slot);
            let mut world = World::new(&mut port);
            strategy.handle(&mut world, request).await
        });
        let mut attempt = Attempt { slot, future };
        let next = attempt.poll(strategy.name())?;
        Ok((attempt, next))
    }

    /// Goes on with what became of the last operation.
    ///
    /// # Errors
    /// As [`begin`](Attempt::begin).
    pub fn go_on(&mut self, name: &'static str, learned: Outcome) -> Result<Next, ExploreError> {
        self.slot.exchange().learned = Some(learned);
        self.poll(name)
    }

    fn poll(&mut self, strategy: &'static str) -> Result<Next, ExploreError> {
        let future = self.future.as_mut();
        let poll = move || future.poll(&mut Context::from_waker(Waker::noop()));
        let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(poll)).map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            ExploreError::Panicked { strategy, message: text.unwrap_or_else(|| "without a message".to_owned()) }
        })?;
        match polled {
            Poll::Ready(reply) => Ok(Next::Replies(reply)),
            Poll::Pending => self.slot.exchange().asked.take().map(Next::Asks).ok_or(ExploreError::AwaitsSomethingElse { strategy }),
        }
    }
}
