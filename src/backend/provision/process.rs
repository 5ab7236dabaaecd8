//! Servers as processes: the installed binaries, a temporary folder, free ports of the loopback interface.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::etcd_flags::{Member, flags};
use super::relay::Relay;
use super::{EtcdShape, Keeps, Server, Started, failed, free_port, leftovers, temporary_folder, wait_until_it_answers};
use crate::backend::{BackendError, Pending, etcd};

/// How long a server may take to stop when it is asked to; then it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// A server's process and its folder. Dropped, the process is stopped and the folder is removed.
struct ServerProcess {
    backend: &'static str,
    name: String,
    url: String,
    /// How it is asked to stop.
    stop: Signal,
    running: Mutex<Running>,
    /// Its place among the members of its cluster.
    number: usize,
    /// The way to each member for the others, by its place.
    relays: Option<Arc<[Relay]>>,
    // Removed when the process is gone.
    folder: tempfile::TempDir,
}

struct Running {
    command: Command,
    child: Child,
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let stop = self.stop;
        let child = &mut self.running().child;
        // One that was stopped in its tracks does not hear what it is asked.
        signal_all(child, Signal::CONT);
        let asked = kill_process(Pid::from_child(child), stop);
        let deadline = Instant::now() + STOP_TIMEOUT;
        while asked.is_ok() && Instant::now() < deadline {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        signal_all(child, Signal::KILL);
        let _ = child.wait();
    }
}

impl ServerProcess {
    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Starts the process, after [`kill`](Server::kill) or for the first time.
    fn spawn(&self) -> Result<(), BackendError> {
        let mut running = self.running();
        running.child = spawn(self.backend, &mut running.command, self.folder.path())?;
        Ok(())
    }

    async fn wait_until_it_answers(&self) -> Result<(), BackendError> {
        wait_until_it_answers(self.backend, &self.url, || match self.running().child.try_wait() {
            Ok(Some(status)) => Err(failed(self.backend, &format!("it ended at once ({status})"))),
            _ => Ok(()),
        })
        .await
        .map_err(|error| {
            let said = std::fs::read_to_string(self.log()).unwrap_or_default();
            let last: Vec<&str> = said.lines().rev().take(3).collect();
            BackendError { what: format!("{}; its log ends: {}", error.what, last.join(" | ")), ..error }
        })
    }

    /// Nobody of its cluster reaches this member, and it reaches nobody.
    async fn cut_off(&self) -> Result<(), BackendError> {
        let id = etcd::member_id(&self.url).await?;
        for (number, relay) in self.relays()? {
            if number == self.number { relay.cut() } else { relay.cut_from(id) }
        }
        Ok(())
    }

    fn relays(&self) -> Result<impl Iterator<Item = (usize, &Relay)>, BackendError> {
        let relays = self.relays.as_ref().map(|relays| relays.iter().enumerate());
        relays.ok_or_else(|| failed(self.backend, "it was started without relays, so it cannot be cut off"))
    }
}

fn spawn(backend: &'static str, command: &mut Command, folder: &Path) -> Result<Child, BackendError> {
    let cannot = |error: std::io::Error| failed(backend, &error.to_string());
    let log = File::options().create(true).append(true).open(folder.join("log")).map_err(cannot)?;
    command.stdin(Stdio::null()).stdout(log.try_clone().map_err(cannot)?).stderr(log);
    let child = command.spawn().map_err(cannot)?;
    leftovers::mark(folder, Some(child.id()));
    Ok(child)
}

/// Sends a signal to a process and its children. PostgreSQL's children have process groups of their own, so that one
/// signal does not reach all of them; and the parent comes first, so that it makes no more.
fn signal_all(parent: &Child, signal: Signal) {
    let _ = kill_process(Pid::from_child(parent), signal);
    for child in children(parent.id()) {
        let _ = kill_process(child, signal);
    }
}

/// The children of a process, where the kernel tells.
fn children(parent: u32) -> Vec<Pid> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |pid: &u32| leftovers::stat(*pid, leftovers::PARENT) == Some(parent.to_string());
    pids.filter(is_child).filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).collect()
}

impl Server for ServerProcess {
    fn name(&self) -> &str {
        &self.name
    }

    fn url(&self) -> &str {
        &self.url
    }

    fn pause(&self) -> Pending<'_, Result<(), BackendError>> {
        signal_all(&self.running().child, Signal::STOP);
        Box::pin(std::future::ready(Ok(())))
    }

    fn resume(&self) -> Pending<'_, Result<(), BackendError>> {
        signal_all(&self.running().child, Signal::CONT);
        Box::pin(std::future::ready(Ok(())))
    }

    fn kill(&self) -> Pending<'_, Result<(), BackendError>> {
        let mut running = self.running();
        signal_all(&running.child, Signal::KILL);
        let ended = running.child.wait().map(drop).map_err(|error| failed(self.backend, &error.to_string()));
        Box::pin(std::future::ready(ended))
    }

    fn restart(&self) -> Pending<'_, Result<(), BackendError>> {
        Box::pin(std::future::ready(self.spawn()))
    }

    fn isolate(&self) -> Pending<'_, Result<(), BackendError>> {
        Box::pin(self.cut_off())
    }

    fn rejoin(&self) -> Pending<'_, Result<(), BackendError>> {
        Box::pin(std::future::ready(self.relays().map(|relays| relays.for_each(|(_, relay)| relay.heal()))))
    }
}

