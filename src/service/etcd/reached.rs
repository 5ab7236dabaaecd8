//! How etcd is reached, under load and in replays.

use std::sync::Arc;

use super::{EtcdService, replayed};
use crate::service::reachable::{LedgerOf, Reachable, ReplaySite, TrialSite};
use crate::service::replayed::ReplayDriver;
use crate::service::{Backend, BackendError, Backends, Store};
use crate::terms::Role;

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

    fn backend(backends: &Backends, _: Role, of: TrialSite<'_>) -> Result<Arc<dyn Backend>, BackendError> {
        Ok(backends.lock(of.prefix.to_owned()))
    }

    /// It keeps a ledger for those who record effects in it.
    fn store(backends: &Backends, _: Role, of: LedgerOf<'_>) -> Result<Option<Arc<dyn Store>>, BackendError> {
        Ok(of.has_effects.then(|| backends.lock_ledger(of.prefix.to_owned())))
    }
}
