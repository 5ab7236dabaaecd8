//! A connection to a lock service beside those of the handlers, which asks how their leases and locks are.

use std::time::Duration;

use etcd_client::{Client, GetOptions, SortOrder, SortTarget};

use super::driver::{EtcdOptions, client, trouble};
use super::ledger;
use crate::service::{BackendError, Endpoint, Scope};
use crate::terms::{Entry, LeaseId};

/// How long the lock service may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Watches over leases and locks.
pub struct EtcdOverseer {
    client: Client,
    endpoint: Endpoint,
}

impl EtcdOverseer {
    /// Prepares a connection to the first of the endpoints.
    ///
    /// # Errors
    /// [`BackendError`] if there is none.
    pub async fn connect(options: &EtcdOptions) -> Result<Self, BackendError> {
        let no_endpoint = || trouble("no endpoint".to_owned(), "give at least one, e.g. http://127.0.0.1:2379");
        let endpoint = options.endpoints.first().cloned().ok_or_else(no_endpoint)?;
        match client(&endpoint, options).await {
            Ok(client) => Ok(EtcdOverseer { client, endpoint }),
            Err(error) => Err(trouble(format!("{endpoint}: {error}"), "check that etcd runs there")),
        }
    }

    /// Revokes a lease: the same transition as its expiry. One that is gone already is left alone.
    ///
    /// # Errors
    /// [`BackendError`] if the lock service does not answer.
    pub async fn revoke(&mut self, lease: LeaseId) -> Result<(), BackendError> {
        let revoked = tokio::time::timeout(TIMEOUT, self.client.lease_revoke(lease.0)).await;
        match revoked {
            Ok(Err(error)) if !is_unknown_lease(&error) => Err(self.gone(&error)),
            Ok(_) => Ok(()),
            Err(_elapsed) => Err(self.silent()),
        }
    }

    /// Whether a lease lives.
    ///
    /// # Errors
    /// [`BackendError`] if the lock service does not answer.
    pub async fn is_alive(&mut self, lease: LeaseId) -> Result<bool, BackendError> {
        match tokio::time::timeout(TIMEOUT, self.client.lease_time_to_live(lease.0, None)).await {
            // A lease that is gone has a time to live of -1.
            Ok(Ok(answer)) => Ok(answer.ttl() >= 0),
            Ok(Err(error)) if is_unknown_lease(&error) => Ok(false),
            Ok(Err(error)) => Err(self.gone(&error)),
            Err(_elapsed) => Err(self.silent()),
        }
    }

    /// Keeps a lease alive once.
    ///
    /// # Errors
    /// [`BackendError`] if the lock service does not answer.
    pub async fn keep_alive(&mut self, lease: LeaseId) -> Result<(), BackendError> {
        let keeping = async {
            let (mut keeper, mut answers) = self.client.lease_keep_alive(lease.0).await?;
            keeper.keep_alive().await?;
            answers.message().await.map(drop)
        };
        match tokio::time::timeout(TIMEOUT, keeping).await {
            Ok(kept) => kept.map_err(|error| self.gone(&error)),
            Err(_elapsed) => Err(self.silent()),
        }
    }

    /// The leases under which there are keys in the queue of a lock, the holder's first.
    ///
    /// # Errors
    /// [`BackendError`] if the lock service does not answer.
    pub async fn queue(&mut self, lock: &str) -> Result<Vec<LeaseId>, BackendError> {
        let options = GetOptions::new().with_prefix().with_sort(SortTarget::Create, SortOrder::Ascend);
        match tokio::time::timeout(TIMEOUT, self.client.get(format!("{lock}/"), Some(options))).await {
            Ok(Ok(answer)) => Ok(answer.kvs().iter().map(|key| LeaseId(key.lease())).collect()),
            Ok(Err(error)) => Err(self.gone(&error)),
            Err(_elapsed) => Err(self.silent()),
        }
    }

    /// The entries of these messages' effects under a prefix.
    ///
    /// # Errors
    /// [`BackendError`] if the lock service does not answer.
    pub async fn ledger(&mut self, prefix: &str, of: &Scope) -> Result<Vec<Entry>, BackendError> {
        ledger::read(&mut self.client, &self.endpoint, prefix, of).await
    }

    /// Removes every key under a prefix.
    ///
    /// # Errors
    /// [`BackendError`] if the lock service does not answer.
    pub async fn clear(&mut self, prefix: &str) -> Result<(), BackendError> {
        ledger::clear(&mut self.client, &self.endpoint, prefix).await
    }

    fn gone(&self, error: &etcd_client::Error) -> BackendError {
        trouble(format!("{}: {error}", self.endpoint), "check that etcd runs there")
    }

    fn silent(&self) -> BackendError {
        trouble(format!("no answer from {}", self.endpoint), "check that etcd runs there")
    }
}

fn is_unknown_lease(error: &etcd_client::Error) -> bool {
    matches!(error, etcd_client::Error::GRpcStatus(status) if status.message().contains("requested lease not found"))
}
