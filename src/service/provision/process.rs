//! Servers as processes: the installed binaries, a temporary folder, free ports of the loopback interface. Whoever connects
//! must know a password, and the folder is the lab's and the server's alone.

mod http_proxy;
mod kafka;
mod mariadb;
mod redis;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::etcd_cluster::{self, Member, Seat};
use super::folder::{OWNER_ONLY, WAY_THROUGH};
use super::{
    EtcdShape, Keeps, Server, Source, Started, failed, free_port, leftovers, temporary_folder, wait_until_it_answers,
};
use crate::service::store::postgres;
use crate::service::{BackendError, Pending, password};
pub(super) use http_proxy::{http_proxy, version_of_http_proxy};
pub(super) use kafka::kafka;
pub(super) use mariadb::mariadb;
pub(super) use redis::redis;

/// How long a server may take to stop when it is asked to; then it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// How much of a log's end is read, in bytes.
const LOG_END: i64 = 16 * 1024;

/// Writes its own line of proc(5)'s `stat` to the file that it gets as standard input, and becomes the server: so there is
/// no moment at which the server runs and nobody could know.
const NOTE_AND_BECOME: &str = r#"
IFS= read -r stat </proc/$$/stat || stat=$$
printf '%s\n' "$stat" >&0
exec "$0" "$@" </dev/null
"#;

/// A server's process and its folder. Dropped, the process is stopped and the folder is removed.
struct ServerProcess {
    backend: &'static str,
    name: String,
    url: String,
    /// How it is asked to stop.
    stop: Signal,
    running: Mutex<Running>,
    /// Its place in its cluster, if it is a member of one.
    seat: Option<Seat>,
    // Removed when the process is gone.
    home: Home,
}

struct Running {
    command: Command,
    child: Child,
    /// What the server writes goes here, however often it is started.
    log: File,
}

/// A server's folder: the lab's own, where others can at most go through, and in it one that is the server's.
struct Home {
    folder: tempfile::TempDir,
    server: PathBuf,
}

impl Home {
    fn new(backend: &'static str, user: Option<User>, keeps: Keeps) -> Result<Self, BackendError> {
        let folder = temporary_folder(backend, keeps)?;
        let server = folder.path().join("home");
        let cannot = |error: std::io::Error| failed(backend, &format!("{}: {error}", folder.path().display()));
        std::fs::create_dir(&server).map_err(cannot)?;
        std::fs::set_permissions(&server, PermissionsExt::from_mode(OWNER_ONLY)).map_err(cannot)?;
        if let Some(User { uid, gid }) = user {
            std::os::unix::fs::lchown(&server, Some(uid), Some(gid)).map_err(cannot)?;
            std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(WAY_THROUGH)).map_err(cannot)?;
        }
        Ok(Home { folder, server })
    }

    /// A file in the lab's folder that the server can read and nobody else can.
    fn secret(&self, name: &str, text: &str, user: Option<User>) -> std::io::Result<PathBuf> {
        let path = self.folder.path().join(name);
        let mut file = leftovers::create(&path)?;
        std::io::Write::write_all(&mut file, text.as_bytes())?;
        if let Some(User { uid, gid }) = user {
            std::os::unix::fs::fchown(&file, Some(uid), Some(gid))?;
        }
        Ok(path)
    }

    fn log(&self) -> std::io::Result<File> {
        File::options().read(true).append(true).create_new(true).mode(0o600).open(self.folder.path().join("log"))
    }

    /// A command that becomes this server.
    fn command(&self, server: &Path, user: Option<User>) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", NOTE_AND_BECOME]).arg(server);
        clean(&mut command);
        as_user(&mut command, user);
        command.current_dir(&self.server);
        command
    }

    fn start(&self, backend: &'static str, mut command: Command) -> Result<Running, BackendError> {
        let log = self.log().map_err(|error| failed(backend, &error.to_string()))?;
        let child = spawn(backend, &mut command, &log, self.folder.path())?;
        Ok(Running { command, child, log })
    }
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

    /// Starts the process, after [`kill`](Server::kill).
    fn spawn(&self) -> Result<(), BackendError> {
        self.seat.as_ref().map_or(Ok(()), Seat::clear)?;
        let mut running = self.running();
        let Running { command, child, log } = &mut *running;
        *child = spawn(self.backend, command, log, self.home.folder.path())?;
        Ok(())
    }

    async fn wait_until_it_answers(&self, url: &str) -> Result<(), BackendError> {
        wait_until_it_answers(self.backend, url, || match self.running().child.try_wait() {
            Ok(Some(status)) => Err(failed(self.backend, &format!("it ended at once ({status})"))),
            _ => Ok(()),
        })
        .await
        .map_err(|error| {
            let said = end_of(&self.running().log).unwrap_or_default();
            let last: Vec<&str> = said.lines().rev().take(3).collect();
            BackendError { what: format!("{}; its log ends: {}", error.what, last.join(" | ")), ..error }
        })
    }

    fn seat(&self) -> Result<&Seat, BackendError> {
        self.seat.as_ref().ok_or_else(|| failed(self.backend, "it has no peers to be cut off from"))
    }
}

