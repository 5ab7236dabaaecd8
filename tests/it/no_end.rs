//! Strategies that panic or never come to an end: each is named, and nothing waits for it.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::common::{command, oncelab, text};
use crate::reports::{RUN_SCHEMA, is_valid};

fn example(folder: &Path, arguments: &[&str]) -> Output {
    // Cargo builds the examples beside the binary that is under test.
    let example = Path::new(env!("CARGO_BIN_EXE_oncelab")).parent().unwrap().join("examples/no_end");
    Command::new(&example).current_dir(folder).args(arguments).output().unwrap()
}

/// A folder with an experiment in it that has no faults.
pub fn calm() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let experiment = "name = \"calm\"\nquestion = \"Does it end?\"\n[[faults]]\nname = \"none\"\n";
    std::fs::write(folder.path().join("calm.toml"), experiment).unwrap();
    folder
}

/// Each strategy with what is said of its trials.
const FAILING: [(&str, &str); 5] = [
    ("panics", "a panic in strategy 'panics': message 0 is unlucky"),
    ("waits", "strategy 'waits' has been at one delivery (of message 0)"),
    ("blocks", "strategy 'blocks' has been at one delivery (of message 0)"),
    ("loops", "strategy 'loops' has been at one delivery (of message 0)"),
    ("asks-for-ever", "strategy 'asks-for-ever' has been at one delivery (of message 0)"),
];

fn is_failed(summary: &serde_json::Value) {
    is_valid(RUN_SCHEMA, summary);
    let failed = summary["failed"].as_object().unwrap();
    assert_eq!(failed.len(), FAILING.len(), "{failed:?}");
    for (name, what) in FAILING {
        let why = failed[&format!("{name}.none.0")].as_str().unwrap();
        assert!(why.contains(what), "{name}: {why}");
        // What keeps its thread cannot be ended, and only that.
        assert_eq!(why.contains("had not ended a second later"), ["blocks", "loops"].contains(&name), "{name}: {why}");
    }
    let cells = summary["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 1, "{cells:?}");
    assert_eq!(cells[0]["strategy"], "dedup-table");
    assert_eq!((&cells[0]["trials"], &cells[0]["verdict"]), (&1.into(), &"valid".into()));
    assert_eq!((&summary["met"], &summary["verdict"]), (&false.into(), &"failed".into()));
}

#[test]
fn a_trial_that_fails_is_named_and_the_others_go_on() {
    let folder = calm();
    let names: Vec<&str> = std::iter::once("dedup-table").chain(FAILING.map(|(name, _)| name)).collect();
    let (names, limit) = (names.join(","), "load.delivery_limit_s=2");
    let few = ["--set", "repeats=1", "--set", "load.requests=300", "--set", limit];
    let run = ["run", "calm.toml", "--seed", "3", "--strategies", &names, "--json"];
    let ran = example(folder.path(), &[run.as_slice(), &few].concat());
    assert_eq!(ran.status.code(), Some(1), "{}", text(&ran.stderr));
    let summary: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    is_failed(&summary);

    let dir = summary["dir"].as_str().unwrap();
    let checked = example(folder.path(), &["check", dir]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stdout));
    for (name, what) in FAILING {
        assert!(text(&ran.stderr).contains(&format!("failed: {name}.none.0: ")), "{}", text(&ran.stderr));
        assert!(text(&checked.stdout).contains(what), "{}", text(&checked.stdout));
    }
    let shown = text(&example(folder.path(), &["report", dir]).stdout).replace('\n', " ");
    assert!(shown.contains("5 trials failed") && !shown.contains("Interrupted:"), "{shown}");

    // Whoever goes on with the run makes them again.
    let resumed = example(folder.path(), &["run", "--resume", dir, "--json"]);
    assert_eq!(resumed.status.code(), Some(1), "{}", text(&resumed.stderr));
    is_failed(&serde_json::from_slice(&resumed.stdout).unwrap());
}

