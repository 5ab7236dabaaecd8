//! etcd, and whatever else speaks its gRPC: the lock service behind the port.

use std::num::NonZeroI64;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use etcd_client::{Client, DeleteOptions, LockOptions};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tonic::Code;

use super::ledger;
use crate::service::etcd::model::lock_key;
use crate::service::etcd::{LockOp, LockResponse};
use crate::service::{AnyOp, Backend, BackendError, Connection, Endpoint, Outcome, Pending, Way, own};
use crate::terms::{AccountId, Delivery, Failure, LeaseId, Token};
use crate::wire::{Address, Protocol};

/// How to reach a lock service, and what to ask of it.
#[derive(Debug, Clone)]
pub struct EtcdOptions {
    /// The members. A session keeps to one of them, and the next session to the next.
    pub endpoints: Vec<Endpoint>,
    /// How long a lease shall live, in seconds. etcd grants no less than 2 with its default settings.
    pub lease_ttl_s: i64,
    /// What the names of locks begin with, so that the lab touches nothing else.
    pub prefix: String,
    /// Whether leases are kept alive for as long as their session is at work: by a task beside it, which stands still when the
    /// handler does.
    pub keep_alive: bool,
    /// How long to wait for a connection. When it is over, nothing was sent.
    pub connect_timeout: Duration,
    /// How long to wait for an answer, also of a lock that others hold. When it is over, the outcome is unknown.
    pub timeout: Duration,
}

impl Default for EtcdOptions {
    fn default() -> Self {
        EtcdOptions {
            endpoints: vec!["http://127.0.0.1:2379".into()],
            lease_ttl_s: 10,
            prefix: "oncelab".to_owned(),
            keep_alive: false,
            connect_timeout: Duration::from_secs(2),
            timeout: Duration::from_secs(30),
        }
    }
}

/// How long to wait for a member's answers to [`EtcdBackend::probe`].
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait for more keys to come before they are removed again.
const REMOVAL_PAUSE: Duration = Duration::from_millis(150);

/// What a lock service says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// The members' versions; one if all have the same.
    pub version: String,
    /// How long a lease lives, in seconds: what was granted, which may be more than what was asked for.
    pub granted_ttl_s: i64,
}

/// A lock service that is reached with etcd-client.
#[derive(Debug)]
pub struct EtcdBackend {
    options: EtcdOptions,
    sessions: AtomicUsize,
}

impl EtcdBackend {
    /// A lock service that nobody has talked to yet.
    ///
    /// # Errors
    /// If there is no endpoint.
    pub fn new(options: EtcdOptions) -> Result<Self, BackendError> {
        if options.endpoints.is_empty() {
            return Err(trouble("no endpoint".to_owned(), "give at least one, e.g. http://127.0.0.1:2379"));
        }
        Ok(EtcdBackend { options, sessions: AtomicUsize::new(0) })
    }

    /// Asks every endpoint for its version, and the cluster for a lease, which shows that it can write. Sessions do not
    /// ask, so that they send what the strategy's operations need and nothing else.
    ///
    /// # Errors
    /// If one of them does not answer in time, is too old, or the cluster cannot write.
    pub async fn probe(&self) -> Result<Probed, BackendError> {
        let remedy = "check that etcd runs there, or use the embedded lock server";
        let mut versions = Vec::new();
        let mut granted_ttl_s = 0;
        for endpoint in &self.options.endpoints {
            endpoint.address()?;
            let asking = async {
                let mut client = client(endpoint, &self.options).await?;
                let version = client.status().await?.version().to_owned();
                let lease = client.lease_grant(self.options.lease_ttl_s, None).await?;
                client.lease_revoke(lease.id()).await?;
                Ok::<_, etcd_client::Error>((version, lease.ttl()))
            };
            let (version, ttl_s) = tokio::time::timeout(PROBE_TIMEOUT, asking)
                .await
                .map_err(|_elapsed| trouble(format!("no answer from {endpoint}"), remedy))?
                .map_err(|error| match judge(&error) {
                    Err(error) => error,
                    Ok(_) => trouble(format!("{endpoint}: {error}"), remedy),
                })?;
            if !is_recent(&version) {
                let what = format!("{endpoint} is etcd {version}");
                return Err(trouble(what, "use an etcd of version 3.4 or later: earlier ones have no lock service"));
            }
            versions.push(version);
            granted_ttl_s = ttl_s;
        }
        versions.dedup();
        Ok(Probed { version: versions.join(", "), granted_ttl_s })
    }
}

