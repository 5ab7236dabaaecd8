//! Shards of a run, and one run of them again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use oncelab::experiment::{TrialPlan, matrix, of_shard, strategies};
use oncelab::results::RunFolder;
use oncelab::strategy::Registry;
use oncelab::terms::Shard;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use crate::backends::skipped;
use crate::common::{command, oncelab, text};

const STRATEGIES: &str = "at-least-once,dedup-table-statement,dedup-table";

/// A small experiment, with a baseline or without one.
fn experiment(folder: &Path, repeats: usize, baseline: &str) -> PathBuf {
    let names = STRATEGIES.replace(',', "\", \"");
    let text = format!(
        "name = \"mine\"\nquestion = \"?\"\nstrategies = [\"{names}\"]\nrepeats = {repeats}\n{baseline}\n\
         [load]\nrequests = 80\nwarmup = 5\ntimeout_ms = 40\n\
         [[faults]]\nname = \"none\"\n\
         [[faults]]\nname = \"lossy\"\nclient = {{ reply_lost = 0.1 }}\nstore = {{ reply_lost = 0.1 }}\n\
         [expect.none]\nat-least-once = \"any\"\n"
    );
    let path = folder.join("mine.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// Runs the small experiment, and gives the folder of the run.
fn run(folder: &Path, out: &str, more: &[&str]) -> PathBuf {
    let output = oncelab(folder, &[&["run", "mine.toml", "--seed", "7", "--json", "--out", out], more].concat());
    let summary: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", text(&output.stdout), text(&output.stderr)));
    folder.join(summary["dir"].as_str().unwrap())
}

/// The trials that a run plans.
fn planned(run: &Path) -> Vec<TrialPlan> {
    let registry = Registry::default();
    let folder = RunFolder::open(run, &registry).unwrap();
    matrix(&folder.experiment, &strategies(&folder.experiment, &registry), folder.meta.seed)
}

fn edit_meta(run: &Path, edit: impl FnOnce(&mut serde_json::Map<String, Value>)) {
    let path = run.join("meta.json");
    let mut meta: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    edit(meta.as_object_mut().unwrap());
    std::fs::write(path, serde_json::to_string_pretty(&meta).unwrap() + "\n").unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)
        } else {
            assert!(std::fs::copy(entry.path(), target).is_ok())
        }
    }
}

/// A finished run taken apart by its rows: the folder of one shard, as `run --shard` would have left it.
fn split(run: &Path, to: &Path, shard: Shard, repeats: u16) {
    copy(run, to);
    let own: BTreeSet<String> = of_shard(planned(run), shard, repeats).iter().map(TrialPlan::id).collect();
    let rows = std::fs::read_to_string(to.join("trials.csv")).unwrap();
    let (head, rows) = rows.split_once('\n').unwrap();
    let is_own = |row: &&str| own.contains(row.split(',').next().unwrap());
    let kept: String = rows.split_inclusive('\n').filter(is_own).collect();
    std::fs::write(to.join("trials.csv"), format!("{head}\n{kept}")).unwrap();
    for (inner, ends) in [("histories", ".jsonl.zst"), ("courses", ".json")] {
        for entry in std::fs::read_dir(to.join(inner)).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            if !own.contains(name.strip_suffix(ends).unwrap()) {
                std::fs::remove_file(entry.path()).unwrap();
            }
        }
    }
    for derived in ["summary.json", "schedules.json", "report.md", "report.html"] {
        std::fs::remove_file(to.join(derived)).unwrap();
    }
    edit_meta(to, |meta| {
        meta.insert("shard".to_owned(), shard.to_string().into());
        meta.insert("trials_planned".to_owned(), own.len().into());
    });
}

