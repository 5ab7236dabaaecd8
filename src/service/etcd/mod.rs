//! etcd as a lock service, and the embedded server that speaks as it does.

mod client;
#[cfg(feature = "lab")]
pub(super) mod driver;
#[cfg(feature = "lab")]
pub(super) mod embedded;
mod independence;
pub mod model;
mod op;
#[cfg(feature = "lab")]
pub(super) mod overseer;
#[cfg(feature = "lab")]
pub(crate) mod replayed;
mod service;

pub use client::{Lock, LockClient};
use independence::LockPast;
pub use op::{LockOp, LockOutcome, LockResponse};
pub use service::EtcdService;

use std::sync::Arc;

use super::modelled::{ModelSettings, Modelled};
use super::reachable::{Reachable, ReplaySite};
use super::replayed::ReplayDriver;
use super::{Backend, BackendError, Backends};
use crate::terms::Role;

impl Modelled for EtcdService {
    type Model = model::LockService;
    type Past = LockPast;

    fn model(settings: &ModelSettings) -> Self::Model {
        model::LockService::of(settings)
    }
}

impl Reachable for EtcdService {
    fn driver(site: ReplaySite<'_>) -> Result<Box<dyn ReplayDriver>, BackendError> {
        let endpoints = site.backends.lock_endpoints().to_vec();
        let driver = replayed::ReplayedEtcd::new(
            site.runtime,
            endpoints,
            site.prefix,
            site.lease_ttl_s.into(),
            site.natural_expiry,
        )?;
        Ok(Box::new(driver))
    }

    fn backend(backends: &Backends, _: Role, prefix: &str) -> Result<Arc<dyn Backend>, BackendError> {
        Ok(backends.lock(prefix.to_owned()))
    }
}