impl EtcdBackend {
    /// Deletes every key under the prefix, until none comes any more: what was on its way when a run was stopped lands soon
    /// after.
    ///
    /// # Errors
    /// [`BackendError`] if no member answers.
    pub async fn remove_keys(&self) -> Result<(), BackendError> {
        let endpoint = self.next_endpoint();
        let removing = async {
            let mut client = client(endpoint, &self.options).await?;
            let mut quiet = 0;
            while quiet < 2 {
                let options = DeleteOptions::new().with_prefix();
                let removed = client.delete(format!("{}/", self.options.prefix), Some(options)).await?.deleted();
                quiet = if removed == 0 { quiet + 1 } else { 0 };
                tokio::time::sleep(REMOVAL_PAUSE).await;
            }
            Ok::<_, etcd_client::Error>(())
        };
        let remedy = "delete them yourself: etcdctl del --prefix oncelab/";
        match tokio::time::timeout(PROBE_TIMEOUT, removing).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(trouble(format!("{endpoint}: the keys of the run stay: {error}"), remedy)),
            Err(_elapsed) => Err(trouble(format!("no answer from {endpoint}: the keys of the run stay"), remedy)),
        }
    }
}

/// Whether a version is 3.4 or later.
fn is_recent(version: &str) -> bool {
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(3), Some(4))
}

/// Whether a member answers, and knows who leads.
///
/// # Errors
/// Why it does not.
pub(crate) async fn ping(endpoint: &Endpoint) -> Result<(), BackendError> {
    match status(endpoint).await?.leader() {
        0 => Err(trouble(format!("{endpoint} has no leader"), "start the other members")),
        _ => Ok(()),
    }
}

/// The id of the member at this endpoint.
///
/// # Errors
/// If it does not answer.
pub(crate) async fn member_id(endpoint: &Endpoint) -> Result<u64, BackendError> {
    let status = status(endpoint).await?;
    Ok(status.header().map_or(0, etcd_client::ResponseHeader::member_id))
}

/// Whether the member at this endpoint leads the cluster.
pub(crate) async fn leads(endpoint: &Endpoint) -> bool {
    let status = status(endpoint).await;
    status.is_ok_and(|status| status.header().is_some_and(|header| header.member_id() == status.leader()))
}

async fn status(endpoint: &Endpoint) -> Result<etcd_client::StatusResponse, BackendError> {
    let options = EtcdOptions { connect_timeout: Duration::from_millis(500), ..EtcdOptions::default() };
    let remedy = "check that etcd runs there";
    let asking = async { client(endpoint, &options).await?.status().await };
    let asked = tokio::time::timeout(options.connect_timeout * 2, asking).await;
    asked
        .map_err(|_elapsed| trouble(format!("no answer from {endpoint}"), remedy))?
        .map_err(|error| trouble(format!("{endpoint}: {error}"), remedy))
}

/// A connection to a member.
pub(crate) async fn client(endpoint: &Endpoint, options: &EtcdOptions) -> Result<Client, etcd_client::Error> {
    endpoint.client(options.connect_timeout).await
}

impl Backend for EtcdBackend {
    /// Prepares a connection; the first operation opens it. So a server that is gone is an outcome, not a broken trial.
    fn connect(&self) -> Pending<'_, Result<Box<dyn Connection>, BackendError>> {
        let endpoint = self.next_endpoint().clone();
        Box::pin(async move { self.session(endpoint).await })
    }

    fn way(&self) -> Option<Way> {
        let to = self.next_endpoint().address().ok()?;
        Some(Way { to, protocol: Protocol::Http2 })
    }

    fn connect_through(&self, address: &Address) -> Pending<'_, Result<Box<dyn Connection>, BackendError>> {
        let endpoint = self.next_endpoint().through(address);
        Box::pin(async move { self.session(endpoint).await })
    }

    fn describe(&self) -> Vec<(String, String)> {
        vec![("lock_lease_ttl_asked_s".to_owned(), self.options.lease_ttl_s.to_string())]
    }
}

impl EtcdBackend {
    /// The member that the lab asks for the ledger, and how it is reached.
    pub(super) fn of_the_lab(&self) -> (&Endpoint, &EtcdOptions) {
        (&self.options.endpoints[0], &self.options)
    }

    /// The members take turns.
    fn next_endpoint(&self) -> &Endpoint {
        let number = self.sessions.fetch_add(1, Ordering::Relaxed);
        &self.options.endpoints[number % self.options.endpoints.len()]
    }

