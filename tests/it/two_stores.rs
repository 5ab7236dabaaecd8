//! Strategies with two stores on real ones: each ledger is judged, and a second store that is not well takes no other row with it.

use std::net::TcpListener;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use serde_json::Value;
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use oncelab::service::provision;

use crate::backends::{block_on, on_postgres, or_skip, processes};
use crate::common::{command, oncelab, text};

/// What is lost between handlers and each of two stores.
const LOSSY: &str = r#"
name = "lossy-stores"
question = "What is lost between two stores?"
strategies = ["dedup-table", "claim-then-act-two-stores", "transfer-two-stores", "transfer-two-stores-keyed"]
load = { requests = 400, warmup = 0, clients = 16, handlers = 16, accounts = 64, timeout_ms = 400, attempts = 8 }
backend = { durable = false, restart_ms = 5 }

[[faults]]
name = "lossy"
client = { reply_lost = 0.05 }
store = { request_lost = 0.02, reply_lost = 0.02 }
second = { request_lost = 0.03, reply_lost = 0.03, late_landing = 0.02 }
handler = { crash = 0.02 }
"#;

fn lossy(folder: &Path) {
    std::fs::write(folder.join("lossy.toml"), LOSSY).unwrap();
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    oncelab(folder, &[&["run", "lossy.toml", "--seed", "5", "--json"], arguments].concat())
}

fn summary(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)))
}

fn cell<'s>(summary: &'s Value, strategy: &str) -> &'s Value {
    let cells = summary["cells"].as_array().unwrap();
    cells.iter().find(|cell| cell["strategy"] == strategy).unwrap_or_else(|| panic!("{strategy}: {summary}"))
}

/// What every run of the four strategies shows, whatever the stores are.
fn shows_what_the_claims_say(summary: &Value) {
    let by_role = |strategy: &str| &cell(summary, strategy)["violations_by_role"];
    let charged = by_role("transfer-two-stores");
    assert_eq!(charged["store"]["duplicate"], 0, "{charged}");
    let twice = charged["second"]["duplicate"].as_u64().unwrap();
    assert!(twice > 0 && cell(summary, "transfer-two-stores")["violations"]["duplicate"] == twice, "{charged}");
    let keyed = cell(summary, "transfer-two-stores-keyed");
    assert_eq!((&keyed["verdict"], keyed["effects"].as_u64()), (&"valid".into(), Some(800)), "{keyed}");
    let claimed = cell(summary, "claim-then-act-two-stores");
    assert!(
        claimed["violations"]["stuck"].as_u64().unwrap() > 0 && claimed["violations"]["duplicate"] == 0,
        "{claimed}"
    );
    assert_eq!(claimed["violations_by_role"].as_object().unwrap().keys().collect::<Vec<_>>(), ["second"]);
    let fired = &keyed["fired_on"]["second"];
    assert!(
        ["request_lost", "reply_lost", "late_landing"].iter().all(|fault| fired[fault].as_u64() > Some(0)),
        "{fired}"
    );
    // One store: no word of roles.
    let one = cell(summary, "dedup-table");
    assert!(one.get("violations_by_role").is_none() && one["fired_on"].get("second").is_none(), "{one}");
}

