//! Ids that are remembered for a time, and strategies that a store cannot run, in a run.

use crate::common::{oncelab, text};

#[test]
fn a_window_ends_under_load_and_what_the_store_cannot_run_is_left_out_with_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["run", "quick", "--strategies", "dedup-window,row-lock", "--set", "load.requests=1200"];
    let output = oncelab(folder.path(), &[&arguments[..], &["--set", "repeats=1", "--seed", "5", "--json"]].concat());
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let cells = summary["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 1, "{summary}");
    // Handlers stand still for longer than ids are remembered: so some twenty requests are done twice.
    assert!(cells[0]["violations"]["duplicate"].as_u64().unwrap() > 0, "{}", cells[0]);
    let why = summary["skipped"]["row-lock"].as_str().unwrap();
    assert!(why.contains("does not run on sqlite"), "{why}");
}

#[test]
fn a_run_of_nothing_but_what_the_store_cannot_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = oncelab(folder.path(), &["run", "quick", "--strategies", "row-lock"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("no strategy is left to run: row-lock"), "{}", text(&refused.stderr));
}
