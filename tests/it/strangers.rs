//! Another user of the same machine gets into nothing of the lab's: not its servers, and not its folders.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use oncelab::service::{EmbeddedLockServer, EmbeddedOptions, Endpoint};
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use crate::backends::{block_on, on_etcd, on_postgres, skipped};

/// The user `nobody`, since PostgreSQL wants one with a name, and a user whom nobody on the machine is.
const LAB: u32 = 65_534;
const STRANGER: u32 = 64_124;

const PATIENCE: Duration = Duration::from_secs(120);

/// A file or a folder that a stranger has found a way to, with `find`'s word for the way.
fn found_by_stranger(place: &Path, way: &str) -> String {
    let mut find = Command::new("find");
    find.arg(place).args(["-mindepth", "1", way]).stderr(Stdio::null());
    let found = find.uid(STRANGER).gid(STRANGER).output().unwrap();
    String::from_utf8_lossy(&found.stdout).into_owned()
}

/// The command lines of the processes that hold this text.
fn command_lines(text: &str) -> Vec<Vec<String>> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let words = lines.map(|line| {
        line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect::<Vec<_>>()
    });
    words.filter(|words| words.iter().any(|word| word.contains(text))).collect()
}

/// A program that listens at a port.
#[derive(Debug)]
struct Listens {
    /// Where it works.
    folder: PathBuf,
    port: u16,
}

/// Every program on the machine that listens at a port.
fn listeners() -> Vec<Listens> {
    const LISTEN: &str = "0A";
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| std::fs::read_to_string(table).unwrap_or_default());
    let rows = tables.iter().flat_map(|table| table.lines().skip(1));
    let rows = rows.map(|row| row.split_whitespace().collect::<Vec<_>>()).filter(|row| row[3] == LISTEN);
    let port = |row: &[&str]| u16::from_str_radix(row[1].rsplit(':').next().unwrap(), 16).unwrap();
    let ports: Vec<(String, u16)> = rows.map(|row| (format!("socket:[{}]", row[9]), port(&row))).collect();
    let mut listeners = Vec::new();
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        for file in std::fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten() {
            let Ok(opened) = std::fs::read_link(file.path()) else { continue };
            let own = ports.iter().filter(|(socket, _)| opened.display().to_string() == *socket);
            let folder = std::fs::read_link(process.path().join("cwd")).unwrap_or_default();
            let listens = |port| Listens { folder: folder.clone(), port };
            listeners.extend(own.map(|(_, port)| listens(*port)));
        }
    }
    listeners
}

fn after<'a>(words: &'a [String], flag: &str) -> Option<&'a str> {
    let place = words.iter().position(|word| word == flag)?;
    words.get(place + 1).map(String::as_str)
}

/// The port of the PostgreSQL that the lab has started below a place for temporary files.
fn servers(place: &Path) -> Option<u16> {
    let all = command_lines(place.to_str().unwrap());
    all.iter().find_map(|words| after(words, "-p")?.parse().ok())
}

