//! etcd as a lock service, and the embedded server that speaks as it does.

pub(super) mod driver;
mod embedded;
mod independence;
pub mod model;
mod overseer;

pub(super) use driver::trouble;
pub use driver::{EtcdBackend, EtcdOptions, Probed};
pub use embedded::{EmbeddedLockServer, EmbeddedOptions};
pub use independence::LockPast;
pub use overseer::EtcdOverseer;
