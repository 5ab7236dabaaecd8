//! The hop in replays: a connection of HTTP/1.1 for each lane, each through a proxy of its own that loses what is to be lost, to one
//! server. The strategy is no part of the server: a request waits there while its lane makes the steps of the handler.

use std::collections::HashMap;
use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::Response;
use hyper::header::HeaderValue;
use hyper::http::uri::Authority;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::far_end::{FarEnd, WaitingRequest};
use super::op::{HopOp, HopResponse};
use crate::service::http::exchange::{delivery_of, outcome, to_http};
use crate::service::http::{HttpConnection, HttpLimits, HttpListener, HttpVersion, NoAnswer, Peer};
use crate::service::proxied::{has_met, no_proxy, stuck};
use crate::service::replayed::{Ran, ReplayDriver};
use crate::service::{AnyOp, BackendError, Outcome, own};
use crate::terms::{Delivery, Reply, Request, Session};
use crate::wire::{Address, Landing, Protocol, Wire, WireFault};

/// How long anything may take on the loopback interface.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A free port.
const ANYWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// What the driver says that it is.
const NAME: &str = "hop";

/// A server of its own, and the connections to it.
pub(super) struct ReplayedHop {
    runtime: Rc<Runtime>,
    listener: HttpListener,
    credentials: HeaderValue,
    visits: mpsc::UnboundedReceiver<WaitingRequest>,
    lines: HashMap<Session, LaneConnection>,
    exchanges: HashMap<Session, Exchange>,
    held: HashMap<Session, Arc<Wire>>,
}

/// A connection on which nothing is under way.
struct LaneConnection {
    wire: Arc<Wire>,
    connection: HttpConnection,
}

/// A request that its handler is at work on.
struct Exchange {
    visit: WaitingRequest,
    wire: Arc<Wire>,
    waits: AwaitedBy,
}

/// What a client has heard, and its connection.
type Heard = (Result<Response<Vec<u8>>, NoAnswer>, HttpConnection);

/// Who waits for the answer.
enum AwaitedBy {
    Client(AbortOnDropHandle<Heard>),
    /// The proxy, for a client that has gone.
    Proxy(AbortOnDropHandle<Landing>),
}

fn broken(what: String) -> BackendError {
    let remedy = "report it: between the lab's own client and server nothing should stand in the way".to_owned();
    BackendError { backend: NAME, what, remedy: Some(remedy) }
}

impl ReplayedHop {
    /// Starts the server.
    ///
    /// # Errors
    /// [`BackendError`] if there is no port for it.
    pub fn new(runtime: Rc<Runtime>) -> Result<Self, BackendError> {
        let (far_end, credentials, visits) = FarEnd::new();
        let limits = HttpLimits { keeps_bodies: true, idle: Duration::from_secs(1 << 20), ..HttpLimits::default() };
        let listener = runtime.block_on(async { HttpListener::start(ANYWHERE, Arc::new(far_end), limits) });
        let listener = listener.map_err(|error| BackendError {
            backend: NAME,
            what: format!("there is no port for the server behind the hop: {error}"),
            remedy: Some("check that 127.0.0.1 is up, and raise the number of open files (ulimit -n)".to_owned()),
        })?;
        let (lines, exchanges, held) = (HashMap::new(), HashMap::new(), HashMap::new());
        Ok(ReplayedHop { runtime, listener, credentials, visits, lines, exchanges, held })
    }

    /// Has somebody else send a request who knows the password, and lets it come.
    #[cfg(test)]
    pub fn smuggle(&self, request: hyper::Request<String>) {
        let authority = Authority::try_from(self.listener.address().to_string()).expect("an address");
        let peer = Peer { authority, version: HttpVersion::Http1, credentials: Some(self.credentials.clone()) };
        let asked = async move { HttpConnection::open(&peer).await.expect("it is there").ask(request).await };
        drop(self.runtime.spawn(asked));
        // As often as it takes to come: whoever asks next has to open a connection first.
        self.runtime.block_on(async {
            while self.visits.is_empty() {
                tokio::task::yield_now().await
            }
        });
    }

    /// Where the server is, and what drives it.
    #[cfg(test)]
    pub fn entrance(&self) -> (Rc<Runtime>, SocketAddr) {
        (Rc::clone(&self.runtime), self.listener.address())
    }

    /// AwaitedBy for something that takes no time to speak of.
    fn within<T>(&self, what: &dyn Display, doing: impl Future<Output = T>) -> Result<T, BackendError> {
        let done = self.runtime.block_on(async { tokio::time::timeout(TIMEOUT, doing).await });
        done.map_err(|_elapsed| stuck(NAME, &what.to_string(), TIMEOUT))
    }

