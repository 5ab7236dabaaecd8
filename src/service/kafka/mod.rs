//! Kafka: topics that records are appended to, producers whose records a broker tells apart from copies, and transactions.

mod client;
#[cfg(feature = "lab")]
pub(super) mod driver;
#[cfg(feature = "lab")]
pub(super) mod held;
mod in_text;
#[cfg(feature = "rdkafka")]
pub(super) mod librdkafka;
#[cfg(feature = "lab")]
mod link;
#[cfg(feature = "lab")]
mod members;
mod model;
mod op;
mod past;
#[cfg(feature = "lab")]
mod reached;
#[cfg(feature = "lab")]
mod records;
#[cfg(feature = "lab")]
mod replayed;
#[cfg(feature = "lab")]
mod requests;
mod response;
mod service;
#[cfg(all(test, feature = "lab"))]
mod tests;
#[cfg(feature = "lab")]
mod topic;
mod transactions;
#[cfg(feature = "lab")]
mod url;

pub use client::KafkaClient;
#[cfg(feature = "lab")]
pub use held::NO_KAFKA;
pub use model::KafkaPartitions;
pub use op::KafkaOp;
pub use past::KafkaPast;
pub use response::{KafkaOutcome, KafkaResponse};
pub use service::KafkaService;

/// A deliberate mistake of the model, so that a test can show that it is caught.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KafkaModelFlaw {
    /// The copy of a batch is appended as well.
    KeepsCopies,
    /// The end of a transaction does not raise the epoch, whatever the protocol.
    EndsInTheSameEpoch,
    /// A group has a second member although the first one has not left.
    AdmitsTwo,
}
