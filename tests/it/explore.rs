//! `oncelab explore`, as a user meets it.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::common::{oncelab, text};

fn explored(arguments: &[&str]) -> (Value, Option<i32>) {
    let folder = tempfile::tempdir().unwrap();
    let output = oncelab(folder.path(), &[&["explore"], arguments, &["--json"]].concat());
    let document = serde_json::from_slice(&output.stdout);
    (document.unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr))), output.status.code())
}

#[test]
fn an_exploration_is_one_json_document_with_schedules_that_are_accepted_back() {
    let (document, code) = explored(&["check-then-act", "--faults", "2"]);
    assert_eq!(code, Some(0), "as its claim says");
    for key in ["strategy", "bound", "schedules", "states", "elapsed_ms", "violations", "classes"] {
        assert!(!document[key].is_null(), "{key} is missing");
    }
    assert_eq!((&document["bound"]["lanes"], &document["bound"]["faults"]), (&2.into(), &2.into()));
    let violations = document["violations"].as_array().unwrap();
    assert!(violations.iter().any(|violation| violation["kind"] == "duplicate" && violation["faults"] == 0));
    for violation in violations {
        let minimal = violation["minimal"].as_str().unwrap();
        let (story, _) = explored(&["check-then-act", "--schedule", minimal]);
        let shown = story["violations"].as_array().unwrap();
        assert!(shown.iter().any(|shown| shown["kind"] == violation["kind"]), "{minimal}: {story}");
    }
}

#[test]
fn counts_that_a_floating_point_number_cannot_hold_are_strings() {
    let (document, _) = explored(&["check-then-act-transaction", "--lanes", "6", "--late=false"]);
    let schedules: u128 = document["schedules"].as_str().unwrap().parse().unwrap();
    assert!(schedules > 1 << 53);
}

#[test]
fn all_strategies_are_held_to_their_claims() {
    for store in ["sqlite", "postgres"] {
        let (document, code) = explored(&["--all", "--faults", "2", "--store-model", store]);
        assert_eq!(code, Some(0), "{document}");
        let strategies = document["strategies"].as_array().unwrap();
        assert!(strategies.len() >= 16 && strategies.iter().all(|strategy| strategy["agrees"] == true));
    }
}

#[test]
fn a_table_fits_eighty_columns_and_ends_with_the_judgement() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &["explore", "--all"][..],
        &["explore", "check-then-act"],
        &["explore", "etcd-lock-fenced-marker", "--lanes", "3", "--retries", "0"],
        &["explore", "etcd-lock", "--schedule", "a a a* b b a~ ax a+ b?"],
    ] {
        let output = oncelab(folder.path(), arguments);
        let printed = text(&output.stdout);
        let is_command = |line: &&str| line.contains("oncelab explore") || line.contains("oncelab replay");
        let wide: Vec<&str> =
            printed.lines().filter(|line| !is_command(line)).filter(|line| line.chars().count() > 80).collect();
        assert_eq!(wide, [""; 0], "{arguments:?}");
    }
    let all = text(&oncelab(folder.path(), &["explore", "--all"]).stdout);
    assert!(all.trim_end().ends_with("Every strategy does what its claim says."), "{all}");
}

#[test]
fn the_command_that_is_printed_tells_the_same_story() {
    let folder = tempfile::tempdir().unwrap();
    let printed = text(&oncelab(folder.path(), &["explore", "etcd-lock", "--lanes", "1"]).stdout);
    let command = printed.lines().find_map(|line| line.strip_prefix("again: ")).unwrap();
    let again = Command::new("sh").arg("-c").arg(command).current_dir(folder.path()).output().unwrap();
    assert!(text(&again.stdout).contains("✗  duplicate: X is in the ledger twice"), "{}", text(&again.stderr));
}

