//! What works for the system, from the command line: the reaper in explorations, in replays and under load.

use serde_json::Value;

use crate::backends::on_postgres;
use crate::common::{oncelab, text};

/// The same loss, with ids that are kept and with ids that are forgotten.
const FORGOTTEN: &str = r#"
name = "forgotten"
question = "What is left when ids are forgotten?"
strategies = ["dedup-table", "dedup-table-statement"]
load = { requests = 600, warmup = 0, clients = 32, handlers = 32, accounts = 256, timeout_ms = 100, attempts = 20 }
backend = { durable = false, restart_ms = 5, loss_noticed_ms = 2 }

[[faults]]
name = "kept"
client = { reply_lost = 0.1, late_landing = 0.05 }

[[faults]]
name = "forgotten"
client = { reply_lost = 0.1, late_landing = 0.05 }
reaper = { after_ms = 20 }
"#;

#[test]
fn an_id_that_is_forgotten_under_load_is_done_again_and_the_history_says_why() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("forgotten.toml"), FORGOTTEN).unwrap();
    let output = oncelab(folder.path(), &["run", "forgotten.toml", "--seed", "5", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let cells = summary["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 4);
    for cell in cells {
        let duplicates = cell["violations"]["duplicate"].as_u64().unwrap();
        assert!(cell["expected_by_claim"].as_bool().unwrap(), "{cell}");
        if cell["faults"] == "kept" {
            assert_eq!((duplicates, &cell["verdict"]), (0, &"valid".into()), "{cell}");
            continue;
        }
        assert!(duplicates > 0, "{cell}");
        assert_eq!(cell["causes"]["duplicate"]["window expired"], duplicates, "{cell}");
    }
    let dir = summary["dir"].as_str().unwrap();
    let checked = oncelab(folder.path(), &["check", dir]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
}

#[test]
fn what_an_exploration_finds_with_a_reaper_is_replayed_by_the_command_that_it_prints() {
    let folder = tempfile::tempdir().unwrap();
    let told = oncelab(folder.path(), &["explore", "dedup-table-statement", "--reaper", "--schedule", "a c b"]);
    let said = text(&told.stdout);
    assert!(said.contains("window expired"), "{said}");
    let printed = said.lines().find_map(|line| line.strip_prefix("really: ")).unwrap();
    assert!(printed.contains("--lanes 2 --reaper") && printed.ends_with("\"a c b\""), "{printed}");
    let replay = |store: &[&str]| {
        let arguments =
            ["replay", "dedup-table-statement", "a c b", "--times", "20", "--lanes", "2", "--reaper", "--json"];
        let replayed = oncelab(folder.path(), &[&arguments[..], store].concat());
        assert_eq!(replayed.status.code(), Some(0), "{}", text(&replayed.stderr));
        let document: Value = serde_json::from_slice(&replayed.stdout).unwrap();
        assert_eq!((&document["reproduced"], &document["divergences"]), (&20.into(), &0.into()), "{document}");
    };
    replay(&["--store", "sqlite"]);
    on_postgres(|url| async move { replay(&["--store", "postgres", "--store-url", &url]) });
}

#[test]
fn a_reaper_is_refused_where_there_are_no_ids_that_hold() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["explore", "post", "--reaper"][..], &["replay", "post", "a", "--reaper"]] {
        let refused = oncelab(folder.path(), arguments);
        assert_eq!(refused.status.code(), Some(2));
        assert!(
            text(&refused.stderr).contains("--reaper: post keeps nothing that can be forgotten"),
            "{}",
            text(&refused.stderr)
        );
    }
}
