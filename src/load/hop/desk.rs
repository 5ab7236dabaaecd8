//! The desk: what the servers of a hop know together. Which deliveries have come, and who can hang up.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use rustc_hash::FxHashMap;
use tokio_util::sync::CancellationToken;

use crate::history::{Recorders, SHORT};
use crate::load::network::Network;
use crate::load::setting::HopCounts;
use crate::service::draw_password;
use crate::terms::{Delivery, MessageId};

/// Shared by the servers of a hop.
pub(super) struct FrontDesk {
    pub network: Network,
    recorders: Recorders,
    /// What lets in: other users of this machine can connect to the loopback interface too.
    pub credentials: HeaderValue,
    /// How often each attempt has come.
    arrivals: Mutex<FxHashMap<(MessageId, Delivery), u8>>,
    /// Who can be asked to close the connection over which a delivery was forwarded.
    senders: Mutex<HashMap<(MessageId, Delivery), CancellationToken>>,
    at_proxy: AtomicU64,
    at_server: AtomicU64,
    repeated: AtomicU64,
    dropped: AtomicU64,
}

impl FrontDesk {
    pub fn new(network: Network, recorders: Recorders) -> Self {
        let mut credentials =
            HeaderValue::from_str(&format!("Bearer {}", draw_password())).unwrap_or(HeaderValue::from_static("Bearer"));
        credentials.set_sensitive(true);
        FrontDesk {
            network,
            recorders,
            credentials,
            arrivals: Mutex::default(),
            senders: Mutex::default(),
            at_proxy: AtomicU64::new(0),
            at_server: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    /// What somebody is answered who may not ask.
    pub fn refusal(&self, headers: &HeaderMap) -> Option<Response<String>> {
        if headers.get(AUTHORIZATION) == Some(&self.credentials) {
            return None;
        }
        let mut refusal = Response::new("this server is for one trial of the lab\n".to_owned());
        *refusal.status_mut() = StatusCode::UNAUTHORIZED;
        refusal.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        Some(refusal)
    }

    /// Which delivery of a message has come, when an attempt comes to the lab's first server on the way. It is the attempt itself once.
    /// Afterwards something before the server has repeated it: that is a delivery of its own, and is written down as sent. The first
    /// number after the attempt's own is that of the duplicate which the plan makes.
    pub fn arrived(&self, message: MessageId, claimed: Delivery) -> Delivery {
        let before = {
            let mut arrivals = locked(&self.arrivals);
            let count = arrivals.entry((message, claimed)).or_default();
            let before = *count;
            *count = count.saturating_add(1);
            before
        };
        let repeated = if before == 0 { 0 } else { before.saturating_add(1) };
        let delivery = claimed.repeated(repeated);
        if repeated > 0 {
            self.repeated.fetch_add(1, Ordering::Relaxed);
            let course = self.network.course(message, delivery);
            Network::note_sent(message, delivery, course, &mut self.recorders.recorder(SHORT));
        }
        delivery
    }

    /// Somebody forwards a delivery, and hangs up when the token is cancelled.
    pub fn can_hang_up(&self, message: MessageId, delivery: Delivery) -> CancellationToken {
        let token = CancellationToken::new();
        locked(&self.senders).insert((message, delivery), token.clone());
        token
    }

    /// What lets the sender of a delivery hang up, if somebody forwards it.
    pub fn sender_of(&self, message: MessageId, delivery: Delivery) -> Option<CancellationToken> {
        locked(&self.senders).remove(&(message, delivery))
    }

    pub fn count_at_proxy(&self) {
        self.at_proxy.fetch_add(1, Ordering::Relaxed);
    }

    pub fn count_at_server(&self) {
        self.at_server.fetch_add(1, Ordering::Relaxed);
    }

    pub fn count_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// How many requests have come where.
    pub fn counts(&self) -> HopCounts {
        HopCounts {
            at_proxy: self.at_proxy.load(Ordering::Relaxed),
            at_server: self.at_server.load(Ordering::Relaxed),
            repeated: self.repeated.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