#[test]
fn a_broken_promise_is_exit_code_1() {
    // The example claims to be safe, and takes over from owners that are alive.
    let example = Path::new(env!("CARGO_BIN_EXE_oncelab")).parent().unwrap().join("examples/own_strategy");
    let explore = |arguments: &[&str]| Command::new(&example).arg("explore").args(arguments).output().unwrap();
    let output = explore(&["take-over", "--faults", "0", "--json"]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(document["broken_promises"].as_array().unwrap().iter().any(|broken| broken == "duplicate"), "{document}");
    let alone = explore(&["take-over", "--lanes", "1", "--faults", "0"]);
    assert_eq!(alone.status.code(), Some(0), "alone and without faults it is safe");
}

#[test]
fn bad_input_is_exit_code_2_with_the_place_and_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, said) in [
        (&["chek-then-act"][..], "did you mean 'check-then-act'?"),
        (&["check-then-act", "--schedule", "a b% a"], "step 2 of the schedule, 'b%', is no token"),
        (
            &["check-then-act", "--schedule", "a a+ a"],
            "step 2 of the schedule, 'a+', cannot be made there; what can: a a!",
        ),
        (
            &["check-then-act", "--schedule", "a* a"],
            "step 1 of the schedule, 'a*', cannot be made there; what can: a a!",
        ),
        (&["at-most-once", "--schedule", "a a"], "step 2 of the schedule, 'a', comes after the end"),
        (&["check-then-act", "--schedule", "z"], "more than 6 lanes"),
        (&["check-then-act", "--lanes", "7"], "7 is not in 1..=6"),
        (&["check-then-act", "--requests", "3"], "--requests 3 needs as many lanes at least"),
        (&["check-then-act", "--fault-kinds", "delayed"], "--fault-kinds: no schedule can show 'delayed'"),
        (&["check-then-act", "--diagram", "no/such/folder/x.svg"], "--diagram: no/such/folder/x.svg cannot be written"),
        (
            &["etcd-lock", "--schedule", "a", "--export", "isolationtester"],
            "--export isolationtester: 'etcd-lock' needs the lock service, of which PostgreSQL knows nothing; use --export mermaid",
        ),
        (
            &["check-then-act", "--store-model", "sqlite", "--schedule", "a", "--export", "isolationtester"],
            "use --store-model postgres",
        ),
        (&["check-then-act", "--export", "mermaid"], "--schedule <TOKENS>"),
        (&["check-then-act", "--schedule", "a", "--export", "mermaid", "--json"], "cannot be used with '--json'"),
        (&[], "required arguments were not provided"),
    ] {
        let output = oncelab(folder.path(), &[&["explore"], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(said), "{arguments:?}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
    }
}

#[test]
fn a_bound_that_is_too_large_for_its_memory_says_so_and_is_inconclusive() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["explore", "etcd-lock-twice", "--lanes", "3", "--faults", "2", "--memory", "1"];
    let output = oncelab(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stdout).contains("bound too large"), "{}", text(&output.stdout));
}

#[cfg(unix)]
#[test]
fn an_interruption_leaves_partial_figures() {
    let folder = tempfile::tempdir().unwrap();
    // Far more than can be gone through before it is interrupted.
    let arguments = ["explore", "etcd-lock-twice", "--lanes", "5", "--faults", "4", "--memory", "16000", "--json"];
    let explorer = crate::common::command(folder.path())
        .args(arguments)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    let pid = rustix::process::Pid::from_raw(explorer.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = explorer.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["complete"], false);
    assert!(document["states"].as_u64().unwrap() > 0);
}

#[test]
fn diagrams_are_drawn_as_svg_and_as_text() {
    let folder = tempfile::tempdir().unwrap();
    for (file, holds) in [("race.svg", "<svg xmlns="), ("race.txt", "▌ duplicate: X is in the ledger twice ▐")] {
        let output = oncelab(folder.path(), &["explore", "check-then-act", "--schedule", "a b b a", "--diagram", file]);
        assert!(output.status.success());
        let drawn = std::fs::read_to_string(folder.path().join(file)).unwrap();
        assert!(drawn.contains(holds), "{drawn}");
        assert!(
            !drawn.contains("http") || drawn.matches("http").count() == 1,
            "nothing is fetched but the namespace's name"
        );
    }
}

/// A schedule in another form is all that stands on stdout, and the exit code is that of the story.
#[test]
fn a_schedule_is_exported_as_a_sequence_diagram_and_as_an_isolation_test() {
    let folder = tempfile::tempdir().unwrap();
    for (form, begins, ends) in [
        ("mermaid", "sequenceDiagram\n", "two answers to the same request differ\n"),
        ("isolationtester", "# check-then-act: a b b a\n", "\n  \"ledger\"\n"),
    ] {
        let output = oncelab(folder.path(), &["explore", "check-then-act", "--schedule", "a b b a", "--export", form]);
        assert_eq!(output.status.code(), Some(0), "as its claim says");
        let exported = text(&output.stdout);
        assert!(exported.starts_with(begins) && exported.ends_with(ends), "{exported}");
    }
}

#[test]
fn walks_give_a_schedule_that_was_drawn_and_its_certified_minimum() {
    let (document, code) =
        explored(&["etcd-lock-marker", "--lanes", "3", "--walk", "pct", "--walks", "3000", "--seed", "5"]);
    assert_eq!(code, Some(0));
    let duplicate =
        document["violations"].as_array().unwrap().iter().find(|found| found["kind"] == "duplicate").unwrap();
    let (minimal, _) = explored(&["etcd-lock-marker", "--lanes", "3"]);
    let shortest = minimal["violations"].as_array().unwrap().iter().find(|found| found["kind"] == "duplicate").unwrap();
    assert_eq!(duplicate["minimal"], shortest["minimal"]);
}