/// The files of a run with what they hold: without what is kept of each shard, and without the folder's own name.
fn files(run: &Path, speeds: bool) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(run).unwrap().map(Result::unwrap).filter(|entry| entry.file_name() != ".writer") {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            for inner in std::fs::read_dir(entry.path()).unwrap().map(Result::unwrap) {
                let inner_name = format!("{name}/{}", inner.file_name().to_str().unwrap());
                files.insert(inner_name, std::fs::read(inner.path()).unwrap());
            }
            continue;
        }
        let content = std::fs::read_to_string(entry.path()).unwrap();
        let content = match name.as_str() {
            "meta.json" => {
                let mut meta: Value = serde_json::from_str(&content).unwrap();
                meta.as_object_mut().unwrap().shift_remove("shards");
                meta.to_string()
            }
            "summary.json" => {
                let mut summary: Value = serde_json::from_str(&content).unwrap();
                let own = summary.as_object_mut().unwrap();
                own.shift_remove("dir");
                if !speeds {
                    own.shift_remove("speeds_apart");
                    own["cells"].as_array_mut().unwrap().iter_mut().for_each(|cell| {
                        cell.as_object_mut().unwrap().shift_remove("ratio_to_baseline");
                    });
                }
                summary.to_string()
            }
            // The pages have pictures and sentences of speeds.
            "report.md" | "report.html" if !speeds => continue,
            "report.md" => content.lines().filter(|line| !line.starts_with("- merged:")).collect::<Vec<_>>().join("\n"),
            "report.html" => {
                let (before, rest) = content.split_once("<dt>merged</dt>").unwrap_or((&content, ""));
                let after = rest.split_once("</dd>").map_or("", |(_, after)| after);
                format!("{before}{after}")
            }
            _ => content,
        };
        files.insert(name, content.into_bytes());
    }
    files
}

fn merge(folder: &Path, out: &Path, shards: &[PathBuf]) -> std::process::Output {
    let shards: Vec<&str> = shards.iter().map(|shard| shard.to_str().unwrap()).collect();
    oncelab(folder, &[&["merge", "--out", out.to_str().unwrap()], shards.as_slice()].concat())
}

/// Whatever the number of shards, and in whatever order they come: what is merged is the run that they were taken from.
#[test]
fn a_run_taken_apart_into_shards_and_merged_is_that_run_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    experiment(folder.path(), 4, "baseline = \"dedup-table\"");
    let whole = run(folder.path(), "whole", &[]);
    let trials = planned(&whole).len();
    assert_eq!(trials, 24);
    let (all, without_speeds) = (files(&whole, true), files(&whole, false));
    let mut rng = ChaCha8Rng::seed_from_u64(20);
    let few = [1, 2, 3, 4, 5, 24].into_iter();
    let drawn: Vec<u16> = (0..4).map(|_| rng.random_range(6..24)).collect();
    for (n, of) in few.chain(drawn).enumerate() {
        let mut shards: Vec<PathBuf> = (1..=of)
            .map(|number| {
                let place = folder.path().join(format!("{n}/{number}"));
                split(&whole, &place, Shard::new(number, of).unwrap(), 4);
                place
            })
            .collect();
        shards.shuffle(&mut rng);
        let merged = folder.path().join(format!("merged-{n}"));
        let output = merge(folder.path(), &merged, &shards);
        assert!([0, 1, 3].contains(&output.status.code().unwrap()), "{of} shards: {}", text(&output.stderr));
        // With more shards than repetitions a speed is no speed beside another.
        let speeds = of <= 4;
        let (found, right) = (files(&merged, speeds), if speeds { &all } else { &without_speeds });
        assert_eq!(found.keys().collect::<Vec<_>>(), right.keys().collect::<Vec<_>>(), "{of} shards");
        for (name, right) in right {
            assert!(found[name] == *right, "{of} shards: {name} is not that of the run");
        }
        let meta: Value = serde_json::from_slice(&std::fs::read(merged.join("meta.json")).unwrap()).unwrap();
        let kept: Vec<&str> =
            meta["shards"].as_array().unwrap().iter().map(|one| one["shard"].as_str().unwrap()).collect();
        assert_eq!(kept, (1..=of).map(|number| format!("{number}/{of}")).collect::<Vec<_>>(), "in their order");
        let ratio = |run: &Path| {
            let summary: Value = serde_json::from_slice(&std::fs::read(run.join("summary.json")).unwrap()).unwrap();
            !summary["cells"][0]["ratio_to_baseline"].is_null()
        };
        assert_eq!(ratio(&merged), speeds, "{of} shards");
        let check = oncelab(folder.path(), &["check", merged.to_str().unwrap()]);
        assert_eq!(check.status.code(), Some(0), "{of} shards: {}", text(&check.stdout));
        assert!(text(&check.stdout).contains("24 of 24 trials judged again"), "{}", text(&check.stdout));
    }
}

