//! From load to schedule: what a run has recorded is lifted, replayed on real backends and shortened.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::backends::on_postgres;
use crate::common::{command, oncelab, text};

/// A small run in which nothing but replies is lost, and what is read in its summary.
fn lost_reply(folder: &Path, store_url: Option<&str>) -> PathBuf {
    let mut run = command(folder);
    run.args(["run", "lost-reply", "--seed", "11", "--set", "load.requests=300", "--set", "load.warmup=10"]);
    run.args(["--set", "repeats=1", "--strategies", "at-least-once,check-then-act,etcd-lock-marker", "--json"]);
    if let Some(url) = store_url {
        run.args(["--store", "postgres"]).env("ONCELAB_STORE_URL", url);
    }
    let output = run.output().unwrap();
    let summary: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)));
    folder.join(summary["dir"].as_str().unwrap())
}

fn lift(folder: &Path, run: &Path, store_url: Option<&str>) -> Value {
    let mut lift = command(folder);
    lift.args(["lift", run.to_str().unwrap(), "--limit", "10", "--times", "2", "--json"]);
    if let Some(url) = store_url {
        lift.env("ONCELAB_STORE_URL", url);
    }
    let output = lift.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The shortest schedules that `explore` finds with two lanes, one retry and two faults, by violation and cause.
fn minima(folder: &Path, strategy: &str, store: &str) -> BTreeMap<(String, String), String> {
    let explored = oncelab(folder, &["explore", strategy, "--faults", "2", "--store-model", store, "--json"]);
    let explored: Value = serde_json::from_slice(&explored.stdout).unwrap();
    let violations = explored["violations"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let by_cause = |found: &Value| {
        let causes = found["causes"].as_array().unwrap().iter();
        let one = |cause: &Value| ((text(&found["kind"]), text(&cause["cause"])), text(&cause["minimal"]));
        causes.map(one).collect::<Vec<_>>()
    };
    violations.flat_map(by_cause).collect()
}

/// Ten violations, each of which replays, shows itself, and shortens to what `explore` finds.
fn ten_of(folder: &Path, store: &str, store_url: Option<&str>) -> (PathBuf, Value) {
    let run = lost_reply(folder, store_url);
    let document = lift(folder, &run, store_url);
    assert_eq!(document["store"], store);
    assert_eq!(document["failed"].as_array().unwrap(), &Vec::<Value>::new());
    let lifted = document["lifted"].as_array().unwrap();
    assert_eq!(lifted.len(), 10);
    let mut known = BTreeMap::new();
    for one in lifted {
        let strategy = one["strategy"].as_str().unwrap();
        assert_eq!(
            (&one["times"], &one["reproduced"], &one["divergences"]),
            (&2.into(), &2.into(), &0.into()),
            "{one}"
        );
        let minima = known.entry(strategy.to_owned()).or_insert_with(|| minima(folder, strategy, store));
        let why = ["violation", "cause"].map(|key| one[key].as_str().unwrap().to_owned());
        assert_eq!(one["minimal"].as_str(), minima.get(&why.into()).map(String::as_str), "{one}");
    }
    // Each kind of violation of each strategy has its turn.
    assert_eq!(known.len(), 3);
    (run, document)
}

#[test]
fn ten_violations_under_load_replay_and_shorten_to_the_explorers_minimum() {
    let folder = tempfile::tempdir().unwrap();
    let (run, document) = ten_of(folder.path(), "sqlite", None);

    // The printed command does it again.
    let one = &document["lifted"][0];
    let (words, schedule) = one["replay"].as_str().unwrap().split_once(" \"").unwrap();
    let words: Vec<&str> = words.split(' ').skip(1).collect();
    let output = oncelab(folder.path(), &[&words[..], &[schedule.trim_matches('"')]].concat());
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains(one["violation"].as_str().unwrap()) && said.contains("1 of 1 times"), "{said}");

    // The report shows the shortest one of each violation with each of its causes, with its command: replies were lost, and no
    // deliveries came at once.
    for format in ["text", "md"] {
        let report = oncelab(folder.path(), &["report", run.to_str().unwrap(), "--format", format]);
        let said = text(&report.stdout);
        assert!(said.contains("replay at-least-once \"a? a"), "{said}");
        assert!(said.contains("replay check-then-act \"a a? a a\""), "{said}");
    }
}

#[test]
fn ten_violations_on_postgres_replay_there() {
    on_postgres(|url| async move {
        let folder = tempfile::tempdir().unwrap();
        let (_, document) = ten_of(folder.path(), "postgres", Some(&url));
        assert!(document["lifted"][0]["replay"].as_str().unwrap().contains("--store postgres"));
    });
}

#[test]
fn what_cannot_be_asked_for_is_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    let run = crate::common::small_run(folder.path(), &["--strategies", "at-least-once", "--seed", "3"]);
    let run = run.to_str().unwrap();
    for (arguments, remedy) in [
        (["--violation", "duplicates"], "there are: duplicate, wrong"),
        (["--strategy", "at-least-onec"], "did you mean 'at-least-once'?"),
        (["--store", "null"], "[possible values: sqlite, postgres]"),
    ] {
        let output = oncelab(folder.path(), &[&["lift", run][..], &arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(remedy), "{arguments:?}: {}", text(&output.stderr));
    }
}
