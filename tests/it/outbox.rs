//! Messages that a relay hands on to a second store, from the command line: under load, and in replays.

use std::path::Path;

use serde_json::Value;

use crate::backends::on_postgres;
use crate::common::{oncelab, text};

/// The same loss at every hop, with an inbox that is kept and with one that is purged.
const HANDED_ON: &str = r#"
name = "handed-on"
question = "Is what one store hands on to another done once in both?"
strategies = ["outbox-inbox"]
load = { requests = 400, warmup = 0, clients = 32, handlers = 32, accounts = 256, timeout_ms = 100, attempts = 20 }
backend = { durable = false, restart_ms = 5, loss_noticed_ms = 2 }

[[faults]]
name = "kept"
client = { reply_lost = 0.1, late_landing = 0.05 }
store = { request_lost = 0.02, reply_lost = 0.02, late_landing = 0.01 }
second = { request_lost = 0.02, reply_lost = 0.02, late_landing = 0.01 }
handler = { crash = 0.01 }

[[faults]]
name = "purged"
client = { reply_lost = 0.1, late_landing = 0.05 }
store = { request_lost = 0.05, reply_lost = 0.02, late_landing = 0.01 }
reaper = { after_ms = 20 }

[[faults]]
name = "cut-off"
second = { request_lost = 1.0 }
"#;

fn run(folder: &Path, arguments: &[&str]) -> Value {
    std::fs::write(folder.join("handed-on.toml"), HANDED_ON).unwrap();
    let output = oncelab(folder, &[&["run", "handed-on.toml", "--seed", "5", "--json"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn what_is_handed_on_under_load_is_done_once_in_both_stores_unless_the_inbox_is_purged() {
    let folder = tempfile::tempdir().unwrap();
    let summary = run(folder.path(), &[]);
    for cell in summary["cells"].as_array().unwrap() {
        assert!(cell["expected_by_claim"].as_bool().unwrap() && cell["met"].as_bool().unwrap(), "{cell}");
        let at_second = cell["violations_by_role"]["second"]["duplicate"].as_u64().unwrap();
        match cell["faults"].as_str().unwrap() {
            "kept" => {
                assert_eq!(
                    (&cell["verdict"], &cell["effects"], at_second),
                    (&"valid".into(), &800.into(), 0),
                    "{cell}"
                );
                let fired = |fault: &str| cell["fired_on"]["second"][fault].as_u64().unwrap();
                assert!(["request_lost", "reply_lost", "late_landing"].iter().all(|fault| fired(fault) >= 5), "{cell}");
            }
            "purged" => {
                assert!(at_second > 0, "{cell}");
                let duplicates = cell["violations"]["duplicate"].as_u64().unwrap();
                assert_eq!(cell["causes"]["duplicate"]["window expired"].as_u64(), Some(duplicates), "{cell}");
            }
            // Nothing comes through before everything has settled: then the relay takes its last turn.
            _ => assert_eq!((&cell["verdict"], &cell["effects"]), (&"valid".into(), &800.into()), "{cell}"),
        }
    }
    let dir = summary["dir"].as_str().unwrap();
    let checked = oncelab(folder.path(), &["check", dir]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
    assert!(text(&checked.stdout).contains("3 of 3 trials judged again"), "{}", text(&checked.stdout));
}

/// The schedules of the purged inbox, and where each shows a duplicate: the relay hands a message on again whose mark was lost, and a
/// request comes again when all is forgotten.
const PURGED: [(&str, &str); 3] = [
    ("a a a a a c c c c c d c!", "the second store"),
    ("a a a a a c c c c c d cx", "the second store"),
    ("a a a a a c c c c c c d d d b b b b b", "the store"),
];

#[test]
fn what_a_purged_inbox_does_twice_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let replay = |schedule: &str, place: &str, store: &[&str]| {
        let arguments = ["replay", "outbox-inbox", schedule, "--times", "100", "--lanes", "2", "--reaper"];
        let replayed = oncelab(folder.path(), &[&arguments[..], store].concat());
        let said = text(&replayed.stdout);
        assert_eq!(replayed.status.code(), Some(0), "{said}{}", text(&replayed.stderr));
        assert!(said.contains("100 of 100") && said.contains(&format!("duplicate at {place}:")), "{said}");
    };
    for (schedule, place) in PURGED {
        replay(schedule, place, &["--store", "sqlite"]);
    }
    on_postgres(|url| async move {
        for (schedule, place) in PURGED {
            replay(schedule, place, &["--store", "postgres", "--store-url", &url]);
        }
    });
}