/// Shards that were run, and not taken from a run: together they have each trial once, with the decisions of the whole.
#[test]
fn shards_that_are_run_make_the_trials_of_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    experiment(folder.path(), 2, "");
    let shards: Vec<PathBuf> = (1..=3)
        .map(|number| run(folder.path(), &format!("shards/{number}"), &["--shard", &format!("{number}/3")]))
        .collect();
    let merged = folder.path().join("merged");
    // The folders of runs below one.
    let output = merge(folder.path(), &merged, &[folder.path().join("shards")]);
    assert!(output.status.code() == Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    let registry = Registry::default();
    let found = RunFolder::open(&merged, &registry).unwrap();
    let named: Vec<&str> = found.rows().iter().map(|row| row.trial.as_str()).collect();
    let planned = planned(&merged);
    assert_eq!(named, planned.iter().map(TrialPlan::id).collect::<Vec<_>>());
    for (row, plan) in found.rows().iter().zip(&planned) {
        assert_eq!(row.seed, plan.seed, "a trial's decisions do not depend on its shard");
    }
    assert_eq!(found.meta.shards.len(), 3);
    for (origin, shard) in found.meta.shards.iter().zip(&shards) {
        assert_eq!(origin.run, shard.file_name().unwrap().to_str().unwrap());
        assert!(origin.trials == 4 && origin.histories && origin.cores > 0);
    }
    assert!(!found.meta.command().contains("--shard"), "{}", found.meta.command());
    let resumed = oncelab(folder.path(), &["run", "--resume", merged.to_str().unwrap()]);
    assert_eq!(resumed.status.code(), Some(2));
    assert!(text(&resumed.stderr).contains("resume the folder of a shard"), "{}", text(&resumed.stderr));
}

#[test]
fn a_merged_run_that_lacks_or_doubles_a_trial_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    experiment(folder.path(), 1, "");
    let whole = run(folder.path(), "whole", &[]);
    let shards: Vec<PathBuf> = (1..=2)
        .map(|number| {
            let place = folder.path().join(format!("s{number}"));
            split(&whole, &place, Shard::new(number, 2).unwrap(), 1);
            place
        })
        .collect();
    let merged = folder.path().join("merged");
    assert!(merge(folder.path(), &merged, &shards).status.code().is_some_and(|code| code != 2));
    let path = merged.join("trials.csv");
    let rows = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = rows.lines().collect();
    let lacking = lines[..lines.len() - 1].join("\n") + "\n";
    let doubled = format!("{rows}{}\n", lines[2]);
    for (rows, says) in [(&lacking, "a merged run has all trials of its shards"), (&doubled, "is there 2 times")] {
        std::fs::write(&path, rows).unwrap();
        let check = oncelab(folder.path(), &["check", merged.to_str().unwrap()]);
        assert_eq!(check.status.code(), Some(1));
        let said = text(&check.stdout).replace('\n', " ");
        assert!(said.contains(says) && said.contains("oncelab merge"), "{said}");
    }
}

