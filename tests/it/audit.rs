//! `check` holds the folder of a run against itself: whatever is edited, swapped, removed or doubled is found and named.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::common::{oncelab, text};

const STRATEGIES: &str = "at-least-once,dedup-table,etcd-lock-marker";
/// Two repeats of three strategies.
const TRIALS: usize = 6;

/// The files of a run that every test copies, and none changes, each with its path in the folder.
static RUN: LazyLock<BTreeMap<PathBuf, Vec<u8>>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["run", "quick", "--seed", "3", "--strategies", STRATEGIES, "--json"];
    let settings = ["--set", "load.requests=120", "--set", "load.warmup=10", "--set", "repeats=2"];
    let output = oncelab(folder.path(), &[&arguments[..], &settings].concat());
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    let run = folder.path().join(summary["dir"].as_str().unwrap());
    let mut files = BTreeMap::new();
    for inner in ["", "histories", "courses"] {
        for entry in std::fs::read_dir(run.join(inner)).unwrap().map(Result::unwrap) {
            if entry.path().is_file() {
                files.insert(Path::new(inner).join(entry.file_name()), std::fs::read(entry.path()).unwrap());
            }
        }
    }
    files
});

/// A copy of the run that may be changed.
struct Copy {
    folder: TempDir,
}

impl Copy {
    fn new() -> Self {
        let copy = Copy { folder: tempfile::tempdir().unwrap() };
        for inner in ["histories", "courses"] {
            std::fs::create_dir_all(copy.path(inner)).unwrap();
        }
        for (name, bytes) in &*RUN {
            std::fs::write(copy.folder.path().join("run").join(name), bytes).unwrap();
        }
        copy
    }

    /// Brings a file back as it was.
    fn restore(&self, name: &str) {
        std::fs::write(self.path(name), &RUN[Path::new(name)]).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("run").join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).unwrap();
    }

    fn swap(&self, one: &str, other: &str) {
        let (first, second) = (std::fs::read(self.path(one)).unwrap(), std::fs::read(self.path(other)).unwrap());
        std::fs::write(self.path(one), second).unwrap();
        std::fs::write(self.path(other), first).unwrap();
    }

    /// Replaces the first place in a file; there must be one.
    fn replace(&self, name: &str, from: &str, to: &str) {
        let before = self.read(name);
        assert!(before.contains(from), "{name} has no {from}");
        self.write(name, &before.replacen(from, to, 1));
    }

    fn history(&self, trial: &str) -> String {
        let mut text = String::new();
        let file = std::fs::File::open(self.path(&history(trial))).unwrap();
        zstd::Decoder::new(file).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    fn write_history(&self, trial: &str, text: &str) {
        std::fs::write(self.path(&history(trial)), zstd::encode_all(text.as_bytes(), 3).unwrap()).unwrap();
    }

    /// Changes the first line of a history that has both texts.
    fn edit_history(&self, trial: &str, line: &str, from: &str, to: &str) {
        let before = self.history(trial);
        let found = before.lines().find(|text| text.contains(line) && text.contains(from)).unwrap();
        self.write_history(trial, &before.replacen(found, &found.replacen(from, to, 1), 1));
    }

    /// Makes the row of a trial have the digest that its history has now.
    fn seal(&self, trial: &str) {
        let digest: String = Sha256::digest(self.history(trial)).iter().map(|byte| format!("{byte:02x}")).collect();
        self.edit_row(trial, &[("history_sha256", &digest)]);
    }

    fn rows(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let mut csv = csv::Reader::from_path(self.path("trials.csv")).unwrap();
        let columns = csv.headers().unwrap().iter().map(str::to_owned).collect();
        (columns, csv.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect())
    }

    fn write_rows(&self, columns: &[String], rows: &[Vec<String>]) {
        let mut csv = csv::Writer::from_path(self.path("trials.csv")).unwrap();
        csv.write_record(columns).unwrap();
        rows.iter().for_each(|row| csv.write_record(row).unwrap());
        csv.flush().unwrap();
    }

    /// Changes columns of the row of a trial.
    fn edit_row(&self, trial: &str, changes: &[(&str, &str)]) {
        let (columns, mut rows) = self.rows();
        let row = rows.iter_mut().find(|row| row[0] == trial).unwrap();
        for (column, value) in changes {
            let place = columns.iter().position(|known| known == column).unwrap();
            row[place] = (*value).to_owned();
        }
        self.write_rows(&columns, &rows);
    }

    fn value(&self, trial: &str, column: &str) -> String {
        let (columns, rows) = self.rows();
        let row = rows.iter().find(|row| row[0] == trial).unwrap();
        row[columns.iter().position(|known| known == column).unwrap()].clone()
    }

    fn check(&self) -> (Option<i32>, String) {
        let output = oncelab(self.folder.path(), &["check", "run"]);
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    }

    /// That a check ends with this code and says all of this.
    fn expect(&self, what: &str, code: i32, parts: &[&str]) {
        let (found, said) = self.check();
        assert_eq!(found, Some(code), "{what}: {said}");
        for part in parts {
            assert!(said.contains(part), "{what}: expected {part:?} in: {said}");
        }
    }
}

