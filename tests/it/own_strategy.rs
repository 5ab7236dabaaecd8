//! A strategy from another crate joins, and is held to its claim.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use crate::common::{Careless, Trial, text};

#[test]
fn the_example_joins_and_its_bug_is_found() {
    // Cargo builds the examples beside the binary that is under test.
    let example = Path::new(env!("CARGO_BIN_EXE_oncelab")).parent().unwrap().join("examples/own_strategy");
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| Command::new(&example).current_dir(folder.path()).args(arguments).output().unwrap();

    let listed = run(&["list", "strategies"]);
    assert!(text(&listed.stdout).contains("take-over"), "{}", text(&listed.stdout));

    // Whoever finds a claim without an answer acts: with one delivery in fifty repeated at once, that happens.
    let quick =
        ["run", "quick", "--strategies", "take-over,dedup-table", "--seed", "1", "--set", "repeats=1", "--json"];
    let ran = run(&quick);
    let summary: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    let own = summary["cells"].as_array().unwrap().iter().find(|cell| cell["strategy"] == "take-over").unwrap();
    assert!(own["violations"]["duplicate"].as_u64().unwrap() > 0, "{own}");
    assert_eq!(own["met"], false, "its claim rules duplicates out");
    assert_eq!(ran.status.code(), Some(1));
}

#[test]
fn a_program_explores_its_own_strategy_without_the_command_line() {
    let example = Path::new(env!("CARGO_BIN_EXE_oncelab")).parent().unwrap().join("examples/models_alone");
    let printed = text(&Command::new(&example).output().unwrap().stdout);
    // Nothing goes wrong without faults. With one, the claim is made, its reply is lost, and nobody ever acts.
    assert!(printed.contains("0 faults: 30 schedules, 0 broken promises"), "{printed}");
    assert!(printed.contains("stuck, by the schedule a? "), "{printed}");
    assert!(printed.contains("a? claim K      done, and the reply lost"), "{printed}");
}

#[test]
fn a_strategy_that_panics_ends_the_trial_with_its_name_and_message() {
    let error = Trial::new("careless", "").run_with(Arc::new(Careless)).err().unwrap().to_string();
    assert!(error.contains("'careless'") && error.contains("message 7 is unlucky"), "{error}");
}
