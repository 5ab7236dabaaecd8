//! An interrupted run is finished by `--resume`, and makes the decisions that it would have made.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{command, oncelab, text};

const ARGUMENTS: [&str; 10] = [
    "run",
    "quick",
    "--seed",
    "17",
    "--strategies",
    "at-least-once,check-then-act,dedup-table",
    "--set",
    "load.requests=200",
    "--set",
    "repeats=4",
];

fn rows(run: &Path) -> Vec<BTreeMap<String, String>> {
    let mut csv = csv::Reader::from_path(run.join("trials.csv")).unwrap();
    csv.deserialize().map(Result::unwrap).collect()
}

/// Every decision on a delivery that the history of a trial shows: what happened to its first attempt does not depend
/// on timing.
fn decisions(run: &Path, trial: &str) -> BTreeMap<(u64, String), String> {
    let file = std::fs::File::open(run.join(format!("histories/{trial}.jsonl.zst"))).unwrap();
    let mut lines = String::new();
    zstd::Decoder::new(file).unwrap().read_to_string(&mut lines).unwrap();
    let events = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let sent = events.filter(|event| event["e"] == "sent");
    sent.map(|event| {
        let about = (event["m"].as_u64().unwrap(), event["d"].as_str().unwrap().to_owned());
        (about, format!("{} {} {}", event["fault"], event["delayed"], event["h"]))
    })
    .collect()
}

#[test]
fn an_interrupted_run_resumes_to_the_same_trials_and_decisions() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = command(folder.path()).args(ARGUMENTS).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Half-way: as soon as some trials, and not all twelve, are saved.
    let deadline = Instant::now() + Duration::from_secs(60);
    let run = loop {
        let runs = std::fs::read_dir(folder.path().join("results/quick")).into_iter().flatten().flatten();
        let started = runs.map(|entry| entry.path()).find(|run| run.join("trials.csv").exists());
        if let Some(run) = started.filter(|run| rows(run).len() >= 3) {
            break run;
        }
        assert!(Instant::now() < deadline && child.try_wait().unwrap().is_none(), "no trial was saved in time");
        std::thread::sleep(Duration::from_millis(5));
    };
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let finished = rows(&run);
    assert!((3..12).contains(&finished.len()), "{} trials were finished", finished.len());
    let report = oncelab(folder.path(), &["report", run.to_str().unwrap()]);
    assert!(text(&report.stdout).contains("--resume"), "{}", text(&report.stdout));

    let resumed = oncelab(folder.path(), &["run", "--resume", run.to_str().unwrap()]);
    assert!(resumed.status.code().is_some_and(|code| code != 130), "{}", text(&resumed.stderr));
    let all = rows(&run);
    assert_eq!(all[..finished.len()], finished[..], "what was finished is as it was");
    let mut trials: Vec<&String> = all.iter().map(|row| &row["trial"]).collect();
    trials.sort();
    trials.dedup();
    assert_eq!((all.len(), trials.len()), (12, 12), "every trial once");
    assert_eq!(oncelab(folder.path(), &["check", run.to_str().unwrap()]).status.code(), Some(0));

    let whole = oncelab(folder.path(), &[&ARGUMENTS[..], &["--json"]].concat());
    let whole: serde_json::Value = serde_json::from_slice(&whole.stdout).unwrap();
    let whole = folder.path().join(whole["dir"].as_str().unwrap());
    for trial in trials {
        let (one, other) = (decisions(&run, trial), decisions(&whole, trial));
        let mut both = 0;
        for (about, decided) in one.iter().filter(|(about, _)| other.contains_key(*about)) {
            assert_eq!(decided, &other[about], "{trial} {about:?}");
            both += 1;
        }
        // Each of the 200 requests has a first attempt in both.
        assert!(both >= 200, "{trial}: {both}");
    }
}
