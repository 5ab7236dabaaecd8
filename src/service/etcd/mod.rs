//! etcd as a lock service, and the embedded server that speaks as it does.

mod client;
#[cfg(feature = "lab")]
pub(super) mod driver;
#[cfg(feature = "lab")]
mod embedded;
mod independence;
pub mod model;
mod op;
#[cfg(feature = "lab")]
mod overseer;
#[cfg(feature = "lab")]
pub(crate) mod replayed;
mod service;

pub use client::{Lock, LockClient};
pub use independence::LockPast;
pub use op::{LockOp, LockOutcome, LockResponse};
pub use service::EtcdService;

#[cfg(feature = "lab")]
pub(super) use driver::trouble;
#[cfg(feature = "lab")]
pub use {
    driver::{EtcdBackend, EtcdOptions, Probed},
    embedded::{EmbeddedLockServer, EmbeddedOptions},
    overseer::EtcdOverseer,
};

use super::modelled::{ModelSettings, Modelled};

impl Modelled for EtcdService {
    type Model = model::LockService;
    type Past = LockPast;

    fn model(settings: &ModelSettings) -> Self::Model {
        model::LockService::of(settings)
    }
}
