//! One connection through the proxy: what passes, and what happens to the one request that meets a fault.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::proxy::{Shared, lock};
use super::{Framer, LONGEST, Part, Piece, Protocol, WireFault, credit, invalid};
use crate::wire::{Address, Incoming, Outgoing};

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

/// Carries one connection from the proxy at one address to the server at the other. That it ends, of itself or with an error, is all that anybody needs to know: both sides are closed.
pub(super) async fn carry(
    (from_client, to_client): (Incoming, Outgoing),
    (at, to): (Address, Address),
    protocol: Protocol,
    shared: Arc<Shared>,
) -> std::io::Result<()> {
    let (from_server, to_server) = to.connect().await?;
    let (of_client, of_server) = protocol.framers(&at);
    let mut from_client = PieceSource::new(from_client, of_client);
    let mut from_server = PieceSource::new(from_server, of_server);
    let connection = ProxiedConnection {
        protocol,
        shared,
        met: Mutex::new(None),
        to_client: to_client.into(),
        to_server: to_server.into(),
    };
    // Side by side: a side that does not read must not keep the other from being heard, or from being missed.
    let held = tokio::select! {
        held = connection.carry_requests(&mut from_client) => held?,
        ended = connection.carry_answers(&mut from_server) => return ended,
    };
    if let Some((request, call)) = held {
        let to_server = connection.to_server.into_inner();
        // Before the client's side is closed: whoever sees that may release it at once.
        connection.shared.hold(HeldBytes { protocol, from_server, to_server, request, call });
    }
    Ok(())
}

/// What one side sends.
struct PieceSource {
    half: Incoming,
    framer: Box<dyn Framer>,
    received: Vec<u8>,
}

impl PieceSource {
    fn new(half: Incoming, framer: Box<dyn Framer>) -> Self {
        PieceSource { half, framer, received: Vec::new() }
    }

    /// The next piece, if all of it has arrived.
    fn next(&mut self) -> std::io::Result<Option<Piece>> {
        self.framer.next(&mut self.received)
    }