fn history(trial: &str) -> String {
    format!("histories/{trial}.jsonl.zst")
}

fn course(trial: &str) -> String {
    format!("courses/{trial}.json")
}

const DEDUP: &str = "dedup-table.lossy.0";
const LOCK: &str = "etcd-lock-marker.lossy.1";
const TWICE: &str = "at-least-once.lossy.0";

/// What is done to a copy of a run: its name, the deed, the exit code, and what is said of it.
type Tampering<'t> = (&'t str, &'t dyn Fn(&Copy), i32, &'t [&'t str]);

/// Tries each way of tampering on a copy of its own, and gives how many there were.
fn each(cases: &[Tampering<'_>]) -> usize {
    for (what, tamper, code, parts) in cases {
        let copy = Copy::new();
        tamper(&copy);
        copy.expect(what, *code, parts);
    }
    cases.len()
}

#[test]
fn a_folder_that_nobody_touched_agrees_wherever_it_lies() {
    let copy = Copy::new();
    copy.expect("untouched", 0, &["6 of 6 trials judged again"]);
    let output = oncelab(copy.folder.path(), &["check", "run", "--json"]);
    let checked: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&checked["planned"], &checked["judged"], &checked["agree"]), (&6.into(), &6.into(), &6.into()));
    assert_eq!((&checked["disagreements"], &checked["not_judged"]), (&Value::Array(vec![]), &Value::Array(vec![])));
}

#[test]
fn every_column_of_a_row_is_held_against_something() {
    let untouched = Copy::new();
    let (columns, _) = untouched.rows();
    // These name the trial itself, or hold words.
    let words = BTreeMap::from([
        ("trial", "dedup-table.lossy.7"),
        ("strategy", "dedup-table"),
        ("faults", "calm"),
        ("point", "loss=1"),
        ("store", "postgres"),
        ("lock", "etcd"),
        ("causes", "duplicate: late landing = 77"),
        ("fired", "crash = 77"),
        ("made", "begin = 77, 0 alone"),
        ("history_sha256", "00ff"),
    ]);
    let mut tried = 0;
    for column in &columns {
        let copy = Copy::new();
        let before = copy.value(LOCK, column);
        let after = match (words.get(column.as_str()), before.as_str()) {
            (Some(word), _) => (*word).to_owned(),
            (None, "") => "1".to_owned(),
            (None, number) => match number.parse::<u64>() {
                Ok(count) => count.wrapping_add(1).to_string(),
                Err(_) => (number.parse::<f64>().unwrap() * 1.5 + 1.0).to_string(),
            },
        };
        assert_ne!(before, after, "{column}");
        copy.edit_row(LOCK, &[(column, &after)]);
        let (code, said) = copy.check();
        // A row whose violations and causes contradict each other is no row at all.
        let is_damaged = said.contains("add up to") && said.starts_with("error: ");
        assert_eq!(code, Some(if is_damaged { 2 } else { 1 }), "{column}: {said}");
        assert!(said.contains("trials.csv") || said.contains(&history(LOCK)), "{column}: {said}");
        match column.as_str() {
            "trial" => assert!(said.contains("dedup-table.lossy.7: is not a trial of this run"), "{said}"),
            "causes" => assert!(said.contains(": duplicate is "), "{said}"),
            "fired" => assert!(said.contains(": fired_") && said.contains("add up to 0"), "{said}"),
            "history_sha256" => assert!(said.contains("its digest is ") && said.contains("00ff"), "{said}"),
            _ => {
                let right: String = if before.is_empty() { "empty; " } else { &before }.chars().take(50).collect();
                assert!(said.contains(LOCK) && said.contains(&format!("{column} is {after}, and")), "{column}: {said}");
                assert!(is_damaged || said.contains(&format!(" {right}")), "{column}: {said}");
            }
        }
        tried += 1;
    }
    assert_eq!(tried, columns.len());
    assert!(tried >= 57, "{tried} columns");
}

