//! A peer: a remote service over HTTP that keeps accounts and a ledger of its own, and takes part in no transaction of anybody's.

#[cfg(feature = "lab")]
pub(super) mod backend;
mod books;
mod client;
mod model;
mod op;
#[cfg(feature = "lab")]
mod reached;
#[cfg(feature = "lab")]
mod replayed;
#[cfg(feature = "lab")]
mod server;
mod service;
#[cfg(all(test, feature = "lab"))]
mod tests;

pub use client::PeerClient;
pub use model::{PeerModel, PeerPast};
pub use op::{PeerOp, PeerResponse};
pub use service::PeerService;