    /// The connection of a lane: the one that it has, or another.
    fn line(&mut self, on: Session) -> Result<LaneConnection, BackendError> {
        if let Some(line) = self.lines.remove(&on) {
            return Ok(line);
        }
        let address = self.listener.address();
        let to = Address::Port(address.ip().to_string(), address.port());
        self.runtime.block_on(async {
            let wire = Wire::start(&to, Protocol::Http1).await.map_err(|error| no_proxy(&to, &error))?;
            let Address::Port(host, port) = wire.address() else { unreachable!("before a port there is a port") };
            let authority = Authority::try_from(format!("{host}:{port}"));
            let authority = authority.map_err(|error| broken(format!("{to} is no address: {error}")))?;
            let credentials = Some(self.credentials.clone());
            let connected = HttpConnection::open(&Peer { authority, version: HttpVersion::Http1, credentials }).await;
            let connection = connected.map_err(|error| broken(format!("the proxy before {to}: {error}")))?;
            Ok(LaneConnection { wire: Arc::new(wire), connection })
        })
    }

    /// Sends a request that is to meet this fault on its way, and gives the proxy that it met the fault at.
    fn send_astray(
        &mut self,
        on: Session,
        op: HopOp,
        by: Delivery,
        fault: WireFault,
    ) -> Result<Arc<Wire>, BackendError> {
        let request = to_http(&request_of(op)?, op.form(), by);
        let LaneConnection { wire, mut connection } = self.line(on)?;
        wire.arm(fault);
        let heard = match self.within(&op, connection.ask(request))? {
            Ok(response) => Outcome::Ok(HopResponse::Heard(reply_in(&response, op, by)?).into()),
            Err(NoAnswer::Unknown(_) | NoAnswer::NotSent(_)) => Outcome::Unknown,
        };
        if !has_met(&wire, NAME, Ok(heard))? {
            return Err(broken(format!("`{op}` was to meet a fault, and was never sent")));
        }
        if self.visits.try_recv().is_ok() {
            return Err(broken(format!("`{op}` has come, although it was kept from coming")));
        }
        Ok(wire)
    }

    /// AwaitedBy until a request has come, and holds it against what was sent.
    fn wait_for(
        &mut self,
        op: HopOp,
        by: Delivery,
        ends: impl Future<Output = String>,
    ) -> Result<WaitingRequest, BackendError> {
        let visits = &mut self.visits;
        let visit = self.runtime.block_on(async {
            tokio::select! {
                biased;
                Some(visit) = visits.recv() => Ok(visit),
                why = ends => Err(broken(format!("`{op}` has not come: {why}"))),
                () = tokio::time::sleep(TIMEOUT) => Err(stuck(NAME, &format!("`{op}`"), TIMEOUT)),
            }
        })?;
        let (sent, came) = ((request_of(op)?, op.form(), by), (visit.request, visit.form, visit.delivery));
        if sent == came {
            Ok(visit)
        } else {
            Err(broken(format!("a request was sent as {sent:?} and came as {came:?}")))
        }
    }

    fn arrive(&mut self, on: Session, op: HopOp, by: Delivery) -> Result<Ran, BackendError> {
        let request = to_http(&request_of(op)?, op.form(), by);
        let LaneConnection { wire, mut connection } = self.line(on)?;
        let asking = self.runtime.spawn(async move {
            let answered = connection.ask(request).await;
            (answered, connection)
        });
        let mut asking = AbortOnDropHandle::new(asking);
        let ends = async {
            match (&mut asking).await {
                Ok((Ok(response), _)) => format!("it was answered {}", response.status()),
                Ok((Err(error), _)) => error.to_string(),
                Err(error) => error.to_string(),
            }
        };
        let visit = self.wait_for(op, by, ends)?;
        self.exchanges.insert(on, Exchange { visit, wire, waits: AwaitedBy::Client(asking) });
        Ok(Ran::Came(Outcome::Ok(HopResponse::Arrived.into())))
    }