#[test]
fn a_trial_that_failed_once_and_is_made_again_has_not_failed() {
    let folder = calm();
    let run = ["run", "calm.toml", "--seed", "3", "--strategies", "dedup-table", "--json"];
    let ran = oncelab(folder.path(), &[run.as_slice(), &["--set", "repeats=2", "--set", "load.requests=150"]].concat());
    let summary: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    let dir = folder.path().join(summary["dir"].as_str().unwrap());
    // As a run leaves it whose last trial has failed.
    let rows = std::fs::read_to_string(dir.join("trials.csv")).unwrap();
    let kept = &rows[..rows.trim_end().rfind('\n').unwrap() + 1];
    let trial = rows[kept.len()..].split(',').find(|value| value.starts_with("dedup-table.")).unwrap();
    std::fs::write(dir.join("trials.csv"), kept).unwrap();
    let meta = std::fs::read_to_string(dir.join("meta.json")).unwrap();
    let mut meta: serde_json::Value = serde_json::from_str(&meta).unwrap();
    meta["failed"] = serde_json::json!({ trial: "it waited" });
    std::fs::write(dir.join("meta.json"), meta.to_string()).unwrap();
    let checked = |dir: &Path| text(&oncelab(folder.path(), &["check", dir.to_str().unwrap()]).stdout);
    assert!(checked(&dir).contains("it waited"), "{}", checked(&dir));

    let resumed = oncelab(folder.path(), &["run", "--resume", dir.to_str().unwrap(), "--json"]);
    let summary: serde_json::Value = serde_json::from_slice(&resumed.stdout).unwrap();
    assert_eq!((&summary["failed"], &summary["trials"]), (&serde_json::Value::Null, &2.into()), "{summary}");
    assert_eq!(resumed.status.code(), Some(0), "{}", text(&resumed.stderr));
    assert!(!checked(&dir).contains("failed"), "{}", checked(&dir));
}

#[test]
fn a_trial_has_a_limit() {
    let folder = calm();
    let slow = ["--set", "load.rate_per_s=0.01", "--set", "load.trial_limit_s=1", "--set", "repeats=1"];
    let run = ["run", "calm.toml", "--seed", "3", "--strategies", "dedup-table", "--json"];
    let ran = example(folder.path(), &[run.as_slice(), &slow].concat());
    assert_eq!(ran.status.code(), Some(1), "{}", text(&ran.stderr));
    let summary: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    let why = summary["failed"]["dedup-table.none.0"].as_str().unwrap();
    assert!(why.contains("longer than the 1 s that it may") && why.contains("load.trial_limit_s"), "{why}");
}

#[test]
fn a_lab_that_was_stopped_for_a_while_accuses_nobody() {
    let folder = calm();
    let mut run = command(folder.path());
    run.args(["run", "calm.toml", "--seed", "3", "--strategies", "dedup-table", "--json"]);
    // Some four seconds of load, in which some delivery is always worked at: each takes half a second.
    run.args(["--set", "faults.none.store.delayed=1.0", "--set", "faults.none.delay_ms=[100,100]"]);
    run.args(["--set", "load.requests=8", "--set", "load.warmup=0", "--set", "load.timeout_ms=20000"]);
    run.args(["--set", "load.handlers=1", "--set", "load.delivery_limit_s=2"]);
    let run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let signal = |name: &str| {
        let killed = Command::new("kill").args([&format!("-{name}"), &run.id().to_string()]).status().unwrap();
        assert!(killed.success());
    };
    std::thread::sleep(Duration::from_millis(1_500));
    signal("STOP");
    std::thread::sleep(Duration::from_secs(5));
    signal("CONT");
    let ran = run.wait_with_output().unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(
        (&summary["failed"], &summary["trials"]),
        (&serde_json::Value::Null, &1.into()),
        "{}",
        text(&ran.stderr)
    );
}

#[test]
fn what_cannot_be_gone_through_is_told_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let explored = |name: &str| {
        let explored = example(folder.path(), &["explore", name]);
        (explored.status.code(), text(&explored.stderr))
    };
    for name in ["blocks", "loops"] {
        let (code, told) = explored(name);
        assert!(told.contains(&format!("strategy '{name}' has been at one step for ten seconds")), "{told}");
        assert_eq!(code, Some(1));
    }
    let (code, told) = explored("waits");
    assert!(told.contains("'waits' awaits something that is not one of its own operations"), "{told}");
    assert_eq!(code, Some(2));
    let (code, told) = explored("panics");
    assert!(told.contains("'panics' panicked: message 0 is unlucky"), "{told}");
    assert_eq!(code, Some(2));
    let (code, told) = explored("asks-for-ever");
    assert!(told.contains("more than 63 operations for one delivery"), "{told}");
    assert_eq!(code, Some(2));
}
