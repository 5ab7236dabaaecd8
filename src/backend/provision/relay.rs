//! A relay: passes bytes between clients and one server, until it is told that the network is cut. Then it keeps what
//! arrives, as a network does that will deliver later what is sent again, and passes it on when the cut has healed.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// How much is read at a time, and kept at the most per direction while the network is cut.
const CHUNK: usize = 16 * 1024;

/// Whose bytes do not get through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    None,
    All,
    /// Those of the etcd member with this id, by which members introduce themselves to each other.
    Member(u64),
}

/// A listener that stands for a server. Dropped, it closes every connection.
pub struct Relay {
    /// Where it listens on the loopback interface; none if it listens on a socket in the file system.
    address: Option<SocketAddr>,
    blocked: Arc<watch::Sender<Source>>,
    _accepting: AbortOnDropHandle<()>,
}

/// A connection of either kind.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

enum Listener {
    Port(TcpListener),
    Socket(UnixListener),
}

/// Where a relay leads.
#[derive(Clone)]
enum Server {
    Port(String, u16),
    Socket(PathBuf),
}

impl Listener {
    async fn accept(&self) -> std::io::Result<Box<dyn Stream>> {
        Ok(match self {
            Listener::Port(listener) => Box::new(prompt(listener.accept().await?.0)?),
            Listener::Socket(listener) => Box::new(listener.accept().await?.0),
        })
    }
}

impl Server {
    async fn connect(&self) -> std::io::Result<Box<dyn Stream>> {
        Ok(match self {
            Server::Port(host, port) => Box::new(prompt(TcpStream::connect((host.as_str(), *port)).await?)?),
            Server::Socket(path) => Box::new(UnixStream::connect(path).await?),
        })
    }
}

/// A connection whose small messages do not wait for the acknowledgement of the one before.
fn prompt(stream: TcpStream) -> std::io::Result<TcpStream> {
    stream.set_nodelay(true).map(|()| stream)
}

impl Relay {
    /// A relay on a port of the loopback interface to the server at this port.
    ///
    /// # Errors
    /// If there is no port to listen on.
    pub async fn start(host: &str, port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        Ok(Relay::new(Some(address), Listener::Port(listener), Server::Port(host.to_owned(), port)))
    }

    /// A relay on a socket in the file system to the server at another one.
    ///
    /// # Errors
    /// If the socket cannot be made.
    pub(super) fn between_sockets(at: &Path, to: &Path) -> std::io::Result<Self> {
        Ok(Relay::new(None, Listener::Socket(UnixListener::bind(at)?), Server::Socket(to.to_owned())))
    }

    fn new(address: Option<SocketAddr>, listener: Listener, to: Server) -> Self {
        let blocked = Arc::new(watch::Sender::new(Source::None));
        let accepting = tokio::spawn(accept(listener, to, Arc::clone(&blocked)));
        Relay { address, blocked, _accepting: AbortOnDropHandle::new(accepting) }
    }

    /// Where it listens on the loopback interface.
    ///
    /// # Panics
    /// If it listens on a socket in the file system.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address.expect("whoever asks has made it for a port")
    }

    /// Lets nothing through any more.
    pub fn cut(&self) {
        self.blocked.send_replace(Source::All);
    }

    /// Lets nothing through on connections that this etcd member has opened.
    pub(super) fn cut_from(&self, member: u64) {
        self.blocked.send_replace(Source::Member(member));
    }

    /// Lets everything through again, what was kept first.
    pub fn heal(&self) {
        self.blocked.send_replace(Source::None);
    }
}

async fn accept(listener: Listener, to: Server, blocked: Arc<watch::Sender<Source>>) {
    // Dropped with the relay, and every connection with it.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // An error here concerns one client that has gone again, or the number of open files: it passes.
                if let Ok(client) = accepted {
                    connections.spawn(carry(client, to.clone(), blocked.subscribe()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Carries one connection until either side closes it.
async fn carry(mut client: Box<dyn Stream>, to: Server, blocked: watch::Receiver<Source>) {
    let mut first = vec![0; CHUNK];
    let Ok(length) = client.read(&mut first).await else { return };
    first.truncate(length);
    let member = introduced(&first);
    if wait_until_open(&mut blocked.clone(), member).await.is_err() {
        return;
    }
    let Ok(mut server) = to.connect().await else { return };
    if server.write_all(&first).await.is_err() {
        return;
    }
    let ((from_client, to_client), (from_server, to_server)) = (tokio::io::split(client), tokio::io::split(server));
    tokio::select! {
        () = pass(from_client, to_server, blocked.clone(), member) => {}
        () = pass(from_server, to_client, blocked, member) => {}
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut blocked: watch::Receiver<Source>,
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
    blocked: &mut watch::Receiver<Source>,
    member: Option<u64>,
) -> Result<(), watch::error::RecvError> {
    let open = |source: &Source| match source {
        Source::None => true,
        Source::All => false,
        Source::Member(id) => member != Some(*id),
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
