//! How a peer is reached, under load and in replays.

use std::rc::Rc;
use std::sync::Arc;

use super::PeerService;
use super::replayed::ReplayedPeer;
use crate::service::reachable::{LedgerOf, Reachable, ReplaySite, TrialSite};
use crate::service::replayed::ReplayDriver;
use crate::service::{Backend, BackendError, Backends, Store};
use crate::terms::Role;

impl Reachable for PeerService {
    fn driver(site: ReplaySite<'_>) -> Result<Box<dyn ReplayDriver>, BackendError> {
        Ok(Box::new(ReplayedPeer::new(Rc::clone(&site.runtime))?))
    }

    fn backend(backends: &Backends, _: Role, _: TrialSite<'_>) -> Result<Arc<dyn Backend>, BackendError> {
        Ok(backends.peer()?)
    }

    /// Whatever a peer does is an effect.
    fn store(backends: &Backends, _: Role, _: LedgerOf<'_>) -> Result<Option<Arc<dyn Store>>, BackendError> {
        Ok(Some(backends.peer()?))
    }
}