#[test]
fn a_row_that_is_removed_doubled_swapped_or_invented_is_found() {
    let nth = |copy: &Copy, n: usize| copy.rows().1[n][0].clone();
    let without = |copy: &Copy, n: usize| {
        let (columns, mut rows) = copy.rows();
        let trial = rows.remove(n)[0].clone();
        copy.write_rows(&columns, &rows);
        trial
    };
    let untouched = Copy::new();
    let (second, last) = (nth(&untouched, 1), nth(&untouched, TRIALS - 1));
    let consistent = |copy: &Copy| {
        let causes = copy.value(DEDUP, "causes");
        assert_eq!(causes, "", "dedup-table keeps its promise");
        copy.edit_row(DEDUP, &[("lost", "3"), ("causes", "lost: late landing = 3")]);
    };
    let halved = |copy: &Copy| {
        let figure = |column| copy.value(TWICE, column).parse::<f64>().unwrap();
        let (elapsed_s, goodput) = (figure("elapsed_s") / 2.0, figure("goodput_per_s") * 2.0);
        copy.edit_row(TWICE, &[("elapsed_s", &elapsed_s.to_string()), ("goodput_per_s", &goodput.to_string())]);
    };
    let renamed = |copy: &Copy| {
        copy.edit_row(DEDUP, &[("trial", "x"), ("strategy", "at-least-once")]);
        copy.edit_row(TWICE, &[("trial", DEDUP), ("strategy", "dedup-table")]);
        copy.edit_row("x", &[("trial", TWICE)]);
    };
    let tried = each(&[
        (
            "the second row removed",
            &|copy| drop(without(copy, 1)),
            1,
            &[&format!("trials.csv: {second}: is not there"), "--resume"],
        ),
        (
            "the last row removed",
            &|copy| drop(without(copy, TRIALS - 1)),
            1,
            &[&format!("{}: {last}: is there, and trials.csv has no row", history(&last)), "--resume"],
        ),
        (
            "the last row and its files removed",
            &|copy| {
                let trial = without(copy, TRIALS - 1);
                copy.remove(&history(&trial));
                copy.remove(&course(&trial));
            },
            1,
            &["summary.json: trials is 6, and the rest of the folder gives 5", &last],
        ),
        (
            "a row doubled",
            &|copy| {
                let (columns, mut rows) = copy.rows();
                rows.push(rows[2].clone());
                copy.write_rows(&columns, &rows);
            },
            1,
            &["is there 2 times, and each trial runs once", "remove the line"],
        ),
        (
            "a row invented",
            &|copy| {
                let (columns, mut rows) = copy.rows();
                let mut row = rows[0].clone();
                row[0] = "at-least-once.lossy.9".to_owned();
                rows.push(row);
                copy.write_rows(&columns, &rows);
            },
            1,
            &["at-least-once.lossy.9: is not a trial of this run", "remove the line"],
        ),
        (
            "a row invented whose name leads elsewhere",
            &|copy| {
                let (columns, mut rows) = copy.rows();
                let mut row = rows[0].clone();
                row[0] = "../../etc/passwd".to_owned();
                rows.push(row);
                copy.write_rows(&columns, &rows);
            },
            2,
            &["trials.csv:8: ../../etc/passwd: trial is '../../etc/passwd', which is not the name of a trial"],
        ),
        ("two rows' strategies swapped", &renamed, 1, &[DEDUP, TWICE, "trials.csv"]),
        (
            "a violation and its cause invented",
            &consistent,
            1,
            &[&format!("{DEDUP}: lost is 3, and its history gives 0")],
        ),
        (
            "twice as fast in half the time",
            &halved,
            1,
            &[&format!("{TWICE}: elapsed_s is "), &format!("{TWICE}: goodput_per_s is ")],
        ),
        (
            "a column that nobody reads",
            &|copy| copy.replace("trials.csv", "history_sha256", "history_sha256,luck"),
            2,
            &["trials.csv:2"],
        ),
        (
            "a column more, with values",
            &|copy| {
                let (mut columns, mut rows) = copy.rows();
                columns.push("luck".to_owned());
                rows.iter_mut().for_each(|row| row.push("7".to_owned()));
                copy.write_rows(&columns, &rows);
            },
            1,
            &["trials.csv: luck is not a column that this version knows"],
        ),
        (
            "a column twice",
            &|copy| {
                let (mut columns, mut rows) = copy.rows();
                columns.push("trial".to_owned());
                rows.iter_mut().for_each(|row| row.push(row[0].clone()));
                copy.write_rows(&columns, &rows);
            },
            1,
            &["trials.csv: trial stands there twice"],
        ),
        (
            "a count that is no number",
            &|copy| copy.edit_row(DEDUP, &[("effects", "many")]),
            2,
            &["trials.csv:", &format!("{DEDUP}: effects is 'many', which is not a count")],
        ),
        (
            "a count that would overflow",
            &|copy| copy.edit_row(DEDUP, &[("effects", "18446744073709551615")]),
            2,
            &["effects is '18446744073709551615', which is not a count"],
        ),
    ]);
    assert_eq!(tried, 14);
}

