//! Kafka: topics that records are appended to, and producers whose records a broker tells apart from copies.

mod client;
#[cfg(feature = "lab")]
pub(super) mod driver;
#[cfg(feature = "lab")]
pub(super) mod held;
#[cfg(feature = "lab")]
mod link;
mod model;
mod op;
mod past;
#[cfg(feature = "lab")]
mod reached;
#[cfg(feature = "lab")]
mod records;
#[cfg(feature = "lab")]
mod replayed;
mod service;
#[cfg(all(test, feature = "lab"))]
mod tests;
#[cfg(feature = "lab")]
mod topic;
#[cfg(feature = "lab")]
mod url;

pub use client::KafkaClient;
#[cfg(feature = "lab")]
pub use held::NO_KAFKA;
pub use model::KafkaPartitions;
pub use op::{KafkaOp, KafkaOutcome, KafkaResponse};
pub use past::KafkaPast;
pub use service::KafkaService;

/// A deliberate mistake of the model, so that a test can show that it is caught.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KafkaModelFlaw {
    /// The copy of a batch is appended as well.
    KeepsCopies,
}
