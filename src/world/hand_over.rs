//! Handing an operation over to whoever polls the strategy, without allocating anything: an explorer makes millions of them a
//! second.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::op::Op;
use super::outcome::Outcome;

thread_local! {
    /// What passes between a strategy and whoever polls it. Both are on one thread, and one poll leaves one thing here: the
    /// operation that is asked for, or before it the outcome that is to be learned.
    static EXCHANGE: Cell<Exchange> = const { Cell::new(Exchange::Nothing) };
}

#[derive(Clone, Copy)]
enum Exchange {
    Nothing,
    Asked(Op),
    Learned(Outcome),
}

/// A call that leaves its operation for whoever polls it, and is given the outcome before the next poll.
#[derive(Debug)]
pub struct HandOver {
    op: Option<Op>,
}

impl HandOver {
    /// A call of this operation.
    #[must_use]
    pub fn new(op: Op) -> Self {
        HandOver { op: Some(op) }
    }

    /// Leaves the outcome of the last operation, or none before the first one. To be called before each poll.
    #[inline]
    pub fn bring(outcome: Option<Outcome>) {
        EXCHANGE.set(outcome.map_or(Exchange::Nothing, Exchange::Learned));
    }

    /// The operation that the last poll left; none if it awaits something else.
    #[inline]
    #[must_use]
    pub fn asked() -> Option<Op> {
        match EXCHANGE.get() {
            Exchange::Asked(op) => Some(op),
            Exchange::Nothing | Exchange::Learned(_) => None,
        }
    }
}

impl Future for HandOver {
    type Output = Outcome;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Outcome> {
        if let Some(op) = self.op.take() {
            EXCHANGE.set(Exchange::Asked(op));
            return Poll::Pending;
        }
        match EXCHANGE.replace(Exchange::Nothing) {
            Exchange::Learned(outcome) => Poll::Ready(outcome),
            Exchange::Nothing | Exchange::Asked(_) => Poll::Pending,
        }
    }
}