/// Histories are large, and may be left where they were made.
#[test]
fn shards_without_histories_are_merged_and_it_is_said_what_cannot_be_judged() {
    let folder = tempfile::tempdir().unwrap();
    experiment(folder.path(), 2, "");
    let whole = run(folder.path(), "whole", &[]);
    let shards: Vec<PathBuf> = (1..=2)
        .map(|number| {
            let place = folder.path().join(format!("s{number}"));
            split(&whole, &place, Shard::new(number, 2).unwrap(), 2);
            place
        })
        .collect();
    std::fs::remove_dir_all(shards[1].join("histories")).unwrap();
    let merged = folder.path().join("merged");
    let output = merge(folder.path(), &merged, &shards);
    assert!(text(&output.stderr).contains("shard 2: without histories"), "{}", text(&output.stderr));
    let same = |name: &str| std::fs::read(merged.join(name)).unwrap() == std::fs::read(whole.join(name)).unwrap();
    assert!(same("trials.csv") && same("schedules.json"));
    let check = oncelab(folder.path(), &["check", merged.to_str().unwrap()]);
    let said = text(&check.stdout).replace('\n', " ");
    assert_eq!(check.status.code(), Some(0), "{said}");
    assert!(said.contains("6 of 12") && said.contains("trials of shard 2"), "{said}");
    // Without any, as with a run of which none was kept.
    std::fs::remove_dir_all(shards[0].join("histories")).unwrap();
    let bare = folder.path().join("bare");
    assert!(merge(folder.path(), &bare, &shards).status.code().is_some_and(|code| code != 2));
    assert_eq!(
        std::fs::read(bare.join("schedules.json")).unwrap(),
        std::fs::read(whole.join("schedules.json")).unwrap()
    );
    let check = oncelab(folder.path(), &["check", bare.to_str().unwrap()]);
    assert_eq!(check.status.code(), Some(2), "{}", text(&check.stdout));
}

#[test]
fn what_is_no_set_of_shards_is_refused_in_one_line_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    experiment(here, 1, "");
    let whole = run(here, "whole", &[]);
    let shard = |name: &str, number: u16, of: u16| {
        split(&whole, &here.join(name), Shard::new(number, of).unwrap(), 1);
        here.join(name)
    };
    let (a, b) = (shard("a", 1, 2), shard("b", 2, 2));
    let changed = |name: &str, edit: &dyn Fn(&Path)| {
        let place = shard(name, 2, 2);
        edit(&place);
        place
    };
    let meta = |name: &str, key: &'static str, value: Value| {
        changed(name, &|place| edit_meta(place, |meta| drop(meta.insert(key.to_owned(), value.clone()))))
    };
    let seed = meta("seed", "seed", "8".into());
    let build = meta("build", "git_revision", "0123".into());
    let version = changed("version", &|place| {
        edit_meta(place, |meta| {
            drop(meta["backends"].as_object_mut().unwrap().insert("store_version".into(), "1".into()))
        });
    });
    let other = changed("other", &|place| {
        let text = std::fs::read_to_string(place.join("experiment.toml")).unwrap();
        std::fs::write(place.join("experiment.toml"), text.replace("requests = 80", "requests = 90")).unwrap();
    });
    let unfinished = changed("unfinished", &|place| {
        let rows = std::fs::read_to_string(place.join("trials.csv")).unwrap();
        let kept: Vec<&str> = rows.lines().take(2).collect();
        std::fs::write(place.join("trials.csv"), kept.join("\n") + "\n").unwrap();
    });
    let damaged = changed("damaged", &|place| {
        let history = std::fs::read_dir(place.join("histories")).unwrap().next().unwrap().unwrap().path();
        let bytes = std::fs::read(&history).unwrap();
        std::fs::write(&history, &bytes[..bytes.len() / 2]).unwrap();
    });
    let foreign = changed("foreign", &|place| std::fs::write(place.join("meta.json"), "{}").unwrap());
    let empty = here.join("empty");
    std::fs::create_dir(&empty).unwrap();
    let (third, fourth) = (shard("third", 1, 3), shard("fourth", 2, 3));
    let merged = here.join("merged");
    assert!(merge(here, &merged, &[a.clone(), b.clone()]).status.code().is_some_and(|code| code != 2));
    let out = here.join("out");
    let cases: [(&Path, &[&PathBuf], &str); 17] = [
        (&out, &[&a], "shard 2 of 2 is missing"),
        (&out, &[&third], "shards 2 and 3 of 3 are missing"),
        (&out, &[&a, &b, &b], "two folders of shard 2"),
        (&out, &[&a, &seed], "the seed is '8', and that of"),
        (&out, &[&a, &build], "the build is"),
        (&out, &[&a, &version], "backends: store_version is '1'"),
        (&out, &[&a, &other], "the digest of experiment.toml is"),
        (&out, &[&a, &fourth], "the number of shards is '3'"),
        (&out, &[&a, &unfinished], "2 of its 3 trials are not there; `oncelab run --resume"),
        (&out, &[&a, &damaged], "shard 2/2 is damaged"),
        (&out, &[&a, &foreign], "meta.json"),
        (&out, &[&a, &empty], "is not the folder of a run"),
        (&out, &[&whole], "is a whole run and no shard"),
        (&out, &[&merged], "is itself merged"),
        (&a, &[&a, &b], "is one of the shards, or lies in one"),
        (&a.join("histories/x"), &[&a, &b], "is one of the shards, or lies in one"),
        (&empty.parent().unwrap().join("whole"), &[&a, &b], "is not empty"),
    ];
    let before: Vec<String> = files(&a, true).into_keys().collect();
    for (out, shards, says) in cases {
        let shards: Vec<PathBuf> = shards.iter().map(|shard| (*shard).clone()).collect();
        let output = merge(here, out, &shards);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{says}: {said}");
        assert!(said.contains(says), "expected {says:?} in: {said}");
        assert_eq!(said.trim_end().lines().count(), 1, "{said}");
        assert!(output.stdout.is_empty() && !here.join("out").exists(), "{says}: something was written");
    }
    assert_eq!(files(&a, true).into_keys().collect::<Vec<_>>(), before);
}

