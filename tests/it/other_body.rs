//! The same id with another body, from the command line: in explorations, in replays, in conformance and under load.

use serde_json::Value;

use crate::backends::on_postgres;
use crate::common::{oncelab, text};

/// Ids that are used again, with a body of their own.
const REUSED: &str = r#"
name = "reused"
question = "What becomes of an id that is used again?"
strategies = ["at-least-once", "dedup-table", "idempotency-key"]
load = { requests = 600, warmup = 0, clients = 16, handlers = 16, accounts = 256, timeout_ms = 100, attempts = 20 }
backend = { durable = false, restart_ms = 5, loss_noticed_ms = 2 }

[[faults]]
name = "reused"
client = { reply_lost = 0.03, duplicated = 0.02, other_body = 0.2 }
store = { reply_lost = 0.01 }
handler = { crash = 0.005 }
"#;

/// Runs it with these arguments, and holds each strategy against what is expected of it.
fn run(arguments: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("reused.toml"), REUSED).unwrap();
    let all = [&["run", "reused.toml", "--seed", "5", "--json"], arguments].concat();
    let output = oncelab(folder.path(), &all);
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    assert_eq!(output.status.code(), Some(0), "{}{summary:#}", text(&output.stderr));
    let cells = summary["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 3);
    for cell in cells {
        assert!(cell["expected_by_claim"].as_bool().unwrap(), "{cell}");
        assert!(cell["fired"]["other_body"].as_u64().unwrap() > 50, "{cell}");
        let mixed = cell["violations"]["mixed"].as_u64().unwrap();
        let refused = cell["told"]["refused"].as_u64().unwrap();
        let causes = &cell["causes"]["mixed"];
        match cell["strategy"].as_str().unwrap() {
            "idempotency-key" => {
                assert_eq!((mixed, &cell["verdict"]), (0, &"valid".into()), "{cell}");
                // Of either body, since it is chance which comes first.
                assert!(refused > 50, "{cell}");
            }
            "dedup-table" => {
                assert!(mixed > 50 && causes["one body taken for the other"] == mixed, "{cell}");
                assert_eq!(refused, 0, "{cell}");
            }
            _ => assert!(causes["both bodies done"].as_u64().unwrap() > 50, "{cell}"),
        }
    }
    let checked = oncelab(folder.path(), &["check", summary["dir"].as_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
}

#[test]
fn who_compares_no_bodies_mixes_them_under_load_and_who_does_refuses_one() {
    run(&[]);
}

#[test]
fn over_http_the_client_sends_the_other_body_over_a_connection_of_its_own() {
    run(&["--set", "hop=http"]);
}

#[test]
fn what_an_exploration_finds_with_another_body_is_replayed_by_the_command_that_it_prints() {
    let folder = tempfile::tempdir().unwrap();
    for (strategy, schedule) in [("dedup-table-statement", "a b b"), ("check-then-act", "a b a b")] {
        let told = oncelab(folder.path(), &["explore", strategy, "--other-body", "--schedule", schedule]);
        let said = text(&told.stdout);
        assert!(said.contains("mixed: "), "{said}");
        for line in ["again:  ", "really: "] {
            let printed = said.lines().find_map(|it| it.strip_prefix(line)).unwrap();
            assert!(printed.contains("--other-body") && printed.ends_with(&format!("\"{schedule}\"")), "{printed}");
        }
        let replay = |store: &[&str]| {
            let arguments = ["replay", strategy, schedule, "--times", "100", "--other-body", "--json"];
            let replayed = oncelab(folder.path(), &[&arguments[..], store].concat());
            let document: Value = serde_json::from_slice(&replayed.stdout).unwrap();
            assert_eq!((&document["reproduced"], &document["divergences"]), (&100.into(), &0.into()), "{document}");
        };
        replay(&["--store", "sqlite"]);
        on_postgres(|url| async move { replay(&["--store", "postgres", "--store-url", &url]) });
    }
}

#[test]
fn the_servers_agree_with_the_model_where_an_id_comes_with_another_body() {
    let folder = tempfile::tempdir().unwrap();
    let conform = |arguments: &[&str]| {
        let all = ["conform", "idempotency-key", "dedup-table-statement", "put", "--other-body", "--json"];
        let output = oncelab(folder.path(), &[&all[..], arguments].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["bound"]["other_body"], true);
        for row in document["strategies"].as_array().unwrap() {
            assert_eq!(row["divergences"], 0, "{row}");
            assert!(row["replayed"].as_u64().unwrap() > 5, "{row}");
        }
    };
    conform(&["--store", "sqlite", "--retries", "0", "--sample", "200"]);
    on_postgres(|url| async move {
        conform(&["--store", "postgres", "--store-url", &url, "--retries", "0", "--sample", "40"]);
    });
}

#[test]
fn a_body_has_a_lane_and_is_the_clients() {
    let folder = tempfile::tempdir().unwrap();
    let refused = oncelab(folder.path(), &["explore", "put", "--lanes", "1", "--other-body"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("--other-body needs a lane"), "{}", text(&refused.stderr));
    std::fs::write(folder.path().join("wrong.toml"), REUSED.replace("store = {", "store = { other_body = 0.1,"))
        .unwrap();
    let refused = oncelab(folder.path(), &["run", "wrong.toml"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("client = { other_body"), "{}", text(&refused.stderr));
}
