//! The peer behind the port: connections of HTTP/1.1, each request sent once, and a ledger that is read when everything has settled.

use std::sync::Arc;
use std::time::Duration;

use hyper::Response;
use hyper::http::uri::Authority;
use tokio::time::Instant;

use super::op::{PeerOp, PeerResponse};
use super::server::{PeerServer, PeerState};
use crate::service::http::exchange::{delivery_of, outcome, to_http};
use crate::service::http::{HttpConnection, HttpVersion, NoAnswer, Peer};
use crate::service::{AnyOp, Backend, BackendError, Connection, Outcome, Pending, Scope, Store, Way, own};
use crate::terms::{Balances, ClientId, Delivery, Entry, Failure, HttpForm, Request, Trouble};
use crate::wire::{Address, Protocol};

/// What it is called in errors.
pub(super) const NAME: &str = "peer";

/// How long nothing may come any more before nothing is under way.
const QUIET: Duration = Duration::from_millis(50);

/// The outcome of an operation for which there was no connection.
const NOT_SENT: Outcome = Outcome::Failed(Failure::Unavailable);

/// A peer, and how long an operation may wait for its answer.
#[derive(Debug, Clone)]
pub struct PeerBackend {
    server: Arc<PeerServer>,
    timeout: Duration,
}

impl PeerBackend {
    /// Starts a peer, on the tokio runtime of the caller.
    ///
    /// # Errors
    /// [`BackendError`] if there is no runtime, or no port.
    pub fn start(timeout: Duration) -> Result<Self, BackendError> {
        if let Err(error) = tokio::runtime::Handle::try_current() {
            return Err(broken(error.to_string(), "start the peer inside a tokio runtime"));
        }
        Ok(PeerBackend { server: Arc::new(PeerServer::start()?), timeout })
    }

    fn address(&self) -> Address {
        let address = self.server.address();
        Address::Port(address.ip().to_string(), address.port())
    }

    fn connection_to(&self, address: &Address) -> Result<PeerConnection, BackendError> {
        let Address::Port(host, port) = address else {
            return Err(broken(format!("{address} is no port"), "report it"));
        };
        let authority = Authority::try_from(format!("{host}:{port}"));
        let authority = authority.map_err(|error| broken(format!("{address} is no address: {error}"), "report it"))?;
        let peer = Peer { authority, version: HttpVersion::Http1, credentials: Some(self.server.credentials()) };
        Ok(PeerConnection { peer, timeout: self.timeout, open: None })
    }

    /// The entries of these messages, in their order.
    pub(super) fn entries(&self, of: &Scope) -> Vec<Entry> {
        let (first, last) = of.messages;
        let is_meant = |entry: &&Entry| (first..=last).contains(&i64::from(entry.message.0));
        self.server.kept().ledger.iter().filter(is_meant).copied().collect()
    }

    /// The balances of those of these accounts that were ever charged.
    pub(super) fn balances_of(&self, of: &Scope) -> Balances {
        let (first, last) = of.accounts;
        let kept = self.server.kept();
        let all = kept.books.accounts.iter().map(|(account, balance)| (*account, *balance));
        all.filter(|(account, _)| (first..=last).contains(&i64::from(account.0))).collect()
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        *self.server.kept() = PeerState::default();
    }
}

fn broken(what: String, remedy: &str) -> BackendError {
    BackendError { backend: NAME, what, remedy: Some(remedy.to_owned()) }
}

impl Backend for PeerBackend {
    /// Prepares a connection; the first operation opens it. So a peer that is gone is an outcome, not a broken trial.
    fn connect(&self) -> Pending<'_, Result<Box<dyn Connection>, BackendError>> {
        self.connect_through(&self.address())
    }

    fn way(&self) -> Option<Way> {
        Some(Way { to: self.address(), protocol: Protocol::Http1 })
    }

    fn connect_through(&self, address: &Address) -> Pending<'_, Result<Box<dyn Connection>, BackendError>> {
        let connection = self.connection_to(address);
        Box::pin(async move { Ok(Box::new(connection?) as Box<dyn Connection>) })
    }

    fn describe(&self) -> Vec<(String, String)> {
        vec![("peer_server".to_owned(), "embedded, HTTP/1.1".to_owned())]
    }
}

