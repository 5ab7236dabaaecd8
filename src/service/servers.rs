//! The servers that a run has started, and the relays before them: what a disturbance of backends takes hold of.

use std::time::Duration;

use super::BackendError;
use super::etcd::driver as etcd;
use super::provision::{Relay, Server, Started};
use super::redis::driver as redis;
use super::store;
use crate::terms::Target;

/// How long a server may take until it answers again after what was done to it.
const HEALING_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a cluster may take to have a leader.
const ELECTION_TIMEOUT: Duration = Duration::from_secs(3);

/// The servers of a run. Dropped, they are stopped.
#[derive(Default)]
pub struct Servers {
    pub(super) store: Option<Started>,
    pub(super) lock: Option<Started>,
    pub(super) cache: Option<Started>,
    /// The way of the handlers to the store and to each member of the lock service, where it can be cut.
    pub(super) store_relays: Vec<Relay>,
    pub(super) lock_relays: Vec<Relay>,
}

impl Servers {
    /// A store's server and a lock service's members.
    #[must_use]
    pub fn new(store: Option<Started>, lock: Option<Started>) -> Self {
        Servers { store, lock, ..Servers::default() }
    }

    /// The servers that are meant, at this moment. None if no member leads.
    pub async fn at(&self, target: Target) -> Vec<&dyn Server> {
        let started = match target {
            Target::Store => &self.store,
            Target::Lock | Target::LockLeader => &self.lock,
            Target::Cache => &self.cache,
        };
        let all: Vec<&dyn Server> = started.iter().flat_map(|started| &started.servers).map(AsRef::as_ref).collect();
        if target != Target::LockLeader {
            return all;
        }
        let deadline = tokio::time::Instant::now() + ELECTION_TIMEOUT;
        while tokio::time::Instant::now() < deadline {
            for server in &all {
                if etcd::leads(&server.url().into()).await {
                    return vec![*server];
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Vec::new()
    }

    /// The relays between the handlers and a backend: none before the cache.
    #[must_use]
    pub fn relays(&self, target: Target) -> &[Relay] {
        match target {
            Target::Store => &self.store_relays,
            Target::Lock | Target::LockLeader => &self.lock_relays,
            Target::Cache => &[],
        }
    }

    /// Waits until every server answers.
    ///
    /// # Errors
    /// [`BackendError`] if one of them does not.
    pub async fn wait_until_healthy(&self) -> Result<(), BackendError> {
        let deadline = tokio::time::Instant::now() + HEALING_TIMEOUT;
        for target in [Target::Store, Target::Lock, Target::Cache] {
            for server in self.at(target).await {
                while let Err(error) = answers(target, server.url()).await {
                    if tokio::time::Instant::now() > deadline {
                        let what = format!("{} does not answer again after its faults: {}", server.name(), error.what);
                        return Err(BackendError { what, ..error });
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
        Ok(())
    }
}

async fn answers(target: Target, url: &str) -> Result<(), BackendError> {
    match target {
        Target::Store => store::ping(url).await,
        Target::Lock | Target::LockLeader => etcd::ping(&url.into()).await,
        Target::Cache => redis::ping(url).await,
    }
}