#[test]
fn a_history_that_is_swapped_edited_or_removed_is_found() {
    let seed = format!("\"seed\":{},", Copy::new().value(DEDUP, "seed"));
    let keys = [
        ("trial", "\"trial\":\"dedup", "\"trial\":\"x-dedup"),
        ("strategy", "\"strategy\":\"dedup-table\"", "\"strategy\":\"at-least-once\""),
        ("faults", "\"faults\":\"lossy\"", "\"faults\":\"calm\""),
        ("point", "\"point\":\"\"", "\"point\":\"loss=1\""),
        ("store", "\"store\":\"sqlite\"", "\"store\":\"postgres\""),
        ("lock", "\"lock\":null", "\"lock\":\"etcd\""),
        ("seed", seed.as_str(), "\"seed\":77,"),
        ("lease_us", "\"lease_us\":", "\"lease_us\":1"),
    ];
    for (key, from, to) in keys {
        let copy = Copy::new();
        copy.edit_history(DEDUP, "\"schema\"", from, to);
        copy.seal(DEDUP);
        copy.expect(key, 1, &[&history(DEDUP), &format!("{DEDUP}: {key} in its header is "), "the trial's plan has"]);
    }
    let sealed = |line: &'static str, from: &'static str, to: &'static str| {
        move |copy: &Copy| {
            copy.edit_history(TWICE, line, from, to);
            copy.seal(TWICE);
        }
    };
    let other = "etcd-lock-marker.lossy.0";
    let tried = each(&[
        (
            "two strategies' histories swapped",
            &|copy| copy.swap(&history(DEDUP), &history(TWICE)),
            1,
            &[
                &format!(
                    "{}: {DEDUP}: trial in its header is {TWICE}, and the trial's plan has {DEDUP}",
                    history(DEDUP)
                ),
                &format!(
                    "{}: {TWICE}: trial in its header is {DEDUP}, and the trial's plan has {TWICE}",
                    history(TWICE)
                ),
            ],
        ),
        (
            "two repeats' histories swapped",
            &|copy| copy.swap(&history(LOCK), &history(other)),
            1,
            &[&format!("{LOCK}: seed in its header is "), &format!("{other}: seed in its header is ")],
        ),
        ("the schema", &sealed("\"schema\"", "\"schema\":3", "\"schema\":2"), 1, &[&history(TWICE), "line "]),
        (
            "an unknown schema",
            &sealed("\"schema\"", "\"schema\":3", "\"schema\":9"),
            1,
            &[&history(TWICE), "schema version 9"],
        ),
        (
            "how many requests",
            &sealed("\"schema\"", "\"requests\":120", "\"requests\":121"),
            1,
            &[&history(TWICE), "counts at the end"],
        ),
        (
            "what was asked",
            &sealed("\"request\":7,", "\"amount\":", "\"amount\":1"),
            1,
            &["request 7 is client ", "the trial's seed gives"],
        ),
        (
            "when a request ended",
            &sealed("\"done\":50,", "\"to\":", "\"to\":9"),
            1,
            &["trials.csv", "elapsed_s is ", "its history gives"],
        ),
        ("that it was acknowledged", &sealed("\"done\":50,", "acknowledged", "refused"), 1, &["goodput_per_s is "]),
        (
            "an end before its start",
            &sealed("\"done\":50,", "\"from\":", "\"from\":9"),
            1,
            &[&history(TWICE), "ends before it starts"],
        ),
        (
            "a time beyond all trials",
            &sealed("\"e\":\"received\"", "{\"t\":", "{\"t\":999999999"),
            1,
            &["longer than any trial"],
        ),
        (
            "what the store used",
            &sealed("\"usage\"", "\"kept_bytes\":0", "\"kept_bytes\":77"),
            1,
            &["kept_bytes is 0, and its history gives 77"],
        ),
        (
            "an answer",
            &sealed("\"e\":\"answered\"", "\"reply\":\"ok: ", "\"reply\":\"unknown"),
            1,
            &[&history(TWICE), "line "],
        ),
        ("an attempt more", &sealed("\"e\":\"called\"", "\"op\":\"apply", "\"op\":\"begin serializable"), 1, &[TWICE]),
        (
            "a fault less",
            &sealed("\"fault\":\"reply_lost\"", "reply_lost", "request_lost"),
            1,
            &["fired_request_lost is ", "fired_reply_lost is "],
        ),
        (
            "a digit that nothing counts",
            &|copy| copy.edit_history(TWICE, "\"entry\":2,", "\"amount\":", "\"amount\":1"),
            1,
            &[TWICE],
        ),
        (
            "one history removed",
            &|copy| copy.remove(&history(TWICE)),
            1,
            &[&history(TWICE), "is not there", "--resume"],
        ),
        (
            "a history of no trial",
            &|copy| std::fs::rename(copy.path(&history(TWICE)), copy.path(&history("at-least-once.lossy.9"))).unwrap(),
            1,
            &["at-least-once.lossy.9: belongs to no trial of this run"],
        ),
    ]);
    assert_eq!((keys.len(), tried), (8, 17));
}