impl Store for PeerBackend {
    fn reset(&self, _: u32) -> Pending<'_, Result<(), BackendError>> {
        self.clear();
        Box::pin(std::future::ready(Ok(())))
    }

    /// A server goes on with a request that it has read, whoever has left.
    fn quiesce(&self) -> Pending<'_, Result<(), BackendError>> {
        Box::pin(async move {
            let mut seen = None;
            loop {
                let arrivals = self.server.kept().arrivals;
                if seen == Some(arrivals) {
                    return Ok(());
                }
                seen = Some(arrivals);
                tokio::time::sleep(QUIET).await;
            }
        })
    }

    fn ledger(&self) -> Pending<'_, Result<Vec<Entry>, BackendError>> {
        Box::pin(std::future::ready(Ok(self.entries(&Scope::EVERYTHING))))
    }

    fn balances(&self) -> Pending<'_, Result<Balances, BackendError>> {
        Box::pin(std::future::ready(Ok(self.balances_of(&Scope::EVERYTHING))))
    }
}

/// A connection of its own, opened when it is needed.
pub(super) struct PeerConnection {
    pub peer: Peer,
    pub timeout: Duration,
    pub open: Option<HttpConnection>,
}

impl Connection for PeerConnection {
    fn execute(&mut self, op: AnyOp, by: Delivery) -> Pending<'_, Result<Outcome, BackendError>> {
        Box::pin(async move { self.charge(own(op), by).await })
    }
}

impl PeerConnection {
    async fn charge(&mut self, op: PeerOp, by: Delivery) -> Result<Outcome, BackendError> {
        let deadline = Instant::now() + self.timeout;
        let mut connection = match self.open.take() {
            Some(connection) => connection,
            None => match tokio::time::timeout_at(deadline, HttpConnection::open(&self.peer)).await {
                Ok(Ok(connection)) => connection,
                Ok(Err(_)) | Err(_) => return Ok(NOT_SENT),
            },
        };
        let form = if op.key().is_some() { HttpForm::PostWithKey } else { HttpForm::Post };
        let request = Request { id: op.message(), client: ClientId(0), sequence: 0, effect: op.effect() };
        match tokio::time::timeout_at(deadline, connection.ask(to_http(&request, form, by))).await {
            Ok(Ok(response)) => {
                self.open = Some(connection);
                judge(&response, op, by)
            }
            Ok(Err(NoAnswer::NotSent(_))) => Ok(NOT_SENT),
            Ok(Err(NoAnswer::Unknown(_))) | Err(_) => Ok(Outcome::Unknown),
        }
    }
}

/// What an answer says of the charge.
fn judge(response: &Response<Vec<u8>>, op: PeerOp, by: Delivery) -> Result<Outcome, BackendError> {
    const REMEDY: &str = "see what answers in the peer's place";
    let reply = outcome(response.status(), response.body()).map_err(|error| broken(error.to_string(), REMEDY))?;
    // Of what a stranger on the way says nobody knows what became of the request; the peer itself says whom it answers.
    match delivery_of(response.headers()) {
        Ok(to) if to == (op.message(), by) => {}
        Ok((message, to)) => {
            let what = format!("delivery {by} of message {} was answered as {to} of {}", op.message().0, message.0);
            return Err(broken(what, REMEDY));
        }
        Err(_) if !matches!(reply, Ok(_) | Err(Trouble::Refused)) => {}
        Err(error) => return Err(broken(error.to_string(), REMEDY)),
    }
    Ok(match reply {
        Ok(answer) => Outcome::Ok(PeerResponse::Charged(answer).into()),
        Err(Trouble::Refused) => Outcome::Ok(PeerResponse::Refused.into()),
        Err(Trouble::Failed(failure)) => Outcome::Failed(failure),
        Err(Trouble::InProgress | Trouble::Unknown) => Outcome::Unknown,
    })
}
