//! How Redis is reached, under load and in replays.

use std::sync::Arc;

use super::RedisService;
use super::replayed::{ReplayedRedis, TIMEOUT};
use crate::service::reachable::{LedgerOf, Reachable, ReplaySite, TrialSite};
use crate::service::replayed::ReplayDriver;
use crate::service::{Backend, BackendError, Backends, Store};
use crate::terms::Role;

/// How long keys live in replays that nobody lets run out.
const LONG: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

impl Reachable for RedisService {
    fn driver(site: ReplaySite<'_>) -> Result<Box<dyn ReplayDriver>, BackendError> {
        let backend = site.backends.redis()?.living(LONG, TIMEOUT).under(&site.prefix).asking_on_one_connection();
        Ok(Box::new(ReplayedRedis::new(&site.runtime, &backend)))
    }

    fn backend(backends: &Backends, _: Role, of: TrialSite<'_>) -> Result<Arc<dyn Backend>, BackendError> {
        Ok(Arc::new(backends.redis()?.under(of.prefix)))
    }

    /// It keeps a ledger for those who have effects in it.
    fn store(backends: &Backends, _: Role, of: LedgerOf<'_>) -> Result<Option<Arc<dyn Store>>, BackendError> {
        match of.has_effects {
            true => Ok(Some(Arc::new(backends.redis()?.first().under(of.prefix)))),
            false => Ok(None),
        }
    }
}
