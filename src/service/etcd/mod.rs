//! etcd as a lock service, and the embedded server that speaks as it does.

pub(super) mod driver;
mod embedded;
pub mod model;
mod overseer;

pub(super) use driver::trouble;
pub use driver::{EtcdBackend, EtcdOptions, Probed};
pub use embedded::{EmbeddedLockServer, EmbeddedOptions};
pub use overseer::EtcdOverseer;
