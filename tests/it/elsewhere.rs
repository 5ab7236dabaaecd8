//! Servers that the lab has not started: what it says when they are not what it takes them for, and that it leaves nothing there.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use oncelab::service::{Endpoint, provision};
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use crate::backends::{block_on, on_postgres, skipped};
use crate::common::{command, oncelab, text};
use crate::no_end::calm;

/// Longer than anything takes that should happen.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

const SMALL: [&str; 7] =
    ["--strategies", "dedup-table", "--set", "load.requests=60", "--set", "load.warmup=0", "--json"];

fn run_at(url: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut run = command(folder.path());
    run.args(["run", "quick"]).args(SMALL).args(arguments);
    run.env("ONCELAB_STORE_URL", url).output().unwrap()
}

async fn execute(url: &str, statement: &'static str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
}

/// The tables of the lab in other schemas than its own, and the schemas of its own.
async fn left(url: &str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let query = "SELECT (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'oncelab%')
                      + (SELECT count(*) FROM pg_tables WHERE tablename IN ('ledger', 'account', 'mark', 'claim'))";
    sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
}

fn store_of(output: &Output) -> &'static str {
    let said = text(&output.stderr);
    let named = |store: &&str| said.contains(&format!(" trials on {store}, seed "));
    ["sqlite", "postgres"].into_iter().find(named).unwrap_or_else(|| panic!("{said}"))
}

#[test]
fn a_url_names_the_store_by_itself_and_a_password_in_the_arguments_is_warned_of() {
    on_postgres(|url| async move {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("url");
        std::fs::write(&file, format!("{url}\n")).unwrap();
        let in_the_environment = run_at(&url, &[]);
        let in_a_file = run_at("", &["--store-url-file", file.to_str().unwrap()]);
        let in_the_arguments = run_at("", &["--store-url", &url]);
        for (output, warns) in [(in_the_environment, false), (in_a_file, false), (in_the_arguments, true)] {
            assert_eq!(store_of(&output), "postgres");
            let said = text(&output.stderr);
            assert_eq!(said.contains("everybody on this machine can see the password in --store-url"), warns, "{said}");
            assert!(!said.contains(&Endpoint::from(url.as_str()).user().unwrap().1), "{said}");
        }
        let refused = run_at("", &["--store", "sqlite", "--store-url", &url]);
        assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
        assert!(text(&refused.stderr).contains("leave --store-url out, or add --store postgres"));
        // What all commands are told is no contradiction of what one is told.
        assert_eq!(store_of(&run_at(&url, &["--store", "sqlite"])), "sqlite");
        assert_eq!(left(&url).await, 0);
    });
}

#[test]
fn a_store_without_a_search_on_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let output = oncelab(folder.path(), &["explore", "check-then-act", "--store", "postgres"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("add --on-real, or use --store-model postgres instead"), "{said}");
}

#[test]
fn timeouts_of_the_server_are_named_before_they_strike() {
    on_postgres(|url| async move {
        execute(&url, "ALTER ROLE oncelab SET statement_timeout = '7s'").await;
        execute(&url, "ALTER ROLE oncelab SET lock_timeout = '6s'").await;
        execute(&url, "ALTER ROLE oncelab SET idle_in_transaction_session_timeout = '5s'").await;
        let said = text(&run_at(&url, &[]).stderr);
        for setting in
            ["statement_timeout = 7000 ms", "lock_timeout = 6000 ms", "idle_in_transaction_session_timeout = 5000 ms"]
        {
            assert!(said.contains(&format!("warning: the server has {setting}")), "{said}");
        }
        assert!(said.contains("ALTER ROLE \"oncelab\" SET lock_timeout = 0"), "{said}");
        assert_eq!(left(&url).await, 0);
    });
}

