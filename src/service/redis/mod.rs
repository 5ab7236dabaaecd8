//! Redis: keys with a time to live, and scripts. The lock that most people have, and a memory of ids that forgets.

mod client;
#[cfg(feature = "lab")]
pub(super) mod driver;
#[cfg(feature = "lab")]
mod embedded;
#[cfg(feature = "lab")]
pub(super) mod held;
mod keyspace;
#[cfg(feature = "lab")]
pub(super) mod masters;
mod model;
#[cfg(feature = "lab")]
mod names;
mod op;
mod past;
#[cfg(feature = "lab")]
mod reached;
#[cfg(feature = "lab")]
mod replayed;
#[cfg(feature = "lab")]
mod replica;
mod response;
#[cfg(feature = "lab")]
mod scripts;
mod service;
mod vote;

pub use client::RedisClient;
pub use model::RedisKeys;
pub use op::RedisOp;
pub use past::RedisPast;
pub use response::{IdState, RedisOutcome, RedisResponse};
pub use service::RedisService;
pub use vote::{Master, Vote};

/// A deliberate mistake of the model, so that a test can show that it is caught.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RedisModelFlaw {
    /// A lock that somebody has is set all the same.
    SetsWhatIsThere,
    /// A lock is deleted without a comparison.
    ComparesNothing,
}
