//! The port: what carries an operation to whatever stands behind it.

use std::pin::Pin;

use super::op::Op;
use super::outcome::Outcome;

/// The future of one operation on its way.
pub type Call<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// Carries the operations of one delivery, one at a time and in order, to a model, a gate or a real backend.
///
/// [`World`](super::World) calls it once per operation and polls the call to its end before it makes the next one. A
/// strategy that is dropped in the middle drops the call with it; what becomes of the operation then is the port's
/// affair, and the port must not carry a later delivery over a connection that it left in the middle of something.
pub trait Port: Send {
    /// Carries one operation, and brings back what can be known of it.
    fn call(&mut self, op: Op) -> Call<'_>;
}