    async fn session(&self, endpoint: Endpoint) -> Result<Box<dyn Connection>, BackendError> {
        endpoint.address()?;
        let mut session = EtcdSession { endpoint, options: self.options.clone(), client: None, keeper: None };
        // A member that is down for the moment is an outcome of the operations, not a broken trial.
        let patience = self.options.connect_timeout.min(self.options.timeout);
        if let Ok(Err(error)) = tokio::time::timeout(patience, session.client()).await {
            judge(&error)?;
        }
        Ok(Box::new(session))
    }
}

/// A connection of its own to one member.
struct EtcdSession {
    endpoint: Endpoint,
    options: EtcdOptions,
    /// None until the member has answered.
    client: Option<Client>,
    /// Keeps the newest lease alive.
    keeper: Option<Keeper>,
}

/// A task that keeps a lease alive until it is dropped.
struct Keeper {
    stands_still: watch::Sender<bool>,
    _task: AbortOnDropHandle<Result<(), etcd_client::Error>>,
}

impl Keeper {
    fn start(client: Client, lease: i64, ttl_s: i64) -> Self {
        let stands_still = watch::Sender::new(false);
        // Three times in the life of a lease, as etcd's own client does.
        let every = Duration::from_secs(ttl_s.unsigned_abs()) / 3;
        let task = tokio::spawn(keep_alive(client, lease, every, stands_still.subscribe()));
        Keeper { stands_still, _task: AbortOnDropHandle::new(task) }
    }
}

async fn keep_alive(
    mut client: Client,
    lease: i64,
    every: Duration,
    mut stands_still: watch::Receiver<bool>,
) -> Result<(), etcd_client::Error> {
    let (mut keeper, mut answers) = client.lease_keep_alive(lease).await?;
    loop {
        tokio::time::sleep(every).await;
        if stands_still.wait_for(|still| !still).await.is_err() {
            return Ok(());
        }
        keeper.keep_alive().await?;
        // Of a lease that is gone there is nothing to keep.
        if answers.message().await?.is_none_or(|answer| answer.ttl() <= 0) {
            return Ok(());
        }
    }
}

impl Connection for EtcdSession {
    fn stand_still(&mut self, still: bool) {
        if let Some(keeper) = &self.keeper {
            keeper.stands_still.send_replace(still);
        }
    }

    fn execute(&mut self, op: AnyOp, by: Delivery) -> Pending<'_, Result<Outcome, BackendError>> {
        Box::pin(async move {
            let deadline = Instant::now() + self.options.timeout;
            match tokio::time::timeout_at(deadline, self.client()).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return judge(&error).map(|_| NOT_SENT),
                Err(_elapsed) => return Ok(NOT_SENT),
            }
            match tokio::time::timeout_at(deadline, self.call(own(op), by)).await {
                Ok(Ok(response)) => Ok(Outcome::Ok(response.into())),
                Ok(Err(error)) => judge(&error),
                Err(_elapsed) => Ok(Outcome::Unknown),
            }
        })
    }
}

/// The outcome of an operation for which there was no connection.
const NOT_SENT: Outcome = Outcome::Failed(Failure::Unavailable);

impl EtcdSession {
    /// The connection, opened if it is not.
    async fn client(&mut self) -> Result<&mut Client, etcd_client::Error> {
        let opened = match self.client.take() {
            Some(client) => client,
            None => client(&self.endpoint, &self.options).await?,
        };
        Ok(self.client.insert(opened))
    }

    /// Makes the one remote call that the operation stands for.
    async fn call(&mut self, op: LockOp, by: Delivery) -> Result<LockResponse, etcd_client::Error> {
        let (ttl_s, lock_name) = (self.options.lease_ttl_s, |account| lock_name(&self.options.prefix, account));
        match op {
            LockOp::GrantLease => {
                let granted = self.client().await?.lease_grant(ttl_s, None).await?;
                if self.options.keep_alive {
                    let client = self.client().await?.clone();
                    self.keeper = Some(Keeper::start(client, granted.id(), granted.ttl()));
                }
                Ok(LockResponse::Granted(LeaseId(granted.id())))
            }
            LockOp::Acquire(account, lease) => {
                let (name, options) = (lock_name(account), LockOptions::new().with_lease(lease.0));
                let held = self.client().await?.lock(name, Some(options)).await?;
                Ok(LockResponse::Held(token(held.header().map_or(0, |header| header.revision()))))
            }
            LockOp::Release(account, lease) => {
                let name = lock_name(account);
                self.client().await?.unlock(lock_key(name.as_bytes(), lease)).await?;
                Ok(LockResponse::Done)
            }
            LockOp::Revoke(lease) => {
                self.keeper = None;
                self.client().await?.lease_revoke(lease.0).await?;
                Ok(LockResponse::Done)
            }
            LockOp::KeepAlive(lease) => {
                // The client asks once, and looks at the answer, before it gives the stream for more.
                self.client().await?.lease_keep_alive(lease.0).await?;
                Ok(LockResponse::Done)
            }
            LockOp::RecordOnce(message, effect) => {
                let prefix = self.options.prefix.clone();
                ledger::record_once(self.client().await?, &prefix, (message, effect), by).await
            }
            LockOp::Record(message, effect) => {
                let prefix = self.options.prefix.clone();
                ledger::record(self.client().await?, &prefix, (message, effect), by).await
            }
        }
    }
}

