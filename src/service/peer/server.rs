//! The peer's server: HTTP over loopback, in this process, with books of its own.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};

use super::books::{Charged, PeerBooks};
use crate::service::http::exchange::{Unfit, answer, answer_unfit, from_http};
use crate::service::http::{Arrived, HttpLimits, HttpListener, Refused, Treatment, Treats};
use crate::service::{BackendError, password};
use crate::terms::{Delivery, Entry, HttpForm, Reply, Request, Role, Trouble};

/// A free port.
const ANYWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The most connections: more than handlers can have.
const CONNECTIONS: usize = 10_000;

/// What the server keeps.
#[derive(Debug, Default)]
pub(super) struct PeerState {
    pub books: PeerBooks,
    pub ledger: Vec<Entry>,
    /// How many requests have come, whatever became of them.
    pub arrivals: u64,
}

/// A running peer. Dropped, it is gone as if killed: its connections are cut and its books are lost.
#[derive(Debug)]
pub(super) struct PeerServer {
    kept: Arc<Mutex<PeerState>>,
    listener: HttpListener,
    credentials: HeaderValue,
}

impl PeerServer {
    /// Starts it, on the tokio runtime of the caller.
    ///
    /// # Errors
    /// [`BackendError`] if there is no port for it.
    pub fn start() -> Result<Self, BackendError> {
        let kept = Arc::<Mutex<PeerState>>::default();
        let bearer = HeaderValue::from_str(&format!("Bearer {}", password::draw()));
        let mut credentials = bearer.unwrap_or(HeaderValue::from_static("Bearer"));
        credentials.set_sensitive(true);
        let desk = PeerDesk { kept: Arc::clone(&kept), credentials: credentials.clone() };
        let limits = HttpLimits {
            keeps_bodies: true,
            connections: CONNECTIONS,
            idle: Duration::from_secs(1 << 20),
            ..HttpLimits::default()
        };
        let listener = HttpListener::start(ANYWHERE, Arc::new(desk), limits).map_err(|error| BackendError {
            backend: super::backend::NAME,
            what: format!("there is no port for it: {error}"),
            remedy: Some("check that 127.0.0.1 is up, and raise the number of open files (ulimit -n)".to_owned()),
        })?;
        Ok(PeerServer { kept, listener, credentials })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// What lets a client in: other users of this machine can connect to the loopback interface too.
    pub fn credentials(&self) -> HeaderValue {
        self.credentials.clone()
    }

    /// What it keeps.
    pub fn kept(&self) -> MutexGuard<'_, PeerState> {
        locked(&self.kept)
    }
}

fn locked(kept: &Mutex<PeerState>) -> MutexGuard<'_, PeerState> {
    // What is kept has no half-done states: a panic beside it is a bug that has been reported by then.
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where requests come.
struct PeerDesk {
    kept: Arc<Mutex<PeerState>>,
    credentials: HeaderValue,
}

impl PeerDesk {
    fn charge(&self, request: &Request, form: HttpForm, by: Delivery) -> Result<Reply, Unfit> {
        let key = match form {
            HttpForm::Post => None,
            HttpForm::PostWithKey => Some(request.id),
            HttpForm::Put | HttpForm::PutIfMatch(_) | HttpForm::Delete => {
                return Err(Unfit::OtherMethod { found: form.method(), expected: HttpForm::Post.method() });
            }
        };
        let mut kept = locked(&self.kept);
        Ok(match kept.books.charge(request.effect, key) {
            Charged::Done(answer) => {
                let number = kept.ledger.len() as u64 + 1;
                kept.ledger.push(Entry {
                    role: Role::PEER,
                    number,
                    message: request.id,
                    account: request.effect.account,
                    amount: request.effect.amount.into(),
                    balance: answer.0,
                    token: None,
                    by,
                });
                Ok(answer)
            }
            Charged::Before(answer) => Ok(answer),
            Charged::OtherCharge => Err(Trouble::Refused),
        })
    }
}

impl Treats for PeerDesk {
    async fn treat(&self, arrived: Arrived) -> Treatment {
        locked(&self.kept).arrivals += 1;
        if arrived.head.headers().get(AUTHORIZATION) != Some(&self.credentials) {
            let mut refusal = Response::new("this peer is for one run of the lab\n".to_owned());
            *refusal.status_mut() = StatusCode::UNAUTHORIZED;
            refusal.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return Treatment::Answer(refusal);
        }
        let read = from_http(&arrived.head, &arrived.body);
        let done = read.and_then(|(request, form, by)| {
            let reply = self.charge(&request, form, by)?;
            Ok(answer(reply, form, 0, (request.id, by)))
        });
        Treatment::Answer(done.unwrap_or_else(|unfit| answer_unfit(&unfit)))
    }

    /// What no client of the lab sends is answered, and concerns nobody else.
    fn refused(&self, _: Refused) {}
}
