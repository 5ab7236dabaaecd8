//! MariaDB as a process: on a socket in its own folder, without a network.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustix::process::Signal;

use super::{Home, ServerProcess, User, as_user, clean, find, unprivileged};
use crate::service::provision::folder::socket_path;
use crate::service::provision::{Keeps, Started, failed};
use crate::service::store::mariadb;
use crate::service::{BackendError, password};

/// What it is made of.
pub(super) const BINARIES: [&str; 2] = ["mariadb-install-db", "mariadbd"];

/// The size of the log, which is written out when the data is made.
const LOG_SIZE: &str = "--innodb-log-file-size=64M";

/// Starts MariaDB.
pub(in crate::service::provision) async fn mariadb(keeps: Keeps) -> Result<Started, BackendError> {
    let [install, server] = BINARIES.map(|binary| find(binary, "mariadb"));
    let (install, server) = (install?, server?);
    let user = unprivileged("mariadb")?;
    let home = Home::new("mariadb", user, keeps)?;
    let data = home.server.join("data");
    make_data(&install, &home, &data, user, keeps)?;
    let cannot = |error: std::io::Error| failed("mariadb", &error.to_string());
    let own = password::draw();
    // Nobody can connect before this is done, and then nobody but the lab.
    let admitted = format!("{}{}", mariadb::NOBODY, mariadb::admit(&own, "localhost"));
    let first = home.secret("first.sql", &admitted, user).map_err(cannot)?;
    let socket = socket_path("mariadb", &home.server.join("socket"))?;
    let mut command = home.command(&server, user);
    let at = |name: &str, path: &Path| format!("--{name}={}", path.display());
    command.args(["--no-defaults", "--skip-networking", "--skip-log-bin", LOG_SIZE, "--innodb-buffer-pool-size=128M"]);
    command.args([at("datadir", &data), at("socket", Path::new(&socket)), at("tmpdir", &home.server)]);
    command.args([at("pid-file", &home.server.join("pid")), at("init-file", &first)]);
    command.args(["--max-connections=300", "--character-set-server=utf8mb4"]);
    // What it keeps goes when it ends: nothing is put in order then.
    command.args(["--innodb-fast-shutdown=2", "--innodb-buffer-pool-dump-at-shutdown=OFF"]);
    let running = home.start("mariadb", command)?;
    let process = ServerProcess {
        backend: "mariadb",
        name: "mariadb".to_owned(),
        url: format!("mysql://oncelab:{own}@localhost/?socket={}", utf8_percent_encode(&socket, NON_ALPHANUMERIC)),
        stop: Signal::TERM,
        running: Mutex::new(running),
        seat: None,
        home,
    };
    process.wait_until_it_answers(&process.url).await?;
    // It is read again at every start, and its work is done.
    std::fs::write(&first, "").map_err(cannot)?;
    Ok(Started { how: format!("process {}", server.display()), servers: vec![Box::new(process)] })
}

/// Makes what the server keeps: in memory, where it takes a tenth of the time that writing through to a disk does, and then copied.
fn make_data(install: &Path, home: &Home, data: &Path, user: Option<User>, keeps: Keeps) -> Result<(), BackendError> {
    let nursery = if keeps == Keeps::OnDisk { Some(Home::new("mariadb", user, Keeps::InMemory)?) } else { None };
    let made = nursery.as_ref().map_or(data.to_owned(), |nursery| nursery.server.join("data"));
    let mut init = Command::new(install);
    init.arg("--no-defaults").arg(format!("--datadir={}", made.display()));
    // Of its users none is left when it starts: with this method there are fewer to begin with.
    init.args(["--auth-root-authentication-method=socket", "--skip-test-db", "--skip-name-resolve", LOG_SIZE]);
    init.arg(format!("--tmpdir={}", home.server.display()));
    run(init, "mariadb-install-db", home, user)?;
    if nursery.is_some() {
        let mut copy = Command::new("cp");
        copy.arg("-R").arg(&made).arg(data);
        run(copy, "cp", home, user)?;
    }
    Ok(())
}

fn run(mut command: Command, name: &str, home: &Home, user: Option<User>) -> Result<(), BackendError> {
    clean(&mut command);
    as_user(&mut command, user);
    let output = command.current_dir(&home.server).stdin(Stdio::null()).output();
    let output = output.map_err(|error| failed("mariadb", &format!("{name}: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stderr, output.stdout].map(|text| String::from_utf8_lossy(&text).trim().to_owned()).join(" ");
    let last: Vec<&str> = said.lines().filter(|line| line.contains("ERROR")).take(3).collect();
    let what =
        if last.is_empty() { said.lines().next().unwrap_or("it said nothing").to_owned() } else { last.join(" | ") };
    Err(failed("mariadb", &format!("{name}: {what}")))
}
