//! A counter for each account, in this process: a service for tests alone, which shows what a service is made of.

mod client;
mod independence;
mod memory;
mod model;
mod op;
mod service;

pub use client::CounterClient;
pub use independence::CounterPast;
pub use model::CounterModel;
pub use op::{CounterOp, CounterResponse};
pub use service::CounterService;

use std::sync::Arc;

use super::modelled::{ModelSettings, Modelled};
use super::reachable::{Reachable, ReplaySite, TrialSite};
use super::replayed::ReplayDriver;
use super::{Backend, BackendError, Backends};
use crate::terms::Role;

impl Modelled for CounterService {
    type Model = CounterModel;
    type Past = CounterPast;

    fn model(_: &ModelSettings) -> CounterModel {
        CounterModel::default()
    }
}

impl Reachable for CounterService {
    fn driver(_: ReplaySite<'_>) -> Result<Box<dyn ReplayDriver>, BackendError> {
        Ok(Box::new(memory::ReplayedCounter::default()))
    }

    fn backend(_: &Backends, _: Role, _: TrialSite<'_>) -> Result<Arc<dyn Backend>, BackendError> {
        Ok(Arc::new(memory::CounterBackend::default()))
    }
}
