//! etcd as a lock service and as a place where effects are kept, and the embedded server that speaks as it does.

mod client;
#[cfg(feature = "lab")]
pub(super) mod driver;
#[cfg(feature = "lab")]
pub(super) mod embedded;
mod independence;
#[cfg(feature = "lab")]
mod ledger;
pub mod model;
mod op;
#[cfg(feature = "lab")]
pub(super) mod overseer;
#[cfg(feature = "lab")]
mod reached;
mod records;
#[cfg(feature = "lab")]
pub(crate) mod replayed;
mod service;

pub use client::{Lock, LockClient};
use independence::LockPast;
pub use op::{LockOp, LockOutcome, LockResponse};
pub use service::EtcdService;

use super::modelled::{ModelSettings, Modelled};

impl Modelled for EtcdService {
    type Model = model::LockService;
    type Past = LockPast;

    fn model(settings: &ModelSettings) -> Self::Model {
        model::LockService::of(settings)
    }
}
