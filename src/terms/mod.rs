//! Words without logic: what every other folder speaks of.

mod disturbance;
mod entry;
mod expected;
mod fault_kind;
mod hop;
mod http_form;
mod leg;
mod lock;
mod outcome;
mod producer;
mod request;
mod role;
mod session;
mod shape;
mod shard;
mod store_kind;
mod violation;

pub use disturbance::{BackendFault, Disturbance, Disturbed, Layer, Target};
pub use entry::{Balances, Entry, Ledgers, by_store};
pub use expected::Expected;
pub(crate) use expected::ExpectedVisitor;
pub use fault_kind::FaultKind;
pub use hop::{Hop, HopSettings, HttpProxy, UnknownProxy, Via};
pub use http_form::HttpForm;
pub use leg::Leg;
pub use lock::{LeaseId, LockKey, Token};
pub use outcome::{Failure, OutcomeOf, Trouble};
pub use producer::{Epoch, MemberId, Membership, Offset, Producer, ProducerId, TransactionProtocol, Transactions};
pub use request::{AccountId, Answer, BodyDigest, ClientId, Delivery, Effect, MessageId, Reply, Request};
pub use role::{ByRole, Role};
pub use session::{Session, Sessions};
pub use shape::Shape;
pub use shard::{NotAShard, Shard, TooManyShards};
pub use store_kind::{Isolation, Profile, Retries, StoreKind};
pub use violation::{Cause, Violation};
