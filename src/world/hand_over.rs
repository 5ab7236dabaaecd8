//! Handing an operation over to whoever polls the strategy, without allocating anything: an explorer makes millions of them a
//! second.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Op;
use super::Outcome;

thread_local! {
    static BETWEEN: Between = const {
        Between { holds: Cell::new(Holds::Nothing), asked: Cell::new(None), learned: Cell::new(Outcome::Unknown) }
    };
}

/// What passes between a strategy and whoever polls it. Both are on one thread, and one poll leaves one thing here: the operation
/// that is asked for, or before it the outcome that is to be learned. Three cells and not one enum: what is written as a whole is
/// read as a whole, which processors do much faster.
struct Between {
    holds: Cell<Holds>,
    asked: Cell<Option<Op>>,
    learned: Cell<Outcome>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Nothing,
    Operation,
    Outcome,
}

/// A call that leaves its operation for whoever polls it, and is given the outcome before the next poll. The operation itself is
/// not in it, so that it is small: a port makes one call at a time.
#[derive(Debug)]
pub struct HandOver {
    is_asked: bool,
}

impl HandOver {
    /// A call of this operation. Nothing is asked before it is polled.
    #[inline]
    #[must_use]
    pub fn new(op: Op) -> Self {
        BETWEEN.with(|between| between.asked.set(Some(op)));
        HandOver { is_asked: false }
    }

    /// Leaves the outcome of the last operation, or none before the first one. To be called before each poll.
    #[inline]
    pub fn bring(outcome: Option<&Outcome>) {
        BETWEEN.with(|between| match outcome {
            None => between.holds.set(Holds::Nothing),
            Some(outcome) => {
                between.learned.set(*outcome);
                between.holds.set(Holds::Outcome);
            }
        });
    }

    /// The operation that the last poll left; none if it awaits something else.
    #[inline]
    #[must_use]
    pub fn asked() -> Option<Op> {
        BETWEEN.with(|between| if between.holds.get() == Holds::Operation { between.asked.get() } else { None })
    }
}

impl Future for HandOver {
    type Output = Outcome;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Outcome> {
        BETWEEN.with(|between| {
            if !self.is_asked {
                self.is_asked = true;
                between.holds.set(Holds::Operation);
                return Poll::Pending;
            }
            let is_told = between.holds.replace(Holds::Nothing) == Holds::Outcome;
            if is_told { Poll::Ready(between.learned.get()) } else { Poll::Pending }
        })
    }
}
