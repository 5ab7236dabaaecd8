//! A run's folder has one writer, and a run is gone on with only where and as it was begun.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use oncelab::service::provision;

use crate::backends::{block_on, or_skip, processes};
use crate::common::{command, oncelab, small_run_of, text};

/// A finished run of two trials.
fn finished(folder: &Path, arguments: &[&str]) -> PathBuf {
    small_run_of(
        "lost-reply",
        folder,
        &[&["--strategies", "dedup-table,at-least-once", "--seed", "3"], arguments].concat(),
    )
}

fn resume(run: &Path, arguments: &[&str]) -> Output {
    oncelab(run.parent().unwrap(), &[&["run", "--resume", run.to_str().unwrap()], arguments].concat())
}

/// The files of a run that its rows are in, with what they hold.
fn rows(run: &Path) -> Vec<Vec<u8>> {
    ["trials.csv", "meta.json", "experiment.toml"].map(|name| std::fs::read(run.join(name)).unwrap()).to_vec()
}

fn histories(run: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> =
        std::fs::read_dir(run.join("histories")).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

#[test]
fn a_second_writer_is_refused_while_the_first_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let arguments =
        ["run", "lost-reply", "--strategies", "dedup-table", "--set", "load.requests=150", "--set", "repeats=2000"];
    let mut first = command(folder.path()).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let run = loop {
        let runs = std::fs::read_dir(folder.path().join("results/lost-reply")).into_iter().flatten().flatten();
        let begun =
            |run: &PathBuf| std::fs::read_to_string(run.join("trials.csv")).is_ok_and(|rows| rows.lines().count() > 2);
        if let Some(run) = runs.map(|entry| entry.path()).find(begun) {
            break run;
        }
        assert!(Instant::now() < deadline && first.try_wait().unwrap().is_none(), "no trial was saved in time");
        std::thread::sleep(Duration::from_millis(5));
    };
    let dir = run.to_str().unwrap();
    for arguments in [["run", "--resume", dir], ["report", "--save", dir]] {
        let refused = oncelab(folder.path(), &arguments);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {said}");
        let process = format!("process {}", first.id());
        for part in [dir, &process, "one writer", "wait until the other one ends"] {
            assert!(said.contains(part), "{arguments:?}: expected {part:?} in: {said}");
        }
    }
    assert_eq!(oncelab(folder.path(), &["report", dir]).status.code(), Some(0), "it can be read meanwhile");
    assert!(first.try_wait().unwrap().is_none(), "the first run goes on");
    Command::new("kill").args(["-INT", &first.id().to_string()]).status().unwrap();
    assert_eq!(first.wait().unwrap().code(), Some(130));
    assert!(!run.join(".writer").exists());
    assert_eq!(oncelab(folder.path(), &["report", "--save", dir]).status.code(), Some(0));
    let check = oncelab(folder.path(), &["check", dir]);
    assert_eq!(check.status.code(), Some(0), "{}", text(&check.stdout));
}

#[test]
fn a_run_that_was_killed_holds_off_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let run = finished(folder.path(), &[]);
    std::fs::write(run.join(".writer"), "1").unwrap();
    assert_eq!(oncelab(folder.path(), &["report", "--save", run.to_str().unwrap()]).status.code(), Some(0));
}

#[test]
fn a_removed_or_damaged_history_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let run = finished(folder.path(), &[]);
    let history = histories(&run)[0].clone();
    let whole = std::fs::read(&history).unwrap();
    let trial = history.file_name().unwrap().to_str().unwrap().strip_suffix(".jsonl.zst").unwrap().to_owned();
    let course = run.join(format!("courses/{trial}.json"));
    let edited = {
        let lines = text(&zstd::decode_all(&*whole).unwrap()).replacen("\"e\":\"sent\"", "\"e\":\"arrived\"", 1);
        zstd::encode_all(lines.as_bytes(), 3).unwrap()
    };
    let damages: [(&str, &dyn Fn()); 5] = [
        ("its history is not there", &|| std::fs::remove_file(&history).unwrap()),
        ("its history is damaged: breaks off", &|| std::fs::write(&history, &whole[..whole.len() / 2]).unwrap()),
        ("its history is damaged", &|| std::fs::write(&history, "not compressed").unwrap()),
        ("its history was changed", &|| std::fs::write(&history, &edited).unwrap()),
        ("its course is not there", &|| std::fs::remove_file(&course).unwrap()),
    ];
    for (why, damage) in damages {
        damage();
        let check = oncelab(folder.path(), &["check", run.to_str().unwrap()]);
        assert_eq!(check.status.code(), Some(1), "{why}: {}", text(&check.stdout));
        let resumed = resume(&run, &[]);
        let said = text(&resumed.stderr);
        assert!(matches!(resumed.status.code(), Some(0 | 1 | 3)), "{why}: {said}");
        assert!(said.contains(&format!("made again: {trial}: {why}")), "{why}: {said}");
        let check = oncelab(folder.path(), &["check", run.to_str().unwrap()]);
        assert_eq!(check.status.code(), Some(0), "{why}: {}", text(&check.stdout));
    }
    // Nothing is left to be made again.
    let resumed = resume(&run, &[]);
    assert!(!text(&resumed.stderr).contains("made again"), "{}", text(&resumed.stderr));
}