fn lock_name(prefix: &str, account: AccountId) -> String {
    format!("{prefix}/{}", account.0)
}

/// The fencing token of a lock: the revision in the header of the answer.
///
/// It is the create revision of the lock's key if the lock was free. Of a lock that was waited for etcd does not tell
/// the create revision, and the one of the answer is higher. Either way it grows from holder to holder, since the key of
/// the holder before was deleted in between, which is a revision of its own.
fn token(revision: i64) -> Token {
    Token(NonZeroI64::new(revision).expect("etcd's revisions begin at 1"))
}

/// What to do where an etcd does not let the lab in.
const USERS: &str = "name a user who may read and write keys under oncelab/, as in http://user:password@host:2379, or none if the etcd has no authentication";

/// What an error says about the operation: that it was not done, that nobody knows, or that the trial cannot go on.
fn judge(error: &etcd_client::Error) -> Result<Outcome, BackendError> {
    // The lock service's errors lose their code on the way through etcd's Go client, so the text decides first.
    let status = match error {
        etcd_client::Error::GRpcStatus(status) => status,
        etcd_client::Error::LeaseKeepAliveError(what) if what == "lease not found" => {
            return Ok(Outcome::Failed(Failure::LeaseExpired));
        }
        // The stream ended before its first answer.
        etcd_client::Error::LeaseKeepAliveError(_) | etcd_client::Error::WatchError(_) => return Ok(Outcome::Unknown),
        etcd_client::Error::TransportError(_) | etcd_client::Error::IoError(_) => return Ok(unsent_or_unknown(error)),
        other => return Err(trouble(other.to_string(), "check the endpoints of the lock service")),
    };
    let message = status.message();
    if message == "etcdserver: requested lease not found" || message == "mutex: session is expired" {
        return Ok(Outcome::Failed(Failure::LeaseExpired));
    }
    let refused = ["permission denied", "user name", "invalid auth token", "authentication"];
    if message.strip_prefix("etcdserver: ").is_some_and(|message| refused.iter().any(|why| message.starts_with(why))) {
        return Err(trouble(message.to_owned(), USERS));
    }
    match status.code() {
        // A member that has lost its leader answers Unavailable after it has proposed, and so it proves nothing.
        Code::Unavailable
        | Code::DeadlineExceeded
        | Code::Cancelled
        | Code::Aborted
        | Code::Internal
        | Code::Unknown => Ok(unsent_or_unknown(status)),
        Code::PermissionDenied | Code::Unauthenticated => Err(trouble(message.to_owned(), USERS)),
        Code::Unimplemented => Err(trouble(message.to_owned(), "use an etcd of version 3.4 or later")),
        Code::ResourceExhausted => Err(trouble(message.to_owned(), "free the etcd's space or give it a fresh one")),
        code => {
            Err(trouble(format!("{code:?}: {message}"), "this is not an etcd as the lab knows it; check the endpoint"))
        }
    }
}

/// A connection that could not be made carried nothing.
fn unsent_or_unknown(error: &(dyn std::error::Error + 'static)) -> Outcome {
    let refused =
        std::iter::successors(Some(error), |error| error.source()).any(|error| error.is::<tonic::ConnectError>());
    if refused { Outcome::Failed(Failure::Unavailable) } else { Outcome::Unknown }
}

pub(crate) fn trouble(what: String, remedy: &str) -> BackendError {
    BackendError { backend: "etcd", what, remedy: Some(remedy.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::is_recent;

    #[test]
    fn versions_before_3_4_are_too_old() {
        assert!(["3.4.23", "3.5 (something else)", "4.0"].into_iter().all(is_recent));
        assert!(!["3.3.27", "2.5.0", ""].into_iter().any(is_recent));
    }
}
