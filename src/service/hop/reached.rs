//! How the hop is reached.

use std::rc::Rc;
use std::sync::Arc;

use super::HopService;
use super::replayed::ReplayedHop;
use crate::service::reachable::{Reachable, ReplaySite, TrialSite};
use crate::service::replayed::ReplayDriver;
use crate::service::{Backend, BackendError, Backends};
use crate::terms::Role;

impl Reachable for HopService {
    fn driver(site: ReplaySite<'_>) -> Result<Box<dyn ReplayDriver>, BackendError> {
        Ok(Box::new(ReplayedHop::new(Rc::clone(&site.runtime))?))
    }

    /// Under load clients and handlers stand at the two ends of it themselves.
    fn backend(_: &Backends, _: Role, _: TrialSite<'_>) -> Result<Arc<dyn Backend>, BackendError> {
        Err(BackendError {
            backend: "hop",
            what: "the hop between client and handler is no server that a handler could ask".to_owned(),
            remedy: Some("take a strategy as it is registered, without the hop before it".to_owned()),
        })
    }
}