#[test]
fn a_run_is_not_gone_on_with_another_experiment_seed_build_machine_or_server() {
    let folder = tempfile::tempdir().unwrap();
    let run = finished(folder.path(), &[]);
    let before = rows(&run);
    std::fs::remove_file(&histories(&run)[0]).unwrap();
    let machine: serde_json::Value = serde_json::from_slice(&before[1]).unwrap();
    let cpu = format!("\"cpu\": {}", machine["cpu"]);
    let edits = [
        ("experiment.toml", "reply_lost = 0.", "reply_lost = 0.0", "experiment.toml: is not the file"),
        ("experiment.toml", "repeats = 1", "repeats = 2", "trials_planned is 2"),
        ("meta.json", "\"seed\": \"3\"", "\"seed\": \"4\"", "seed is"),
        ("meta.json", "\"profile\": \"", "\"profile\": \"another ", "its profile was 'another "),
        ("meta.json", &cpu, "\"cpu\": \"a faster one\"", "the processor was 'a faster one'"),
        (
            "meta.json",
            "\"store_journal_mode\": \"wal\"",
            "\"store_journal_mode\": \"delete\"",
            "store_journal_mode was 'delete', and is 'wal'",
        ),
    ];
    for (file, from, to, part) in edits {
        let there = std::fs::read_to_string(run.join(file)).unwrap();
        assert!(there.contains(from), "{file} has no {from}");
        std::fs::write(run.join(file), there.replacen(from, to, 1)).unwrap();
        let edited = rows(&run);
        let refused = resume(&run, &[]);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{part}: {said}");
        assert!(
            said.contains(part) && said.contains(run.to_str().unwrap()) && said.contains("oncelab run "),
            "{part}: {said}"
        );
        assert_eq!(rows(&run), edited, "{part}: nothing is changed");
        std::fs::write(run.join(file), there).unwrap();
    }
    assert_eq!(rows(&run), before);
    assert!(matches!(resume(&run, &[]).status.code(), Some(0 | 1 | 3)));
    assert_eq!(
        resume(&run, &["--provision", "process"]).status.code(),
        Some(2),
        "a run's servers are had as they were"
    );
}

#[test]
fn a_run_is_not_finished_on_another_server_of_the_same_kind() {
    let servers = block_on(async {
        let one = or_skip(provision::postgres(&processes()).await)?;
        Some((one, or_skip(provision::postgres(&processes()).await)?))
    });
    let Some((one, other)) = servers else { return };
    let (one_url, other_url) = (one.urls().remove(0), other.urls().remove(0));
    let folder = tempfile::tempdir().unwrap();
    let run = finished(folder.path(), &["--store", "postgres", "--store-url", &one_url]);
    std::fs::remove_file(&histories(&run)[0]).unwrap();
    let before = rows(&run);
    let refused = resume(&run, &["--store-url", &other_url]);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("store_at was ") && said.contains("other servers"), "{said}");
    assert_eq!(rows(&run), before, "nothing is changed");
    let resumed = resume(&run, &["--store-url", &one_url]);
    assert!(matches!(resumed.status.code(), Some(0 | 1 | 3)), "{}", text(&resumed.stderr));
    assert!(text(&resumed.stderr).contains("made again"), "{}", text(&resumed.stderr));
    assert_eq!(oncelab(folder.path(), &["check", run.to_str().unwrap()]).status.code(), Some(0));
}
