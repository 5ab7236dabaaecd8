//! Bad input: exit 2, the place, and what was meant.

use std::path::Path;

use crate::common::{oncelab, text};

const GOOD: &str = r#"
name = "mine"
question = "?"
strategies = ["dedup-table"]

[load]
requests = 20
warmup = 0

[[faults]]
name = "lossy"
store = { reply_lost = 0.1 }
"#;

/// What the command line says to an experiment that is wrong.
fn refusal(folder: &Path, text_of_experiment: &str) -> String {
    std::fs::write(folder.join("mine.toml"), text_of_experiment).unwrap();
    let output = oncelab(folder, &["run", "mine.toml"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
    assert!(!folder.join("results").exists(), "nothing is begun");
    said
}

#[test]
fn a_wrong_experiment_is_refused_with_line_column_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    // From and to, and what the refusal says. Lines are counted in GOOD, whose first is empty.
    let cases = [
        ("requests = 20", "request = 20", &["mine.toml:7:1", "`request`", "did you mean 'requests'"][..]),
        ("requests = 20", "requests = \"many\"", &["mine.toml:7:12", "\"many\""]),
        ("requests = 20", "requests = 0", &["mine.toml:7:12", "nonzero"]),
        ("warmup = 0", "handlers = 0", &["mine.toml:8:12", "nonzero"]),
        ("warmup = 0", "warmup = 20", &["mine.toml:8:1", "nothing would be left"]),
        ("warmup = 0", "rate_per_s = -3", &["mine.toml:8:14", "rate"]),
        ("warmup = 0", "backoff_ms = [9, 2]", &["mine.toml:8:14", "backwards"]),
        ("reply_lost = 0.1", "reply_lost = 1.2", &["mine.toml:12:24", "1.2", "from 0 to 1"]),
        ("reply_lost = 0.1", "reply_lots = 0.1", &["mine.toml:12:11", "did you mean 'reply_lost'"]),
        ("reply_lost = 0.1", "reply_lost = 0.6, request_lost = 0.6", &["mine.toml:11", "add up to 1.2"]),
        ("\"dedup-table\"", "\"dedup-tabel\"", &["mine.toml:4:15", "did you mean 'dedup-table'"]),
        ("name = \"mine\"", "name = \"../mine\"", &["mine.toml:2:8", "letters, digits"]),
        ("question = \"?\"", "question =", &["mine.toml:3"]),
        (
            "store = { reply_lost = 0.1 }",
            "for = [{ ops = [\"aply\"], message = { reply_lost = 0.1 } }]",
            &["mine.toml:12", "did you mean 'apply'"],
        ),
        (
            "store = { reply_lost = 0.1 }",
            "[expect.losy]\ndedup-table = \"valid\"",
            &["mine.toml:12", "did you mean 'lossy'"],
        ),
        (
            "store = { reply_lost = 0.1 }",
            "[expect.lossy]\ndedup-tables = \"valid\"",
            &["mine.toml:13:1", "did you mean 'dedup-table'"],
        ),
        (
            "store = { reply_lost = 0.1 }",
            "[expect.lossy]\ndedup-table = [\"duplicates\"]",
            &["mine.toml:13", "did you mean 'duplicate'"],
        ),
    ];
    for (from, to, expected) in cases {
        assert!(GOOD.contains(from), "{from}");
        let said = refusal(folder.path(), &GOOD.replacen(from, to, 1));
        for part in expected {
            assert!(said.contains(part), "{to}: expected {part:?} in: {said}");
        }
    }
}

#[test]
fn wrong_options_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&[&str], &str); 9] = [
        (&["run", "quik"], "did you mean 'quick'"),
        (&["run", "nowhere.toml"], "nowhere.toml"),
        (&["run", "quick", "--set", "load.requests=none"], "--set load.requests=none"),
        (&["run", "quick", "--set", "load.request=5"], "did you mean 'requests'"),
        (&["run", "quick", "--set", "load.requests"], "key=value"),
        (&["run", "quick", "--set", "faults.lossy.store.reply_lost=2"], "from 0 to 1"),
        (&["run", "quick", "--strategies", "dedup"], "no strategy is named 'dedup'"),
        (&["run", "quick", "--faults", "losy"], "did you mean 'lossy'"),
        (&["run", "--resume", "nowhere"], "not the folder of a run"),
    ];
    for (arguments, expected) in cases {
        let output = oncelab(folder.path(), arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    assert!(!folder.path().join("results").exists(), "nothing is begun");
}

#[test]
fn a_results_folder_that_cannot_be_written_is_a_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("taken"), "a file").unwrap();
    let output = oncelab(folder.path(), &["run", "quick", "--out", "taken"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("taken") && said.contains("cannot be written"), "{said}");
}

#[test]
fn a_setting_changes_what_runs() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine.toml"), GOOD).unwrap();
    let arguments =
        ["run", "mine.toml", "--set", "load.requests=120", "--set", "faults.lossy.store.reply_lost=0", "--json"];
    let output = oncelab(folder.path(), &arguments);
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["cells"][0]["requests"], 120);
    assert_eq!(summary["cells"][0]["fired"], serde_json::json!({}));
    let effective =
        std::fs::read_to_string(folder.path().join(summary["dir"].as_str().unwrap()).join("experiment.toml"));
    assert!(effective.unwrap().contains("requests = 120"));
}