/// Starts a run with servers of its own as a user, and tries to get in as another one.
fn a_stranger_gets_in_nowhere(lab: Option<u32>) {
    let folder = tempfile::tempdir().unwrap();
    let (place, binary) = (folder.path().join("tmp"), folder.path().join("oncelab"));
    std::fs::create_dir(&place).unwrap();
    let open = |path: &PathBuf, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    open(&place, 0o1777);
    open(&folder.path().to_owned(), 0o755);
    std::fs::copy(env!("CARGO_BIN_EXE_oncelab"), &binary).unwrap();
    open(&binary, 0o755);
    let mut run = Command::new(&binary);
    run.args(["run", "quick", "--store", "postgres", "--lock", "etcd", "--provision", "process", "--out"]);
    run.arg(place.join("results")).args([
        "--strategies",
        "etcd-lock",
        "--set",
        "repeats=100",
        "--set",
        "load.requests=50",
        "--set",
        "load.warmup=0",
    ]);
    // Where TMPDIR says, and not in memory.
    run.args(["--set", "backend.durable=true"]);
    run.env("TMPDIR", &place).current_dir(&place).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(lab) = lab {
        run.uid(lab).gid(lab);
    }
    let mut run = run.spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    // Both servers have their users when a trial was finished.
    let has_trials = || {
        let runs = std::fs::read_dir(place.join("results/quick")).into_iter().flatten().flatten();
        let rows = |run: std::fs::DirEntry| std::fs::read_to_string(run.path().join("trials.csv")).ok();
        runs.filter_map(rows).any(|rows| rows.lines().count() > 1)
    };
    while !has_trials() {
        assert!(run.try_wait().unwrap().is_none() && Instant::now() < deadline, "no run in time");
        std::thread::sleep(Duration::from_millis(50));
    }
    let port = servers(&place).expect("servers run");
    for way in ["-readable", "-writable"] {
        let found = found_by_stranger(&place, way);
        // It looks: what is not the lab's alone, such as the results, it does find.
        assert!(found.contains("/results") || way == "-writable", "{way}: {found}");
        let found: Vec<&str> = found.lines().filter(|line| line.contains("oncelab-data-")).collect();
        // The name of a folder can be seen, and nothing in it.
        assert!(found.is_empty(), "{way}: {found:?}");
    }
    block_on(async {
        for user in ["postgres", "oncelab"] {
            for database in ["postgres", "oncelab"] {
                for secret in ["", ":oncelab", ":postgres"] {
                    let url = format!("postgres://{user}{secret}@127.0.0.1:{port}/{database}");
                    let refused = PgConnection::connect(&url).await.unwrap_err().to_string();
                    assert!(refused.contains("password"), "{url}: {refused}");
                }
            }
        }
    });
    // etcd listens on sockets in those folders, and nobody at any other port than PostgreSQL's.
    let of_lab = |one: &Listens| one.folder.starts_with(&place) && one.port != port;
    let listening = listeners();
    assert!(listening.iter().any(|one| one.port == port), "it sees listeners: {listening:?}");
    assert!(!listening.iter().any(of_lab), "{listening:?}");
    let all = command_lines(place.to_str().unwrap()).concat().join(" ");
    assert!(all.contains("--listen-client-urls=unix://client:1"), "{all}");
    assert!(!all.contains("oncelab:") && !all.contains("postgres:"), "no password in the arguments: {all}");
    assert!(Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap().success());
    assert_eq!(run.wait().unwrap().code(), Some(130));
    let deadline = Instant::now() + PATIENCE;
    while !command_lines(place.to_str().unwrap()).is_empty() {
        // The guardian may have its last look.
        assert!(Instant::now() < deadline, "{:?}", command_lines(place.to_str().unwrap()));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn of_a_lab_of_an_ordinary_user() {
    as_root_on_servers(|| a_stranger_gets_in_nowhere(Some(LAB)));
}

#[test]
fn of_a_lab_of_root() {
    as_root_on_servers(|| a_stranger_gets_in_nowhere(None));
}

/// Runs a test that needs several users and both servers, where that is possible.
fn as_root_on_servers(test: impl FnOnce()) {
    if !rustix::process::geteuid().is_root() {
        return skipped("only root can be several users");
    }
    let (mut has_store, mut has_lock) = (false, false);
    on_postgres(|_| {
        has_store = true;
        std::future::ready(())
    });
    on_etcd(|_| {
        has_lock = true;
        std::future::ready(())
    });
    if has_store && has_lock {
        test();
    }
}

/// A lock service does nothing for whoever does not say who they are, or says it wrong.
async fn refuses_strangers(endpoint: &Endpoint) {
    let bare = Endpoint::from(endpoint.url());
    let mut stranger = bare.client(PATIENCE).await.unwrap();
    assert!(stranger.put("oncelab/x", "y", None).await.is_err());
    assert!(stranger.get("oncelab/x", None).await.is_err());
    assert!(stranger.lock("oncelab/x", None).await.is_err());
    for (name, password) in [("root", ""), ("root", "root"), ("oncelab", "oncelab")] {
        assert!(bare.clone().asked_by(name, password).client(PATIENCE).await.is_err(), "{name}:{password}");
    }
}

#[test]
fn of_the_embedded_lock_server() {
    block_on(async {
        let server = EmbeddedLockServer::start(EmbeddedOptions::default()).unwrap();
        refuses_strangers(&server.endpoint()).await;
        server.endpoint().client(PATIENCE).await.unwrap().put("x", "y", None).await.unwrap();
    });
}