fn spawn(backend: &'static str, command: &mut Command, log: &File, folder: &Path) -> Result<Child, BackendError> {
    let cannot = |error: std::io::Error| failed(backend, &error.to_string());
    command.stdin(leftovers::server_note(folder).map_err(cannot)?);
    command.stdout(log.try_clone().map_err(cannot)?).stderr(log.try_clone().map_err(cannot)?);
    command.spawn().map_err(cannot)
}

/// The last lines of a log.
fn end_of(mut log: &File) -> std::io::Result<String> {
    let length = i64::try_from(log.metadata()?.len()).unwrap_or(i64::MAX);
    log.seek(SeekFrom::End(-length.min(LOG_END)))?;
    let mut end = Vec::new();
    log.take(LOG_END.unsigned_abs()).read_to_end(&mut end)?;
    Ok(String::from_utf8_lossy(&end).into_owned())
}

/// Sends a signal to a process and its children. PostgreSQL's children have process groups of their own, so that one
/// signal does not reach all of them; and the parent comes first, so that it makes no more.
fn signal_all(parent: &Child, signal: Signal) {
    let _ = kill_process(Pid::from_child(parent), signal);
    for child in leftovers::children(parent.id()) {
        let _ = kill_process(child, signal);
    }
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
        Box::pin(async { self.seat()?.leave().await })
    }

    fn rejoin(&self) -> Pending<'_, Result<(), BackendError>> {
        Box::pin(std::future::ready(self.seat().and_then(Seat::join)))
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
    let home = Home::new("postgres", user, keeps)?;
    let data = home.server.join("data");
    let cannot = |error: std::io::Error| failed("postgres", &error.to_string());
    let (admin, own) = (password::draw(), password::draw());
    let secret = home.secret("password", &admin, user).map_err(cannot)?;
    let mut init = Command::new(initdb);
    clean(&mut init);
    as_user(&mut init, user);
    init.arg("--pgdata").arg(&data).arg("--pwfile").arg(&secret).current_dir(&home.server);
    init.args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]);
    let output = init.stdin(Stdio::null()).output().map_err(|error| failed("postgres", &format!("initdb: {error}")))?;
    if !output.status.success() {
        return Err(failed("postgres", &format!("initdb: {}", String::from_utf8_lossy(&output.stderr).trim())));
    }
    std::fs::remove_file(&secret).map_err(cannot)?;
    let port = free_port().map_err(cannot)?;
    let mut command = home.command(&server, user);
    command.arg("-D").arg(&data).args(["-p", &port.to_string(), "-h", "127.0.0.1"]);
    // Without a socket in the file system.
    command.args(["-c", "unix_socket_directories=", "-c", "max_connections=300"]);
    // What it shares between its processes is in its folder, and goes with that: a killed server leaves it behind elsewhere.
    command.args(["-c", "dynamic_shared_memory_type=mmap"]);
    let running = home.start("postgres", command)?;
    let process = ServerProcess {
        backend: "postgres",
        name: "postgres".to_owned(),
        url: format!("postgres://oncelab:{own}@127.0.0.1:{port}/oncelab"),
        stop: Signal::INT,
        running: Mutex::new(running),
        seat: None,
        home,
    };
    let superuser = format!("postgres://postgres:{admin}@127.0.0.1:{port}/postgres");
    process.wait_until_it_answers(&superuser).await?;
    postgres::admit(&superuser, &own).await?;
    Ok(Started { how: format!("process {}", server.display()), servers: vec![Box::new(process)] })
}

