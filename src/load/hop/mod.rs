//! The hop between clients and handlers as a real one: HTTP over the loopback interface.
//!
//! ```text
//! client ──► [nginx, HAProxy or the user's own] ──► [the lab's proxy] ──► server ──► inbox of a handler
//! ```
//!
//! The lab's proxy stands there where the fault level does something to messages between clients and handlers, or cancels handlers. The
//! history says the same events as without the hop; what something on the way has repeated by itself is in it too.

mod desk;
mod lane;
mod proxy;
mod server;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use hyper::http::uri::Authority;

use super::error::TrialError;
use super::network::Network;
use super::setting::{HopCounts, Setting};
use crate::fault::{Alarm, Surroundings};
use crate::service::BackendError;
use crate::service::http::{HttpConnection, HttpLimits, HttpListener, HttpVersion, Peer, Treats};
use crate::service::provision::{Started, http_proxy};
use crate::strategy::Strategy;
use crate::terms::{FaultKind, Hop, Leg, Role, Via};
use desk::FrontDesk;
pub(super) use lane::HopLane;
use proxy::{Ahead, LabProxy};
use server::Origin;

/// The most connections at a time: the limit of open files comes first.
const CONNECTIONS: usize = 1 << 20;

/// The longest body of a request, in bytes. The lab's have some 50.
const BODY_BYTES: u64 = 16 << 10;

/// A free port.
const ANYWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Listens where clients, or the real proxy for them, come in.
type Entrance = Box<dyn Fn(SocketAddr) -> Result<HttpListener, TrialError> + Send + Sync>;

/// The servers of a hop. Dropped, they are gone.
pub(super) struct HttpHop {
    /// Whom clients ask.
    peer: Peer,
    strategy: Arc<dyn Strategy>,
    alarm: Alarm,
    desk: Arc<FrontDesk>,
    // In the order in which they are dropped.
    _via: Option<Started>,
    _listening: Vec<HttpListener>,
}

impl HttpHop {
    /// Starts the hop of a trial; nothing if it has none.
    ///
    /// # Errors
    /// [`TrialError`] if a port cannot be had, or the proxy on the way cannot be started or reached.
    pub async fn start(
        setting: &Setting,
        network: &Network,
        around: &Surroundings,
    ) -> Result<Option<HttpHop>, TrialError> {
        let version = match setting.hop.hop {
            Hop::Inside => return Ok(None),
            Hop::Http => HttpVersion::Http1,
            Hop::Http2 => HttpVersion::Http2,
        };
        let desk = Arc::new(FrontDesk::new(network.clone(), around.recorders.clone()));
        let peer_of = |authority: String| {
            let authority = Authority::try_from(authority).map_err(|error| trouble(&error.to_string(), START_IT))?;
            Ok::<_, TrialError>(Peer { authority, version, credentials: Some(desk.credentials.clone()) })
        };
        let strategy = &setting.strategy;
        let level = &setting.level;
        let is_proxied = FaultKind::ALL.iter().any(|fault| level.can_happen(*fault, Leg::Client));
        let (own_desk, own_strategy) = (Arc::clone(&desk), Arc::clone(strategy));
        let origin = Arc::new(Origin { desk: own_desk, strategy: own_strategy, is_behind_proxy: is_proxied });
        let mut listening = Vec::new();
        let entrance: Entrance = if is_proxied {
            let behind = listen(ANYWHERE, origin)?;
            let ahead = Arc::new(Ahead { peer: peer_of(behind.address().to_string())?, idle: Mutex::default() });
            listening.push(behind);
            let proxy = Arc::new(LabProxy { desk: Arc::clone(&desk), ahead });
            Box::new(move |at| listen(at, Arc::clone(&proxy)))
        } else {
            Box::new(move |at| listen(at, Arc::clone(&origin)))
        };
        let mut enter = |at| {
            listening.push(entrance(at)?);
            Ok::<_, TrialError>(listening[listening.len() - 1].address())
        };
        let (peer, via) = match &setting.hop.via {
            None => (peer_of(enter(ANYWHERE)?.to_string())?, None),
            Some(Via::Started(proxy)) => {
                let upstreams = [enter(ANYWHERE)?, enter(ANYWHERE)?];
                let (started, at) = http_proxy(*proxy, upstreams, version == HttpVersion::Http2).await?;
                (peer_of(at.to_string())?, Some(started))
            }
            Some(Via::At(authority)) => {
                enter(setting.hop.origin.unwrap_or(ANYWHERE))?;
                let peer = peer_of(authority.clone())?;
                HttpConnection::open(&peer)
                    .await
                    .map_err(|error| trouble(&format!("{authority}: {error}"), START_IT))?;
                (peer, None)
            }
        };
        let (strategy, alarm) = (Arc::clone(strategy), around.alarm.clone());
        Ok(Some(HttpHop { peer, strategy, alarm, desk, _via: via, _listening: listening }))
    }

    /// A client's end.
    pub fn lane(&self) -> HopLane {
        let (peer, strategy) = (self.peer.clone(), Arc::clone(&self.strategy));
        HopLane { peer, strategy, alarm: self.alarm.clone(), connection: None }
    }

    /// How many requests have come where.
    pub fn counts(&self) -> HopCounts {
        self.desk.counts()
    }
}

const START_IT: &str = "start the proxy that `via` names, or leave `via` out";

fn listen<T: Treats>(at: SocketAddr, treats: Arc<T>) -> Result<HttpListener, TrialError> {
    let limits =
        HttpLimits { keeps_bodies: true, body_bytes: BODY_BYTES, connections: CONNECTIONS, ..HttpLimits::default() };
    HttpListener::start(at, treats, limits)
        .map_err(|error| trouble(&format!("{at}: {error}"), "set `origin` to an address that is free, or leave it out"))
}

fn trouble(what: &str, remedy: &str) -> TrialError {
    let error = BackendError { backend: "http", what: what.to_owned(), remedy: Some(remedy.to_owned()) };
    TrialError::at(Role::STORE, error)
}
