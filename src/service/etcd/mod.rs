//! etcd as a lock service, and the embedded server that speaks as it does.

mod client;
pub(super) mod driver;
mod embedded;
mod independence;
pub mod model;
mod op;
mod overseer;
pub(crate) mod replayed;
mod service;

pub use client::{Lock, LockClient};
pub(super) use driver::trouble;
pub use driver::{EtcdBackend, EtcdOptions, Probed};
pub use embedded::{EmbeddedLockServer, EmbeddedOptions};
pub use independence::LockPast;
pub use op::{LockOp, LockOutcome, LockResponse};
pub use overseer::EtcdOverseer;
pub use service::EtcdService;

use super::modelled::{ModelSettings, Modelled};

impl Modelled for EtcdService {
    type Model = model::LockService;
    type Past = LockPast;

    fn model(settings: &ModelSettings) -> Self::Model {
        model::LockService::of(settings)
    }
}