#[test]
fn each_store_is_judged_and_a_saved_run_is_judged_the_same() {
    let folder = tempfile::tempdir().unwrap();
    lossy(folder.path());
    let ran = run(folder.path(), &[]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    let summary = summary(&ran);
    shows_what_the_claims_say(&summary);

    let dir = summary["dir"].as_str().unwrap();
    let checked = oncelab(folder.path(), &["check", dir]);
    assert!(text(&checked.stdout).contains("4 of 4 trials judged again"), "{}", text(&checked.stdout));
    let shown = text(&oncelab(folder.path(), &["report", dir]).stdout).replace('\n', " ");
    let twice = &cell(&summary, "transfer-two-stores")["violations_by_role"]["second"]["duplicate"];
    assert!(shown.contains(&format!("{twice} duplicate at the second store; no violation at the store.")), "{shown}");
    let meta: Value =
        serde_json::from_slice(&std::fs::read(folder.path().join(dir).join("meta.json")).unwrap()).unwrap();
    assert_eq!(meta["uses"], serde_json::json!({ "second": "sqlite" }));

    // Which store an operation went to, and whose ledger an entry is of, stands in the history.
    let history = folder.path().join(dir).join("histories/transfer-two-stores.lossy.0.jsonl.zst");
    let lines = zstd::decode_all(std::fs::File::open(history).unwrap()).unwrap();
    let lines = text(&lines);
    assert!(lines.lines().any(|line| line.contains(r#""op":"second.apply m"#)), "no operation of the second store");
    let ends_there = |line: &&str| line.starts_with(r#"{"entry":"#) && line.ends_with(r#","at":"second"}"#);
    assert!(lines.lines().filter(ends_there).count() >= 400, "no ledger of the second store");

    let lifted = oncelab(folder.path(), &["lift", dir, "--strategy", "transfer-two-stores", "--limit", "1"]);
    assert!(
        text(&lifted.stdout).replace('\n', " ").contains("the strategy has a second store"),
        "{}",
        text(&lifted.stdout)
    );
}

#[test]
fn what_plays_a_role_is_named_or_refused_with_a_remedy_and_without_a_password() {
    let folder = tempfile::tempdir().unwrap();
    lossy(folder.path());
    for (used, says) in [
        ("third=sqlite", "no role is named 'third'"),
        ("second=mariadb@postgres://lab:hunter2@host/db", "write mysql://user@host:3306/database"),
        ("second=sqlite@postgres://lab:hunter2@host/db", "leave out the @"),
        ("second=postgres@mysql://lab:hunter2@host/db", "write postgres://user@host:5432/database"),
        ("lock=etcd", "write --lock SERVICE"),
    ] {
        let refused = run(folder.path(), &["--use", used]);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains(says) && !said.contains("hunter2"), "{said}");
    }
    let needless = oncelab(folder.path(), &["run", "quick", "--use", "second=sqlite"]);
    assert!(text(&needless.stderr).contains("no strategy of this run needs a service in the role 'second'"));
    assert_eq!(needless.status.code(), Some(2));
}

/// The rows with two stores fail for this reason, and the one with a single store is judged.
fn fails_alone(folder: &Path, ran: &Output, because: &str) -> String {
    let said = text(&ran.stderr);
    assert_eq!(ran.status.code(), Some(4), "{said}");
    let summary = summary(ran);
    assert_eq!(cell(&summary, "dedup-table")["verdict"], "valid", "{said}");
    let failed = summary["failed"].as_object().unwrap();
    assert_eq!(failed.len(), 3, "{failed:?}");
    for why in failed.values().map(|why| why.as_str().unwrap()) {
        assert!(why.starts_with("the second store cannot be used: ") && why.contains(because), "{why}");
    }
    let dir = summary["dir"].as_str().unwrap().to_owned();
    let shown = text(&oncelab(folder, &["report", &dir]).stdout);
    let row =
        shown.lines().find(|line| line.starts_with("! transfer-two-stores-keyed")).unwrap_or_else(|| panic!("{shown}"));
    assert!(row.contains("failed") && shown.contains("3 trials failed"), "{shown}");
    dir
}

#[test]
fn a_second_store_that_is_out_of_reach_fails_its_rows_alone_and_says_no_password() {
    let folder = tempfile::tempdir().unwrap();
    lossy(folder.path());
    // A port that nobody listens on any more.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://lab:hunter2@127.0.0.1:{port}/lab");
    let ran = command(folder.path())
        .args(["run", "lossy.toml", "--seed", "5", "--json"])
        .env("ONCELAB_SECOND_URL", url)
        .output()
        .unwrap();
    let dir = fails_alone(folder.path(), &ran, "refused");
    assert!(!text(&ran.stderr).contains("hunter2") && !text(&ran.stdout).contains("hunter2"));
    for file in std::fs::read_dir(folder.path().join(&dir)).unwrap().flatten().filter(|file| file.path().is_file()) {
        assert!(!text(&std::fs::read(file.path()).unwrap()).contains("hunter2"), "{:?}", file.path());
    }
    let checked = oncelab(folder.path(), &["check", &dir]);
    assert!(text(&checked.stdout).contains("the second store cannot be used"), "{}", text(&checked.stdout));

    // The run was begun with another kind; with none in reach it can be gone on with.
    let other = oncelab(folder.path(), &["run", "--resume", &dir, "--use", "second=sqlite"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(text(&other.stderr).contains("the run was begun with postgres"), "{}", text(&other.stderr));
}

#[test]
fn a_second_store_that_never_answers_fails_its_rows_alone() {
    let folder = tempfile::tempdir().unwrap();
    lossy(folder.path());
    // It takes connections, and says nothing.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("second=postgres@postgres://lab@{}/lab", mute.local_addr().unwrap());
    fails_alone(folder.path(), &run(folder.path(), &["--use", &url]), "postgres: ");
}

#[test]
fn a_second_store_that_can_only_be_read_fails_its_rows_alone_and_a_run_can_be_gone_on_with() {
    on_postgres(|url| async move {
        let folder = tempfile::tempdir().unwrap();
        lossy(folder.path());
        let between = if url.contains('?') { '&' } else { '?' };
        let read_only = format!("{url}{between}options=-c%20default_transaction_read_only%3Don");
        let at = |url: &str, arguments: &[&str]| {
            command(folder.path()).args(arguments).env("ONCELAB_SECOND_URL", url).output().unwrap()
        };
        let begun = at(&read_only, &["run", "lossy.toml", "--seed", "5", "--json"]);
        let dir = fails_alone(folder.path(), &begun, "lets this user only read");
        // A server that can be written to makes the trials that are missing.
        let resumed = at(&url, &["run", "--resume", &dir, "--json"]);
        assert_eq!(resumed.status.code(), Some(0), "{}", text(&resumed.stderr));
        shows_what_the_claims_say(&summary(&resumed));
    });
}

#[test]
fn two_stores_at_one_server_have_a_schema_each_and_leave_none() {
    on_postgres(|url| async move {
        let folder = tempfile::tempdir().unwrap();
        lossy(folder.path());
        let ran = command(folder.path())
            .args(["run", "lossy.toml", "--seed", "5", "--json"])
            .env("ONCELAB_STORE_URL", &url)
            .output()
            .unwrap();
        assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
        shows_what_the_claims_say(&summary(&ran));
        let mut connection = PgConnection::connect(&url).await.unwrap();
        let left = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'oncelab%'";
        assert_eq!(sqlx::query_scalar::<_, i64>(left).fetch_one(&mut connection).await.unwrap(), 0);
    });
}

#[test]
fn a_second_store_that_dies_in_the_middle_fails_its_rows_alone() {
    block_on(async {
        let Some(started) = or_skip(provision::postgres(&processes()).await) else { return };
        let url = started.urls().remove(0);
        let folder = tempfile::tempdir().unwrap();
        lossy(folder.path());
        // Long enough for the server to be killed in the first trial; those that follow find it gone.
        let many = ["--set", "load.requests=200000", "--strategies", "transfer-two-stores-keyed"];
        let mut run = command(folder.path());
        run.args(["run", "lossy.toml", "--seed", "5", "--json"]).args(many).env("ONCELAB_SECOND_URL", &url);
        let child = run.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
        // Its tables are there: the trial has begun.
        let mut connection = PgConnection::connect(&url).await.unwrap();
        let effects = "SELECT count(*) FROM pg_stat_user_tables WHERE relname = 'ledger' AND n_tup_ins > 0";
        while sqlx::query_scalar::<_, i64>(effects).fetch_one(&mut connection).await.unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        drop(connection);
        started.servers[0].kill().await.unwrap();
        let ran = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap();
        assert_eq!(ran.status.code(), Some(4), "{}", text(&ran.stderr));
        let summary = summary(&ran);
        let why = summary["failed"]["transfer-two-stores-keyed.lossy.0"].as_str().unwrap();
        assert!(why.starts_with("the second store cannot be used: "), "{why}");
        drop(started);
    });
}