    fn answer(&mut self, on: Session, op: HopOp, reply: Reply, is_lost: bool) -> Result<Ran, BackendError> {
        let missing = || broken(format!("`{op}` is the answer to nothing"));
        let Exchange { visit, wire, waits } = self.exchanges.remove(&on).ok_or_else(missing)?;
        let by = visit.delivery;
        if is_lost {
            wire.lose_answer();
        }
        if !visit.answer(op.message(), reply) {
            return Err(broken(format!("nobody waits for `{op}`")));
        }
        match waits {
            AwaitedBy::Proxy(landing) => match self.within(&op, landing)? {
                Ok(Landing::Finished { .. }) => Ok(Ran::Unheard),
                other => Err(broken(format!("`{op}` did not come to its end: {other:?}"))),
            },
            AwaitedBy::Client(asking) => {
                let asked = self.within(&op, asking)?;
                let (answered, connection) = asked.map_err(|error| broken(error.to_string()))?;
                match (answered, is_lost) {
                    (Err(_), true) if !wire.keep_answer() => Ok(Ran::Unheard),
                    (Err(error), _) => Err(broken(format!("`{op}`: {error}"))),
                    (Ok(response), true) => Err(broken(format!("`{op}` was to be lost, and came: {response:?}"))),
                    (Ok(response), false) => {
                        let heard = reply_in(&response, op, by)?;
                        self.lines.insert(on, LaneConnection { wire, connection });
                        Ok(Ran::Came(Outcome::Ok(HopResponse::Heard(heard).into())))
                    }
                }
            }
        }
    }

    /// Whoever waits for the answer leaves. The server drops what works for it.
    fn leave(&self, Exchange { visit, wire, waits }: Exchange) -> Result<(), BackendError> {
        drop(waits);
        let over = self.within(&"the handler of a client that has left", visit.over.cancelled());
        drop(wire);
        over
    }
}

/// The request that crosses.
fn request_of(op: HopOp) -> Result<Request, BackendError> {
    op.request().ok_or_else(|| broken(format!("`{op}` is no request")))
}

/// What a client makes of an answer, if it is one to its own request.
pub(super) fn reply_in(response: &Response<Vec<u8>>, op: HopOp, by: Delivery) -> Result<Reply, BackendError> {
    let to = delivery_of(response.headers()).map_err(|error| broken(error.to_string()))?;
    if to != (op.message(), by) {
        return Err(broken(format!("{to:?} was answered in place of {:?}", (op.message(), by))));
    }
    outcome(response.status(), response.body()).map_err(|error| broken(error.to_string()))
}

impl ReplayDriver for ReplayedHop {
    fn close(&mut self) -> Result<(), BackendError> {
        self.lines.clear();
        self.held.clear();
        let exchanges: Vec<Exchange> = self.exchanges.drain().map(|(_, exchange)| exchange).collect();
        exchanges.into_iter().try_for_each(|exchange| self.leave(exchange))?;
        while self.visits.try_recv().is_ok() {}
        Ok(())
    }

    fn execute(&mut self, on: Session, op: AnyOp, by: Delivery, loses_reply: bool) -> Result<Ran, BackendError> {
        let op: HopOp = own(op);
        match op.reply() {
            None => self.arrive(on, op, by),
            Some(reply) => self.answer(on, op, reply, loses_reply),
        }
    }

    fn lose_request(&mut self, on: Session, op: AnyOp, by: Delivery) -> Result<(), BackendError> {
        self.send_astray(on, own(op), by, WireFault::LoseRequest).map(drop)
    }

    fn hold(&mut self, on: Session, flight: Session, op: AnyOp, by: Delivery) -> Result<(), BackendError> {
        let wire = self.send_astray(on, own(op), by, WireFault::Hold)?;
        self.held.insert(flight, wire);
        Ok(())
    }

    fn land(&mut self, flight: Session, op: AnyOp, by: Delivery) -> Result<Ran, BackendError> {
        let op: HopOp = own(op);
        let wire = self.held.remove(&flight).ok_or_else(|| broken(format!("`{op}` is not on its way")))?;
        let held = Arc::clone(&wire);
        let mut landing = AbortOnDropHandle::new(self.runtime.spawn(async move { held.release().await }));
        let ends = async { format!("{:?}", (&mut landing).await) };
        let visit = self.wait_for(op, by, ends)?;
        self.exchanges.insert(flight, Exchange { visit, wire, waits: AwaitedBy::Proxy(landing) });
        Ok(Ran::Came(Outcome::Ok(HopResponse::Arrived.into())))
    }

    fn take_over(&mut self, flight: Session, on: Session) {
        if let Some(exchange) = self.exchanges.remove(&flight) {
            self.exchanges.insert(on, exchange);
        }
    }

    fn cut(&mut self, on: Session) -> Result<(), BackendError> {
        self.lines.remove(&on);
        self.held.remove(&on);
        self.exchanges.remove(&on).map_or(Ok(()), |exchange| self.leave(exchange))
    }
}
