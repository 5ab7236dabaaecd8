//! A relay: passes bytes between clients and one server, until it is told that the network is cut. Then it keeps what
//! arrives, as a network does that will deliver later what is sent again, and passes it on when the cut has healed.

use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::wire::{Address, Incoming, Listener, Outgoing};

/// How much is read at a time, and kept at the most per direction while the network is cut.
const CHUNK: usize = 16 * 1024;

/// Whose bytes do not get through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RelaySource {
    None,
    All,
    /// Those of the etcd member with this id, by which members introduce themselves to each other.
    Member(u64),
}

/// Who says something first on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SpeaksFirst {
    /// The client, who tells by it which etcd member it is.
    Client,
    /// Whoever the protocol wants: a client of MariaDB waits for the server's greeting.
    Either,
}

/// A listener that stands for a server. Dropped, it closes every connection.
pub struct Relay {
    address: Address,
    blocked: Arc<watch::Sender<RelaySource>>,
    _accepting: AbortOnDropHandle<()>,
}

impl Relay {
    /// A relay to the server at this address: on a port of the loopback interface to a port, on a socket to a socket.
    ///
    /// # Errors
    /// If there is nothing to listen on.
    pub async fn start(to: &Address) -> std::io::Result<Self> {
        Ok(Relay::new(Listener::before(to).await?, to.clone(), SpeaksFirst::Either))
    }

    /// A relay on a socket in the file system to the etcd member at another one, for the other members.
    ///
    /// # Errors
    /// If the socket cannot be made.
    pub(super) fn between_sockets(at: &Path, to: &Path) -> std::io::Result<Self> {
        Ok(Relay::new(Listener::on(at)?, Address::Socket(to.to_owned()), SpeaksFirst::Client))
    }

    fn new(listener: Listener, to: Address, first: SpeaksFirst) -> Self {
        let blocked = Arc::new(watch::Sender::new(RelaySource::None));
        let address = listener.address().clone();
        let accepting = tokio::spawn(accept(listener, to, first, Arc::clone(&blocked)));
        Relay { address, blocked, _accepting: AbortOnDropHandle::new(accepting) }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Lets nothing through any more.
    pub fn cut(&self) {
        self.blocked.send_replace(RelaySource::All);
    }

    /// Lets nothing through on connections that this etcd member has opened.
    pub(super) fn cut_from(&self, member: u64) {
        self.blocked.send_replace(RelaySource::Member(member));
    }

    /// Lets everything through again, what was kept first.
    pub fn heal(&self) {
        self.blocked.send_replace(RelaySource::None);
    }
}

async fn accept(listener: Listener, to: Address, first: SpeaksFirst, blocked: Arc<watch::Sender<RelaySource>>) {
    // Dropped with the relay, and every connection with it.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // An error here concerns one client that has gone again, or the number of open files: it passes.
                if let Ok(client) = accepted {
                    connections.spawn(carry(client, to.clone(), first, blocked.subscribe()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Carries one connection until either side closes it.
async fn carry(
    (mut from_client, to_client): (Incoming, Outgoing),
    to: Address,
    speaks: SpeaksFirst,
    blocked: watch::Receiver<RelaySource>,
) {
    let mut first = Vec::new();
    if speaks == SpeaksFirst::Client {
        first.resize(CHUNK, 0);
        let Ok(length) = from_client.read(&mut first).await else { return };
        first.truncate(length);
    }
    let member = introduced(&first);
    if wait_until_open(&mut blocked.clone(), member).await.is_err() {
        return;
    }
    let Ok((from_server, mut to_server)) = to.connect().await else { return };
    if to_server.write_all(&first).await.is_err() {
        return;
    }
    tokio::select! {
        () = pass(from_client, to_server, blocked.clone(), member) => {}
        () = pass(from_server, to_client, blocked, member) => {}
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut blocked: watch::Receiver<RelaySource>,
    member: Option<u64>,
) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        if wait_until_open(&mut blocked, member).await.is_err() || to.write_all(&chunk[..length]).await.is_err() {
            return;
        }
    }
    // That the other side has closed is a message as well.
    let _ = wait_until_open(&mut blocked, member).await;
}

async fn wait_until_open(
    blocked: &mut watch::Receiver<RelaySource>,
    member: Option<u64>,
) -> Result<(), watch::error::RecvError> {
    let open = |source: &RelaySource| match source {
        RelaySource::None => true,
        RelaySource::All => false,
        RelaySource::Member(id) => member != Some(*id),
    };
    blocked.wait_for(open).await.map(drop)
}

/// The etcd member that a connection to a peer comes from: each request between peers names it in a header.
fn introduced(first: &[u8]) -> Option<u64> {
    let head = String::from_utf8_lossy(first);
    let mut headers = head.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(':'));
    let (_, id) = headers.find(|(name, _)| name.eq_ignore_ascii_case("x-server-from"))?;
    u64::from_str_radix(id.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::introduced;

    #[test]
    fn a_member_is_known_by_its_header() {
        let request =
            b"POST /raft HTTP/1.1\r\nHost: x\r\nX-Server-From: 8e9e05c52164694d\r\n\r\nbody: X-Server-From: 1";
        assert_eq!(introduced(request), Some(0x8e9e_05c5_2164_694d));
        assert_eq!(introduced(b"POST /raft HTTP/1.1\r\n\r\nX-Server-From: 1\r\n"), None);
        assert_eq!(introduced(&[0, 159, 146, 150]), None);
    }
}
