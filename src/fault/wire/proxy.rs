//! The proxy: a listener on the loopback interface for one session, and the connections through it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use super::{Framer, LONGEST, Part, Protocol, WireFault, invalid};

/// How much is read at a time.
const CHUNK: usize = 16 * 1024;

/// What became of a request that was held and then released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landing {
    /// The server has finished with it, and says whether it has failed.
    Finished { failed: bool },
    /// The server closed the connection before it had finished.
    Broken,
    /// There was none.
    NothingHeld,
}

/// A proxy for the connections of one session. Dropped, it closes both sides of all of them at once.
pub struct Wire {
    address: SocketAddr,
    shared: Arc<Shared>,
    _accepting: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct Shared {
    armed: Mutex<Option<WireFault>>,
    held: Mutex<Option<Held>>,
    requests: AtomicU64,
    connections: AtomicU64,
}

/// A request that was kept back, and the connection on which it will be sent.
struct Held {
    server: Side,
    request: Vec<u8>,
    call: u32,
}

impl Wire {
    /// A proxy before the server at this host and port.
    ///
    /// # Errors
    /// If there is no port to listen on.
    pub async fn start(host: &str, port: u16, protocol: Protocol) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::<Shared>::default();
        let accepting = tokio::spawn(accept(listener, (host.to_owned(), port), protocol, Arc::clone(&shared)));
        Ok(Wire { address, shared, _accepting: AbortOnDropHandle::new(accepting) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets this happen to the next request that begins.
    pub fn arm(&self, fault: WireFault) {
        *lock(&self.shared.armed) = Some(fault);
    }

    /// Takes back what it was armed with, and says whether there was something to take back: whether no request has come
    /// since.
    #[must_use]
    pub fn disarm(&self) -> bool {
        lock(&self.shared.armed).take().is_some()
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
        let Some(mut held) = lock(&self.shared.held).take() else { return Landing::NothingHeld };
        match held.land().await {
            Ok(failed) => Landing::Finished { failed },
            Err(_closed) => Landing::Broken,
        }
    }
}

impl Held {
    async fn land(&mut self) -> std::io::Result<bool> {
        self.server.stream.write_all(&self.request).await?;
        let mut failed = false;
        loop {
            let piece = self.server.next().await?;
            if let Some(part) = piece.part.filter(|part| part.call == self.call) {
                failed |= part.fails;
                if part.ends {
                    return Ok(failed);
                }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, to: (String, u16), protocol: Protocol, shared: Arc<Shared>) {
    // Dropped with the proxy, and every connection with it.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // An error here concerns one client that has gone again, or the number of open files: it passes.
                if let Ok((client, _)) = accepted {
                    shared.connections.fetch_add(1, Ordering::Relaxed);
                    connections.spawn(carry(client, to.clone(), protocol, Arc::clone(&shared)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One side of a connection.
struct Side {
    stream: TcpStream,
    framer: Box<dyn Framer>,
    received: Vec<u8>,
}

impl Side {
    fn new(stream: TcpStream, framer: Box<dyn Framer>) -> std::io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Side { stream, framer, received: Vec::new() })
    }

    /// The next piece that this side sends. Dropped in the middle, nothing is lost of what has arrived.
    async fn next(&mut self) -> std::io::Result<super::Piece> {
        loop {
            if let Some(piece) = self.framer.next(&mut self.received)? {
                return Ok(piece);
            }
            self.received.reserve(CHUNK);
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// Carries one connection. That it ends, of itself or with an error, is all that anybody needs to know.
async fn carry(client: TcpStream, to: (String, u16), protocol: Protocol, shared: Arc<Shared>) -> std::io::Result<()> {
    let server = TcpStream::connect((to.0.as_str(), to.1)).await?;
    let client = Side::new(client, protocol.of_client())?;
    let server = Side::new(server, protocol.of_server())?;
    Connection { client, server, shared, met: None, kept: Vec::new() }.carry().await
}

struct Connection {
    client: Side,
    server: Side,
    shared: Arc<Shared>,
    /// What happens to which call.
    met: Option<(WireFault, u32)>,
    /// What is kept of a request that is held.
    kept: Vec<u8>,
}

impl Connection {
    async fn carry(mut self) -> std::io::Result<()> {
        loop {
            tokio::select! {
                piece = self.client.next() => {
                    let piece = piece?;
                    let ends = piece.part.is_some_and(|part| part.ends);
                    match piece.part.and_then(|part| self.fault_of(part)) {
                        None | Some(WireFault::LoseReply) => self.server.stream.write_all(&piece.bytes).await?,
                        Some(WireFault::LoseRequest) if ends => return Ok(()),
                        Some(WireFault::LoseRequest) => {}
                        Some(WireFault::Hold) => {
                            self.keep(&piece.bytes)?;
                            if ends {
                                return self.hold(piece.part.map_or(0, |part| part.call));
                            }
                        }
                    }
                }
                piece = self.server.next() => {
                    let piece = piece?;
                    let lost = |part: &Part| self.met == Some((WireFault::LoseReply, part.call));
                    match piece.part.filter(lost) {
                        None => self.client.stream.write_all(&piece.bytes).await?,
                        Some(part) if part.ends => return Ok(()),
                        Some(_) => {}
                    }
                }
            }
        }
    }

    /// What happens to the request that this is a part of.
    fn fault_of(&mut self, part: Part) -> Option<WireFault> {
        if part.begins {
            self.shared.requests.fetch_add(1, Ordering::Relaxed);
            if self.met.is_none() {
                self.met = lock(&self.shared.armed).take().map(|fault| (fault, part.call));
            }
        }
        self.met.filter(|(_, call)| *call == part.call).map(|(fault, _)| fault)
    }

    fn keep(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if self.kept.len() + bytes.len() > LONGEST {
            return Err(invalid("a request is too long to be held"));
        }
        self.kept.extend_from_slice(bytes);
        Ok(())
    }

    /// Closes the client's side, and keeps the server's open.
    fn hold(self, call: u32) -> std::io::Result<()> {
        *lock(&self.shared.held) = Some(Held { server: self.server, request: self.kept, call });
        Ok(())
    }
}
