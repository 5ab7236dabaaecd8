//! One attempt: a strategy's future, polled one operation at a time.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::strategy::Strategy;
use crate::world::{Call, Op, Outcome, Port, Reply, Request, World};

use super::ExploreError;

thread_local! {
    /// Where a strategy's port and its engine meet. Both are on one thread, and one poll of a future leaves one thing here: the
    /// operation that is asked for, or before it the outcome that is to be learned.
    static EXCHANGE: Cell<Exchange> = const { Cell::new(Exchange::Nothing) };
}

#[derive(Clone, Copy)]
enum Exchange {
    Nothing,
    Asked(Op),
    Learned(Outcome),
}

/// Hands each operation to the engine, and waits for what it says.
struct EnginePort;

impl Port for EnginePort {
    fn call(&mut self, op: Op) -> Call<'_> {
        Box::pin(Asking { op: Some(op) })
    }
}

struct Asking {
    op: Option<Op>,
}

impl Future for Asking {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Outcome> {
        match (self.op.take(), EXCHANGE.get()) {
            (Some(op), _) => {
                EXCHANGE.set(Exchange::Asked(op));
                Poll::Pending
            }
            (None, Exchange::Learned(outcome)) => {
                EXCHANGE.set(Exchange::Nothing);
                Poll::Ready(outcome)
            }
            (None, _) => Poll::Pending,
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
    future: Pin<Box<dyn Future<Output = Reply> + Send + 'a>>,
}

impl<'a> Attempt<'a> {
    /// Begins: what the strategy does first.
    ///
    /// # Errors
    /// [`ExploreError`] if it awaits anything else than its operations. A panic goes on to the caller.
    pub fn begin(strategy: &'a dyn Strategy, request: &'a Request) -> Result<(Self, Next), ExploreError> {
        let future = Box::pin(async move {
            let mut port = EnginePort;
            let mut world = World::new(&mut port);
            strategy.handle(&mut world, request).await
        });
        let mut attempt = Attempt { future };
        let next = attempt.poll(strategy.name(), Exchange::Nothing)?;
        Ok((attempt, next))
    }

    /// Goes on with what became of the last operation.
    ///
    /// # Errors
    /// As [`begin`](Attempt::begin).
    pub fn go_on(&mut self, name: &'static str, learned: Outcome) -> Result<Next, ExploreError> {
        self.poll(name, Exchange::Learned(learned))
    }

    #[inline]
    fn poll(&mut self, strategy: &'static str, brings: Exchange) -> Result<Next, ExploreError> {
        EXCHANGE.set(brings);
        let polled = self.future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        match (polled, EXCHANGE.get()) {
            (Poll::Ready(reply), _) => Ok(Next::Replies(reply)),
            (Poll::Pending, Exchange::Asked(op)) => Ok(Next::Asks(op)),
            (Poll::Pending, _) => Err(ExploreError::AwaitsSomethingElse { strategy }),
        }
    }
}

/// Does something that polls a strategy, which may panic.
///
/// # Errors
/// [`ExploreError::Panicked`] if it does.
pub(super) fn guarded<T>(
    strategy: &'static str,
    polls: impl FnOnce() -> Result<T, ExploreError>,
) -> Result<T, ExploreError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(polls)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(ExploreError::Panicked { strategy, message: text.unwrap_or_else(|| "without a message".to_owned()) })
    })
}
