//! What is saved can be judged again, and says so when it was changed.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::common::{oncelab, small_run, text};

/// A small run of one strategy that is violated, and the file of its only history.
fn run(folder: &Path) -> (PathBuf, PathBuf) {
    let run = small_run(folder, &["--strategies", "at-least-once", "--seed", "3"]);
    let history = run.join("histories/at-least-once.lossy.0.jsonl.zst");
    (run, history)
}

fn read(path: &Path) -> String {
    let mut text = String::new();
    zstd::Decoder::new(std::fs::File::open(path).unwrap()).unwrap().read_to_string(&mut text).unwrap();
    text
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, zstd::encode_all(text.as_bytes(), 3).unwrap()).unwrap();
}

fn check(run: &Path) -> (Option<i32>, String) {
    let output = oncelab(run.parent().unwrap(), &["check", run.to_str().unwrap()]);
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn check_agrees_with_run() {
    let folder = tempfile::tempdir().unwrap();
    let (run, _) = run(folder.path());
    let (code, said) = check(&run);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1 of 1 trials"), "{said}");
}

#[test]
fn a_changed_line_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (run, history) = run(folder.path());
    let original = read(&history);
    let changed_line = |matching: &str, from: &str, to: &str| {
        let line = original.lines().find(|line| line.contains(matching) && line.contains(from)).unwrap();
        original.replacen(line, &line.replacen(from, to, 1), 1)
    };
    let cases = [
        // An effect under another message: one lost, one duplicate.
        ("ledger", changed_line("\"entry\":1,", "\"m\":", "\"m\":1")),
        // An amount that no verdict depends on.
        ("amount", changed_line("\"entry\":2,", "\"amount\":", "\"amount\":1")),
        // A moment later, and still in order.
        ("time", changed_line("\"e\":\"received\"", "{\"t\":", "{\"t\":1")),
        ("answer", changed_line("\"e\":\"answered\"", "\"reply\":\"ok: ", "\"reply\":\"ok: 9")),
        ("header", changed_line("\"schema\"", "\"seed\":", "\"seed\":1")),
    ];
    for (what, text) in cases {
        assert_ne!(text, original, "{what}");
        write(&history, &text);
        let (code, said) = check(&run);
        assert_eq!(code, Some(1), "{what}: {said}");
        assert!(said.contains("at-least-once.lossy.0"), "{what}: {said}");
    }
    write(&history, &original);
    assert_eq!(check(&run).0, Some(0), "the original is as good as ever");
}

#[test]
fn a_truncated_or_unreadable_history_is_a_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let (run, history) = run(folder.path());
    let whole = std::fs::read(&history).unwrap();
    std::fs::write(&history, &whole[..whole.len() / 2]).unwrap();
    let (code, said) = check(&run);
    assert_eq!(code, Some(1));
    assert!(said.contains("truncated"), "{said}");

    let text = read_bytes(&whole);
    let shorter: Vec<&str> = text.lines().filter(|line| !line.contains("\"end\"")).collect();
    write(&history, &(shorter.join("\n") + "\n"));
    assert!(check(&run).1.contains("truncated"));

    std::fs::remove_file(&history).unwrap();
    let (code, said) = check(&run);
    assert_eq!(code, Some(2));
    assert!(said.contains("histories were not kept"), "{said}");
}

fn read_bytes(bytes: &[u8]) -> String {
    String::from_utf8(zstd::decode_all(bytes).unwrap()).unwrap()
}

#[test]
fn reports_come_in_every_form_and_from_the_folder_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (run, _) = run(folder.path());
    let dir = run.to_str().unwrap();
    let report = |format: &str| text(&oncelab(folder.path(), &["report", dir, "--format", format]).stdout);
    assert!(report("text").contains("at-least-once"));
    assert!(report("md").starts_with("# quick\n"));
    let csv = report("csv");
    let mut lines = csv::Reader::from_reader(csv.as_bytes());
    let row: std::collections::HashMap<String, String> = lines.deserialize().next().unwrap().unwrap();
    assert_eq!(row["strategy"], "at-least-once");
    let json: serde_json::Value = serde_json::from_str(&report("json")).unwrap();
    assert_eq!(json["cells"][0]["violations"]["duplicate"].to_string(), row["duplicate"]);
    let saved: serde_json::Value = serde_json::from_slice(&std::fs::read(run.join("summary.json")).unwrap()).unwrap();
    assert_eq!(saved["cells"], json["cells"]);
    assert_eq!(std::fs::read_to_string(run.join("report.md")).unwrap(), report("md"));
}

#[test]
fn a_run_of_another_schema_is_refused_by_version() {
    let folder = tempfile::tempdir().unwrap();
    let (run, _) = run(folder.path());
    let meta = run.join("meta.json");
    let newer = std::fs::read_to_string(&meta).unwrap().replace("\"schema\": 3", "\"schema\": 99");
    std::fs::write(&meta, newer).unwrap();
    let (code, said) = check(&run);
    assert_eq!(code, Some(2));
    assert!(said.contains("schema version 99"), "{said}");
}

#[test]
fn a_printed_command_makes_the_same_row_again() {
    let folder = tempfile::tempdir().unwrap();
    let (run, _) = run(folder.path());
    let saved: serde_json::Value = serde_json::from_slice(&std::fs::read(run.join("summary.json")).unwrap()).unwrap();
    let command = saved["cells"][0]["reproduce"].as_str().unwrap();
    // As a shell would read it, without a shell.
    let words: Vec<String> = command.split(' ').map(|word| word.trim_matches('\'').to_owned()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).skip(1).chain(["--json"]).collect();
    let output = oncelab(folder.path(), &words);
    let again: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let (one, other) = (&saved["cells"][0], &again["cells"][0]);
    assert_eq!(one["verdict"], other["verdict"]);
    for kind in ["duplicate", "deviating"] {
        let count = |cell: &serde_json::Value| cell["violations"][kind].as_u64().unwrap();
        assert!(count(one) > 0 && count(other) > 0, "{kind}: {one} {other}");
    }
}