#[test]
fn a_course_or_a_description_that_is_edited_is_found() {
    let more = |copy: &Copy| {
        let mut document: Value = serde_json::from_str(&copy.read(&course(TWICE))).unwrap();
        document["acknowledged"][0] = 4_000.into();
        copy.write(&course(TWICE), &document.to_string());
    };
    let other_seed = |copy: &Copy| copy.replace("meta.json", "\"seed\": \"3\"", "\"seed\": \"4\"");
    let tried = each(&[
        (
            "a stretch of a course",
            &more,
            1,
            &[&format!("{}: {TWICE}: acknowledged[0] is 4000, and its history gives", course(TWICE))],
        ),
        ("two courses swapped", &|copy| copy.swap(&course(TWICE), &course(LOCK)), 1, &[&course(TWICE), &course(LOCK)]),
        ("a course removed", &|copy| copy.remove(&course(TWICE)), 1, &[&course(TWICE), "is not there"]),
        ("a course that is none", &|copy| copy.write(&course(TWICE), "{"), 1, &[&course(TWICE), "line 1"]),
        (
            "the run's seed",
            &other_seed,
            1,
            &[&format!("trials.csv: {DEDUP}: seed is "), "the experiment and the run's seed give"],
        ),
        (
            "the number of planned trials",
            &|copy| copy.replace("meta.json", "\"trials_planned\": 6", "\"trials_planned\": 7"),
            1,
            &["meta.json: trials_planned is 7, and the experiment gives 6", "makes the run again"],
        ),
        (
            "the name of the experiment",
            &|copy| copy.replace("meta.json", "\"experiment\": \"quick\"", "\"experiment\": \"slow\""),
            1,
            &["meta.json: experiment is slow, and the experiment's name is quick"],
        ),
        (
            "the store",
            &|copy| copy.replace("meta.json", "\"store\": \"sqlite\"", "\"store\": \"postgres\""),
            1,
            &[&format!("{LOCK}: store is sqlite, and the experiment and the run's seed give postgres")],
        ),
        (
            "the repeats of the experiment",
            &|copy| copy.replace("experiment.toml", "repeats = 2", "repeats = 1"),
            1,
            &[&format!("{LOCK}: is not a trial of this run"), "trials_planned is 6, and the experiment gives 3"],
        ),
        (
            "the requests of the experiment",
            &|copy| copy.replace("experiment.toml", "requests = 120", "requests = 130"),
            1,
            &[&format!("{LOCK}: requests is 120, and the experiment and the run's seed give 130")],
        ),
        (
            "the warm-up of the experiment",
            &|copy| copy.replace("experiment.toml", "warmup = 10", "warmup = 90"),
            1,
            &[&format!("{LOCK}: goodput_per_s is ")],
        ),
        ("a description that is none", &|copy| copy.write("meta.json", "{"), 2, &["meta.json:1"]),
    ]);
    assert_eq!(tried, 12);
}