#[test]
fn a_server_that_can_only_be_read_is_exit_4_and_says_what_to_set() {
    on_postgres(|url| async move {
        execute(&url, "ALTER ROLE oncelab SET default_transaction_read_only = on").await;
        let output = run_at(&url, &[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{said}");
        assert!(said.contains("SET default_transaction_read_only = off"), "{said}");
        assert_eq!(left(&url).await, 0);
    });
}

#[test]
fn too_few_connections_are_found_before_anything_is_made() {
    on_postgres(|url| async move {
        let output = run_at(&url, &["--set", "load.handlers=400"]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{said}");
        assert!(said.contains("max_connections is 300") && said.contains("the run needs 401"), "{said}");
        assert!(said.contains("raise max_connections, end other connections, or lower load.handlers"), "{said}");
        execute(&url, "ALTER DATABASE oncelab CONNECTION LIMIT 29").await;
        let output = run_at(&url, &[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{said}");
        assert!(said.contains("the connection limit of \"oncelab\" (ALTER DATABASE"), "{said}");
        assert!(said.contains("is 29, which leaves 28 more connections, and the run needs 29"), "{said}");
        assert_eq!(left(&url).await, 0);
        execute(&url, "ALTER DATABASE oncelab CONNECTION LIMIT 80").await;
        let output = run_at(&url, &[]);
        assert_eq!(store_of(&output), "postgres");
        assert!(!text(&output.stderr).contains("too many connections"), "{}", text(&output.stderr));
    });
}

/// A server that is somebody else's. Dropped, it is stopped.
struct Theirs {
    process: Child,
    _folder: tempfile::TempDir,
}

impl Drop for Theirs {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs a program of PostgreSQL's, which refuses to run as root.
fn as_nobody(program: &Path) -> Command {
    const NOBODY: u32 = 65_534;
    let mut command = Command::new(program);
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// A server in recovery, which waits for a primary that never comes; and its URL.
fn standby() -> Option<(Theirs, String)> {
    let (Some(initdb), Some(postgres)) = (provision::binary("initdb"), provision::binary("postgres")) else {
        skipped("PostgreSQL is not installed (Debian: postgresql)");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    // It makes the folder that it keeps its data in.
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let (data, port) = (folder.path().join("data"), provision::free_port().unwrap());
    let mut init = as_nobody(&initdb);
    init.arg("-D").arg(&data).args(["--username=lab", "--auth=trust", "--no-sync"]).current_dir(folder.path());
    assert!(init.status().unwrap().success());
    std::fs::write(data.join("standby.signal"), "").unwrap();
    let mut server = as_nobody(&postgres);
    server.arg("-D").arg(&data).args(["-p", &port.to_string(), "-h", "127.0.0.1", "-c", "unix_socket_directories="]);
    let process = server.current_dir(folder.path()).spawn().unwrap();
    Some((Theirs { process, _folder: folder }, format!("postgres://lab@127.0.0.1:{port}/postgres")))
}

#[test]
fn a_standby_is_exit_4_and_names_the_primary() {
    let Some((_server, url)) = standby() else { return };
    block_on(async {
        let deadline = std::time::Instant::now() + PATIENCE;
        while PgConnection::connect(&url).await.is_err() {
            assert!(std::time::Instant::now() < deadline, "no standby in time");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let output = run_at(&url, &[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{said}");
        assert!(said.contains("the server is a standby, which can only be read; name the primary"), "{said}");
        assert_eq!(left(&url).await, 0);
    });
}

#[test]
fn an_etcd_with_users_is_warned_of_and_its_password_is_shown_nowhere() {
    let etcd = Path::new("/usr/bin/etcd");
    if !etcd.exists() {
        return skipped("etcd is not installed (Debian: etcd-server)");
    }
    let folder = tempfile::tempdir().unwrap();
    let [client, peer] = [(); 2].map(|()| provision::free_port().unwrap());
    let url = format!("http://127.0.0.1:{client}");
    let mut server = Command::new(etcd);
    server.arg("--data-dir").arg(folder.path().join("data"));
    server.args(["--listen-client-urls", &url, "--advertise-client-urls", &url]);
    server.args(["--listen-peer-urls", &format!("http://127.0.0.1:{peer}"), "--log-level", "error"]);
    let process = server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let _server = Theirs { process, _folder: folder };
    block_on(async {
        let endpoint = Endpoint::from(url.as_str());
        let deadline = std::time::Instant::now() + PATIENCE;
        let mut admin = endpoint.client(PATIENCE).await.unwrap();
        while admin.status().await.is_err() {
            assert!(std::time::Instant::now() < deadline, "no etcd in time");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        admin.user_add("root", "s3cret", None).await.unwrap();
        admin.user_grant_role("root", "root").await.unwrap();
        admin.auth_enable().await.unwrap();
    });
    let folder = calm();
    let mut run = command(folder.path());
    run.args(["run", "calm.toml", "--strategies", "etcd-lock", "--json"]);
    run.args(["--set", "load.requests=60", "--set", "load.warmup=0"]);
    let named = url.replace("http://", "http://root:s3cret@");
    let output = run.env("ONCELAB_LOCK_URL", &named).output().unwrap();
    let said = text(&output.stderr);
    assert!(said.contains("warning: an etcd with users keeps the key of a wait"), "{said}");
    assert!(!said.contains("s3cret") && !text(&output.stdout).contains("s3cret"), "{said}");
    let without = command(folder.path()).args(["run", "quick", "--lock-url", &url]).output().unwrap();
    assert_eq!(without.status.code(), Some(4), "{}", text(&without.stderr));
    assert!(text(&without.stderr).contains("name a user who may read and write keys"), "{}", text(&without.stderr));
}

/// A pooler before a server. Dropped, it is stopped.
struct Pooler {
    process: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// PgBouncer, if it is installed.
async fn pooler(server: &str, settings: &str) -> Option<Pooler> {
    let binary = Path::new("/usr/sbin/pgbouncer");
    if !binary.exists() {
        skipped("pgbouncer is not installed (Debian: pgbouncer)");
        return None;
    }
    let server = Endpoint::from(server);
    let (user, password) = server.user().unwrap();
    let (host, port) =
        server.url().trim_start_matches("postgres://").trim_end_matches("/oncelab").split_once(':').unwrap();
    let own = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let configuration = folder.path().join("pgbouncer.ini");
    let text = format!(
        "[databases]\noncelab = host={host} port={port} user={user} password={password}\n\
         [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {own}\nunix_socket_dir =\nauth_type = any\n{settings}\n"
    );
    std::fs::write(&configuration, text).unwrap();
    let mut process = Command::new(binary);
    process.arg(&configuration).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if rustix::process::geteuid().is_root() {
        // It refuses to run as root.
        const NOBODY: u32 = 65_534;
        process.uid(NOBODY).gid(NOBODY);
        for path in [folder.path(), &configuration] {
            std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
    let process = process.spawn().unwrap();
    let pooler =
        Pooler { process, url: format!("postgres://{user}:{password}@127.0.0.1:{own}/oncelab"), _folder: folder };
    for _ in 0..100 {
        if std::net::TcpStream::connect(("127.0.0.1", own)).is_ok() {
            return Some(pooler);
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("pgbouncer does not listen");
}

#[test]
fn behind_a_pooler_nothing_is_made_outside_the_schema_of_the_run() {
    on_postgres(|url| async move {
        for settings in [
            "pool_mode = session\nignore_startup_parameters = options,extra_float_digits",
            "pool_mode = transaction\nignore_startup_parameters = options,extra_float_digits",
            "pool_mode = session\nignore_startup_parameters = extra_float_digits",
        ] {
            let Some(pooler) = pooler(&url, settings).await else { return };
            let output = run_at(&pooler.url, &[]);
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(4), "{settings}: {said}");
            assert!(
                said.contains("name the server itself in the URL of the store, and not a pooler"),
                "{settings}: {said}"
            );
            assert_eq!(left(&url).await, 0, "{settings}");
        }
    });
}