/// The user that a server runs as. PostgreSQL refuses to run as root.
#[derive(Clone, Copy)]
struct User {
    uid: u32,
    gid: u32,
}

/// Starts PostgreSQL.
pub(super) async fn postgres(keeps: Keeps) -> Result<Started, BackendError> {
    let (initdb, server) = (find("initdb", "postgres")?, find("postgres", "postgres")?);
    let user = unprivileged("postgres")?;
    let folder = folder("postgres", user, keeps)?;
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
    let port = free_port().map_err(|error| failed("postgres", &error.to_string()))?;
    let mut command = as_user(Command::new(&server), user);
    command.arg("-D").arg(&data).args(["-p", &port.to_string(), "-h", "127.0.0.1"]);
    command.arg("-k").arg(folder.path()).args(["-c", "max_connections=300"]);
    let child = spawn("postgres", &mut command, folder.path())?;
    let process = ServerProcess {
        backend: "postgres",
        name: "postgres".to_owned(),
        url: format!("postgres://oncelab@127.0.0.1:{port}/postgres"),
        stop: Signal::INT,
        running: Mutex::new(Running { command, child }),
        number: 0,
        relays: None,
        folder,
    };
    process.wait_until_it_answers().await?;
    Ok(Started { how: format!("process {}", server.display()), servers: vec![Box::new(process)] })
}

/// Starts etcd's members.
pub(super) async fn etcd(shape: &EtcdShape, keeps: Keeps) -> Result<Started, BackendError> {
    let binary = find("etcd", "etcd")?;
    let cannot = |error: std::io::Error| failed("etcd", &error.to_string());
    let mut members = Vec::new();
    let mut folders = Vec::new();
    let mut relays = Vec::new();
    for number in 1..=shape.members {
        let folder = folder("etcd", None, keeps)?;
        let (client, peer) = (free_port().map_err(cannot)?, free_port().map_err(cannot)?);
        let local = |port: u16| format!("http://127.0.0.1:{port}");
        let advertised = if shape.partitions {
            let relay = Relay::start("127.0.0.1", peer).await.map_err(cannot)?;
            let port = relay.address().port();
            relays.push(relay);
            port
        } else {
            peer
        };
        members.push(Member {
            name: format!("etcd-{number}"),
            data_dir: folder.path().join("data").display().to_string(),
            listen_client: local(client),
            advertise_client: local(client),
            listen_peer: local(peer),
            advertise_peer: local(advertised),
        });
        folders.push(folder);
    }
    let relays: Option<Arc<[Relay]>> = shape.partitions.then(|| relays.into());
    let mut processes = Vec::new();
    for (number, (member, folder)) in members.iter().zip(folders).enumerate() {
        let mut command = Command::new(&binary);
        command.args(flags(member, &members, shape));
        let mut command = as_user(command, None);
        let child = spawn("etcd", &mut command, folder.path())?;
        processes.push(ServerProcess {
            backend: "etcd",
            name: member.name.clone(),
            url: member.advertise_client.clone(),
            stop: Signal::TERM,
            running: Mutex::new(Running { command, child }),
            number,
            relays: relays.clone(),
            folder,
        });
    }
    for process in &processes {
        process.wait_until_it_answers().await?;
    }
    let boxed = |process| Box::new(process) as Box<dyn Server>;
    Ok(Started { how: format!("process {}", binary.display()), servers: processes.into_iter().map(boxed).collect() })
}

/// What to do where a backend is not installed.
pub(super) fn install(backend: &str) -> &'static str {
    match backend {
        "postgres" => {
            "install PostgreSQL (Debian: postgresql), name a server with --store-url, or build the image as images/README.md says"
        }
        _ => {
            "install etcd (Debian: etcd-server), name a server with --lock-url, or build the image as images/README.md says"
        }
    }
}

/// Whether a backend's binaries are on this machine.
pub(super) fn is_installed(backend: &'static str) -> bool {
    let binaries: &[&str] = if backend == "postgres" { &["initdb", "postgres"] } else { &["etcd"] };
    binaries.iter().all(|binary| find(binary, backend).is_ok())
}

/// The path of an installed binary: on the PATH, or where Debian puts the servers of PostgreSQL.
pub(super) fn find(binary: &str, backend: &'static str) -> Result<PathBuf, BackendError> {
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
        remedy: Some(install(backend).to_owned()),
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
    if let Some(User { uid, gid }) = user {
        command.uid(uid).gid(gid);
    }
    // A signal for the lab from the terminal is not for the server: the lab stops it when it is ready to.
    command.process_group(0);
    command
}

fn folder(backend: &'static str, owner: Option<User>, keeps: Keeps) -> Result<tempfile::TempDir, BackendError> {
    let folder = temporary_folder(backend, keeps)?;
    if let Some(User { uid, gid }) = owner {
        std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid))
            .map_err(|error| failed(backend, &format!("{}: {error}", folder.path().display())))?;
    }
    Ok(folder)
}