#[test]
fn a_derived_file_that_is_edited_or_removed_is_found() {
    let number = |copy: &Copy| {
        let mut summary: Value = serde_json::from_str(&copy.read("summary.json")).unwrap();
        let cells = summary["cells"].as_array_mut().unwrap();
        let cell = cells.iter_mut().find(|cell| cell["strategy"] == "at-least-once").unwrap();
        cell["violations"]["duplicate"] = 9_999.into();
        copy.write("summary.json", &serde_json::to_string_pretty(&summary).unwrap());
    };
    let fewer = |copy: &Copy| {
        let mut summary: Value = serde_json::from_str(&copy.read("summary.json")).unwrap();
        summary["cells"].as_array_mut().unwrap().pop();
        copy.write("summary.json", &summary.to_string());
    };
    let verdict = |copy: &Copy| copy.replace("summary.json", "\"verdict\": \"invalid\"", "\"verdict\": \"valid\"");
    let again = "oncelab report run --save` writes the file again";
    let tried = each(&[
        (
            "a number",
            &number,
            1,
            &[
                "summary.json: cells[at-least-once lossy].violations.duplicate is 9999, and the rest of the folder gives",
                again,
            ],
        ),
        ("a cell less", &fewer, 1, &["summary.json: cells is ", again]),
        ("a verdict", &verdict, 1, &["summary.json: ", "verdict is valid, and the rest of the folder gives invalid"]),
        (
            "a summary that is none",
            &|copy| copy.write("summary.json", "{"),
            1,
            &["summary.json: is not a JSON document"],
        ),
        (
            "a word of the report",
            &|copy| copy.replace("report.md", "at-least-once", "at-most-once"),
            1,
            &["report.md: line ", "at-most-once", again],
        ),
        (
            "a line more",
            &|copy| copy.write("report.md", &(copy.read("report.md") + "All is well.\n")),
            1,
            &["report.md: line ", "All is well."],
        ),
        (
            "a line break more",
            &|copy| copy.write("report.md", &(copy.read("report.md") + "\n")),
            1,
            &["report.md: line "],
        ),
        (
            "a word of the page",
            &|copy| copy.replace("report.html", "at-least-once", "at-most-once"),
            1,
            &["report.html: line ", again],
        ),
        (
            "a schedule",
            &|copy| copy.replace("schedules.json", "\"schedule\": \"", "\"schedule\": \"b "),
            1,
            &["schedules.json: ", "schedule is b "],
        ),
        ("no summary", &|copy| copy.remove("summary.json"), 1, &["summary.json: is not there, and ", again]),
        ("no report", &|copy| copy.remove("report.md"), 1, &["report.md: is not there, and "]),
        ("no page", &|copy| copy.remove("report.html"), 1, &["report.html: is not there, and "]),
        ("no schedules", &|copy| copy.remove("schedules.json"), 1, &["schedules.json: is not there, and "]),
    ]);
    assert_eq!(tried, 13);
    // The remedy is one.
    let copy = Copy::new();
    number(&copy);
    assert_eq!(oncelab(copy.folder.path(), &["report", "run", "--save"]).status.code(), Some(0));
    copy.expect("saved again", 0, &[]);
}

/// Takes the last trials and what follows from all of them away, as if the run had been killed.
fn kill(copy: &Copy, trials: usize) -> Vec<String> {
    let (columns, mut rows) = copy.rows();
    let gone: Vec<String> = rows.drain(TRIALS - trials..).map(|row| row[0].clone()).collect();
    copy.write_rows(&columns, &rows);
    for trial in &gone {
        copy.remove(&history(trial));
        copy.remove(&course(trial));
    }
    ["summary.json", "schedules.json", "report.md", "report.html"].into_iter().for_each(|name| copy.remove(name));
    gone
}

