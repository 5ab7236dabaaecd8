//! Handing an operation over to whoever polls the strategy, without allocating anything: an explorer makes millions of them a
//! second.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Op;
use super::Outcome;

// What passes between a strategy and whoever polls it. Both are on one thread, and one poll leaves one thing here: the operation
// that is asked for, or before it the outcome that is to be learned. Three cells and not one enum: what is written as a whole
// is read as a whole, which processors do much faster.
thread_local! {
    static HOLDS: Cell<Holds> = const { Cell::new(Holds::Nothing) };
    static ASKED: Cell<Op> = const { Cell::new(Op::Commit) };
    static LEARNED: Cell<Outcome> = const { Cell::new(Outcome::Unknown) };
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Nothing,
    Operation,
    Outcome,
}

/// A call that leaves its operation for whoever polls it, and is given the outcome before the next poll.
#[derive(Debug)]
pub struct HandOver {
    op: Op,
    is_asked: bool,
}

impl HandOver {
    /// A call of this operation.
    #[must_use]
    pub fn new(op: Op) -> Self {
        HandOver { op, is_asked: false }
    }

    /// Leaves the outcome of the last operation, or none before the first one. To be called before each poll.
    #[inline]
    pub fn bring(outcome: Option<Outcome>) {
        match outcome {
            None => HOLDS.set(Holds::Nothing),
            Some(outcome) => {
                LEARNED.set(outcome);
                HOLDS.set(Holds::Outcome);
            }
        }
    }

    /// The operation that the last poll left; none if it awaits something else.
    #[inline]
    #[must_use]
    pub fn asked() -> Option<Op> {
        (HOLDS.get() == Holds::Operation).then(|| ASKED.get())
    }
}

impl Future for HandOver {
    type Output = Outcome;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Outcome> {
        if !self.is_asked {
            self.is_asked = true;
            ASKED.set(self.op);
            HOLDS.set(Holds::Operation);
            return Poll::Pending;
        }
        if HOLDS.replace(Holds::Nothing) == Holds::Outcome { Poll::Ready(LEARNED.get()) } else { Poll::Pending }
    }
}