    /// Waits for more. Dropped in the middle, nothing is lost of what has arrived.
    async fn more(&mut self) -> std::io::Result<()> {
        self.received.reserve(CHUNK);
        match self.half.read_buf(&mut self.received).await? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// The request on this connection that meets a fault.
#[derive(Clone, Copy)]
struct Met {
    fault: WireFault,
    call: u32,
    /// Whether the server has all of it.
    is_sent: bool,
}

/// What becomes of a piece of what the client sends.
enum Phase {
    Passes,
    IsLost,
    IsKept,
    /// With it the request is whole, and the connection is cut.
    Cuts,
    /// With it the request is whole, and the client's side is cut.
    Holds,
}

struct ProxiedConnection {
    protocol: Protocol,
    shared: Arc<Shared>,
    met: Mutex<Option<Met>>,
    to_client: tokio::sync::Mutex<Outgoing>,
    to_server: tokio::sync::Mutex<Outgoing>,
}

impl ProxiedConnection {
    /// Carries what the client sends until the connection is to be cut, and says which request is held, if one is.
    async fn carry_requests(&self, client: &mut PieceSource) -> std::io::Result<Option<(Vec<u8>, u32)>> {
        let mut kept = Vec::new();
        loop {
            // What has arrived together is sent together: a write for each piece would cost more than all the rest.
            let (mut passed, mut answered, mut ended) = (Vec::new(), Vec::new(), None);
            while let (None, Some(piece)) = (&ended, client.next()?) {
                answered.extend(piece.answer);
                let Some(part) = piece.part else {
                    passed.extend(piece.bytes);
                    continue;
                };
                match self.course_of(part) {
                    Phase::Passes => passed.extend(piece.bytes),
                    // The client would wait for the server's leave to send the rest.
                    Phase::IsLost => answered.extend(credit(self.protocol, part)),
                    Phase::IsKept => keep(&mut kept, &piece.bytes)?,
                    Phase::Cuts => ended = Some(None),
                    Phase::Holds => {
                        keep(&mut kept, &piece.bytes)?;
                        ended = Some(Some((std::mem::take(&mut kept), part.call)));
                    }
                }
            }
            send(&self.to_server, &passed).await?;
            if let Some(held) = ended {
                return Ok(held);
            }
            send(&self.to_client, &answered).await?;
            if let Err(error) = client.more().await {
                if self.awaits_lost_answer() {
                    // The server is to finish all the same: the other half ends the connection when it has.
                    std::future::pending::<()>().await;
                }
                return Err(error);
            }
        }
    }

    /// What becomes of a part of a request.
    fn course_of(&self, part: Part) -> Phase {
        let mut met = lock(&self.met);
        if part.begins {
            self.shared.count();
            if met.is_none() {
                *met = self.shared.disarm().map(|fault| Met { fault, call: part.call, is_sent: false });
            }
        }
        let Some(met) = met.as_mut() else { return Phase::Passes };
        let is_its = part.call == met.call;
        match met.fault {
            WireFault::LoseReply if !is_its => Phase::Passes,
            // The client cancels: the server is not told, or it would not finish; but without the whole request it cannot.
            WireFault::LoseReply if part.fails && met.is_sent => Phase::IsLost,
            WireFault::LoseReply if part.fails => Phase::Cuts,
            WireFault::LoseReply => {
                met.is_sent |= part.ends;
                Phase::Passes
            }
            // Streams are opened in their order, and compressed headers refer to those before.
            WireFault::LoseRequest | WireFault::Hold if part.call > met.call => Phase::IsLost,
            WireFault::LoseRequest | WireFault::Hold if !is_its => Phase::Passes,
            WireFault::LoseRequest if part.ends => Phase::Cuts,
            WireFault::LoseRequest => Phase::IsLost,
            // The client cancels what it never finished.
            WireFault::Hold if part.fails => Phase::Cuts,
            WireFault::Hold if part.ends => Phase::Holds,
            WireFault::Hold => Phase::IsKept,
        }
    }

    /// Carries what the server sends until an answer that is lost has been read to its end.
    async fn carry_answers(&self, server: &mut PieceSource) -> std::io::Result<()> {
        loop {
            let (mut passed, mut credited, mut is_over) = (Vec::new(), Vec::new(), false);
            while let (false, Some(piece)) = (is_over, server.next()?) {
                match piece.part.filter(|part| self.is_lost(*part)) {
                    None => passed.extend(piece.bytes),
                    Some(part) if part.ends => is_over = true,
                    // The client does not see it, and so cannot grant the server the window for more.
                    Some(part) => credited.extend(credit(self.protocol, part)),
                }
            }
            let sent = send(&self.to_client, &passed).await;
            if is_over {
                return Ok(());
            }
            if !self.awaits_lost_answer() {
                sent?;
            }
            send(&self.to_server, &credited).await?;
            server.more().await?;
        }
    }

    /// Whether this is a part of an answer that is lost.
    fn is_lost(&self, part: Part) -> bool {
        let mut met = lock(&self.met);
        if met.is_none() && self.shared.takes_answer() {
            *met = Some(Met { fault: WireFault::LoseReply, call: part.call, is_sent: true });
        }
        met.is_some_and(|met| met.fault == WireFault::LoseReply && met.call == part.call)
    }

    /// Whether the server is at work on a request of which the answer is lost.
    fn awaits_lost_answer(&self) -> bool {
        lock(&self.met).is_some_and(|met| met.fault == WireFault::LoseReply && met.is_sent)
    }
}

async fn send(to: &tokio::sync::Mutex<Outgoing>, bytes: &[u8]) -> std::io::Result<()> {
    match bytes {
        [] => Ok(()),
        _ => to.lock().await.write_all(bytes).await,
    }
}

fn keep(kept: &mut Vec<u8>, bytes: &[u8]) -> std::io::Result<()> {
    if kept.len() + bytes.len() > LONGEST {
        return Err(invalid("a request is too long to be held"));
    }
    kept.extend_from_slice(bytes);
    Ok(())
}

/// A request that was kept back, and the connection on which it will be sent.
pub(super) struct HeldBytes {
    protocol: Protocol,
    from_server: PieceSource,
    to_server: Outgoing,
    request: Vec<u8>,
    call: u32,
}

impl HeldBytes {
    /// Sends it, and waits until the server has finished with it.
    pub(super) async fn land(mut self) -> std::io::Result<bool> {
        self.to_server.write_all(&self.request).await?;
        let mut failed = false;
        loop {
            let mut credited = Vec::new();
            while let Some(piece) = self.from_server.next()? {
                let Some(part) = piece.part else { continue };
                credited.extend(credit(self.protocol, part));
                if part.call == self.call {
                    failed |= part.fails;
                    if part.ends {
                        return Ok(failed);
                    }
                }
            }
            self.to_server.write_all(&credited).await?;
            self.from_server.more().await?;
        }
    }
}
