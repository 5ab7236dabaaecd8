//! Where something listens: at a port, or on a socket in the file system, which nobody can reach who may not go through its folder.

use std::fmt;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// How the URL of a socket in the file system begins.
pub(crate) const SOCKET: &str = "unix://";

/// Where something listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A port of a host.
    Port(String, u16),
    /// A socket in the file system.
    Socket(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Port(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Address::Port(host, port) => write!(f, "{host}:{port}"),
            Address::Socket(path) => write!(f, "{SOCKET}{}", path.display()),
        }
    }
}

/// What one side of a connection says.
pub(crate) type Incoming = Box<dyn AsyncRead + Send + Unpin>;
/// What is said to one side of a connection.
pub(crate) type Outgoing = Box<dyn AsyncWrite + Send + Unpin>;

impl Address {
    /// Opens a connection.
    ///
    /// # Errors
    /// If nobody listens there.
    pub(crate) async fn connect(&self) -> std::io::Result<(Incoming, Outgoing)> {
        match self {
            Address::Port(host, port) => prompt(TcpStream::connect((host.as_str(), *port)).await?),
            Address::Socket(path) => Ok(halves(UnixStream::connect(path).await?)),
        }
    }
}

/// The halves of a connection whose small messages do not wait for the acknowledgement of the one before.
fn prompt(stream: TcpStream) -> std::io::Result<(Incoming, Outgoing)> {
    stream.set_nodelay(true)?;
    let (from, to) = stream.into_split();
    Ok((Box::new(from), Box::new(to)))
}

fn halves(stream: UnixStream) -> (Incoming, Outgoing) {
    let (from, to) = stream.into_split();
    (Box::new(from), Box::new(to))
}

/// Something that listens. Dropped, it leaves no socket behind.
pub(crate) struct Listener {
    address: Address,
    listens: Listens,
}

enum Listens {
    AtPort(TcpListener),
    OnSocket(UnixListener),
}

impl Listener {
    /// Listens for what goes on to another address, and as open to others as that: for a port at one of the loopback interface, for
    /// a socket on one beside it.
    ///
    /// # Errors
    /// If there is no port, or the socket cannot be made.
    pub async fn before(to: &Address) -> std::io::Result<Self> {
        match to {
            Address::Port(..) => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
                let port = listener.local_addr()?.port();
                let address = Address::Port(Ipv4Addr::LOCALHOST.to_string(), port);
                Ok(Listener { address, listens: Listens::AtPort(listener) })
            }
            // As short as it can be: the path of a socket has 107 bytes at the most.
            Address::Socket(path) => Self::on(&path.with_file_name(format!("{:08x}", rand::random::<u32>()))),
        }
    }

    /// Listens on a socket, to which only this user may connect.
    ///
    /// # Errors
    /// If the socket cannot be made.
    pub fn on(path: &Path) -> std::io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        let address = Address::Socket(path.to_owned());
        let listener = Listener { address, listens: Listens::OnSocket(listener) };
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o600))?;
        Ok(listener)
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// If it has gone again, or there are too many.
    pub async fn accept(&self) -> std::io::Result<(Incoming, Outgoing)> {
        match &self.listens {
            Listens::AtPort(listener) => prompt(listener.accept().await?.0),
            Listens::OnSocket(listener) => Ok(halves(listener.accept().await?.0)),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Address::Socket(path) = &self.address {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::{Address, Listener};

    #[tokio::test]
    async fn what_stands_before_a_socket_is_a_socket_beside_it_for_this_user_alone_and_leaves_nothing() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let server = Listener::on(&folder.path().join("server")).unwrap();
        let before = Listener::before(server.address()).await.unwrap();
        let Address::Socket(path) = before.address().clone() else { panic!("{}", before.address()) };
        assert_eq!(path.parent(), Some(folder.path()));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop((before, server));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn what_is_said_arrives_at_ports_and_on_sockets() {
        let folder = tempfile::tempdir().unwrap();
        let port = Address::Port("127.0.0.1".to_owned(), 1);
        for listener in [Listener::before(&port).await.unwrap(), Listener::on(&folder.path().join("s")).unwrap()] {
            let (opened, accepted) = tokio::join!(listener.address().connect(), listener.accept());
            let ((_, mut to), (mut from, _)) = (opened.unwrap(), accepted.unwrap());
            to.write_all(b"hello").await.unwrap();
            let mut said = [0; 5];
            from.read_exact(&mut said).await.unwrap();
            assert_eq!(&said, b"hello");
        }
    }
}
