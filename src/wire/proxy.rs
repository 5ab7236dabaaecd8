//! The proxy: a listener for one session, and the connections through it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::task::AbortOnDropHandle;

use super::connection::{self, HeldBytes, Landing};
use super::{Protocol, WireFault};
use crate::wire::{Address, Listener};

/// A proxy for the connections of one session. Dropped, it closes both sides of all of them at once.
pub struct Wire {
    address: Address,
    shared: Arc<Shared>,
    _accepting: AbortOnDropHandle<()>,
}

/// What the connections of a session have in common.
#[derive(Default)]
pub(super) struct Shared {
    armed: Mutex<Option<WireFault>>,
    held: Mutex<Option<HeldBytes>>,
    loses_answer: AtomicBool,
    requests: AtomicU64,
    connections: AtomicU64,
}

impl Shared {
    /// Counts a request that begins.
    pub(super) fn count(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// What is to happen to the next request, which has come.
    pub(super) fn disarm(&self) -> Option<WireFault> {
        lock(&self.armed).take()
    }

    /// Whether the answer that comes now is to be lost. It is asked once for each that is.
    pub(super) fn takes_answer(&self) -> bool {
        self.loses_answer.load(Ordering::Relaxed) && self.loses_answer.swap(false, Ordering::Relaxed)
    }

    /// Keeps a request until it is released. One that is kept already is never sent.
    pub(super) fn hold(&self, held: HeldBytes) {
        *lock(&self.held) = Some(held);
    }
}

impl Wire {
    /// A proxy before the server at this address: on a port of the loopback interface before a port, on a socket before a socket.
    ///
    /// # Errors
    /// If there is nothing to listen on.
    pub async fn start(to: &Address, protocol: Protocol) -> std::io::Result<Self> {
        let listener = Listener::before(to).await?;
        let address = listener.address().clone();
        let shared = Arc::<Shared>::default();
        let accepting = tokio::spawn(accept(listener, to.clone(), protocol, Arc::clone(&shared)));
        Ok(Wire { address, shared, _accepting: AbortOnDropHandle::new(accepting) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Lets this happen to the next request that begins.
    pub fn arm(&self, fault: WireFault) {
        *lock(&self.shared.armed) = Some(fault);
    }

    /// Loses the answer to a request that the server has already, as [`WireFault::LoseReply`] does. For protocols in which a server says
    /// nothing but answers.
    pub fn lose_answer(&self) {
        self.shared.loses_answer.store(true, Ordering::Relaxed);
    }

    /// Takes back that an answer is lost, and says whether there was something to take back: whether none has come since.
    #[must_use]
    pub fn keep_answer(&self) -> bool {
        self.shared.takes_answer()
    }

    /// Takes back what it was armed with, and says whether there was something to take back: whether no request has come
    /// since.
    #[must_use]
    pub fn disarm(&self) -> bool {
        self.shared.disarm().is_some()
    }

    /// How many requests the driver has made, those that were lost or held among them.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// How many connections the driver has opened.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Sends the request that was held, waits until the server has finished with it, and closes the connection.
    pub async fn release(&self) -> Landing {
        let Some(held) = lock(&self.shared.held).take() else { return Landing::NothingHeld };
        match held.land().await {
            Ok(failed) => Landing::Finished { failed },
            Err(_closed) => Landing::Broken,
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: Listener, to: Address, protocol: Protocol, shared: Arc<Shared>) {
    // Dropped with the proxy, and every connection with it.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // An error here concerns one client that has gone again, or the number of open files: it passes.
                if let Ok(client) = accepted {
                    shared.connections.fetch_add(1, Ordering::Relaxed);
                    let way = (listener.address().clone(), to.clone());
                    connections.spawn(connection::carry(client, way, protocol, Arc::clone(&shared)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
