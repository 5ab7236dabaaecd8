//! The port: what carries an operation to whatever stands behind it.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::Op;
use super::Outcome;
use super::hand_over::HandOver;

/// The future of one operation on its way.
pub enum Call<'a> {
    /// Something carries it.
    Carried(Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>),
    /// It is left for whoever polls.
    HandedOver(HandOver),
}

impl Future for Call<'_> {
    type Output = Outcome;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        match &mut *self {
            Call::Carried(call) => call.as_mut().poll(context),
            Call::HandedOver(call) => Pin::new(call).poll(context),
        }
    }
}

/// The future of several operations that are made at once.
pub type Calls<'a> = Pin<Box<dyn Future<Output = Vec<Outcome>> + Send + 'a>>;

/// Carries the operations of one delivery, one at a time and in order, to a model, a gate or a real backend.
///
/// [`World`](super::World) calls it once per operation and polls the call to its end before it makes the next one. A
/// strategy that is dropped in the middle drops the call with it; what becomes of the operation then is the port's
/// affair, and the port must not carry a later delivery over a connection that it left in the middle of something.
pub trait Port: Send {
    /// Carries one operation, and brings back what can be known of it.
    fn call(&mut self, op: Op) -> Call<'_>;

    /// Carries several operations of one kind, each for a delivery of a batch, in one statement and one commit where the port can:
    /// they are done together or not at all. Brings back what can be known of each, in their order.
    ///
    /// A port that knows no batches carries one after the other. That is the same where there is one.
    fn call_all(&mut self, ops: Vec<Op>) -> Calls<'_> {
        Box::pin(async move {
            let mut outcomes = Vec::with_capacity(ops.len());
            for op in ops {
                outcomes.push(self.call(op).await);
            }
            outcomes
        })
    }
}
