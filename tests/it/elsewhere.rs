//! Servers that the lab has not started: what it says when they are not what it takes them for, and that it leaves nothing there.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use oncelab::backend::Endpoint;
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use crate::backends::{on_postgres, skipped};
use crate::common::{command, oncelab, text};

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
    assert!(said.contains("add --on-real, or say --store-model postgres"), "{said}");
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