#[test]
fn an_interrupted_run_is_no_error_and_the_missing_trials_are_named() {
    let copy = Copy::new();
    let gone = kill(&copy, 2);
    let names: Vec<&str> = gone.iter().map(String::as_str).collect();
    let parts =
        [&["4 of 4 trials judged again", "2 of 6 planned trials are not there", "--resume run"], &names[..]].concat();
    copy.expect("killed", 0, &parts);

    // Killed in the moment between a trial's history and its row.
    copy.restore(&history(&gone[0]));
    copy.expect("killed between two files", 0, &parts);
    copy.restore(&history(&gone[1]));
    copy.expect("no run saves two histories ahead", 1, &[&history(&gone[1]), "has no row"]);
    copy.remove(&history(&gone[1]));

    // Stopped by a signal it saves what follows from its rows.
    copy.remove(&history(&gone[0]));
    assert_eq!(oncelab(copy.folder.path(), &["report", "run", "--save"]).status.code(), Some(0));
    copy.expect("interrupted", 0, &parts);
    let resumed = oncelab(copy.folder.path(), &["run", "--resume", "run"]).status.code();
    assert!(matches!(resumed, Some(0 | 1 | 3)), "{resumed:?}: it went to its end");
    copy.expect("resumed", 0, &["6 of 6 trials judged again"]);
}

#[test]
fn what_was_saved_before_a_resumed_run_was_killed_is_older_and_not_wrong() {
    let copy = Copy::new();
    let gone = kill(&copy, 3);
    assert_eq!(oncelab(copy.folder.path(), &["report", "run", "--save"]).status.code(), Some(0));
    // The next trial is finished, and then the run is killed.
    copy.restore("trials.csv");
    let (columns, mut rows) = copy.rows();
    rows.truncate(TRIALS - 2);
    copy.write_rows(&columns, &rows);
    copy.restore(&history(&gone[0]));
    copy.restore(&course(&gone[0]));
    copy.expect("killed after a resume", 0, &["saved before the last trials were finished", "report run --save"]);
    copy.replace("summary.json", "\"effects\": 1", "\"effects\": 2");
    copy.expect("and edited", 1, &["summary.json: "]);
}

/// Removes every history, as in a repository that keeps none.
fn without_histories() -> Copy {
    let copy = Copy::new();
    std::fs::remove_dir_all(copy.path("histories")).unwrap();
    copy
}

#[test]
fn a_run_whose_histories_were_not_kept_says_so_in_one_line_with_the_command_that_makes_them() {
    let copy = without_histories();
    let command = format!(
        "`oncelab run quick --seed 3 --set 'load.requests=120' --set 'load.warmup=10' --set 'repeats=2' --strategies {STRATEGIES}`"
    );
    copy.expect("check", 2, &["6 of 6 rows agree", "its histories were not kept", &command]);
    let (_, said) = copy.check();
    assert_eq!(said.lines().count(), 2, "{said}");
    let lift = oncelab(copy.folder.path(), &["lift", "run"]);
    let said = text(&lift.stderr);
    assert_eq!((lift.status.code(), said.lines().count()), (Some(2), 1), "{said}");
    assert!(said.contains(&command) && lift.stdout.is_empty(), "{said}");
    let report = oncelab(copy.folder.path(), &["report", "run"]);
    assert_eq!(report.status.code(), Some(0));
}

#[test]
fn without_histories_rows_are_held_against_plan_courses_and_summary() {
    let changes = [
        ("seed", "1"),
        ("repeat", "3"),
        ("lock", "etcd"),
        ("requests", "119"),
        ("operations", "1"),
        ("elapsed_s", "77"),
        ("goodput_per_s", "77"),
        ("latency_ms_p50", "0.001"),
        ("latency_ms_p99", "777000"),
        ("latency_ms_p999", "777000"),
        ("latency_ms_max", "777000"),
    ];
    for (column, value) in changes {
        let copy = without_histories();
        copy.edit_row(TWICE, &[(column, value)]);
        copy.expect(column, 1, &[&format!("trials.csv: {TWICE}: {column} is {value}, and ")]);
    }
    let copy = without_histories();
    copy.edit_row(TWICE, &[("effects", "77")]);
    copy.expect("effects", 1, &["summary.json: cells[at-least-once lossy].effects is "]);
    let copy = without_histories();
    copy.remove(&course(TWICE));
    copy.expect("a course", 1, &[&course(TWICE), "is not there"]);
    assert_eq!(changes.len(), 11);
}

