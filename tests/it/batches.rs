//! Batches of deliveries on real stores: one statement or one transaction for many, and an outcome for each.

use serde_json::Value;

use crate::backends::on_postgres;
use crate::common::{oncelab, text};

/// Everything that can happen to messages, with so few handlers that deliveries wait, and so few accounts that several effects of a
/// batch are on one.
const LOSSY: &str = r#"
name = "batched"
question = "Are batches done once?"
strategies = ["dedup-table-batched"]
load = { requests = 1200, warmup = 0, clients = 64, handlers = 4, accounts = 8, timeout_ms = 150, attempts = 30 }
backend = { durable = false, restart_ms = 5, loss_noticed_ms = 2 }

[[faults]]
name = "lossy"
client = { request_lost = 0.02, reply_lost = 0.03, late_landing = 0.02, duplicated = 0.03 }
store = { request_lost = 0.1, reply_lost = 0.1, late_landing = 0.1, duplicated = 0.05 }
handler = { crash = 0.05, cancel = 0.05 }
"#;

fn is_done_once(arguments: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("batched.toml"), LOSSY).unwrap();
    let output = oncelab(folder.path(), &[&["run", "batched.toml", "--seed", "5", "--json"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let cell = &summary["cells"][0];
    let violations = cell["violations"].as_object().unwrap();
    assert!(violations.values().all(|count| count == 0), "{cell}");
    assert_eq!((&cell["verdict"], cell["effects"].as_u64()), (&"valid".into(), Some(1200)), "{cell}");
    for fault in ["request_lost", "reply_lost", "late_landing", "duplicated", "crash", "cancel"] {
        assert!(cell["fired"][fault].as_u64().unwrap() >= 5, "{fault}: {cell}");
    }
    // A fault on the way to the store is one of a statement, and not of each of its deliveries.
    let dir = summary["dir"].as_str().unwrap();
    let checked = oncelab(folder.path(), &["check", dir]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
}

#[test]
fn a_batch_is_done_once_for_each_of_its_deliveries_on_sqlite() {
    is_done_once(&["--store", "sqlite"]);
}

#[test]
fn a_batch_is_done_once_for_each_of_its_deliveries_on_postgres_at_the_port_and_on_the_wire() {
    on_postgres(|url| async move {
        is_done_once(&["--store", "postgres", "--store-url", &url]);
        is_done_once(&["--store", "postgres", "--store-url", &url, "--set", "faults.lossy.where=wire"]);
    });
}
