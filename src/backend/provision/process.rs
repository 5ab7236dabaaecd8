//! Servers as processes: the installed binaries, a temporary folder, a free port of the loopback interface.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{Provided, leftovers};
use crate::backend::BackendError;

/// How long a server may take until it answers.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a server may take to stop when it is asked to; then it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// A server's process and its folder. Dropped, the process is stopped and the folder is removed.
pub(super) struct ServerProcess {
    child: Child,
    stop: Signal,
    // Removed when the process is gone.
    _folder: tempfile::TempDir,
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let asked = kill_process(Pid::from_child(&self.child), self.stop);
        let deadline = Instant::now() + STOP_TIMEOUT;
        while asked.is_ok() && Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The user that a server runs as. PostgreSQL refuses to run as root.
#[derive(Clone, Copy)]
struct User {
    uid: u32,
    gid: u32,
}

/// Starts PostgreSQL.
pub(super) async fn postgres() -> Result<Provided, BackendError> {
    let (initdb, server) = (find("initdb", "postgres")?, find("postgres", "postgres")?);
    let user = unprivileged("postgres")?;
    let folder = folder("postgres", user)?;
    let data = folder.path().join("data");
    let mut init = as_user(Command::new(initdb), user);
    init.arg("--pgdata").arg(&data).args([
        "--username=oncelab",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
    ]);
    let output = init.stdin(Stdio::null()).output().map_err(|error| failed("postgres", &format!("initdb: {error}")))?;
    if !output.status.success() {
        return Err(failed("postgres", &format!("initdb: {}", String::from_utf8_lossy(&output.stderr).trim())));
    }
    start("postgres", folder, Signal::INT, |folder, port| {
        let mut command = as_user(Command::new(&server), user);
        command.arg("-D").arg(folder.join("data")).args(["-p", &port.to_string(), "-h", "127.0.0.1"]);
        command.arg("-k").arg(folder).args(["-c", "max_connections=300"]);
        (command, format!("postgres://oncelab@127.0.0.1:{port}/postgres"))
    })
    .await
}

/// Starts etcd.
pub(super) async fn etcd() -> Result<Provided, BackendError> {
    let server = find("etcd", "etcd")?;
    let folder = folder("etcd", None)?;
    let peer_port = free_port().map_err(|error| failed("etcd", &error.to_string()))?;
    start("etcd", folder, Signal::TERM, |folder, port| {
        let (client, peer) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{peer_port}"));
        let mut command = Command::new(&server);
        command.args(["--name=oncelab", "--logger=zap", "--log-level=warn"]);
        command.arg("--data-dir").arg(folder.join("data"));
        command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
        command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
        command.args(["--initial-cluster", &format!("oncelab={peer}")]);
        (as_user(command, None), client)
    })
    .await
}

/// Starts a server on a free port and waits until it accepts connections.
async fn start(
    name: &'static str,
    folder: tempfile::TempDir,
    stop: Signal,
    command: impl FnOnce(&Path, u16) -> (Command, String),
) -> Result<Provided, BackendError> {
    let cannot = |error: std::io::Error| failed(name, &error.to_string());
    let port = free_port().map_err(cannot)?;
    let (mut command, url) = command(folder.path(), port);
    let log = folder.path().join("log");
    let output = File::create(&log).map_err(cannot)?;
    command.stdin(Stdio::null()).stdout(output.try_clone().map_err(cannot)?).stderr(output);
    let child = command.spawn().map_err(cannot)?;
    leftovers::mark(folder.path(), child.id());
    let mut server = ServerProcess { child, stop, _folder: folder };
    if let Err(why) = wait_until_up(&mut server.child, port).await {
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        let last: Vec<&str> = said.lines().rev().take(3).collect();
        return Err(failed(name, &format!("{why}; its log ends: {}", last.join(" | "))));
    }
    Ok(Provided { url, _server: server })
}

/// Why a server cannot be used.
#[derive(Debug, thiserror::Error)]
enum NotUp {
    #[error("it ended at once ({0})")]
    Ended(std::process::ExitStatus),
    #[error("it did not answer within {} s", START_TIMEOUT.as_secs())]
    Silent,
}

async fn wait_until_up(child: &mut Child, port: u16) -> Result<(), NotUp> {
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Err(NotUp::Ended(status));
        }
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(NotUp::Silent);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A port that nobody listens on at this moment.
fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// The path of an installed binary: on the PATH, or where Debian puts the servers of PostgreSQL.
fn find(binary: &str, backend: &'static str) -> Result<PathBuf, BackendError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = debian.map(|version| version.path().join("bin")).collect();
    versions.sort();
    // Real binaries before what may be wrappers on the PATH that change user or settings.
    let folders = versions.into_iter().rev().chain(std::env::split_paths(&path));
    let found = folders.map(|folder| folder.join(binary)).find(|file| file.is_file());
    found.ok_or_else(|| BackendError {
        backend,
        what: format!("`{binary}` is not installed"),
        remedy: Some(match backend {
            "postgres" => "install PostgreSQL (Debian: postgresql), or name a server with --store-url".to_owned(),
            _ => "install etcd (Debian: etcd-server), or name a server with --lock-url".to_owned(),
        }),
    })
}

/// The user to run as, if this process is root's: the backend's own if there is one, or else nobody.
fn unprivileged(backend: &'static str) -> Result<Option<User>, BackendError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users =
        std::fs::read_to_string("/etc/passwd").map_err(|error| failed(backend, &format!("/etc/passwd: {error}")))?;
    let user = |name: &str| {
        let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let fields = fields.filter(|fields| fields.len() > 3).find(|fields| fields[0] == name)?;
        Some(User { uid: fields[2].parse().ok()?, gid: fields[3].parse().ok()? })
    };
    let found = [backend, "nobody"].into_iter().find_map(user);
    found.map(Some).ok_or_else(|| failed(backend, "it refuses to run as root, and there is no other user to run it as"))
}

fn as_user(mut command: Command, user: Option<User>) -> Command {
    use std::os::unix::process::CommandExt;
    if let Some(User { uid, gid }) = user {
        command.uid(uid).gid(gid);
    }
    // A signal for the lab from the terminal is not for the server: the lab stops it when it is ready to.
    command.process_group(0);
    command
}

fn folder(name: &'static str, owner: Option<User>) -> Result<tempfile::TempDir, BackendError> {
    let cannot = |error: std::io::Error| BackendError {
        backend: name,
        what: format!("no temporary folder could be made: {error}"),
        remedy: Some("set TMPDIR to a folder that can be written".to_owned()),
    };
    let folder = tempfile::Builder::new().prefix(leftovers::PREFIX).tempdir().map_err(cannot)?;
    if let Some(User { uid, gid }) = owner {
        std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid)).map_err(cannot)?;
    }
    Ok(folder)
}

fn failed(backend: &'static str, what: &str) -> BackendError {
    BackendError {
        backend,
        what: format!("the server could not be started: {what}"),
        remedy: Some("start one yourself and name it with --store-url or --lock-url".to_owned()),
    }
}