/// Makes the folder one of schema 2, which kept neither when requests ended nor what the store used.
fn grow_older(copy: &Copy) {
    copy.replace("meta.json", "\"schema\": 3", "\"schema\": 2");
    for row in copy.rows().1 {
        let older: Vec<String> = copy
            .history(&row[0])
            .lines()
            .filter(|line| {
                !line.starts_with("{\"done\"")
                    && !line.starts_with("{\"usage\"")
                    && !line.starts_with("{\"balance_of\"")
            })
            .map(|line| match serde_json::from_str::<Value>(line).unwrap() {
                Value::Object(mut end) if end.contains_key("end") => {
                    let counts = end["end"].as_object_mut().unwrap();
                    ["done", "balances"].into_iter().for_each(|count| drop(counts.remove(count).unwrap()));
                    Value::Object(end).to_string()
                }
                _ => line.replace("\"schema\":3", "\"schema\":2"),
            })
            .collect();
        copy.write_history(&row[0], &(older.join("\n") + "\n"));
        copy.seal(&row[0]);
    }
}

#[test]
fn an_older_folder_is_read_and_what_it_does_not_record_is_not_judged() {
    let copy = Copy::new();
    grow_older(&copy);
    let said = ["6 of 6 trials judged again", "not judged: the speeds, waits and bytes of histories of schema 2"];
    copy.expect("older", 0, &said);
    let older = |change: &[(&str, &str)], part: &str| {
        let copy = Copy::new();
        grow_older(&copy);
        copy.edit_row(TWICE, change);
        copy.expect(part, 1, &[part]);
    };
    older(&[("goodput_per_s", "77")], "goodput_per_s is 77, and its course gives");
    older(&[("effects", "77")], "effects is 77, and its history gives");
    older(&[("seed", "77")], "seed is 77, and the experiment and the run's seed give");
    for verb in [&["report", "run"][..], &["lift", "run", "--limit", "1"]] {
        let code = oncelab(copy.folder.path(), verb).status.code();
        assert!(matches!(code, Some(0 | 1)), "{verb:?}: {code:?}");
    }
    let resumed = oncelab(copy.folder.path(), &["run", "--resume", "run"]);
    assert_eq!(resumed.status.code(), Some(2));
    assert!(
        text(&resumed.stderr).contains("only the version of oncelab that began a run can finish the run"),
        "{}",
        text(&resumed.stderr)
    );
}

#[test]
fn ids_accounts_and_answers_that_were_never_asked_for_are_judged_without_a_panic() {
    let cases = [
        ("an entry of a message that nobody sent", "\"entry\":3,", "\"m\":", "\"m\":4000"),
        ("an entry on an account that is not there", "\"entry\":3,", "\"account\":", "\"account\":400000"),
        ("an entry with another amount", "\"entry\":3,", "\"amount\":", "\"amount\":-7"),
        ("an entry with the lowest balance", "\"entry\":3,", "\"balance\":", "\"balance\":-922337203685477"),
        ("an answer that nothing gave", "\"e\":\"answered\"", "\"reply\":\"ok: ", "\"reply\":\"ok: -77"),
        ("an answer that nobody was told", "\"e\":\"received\"", "\"reply\":\"ok: ", "\"reply\":\"ok: -77"),
        ("an effect of another message", "\"e\":\"called\"", "\"op\":\"apply m", "\"op\":\"apply m4000"),
        ("an event of a message that nobody sent", "\"e\":\"arrived\"", "\"m\":", "\"m\":4000"),
        ("an event of a handler that is not there", "\"e\":\"called\"", "\"h\":", "\"h\":60"),
    ];
    for (what, line, from, to) in cases {
        let copy = Copy::new();
        copy.edit_history(TWICE, line, from, to);
        copy.seal(TWICE);
        for arguments in
            [&["check", "run"][..], &["report", "run", "--save"], &["lift", "run", "--limit", "3"], &["check", "run"]]
        {
            let output = oncelab(copy.folder.path(), arguments);
            let said = text(&output.stderr);
            assert!(matches!(output.status.code(), Some(0..=2)), "{what}: {arguments:?}: {said}");
            assert!(!said.contains("panicked"), "{what}: {arguments:?}: {said}");
        }
    }
    assert_eq!(cases.len(), 9);
}