#[test]
fn a_shard_that_cannot_be_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    experiment(folder.path(), 1, "");
    let run = |arguments: &[&str]| oncelab(folder.path(), &[&["run", "mine.toml"], arguments].concat());
    let cases: [(&[&str], &str); 6] = [
        (&["--shard", "1/0", "--seed", "1"], "1/0"),
        (&["--shard", "0/4", "--seed", "1"], "0/4"),
        (&["--shard", "5/4", "--seed", "1"], "5/4"),
        (&["--shard", "1/2"], "--shard 1/2 needs --seed"),
        (&["--shard", "1/7", "--seed", "1"], "use at most 6 shards"),
        (&["--shard", "1/2", "--seed", "1", "--skip-unavailable"], "--skip-unavailable"),
    ];
    for (arguments, says) in cases {
        let output = run(arguments);
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(says), "{arguments:?}: {said}");
        assert!(!folder.path().join("results").exists(), "{arguments:?}: nothing is begun");
    }
}

/// In a container every process has the number 1.
#[test]
fn two_processes_with_one_number_and_one_seed_have_two_folders() {
    let folder = tempfile::tempdir().unwrap();
    experiment(folder.path(), 1, "");
    let unshared = |what: &str| {
        let mut unshared = Command::new("unshare");
        unshared.args(["--pid", "--fork", "--mount-proc", "--kill-child"]).arg(what).current_dir(folder.path());
        unshared
    };
    let number = unshared("sh").args(["-c", "echo $$"]).output();
    if !number.is_ok_and(|number| number.status.success() && text(&number.stdout).trim() == "1") {
        return skipped(
            "`unshare --pid` does not work here: it needs util-linux, and the right to make a space of processes",
        );
    }
    let start = |_| {
        let mut process = unshared(env!("CARGO_BIN_EXE_oncelab"));
        process.args(["run", "mine.toml", "--seed", "7", "--json"]);
        process.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let both: Vec<_> = [0, 1].map(start).into_iter().map(|process| process.wait_with_output().unwrap()).collect();
    let folders: BTreeSet<String> = both
        .iter()
        .map(|output| {
            let summary: Value = serde_json::from_slice(&output.stdout)
                .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)));
            assert_eq!(summary["trials"], 6);
            summary["dir"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(folders.len(), 2, "{folders:?}");
    for run in folders {
        let check = command(folder.path()).args(["check", &run]).output().unwrap();
        assert_eq!(check.status.code(), Some(0), "{}", text(&check.stdout));
    }
}
