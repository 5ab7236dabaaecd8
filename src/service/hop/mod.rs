//! The hop between client and handler as a service: in a schedule it is two steps of a lane, the request before the steps of its
//! handler, and the answer after them. In replays both cross real sockets, over HTTP/1.1.

mod client;
#[cfg(feature = "lab")]
mod far_end;
mod model;
mod op;
#[cfg(feature = "lab")]
mod reached;
#[cfg(feature = "lab")]
mod replayed;
mod service;
#[cfg(all(test, feature = "lab"))]
mod tests;

pub use client::HopClient;
pub use model::{HopModel, HopPast};
pub use op::{HopOp, HopResponse};
pub use service::HopService;