/// Starts etcd's members.
pub(super) async fn etcd(source: &Source, shape: &EtcdShape) -> Result<Started, BackendError> {
    let binary = source.etcd_binary.clone().map_or_else(|| find("etcd", "etcd"), Ok)?;
    let home = |_| Home::new("etcd", None, source.keeps);
    let homes: Result<Vec<Home>, BackendError> = (0..shape.members).map(home).collect();
    let homes = homes?;
    let data = |number: u8| homes[usize::from(number - 1)].server.join("data").display().to_string();
    let members = etcd_cluster::plan(shape, data)?;
    let mut processes = Vec::new();
    for (Member { name, flags, seat }, home) in members.into_iter().zip(homes) {
        let mut command = home.command(&binary, None);
        command.args(flags).current_dir(seat.meeting());
        processes.push(ServerProcess {
            backend: "etcd",
            name,
            url: seat.url.clone(),
            stop: Signal::TERM,
            running: Mutex::new(home.start("etcd", command)?),
            seat: Some(seat),
            home,
        });
    }
    for process in &processes {
        process.wait_until_it_answers(&process.url).await?;
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
        "mariadb" => {
            "install MariaDB (Debian: mariadb-server), name a server with --store-url, or build the image as images/README.md says"
        }
        "redis" => {
            "install Redis (Debian: redis-server), name a server with --use cache=redis@URL, or build the image as images/README.md says"
        }
        "kafka" => {
            "install Java (Debian: default-jre-headless), get Kafka with `images/kafka FOLDER`, and name the folder with --kafka-home or ONCELAB_KAFKA_HOME; or name a server with --use broker=kafka@URL"
        }
        _ => {
            "install etcd (Debian: etcd-server), name a server with --lock-url, or build the image as images/README.md says"
        }
    }
}

/// Whether a backend's binaries are on this machine.
pub(super) fn is_installed(backend: &'static str) -> bool {
    let binaries: &[&str] = match backend {
        "kafka" => return kafka::is_installed(),
        "postgres" => &["initdb", "postgres"],
        "mariadb" => &mariadb::BINARIES,
        "redis" => &[redis::BINARY],
        _ => &["etcd"],
    };
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
    // Servers lie where not everybody looks.
    let folders = folders.chain([PathBuf::from("/usr/sbin")]);
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
    // MariaDB's has kept the name that it had before.
    let own = if backend == "mariadb" { "mysql" } else { backend };
    let found = [own, "nobody"].into_iter().find_map(user);
    found.map(Some).ok_or_else(|| failed(backend, "it refuses to run as root, and there is no other user to run it as"))
}

fn as_user(command: &mut Command, user: Option<User>) {
    if let Some(User { uid, gid }) = user {
        command.uid(uid).gid(gid);
    }
    // A signal for the lab from the terminal is not for the server: the lab stops it when it is ready to.
    command.process_group(0);
}

/// Leaves out of a server's environment what the lab was told, passwords among it, and what the server would take for settings.
fn clean(command: &mut Command) {
    command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
}
