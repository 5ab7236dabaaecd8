//! The server that does to requests what their paths say.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};

use super::arrivals::{Arrivals, Full, key_of};
use super::demand::{Demand, GRAMMAR, LISTING, Misfortune};
use super::document::document;
use crate::service::http::{Arrived, HttpLimits, HttpListener, Refused, Treatment, Treats};

/// How long a connection that is to be closed when it is idle is left open behind the answer.
const IDLE: Duration = Duration::from_millis(20);

/// The longest path with its query, in bytes.
const LONGEST_TARGET: usize = 512;

/// The longest `Idempotency-Key`, in bytes; Stripe has the same limit.
const LONGEST_KEY: usize = 255;

const TOO_LONG: &str = "not counted: a path may have 512 bytes, and an Idempotency-Key 255\n";

/// The most requests that are listed over HTTP: an answer is held until its reader has read it.
const MOST_LISTED: usize = 1_000;

/// How much the server takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// What is read from connections.
    pub http: HttpLimits,
    /// The most different requests that are told apart.
    pub most_requests: usize,
}

impl Default for Settings {
    fn default() -> Self {
        // At most 2 KiB each, whatever a stranger sends.
        Settings { http: HttpLimits::default(), most_requests: 10_000 }
    }
}

/// A server that counts how often each request comes. Dropped, it is gone as if killed.
#[derive(Debug)]
pub(crate) struct RepeatsServer {
    listening: HttpListener,
    desk: Arc<Desk>,
}

impl RepeatsServer {
    /// Listens at an address, on the tokio runtime of the caller. Port 0 is a free port.
    ///
    /// # Errors
    /// If the address cannot be had.
    pub fn start(at: SocketAddr, settings: Settings) -> io::Result<Self> {
        let arrivals = Mutex::new(Arrivals::default());
        let desk = Arc::new(Desk { arrivals, most_requests: settings.most_requests, began: Instant::now() });
        Ok(RepeatsServer { listening: HttpListener::start(at, Arc::clone(&desk), settings.http)?, desk })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listening.address()
    }

    /// What came so far.
    pub fn arrivals(&self) -> Arrivals {
        self.desk.arrivals().clone()
    }

    /// How long it has been listening.
    pub fn elapsed(&self) -> Duration {
        self.desk.began.elapsed()
    }
}

/// Where requests are counted and decided on.
#[derive(Debug)]
struct Desk {
    arrivals: Mutex<Arrivals>,
    most_requests: usize,
    began: Instant,
}

impl Desk {
    fn arrivals(&self) -> MutexGuard<'_, Arrivals> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listing(&self, method: &Method) -> Response<String> {
        if ![Method::GET, Method::HEAD].contains(method) {
            return text(StatusCode::METHOD_NOT_ALLOWED, format!("ask GET {LISTING}\n"));
        }
        let listed = document(&self.arrivals(), self.began.elapsed(), MOST_LISTED);
        let mut answer = text(StatusCode::OK, format!("{listed:#}\n"));
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer
    }
}

impl Treats for Desk {
    async fn treat(&self, arrived: Arrived) -> Treatment {
        self.decide(&arrived)
    }

    fn refused(&self, why: Refused) {
        self.arrivals().refuse(why);
    }
}

impl Desk {
    fn decide(&self, arrived: &Arrived) -> Treatment {
        let (method, uri) = (arrived.head.method(), arrived.head.uri());
        if uri.path() == LISTING {
            return Treatment::Answer(self.listing(method));
        }
        let Some(demand) = Demand::of(uri.path()) else {
            self.arrivals().unknown_paths += 1;
            return Treatment::Answer(text(StatusCode::NOT_FOUND, GRAMMAR.to_owned()));
        };
        let target_bytes = uri.path_and_query().map_or(0, |target| target.as_str().len());
        let key_bytes = key_of(arrived.head.headers()).map_or(0, |key| key.len());
        if target_bytes > LONGEST_TARGET || key_bytes > LONGEST_KEY {
            self.arrivals().refuse(Refused::TooLarge);
            return Treatment::Answer(text(StatusCode::URI_TOO_LONG, TOO_LONG.to_owned()));
        }
        let has_label = !demand.label.is_empty() || uri.query().is_some_and(|query| !query.is_empty());
        let mut arrivals = self.arrivals();
        let (before, is_met) = match arrivals.count(arrived, has_label, self.most_requests) {
            Ok(counted) => {
                let before = counted.arrivals - 1;
                let is_met = demand.misfortune != Misfortune::Ok && demand.is_met(before, arrived.earlier);
                counted.faults += u64::from(is_met);
                (before, is_met)
            }
            Err(Full) => {
                let most = self.most_requests;
                let told = format!("not counted: there are {most} different requests already; start the lab again\n");
                return Treatment::Answer(text(StatusCode::INSUFFICIENT_STORAGE, told));
            }
        };
        drop(arrivals);
        let told = format!("arrival {}\n", before + 1);
        match demand.misfortune {
            Misfortune::ReplyLost if is_met => Treatment::Drop,
            Misfortune::NoAnswer if is_met => Treatment::Silence,
            Misfortune::Status(status) if is_met => Treatment::Answer(text(status, told)),
            Misfortune::IdleClose if is_met => Treatment::AnswerAndClose(text(StatusCode::OK, told), IDLE),
            Misfortune::Ok
            | Misfortune::ReplyLost
            | Misfortune::NoAnswer
            | Misfortune::Status(_)
            | Misfortune::IdleClose => Treatment::Answer(text(StatusCode::OK, told)),
        }
    }
}

/// An answer that no cache keeps.
fn text(status: StatusCode, body: String) -> Response<String> {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}
