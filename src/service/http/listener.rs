//! A port, and a task for each connection to it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use super::connection::{Treats, serve};

/// How much a stranger can make the server hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HttpLimits {
    /// The longest head of a request: its first line and its headers, in bytes. hyper asks for 8192 at least.
    pub head_bytes: usize,
    /// The longest body of a request, in bytes.
    pub body_bytes: u64,
    /// Whether bodies are kept for whoever decides on requests.
    pub keeps_bodies: bool,
    /// The most connections at a time. Others wait until one ends.
    pub connections: usize,
    /// The most requests at a time on a connection of HTTP/2.
    pub streams: u32,
    /// How long a new connection may wait with its first byte, and a body with its last one.
    pub patience: Duration,
    /// How long a connection of HTTP/1.1 may wait for the end of a head, from when it is ready for the head.
    pub idle: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        HttpLimits {
            head_bytes: 16 << 10,
            body_bytes: 1 << 20,
            keeps_bodies: false,
            connections: 500,
            streams: 16,
            patience: Duration::from_secs(30),
            idle: Duration::from_secs(600),
        }
    }
}

/// A server that runs. Dropped, it is gone as if killed: its connections are cut.
#[derive(Debug)]
pub(crate) struct HttpListener {
    address: SocketAddr,
    // Held for what happens when it is dropped.
    _accepting: AbortOnDropHandle<()>,
}

impl HttpListener {
    /// Listens at an address, on the tokio runtime of the caller. Port 0 is a free port.
    ///
    /// # Errors
    /// If the address cannot be had.
    pub fn start<T: Treats>(at: SocketAddr, treats: Arc<T>, limits: HttpLimits) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(at)?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(accept(listener, treats, limits));
        Ok(HttpListener { address, _accepting: AbortOnDropHandle::new(accepting) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Serves connections until it is dropped, and the connections with it.
async fn accept<T: Treats>(listener: TcpListener, treats: Arc<T>, limits: HttpLimits) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        // Nobody closes the semaphore.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let serving = serve(stream, Arc::clone(&treats), limits);
                connections.spawn(async move {
                    serving.await;
                    drop(place);
                });
            }
            // Out of file descriptors, most likely: the connections that close will free some.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
        // Only so that the ends of connections do not pile up.
        while connections.try_join_next().is_some() {}
    }
}
