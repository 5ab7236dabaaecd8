//! Files are input: what stands in them costs no memory, moves no terminal, and means nothing to a shell or a browser.

use std::path::Path;
use std::process::Command;

use crate::common::{oncelab, small_run_of, text};

const SMALL: [&str; 6] = ["--set", "load.requests=150", "--set", "load.warmup=10", "--set", "repeats=1"];

/// An experiment with this question and this analysis, in a file of this name.
fn experiment(folder: &Path, file: &str, question: &str, analysis: &str) {
    let text = format!(
        "name = \"mine\"\nquestion = {question}\nstrategies = [\"at-least-once\"]\n[[analysis]]\nsays = {analysis}\n\
         [[faults]]\nname = \"lossy\"\nstore = {{ reply_lost = 0.1 }}\n"
    );
    std::fs::write(folder.join(file), text).unwrap();
}

#[test]
fn an_experiment_that_cannot_fit_into_memory_is_refused_with_what_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    for (setting, part) in [
        ("load.requests=4000000000", "`load.requests` is 4000000000"),
        ("load.accounts=4294967295", "`load.accounts` 4294967295"),
        ("repeats=65535", "65535 repeats"),
    ] {
        let refused = oncelab(folder.path(), &["run", "quick", "--set", setting]);
        let said = text(&refused.stderr);
        if part.contains("accounts") && refused.status.code() != Some(2) {
            // A machine of more than 64 GiB has room for the accounts.
            continue;
        }
        assert_eq!(refused.status.code(), Some(2), "{setting}: {said}");
        assert!(said.contains(part), "{setting}: {said}");
    }
    let refused = oncelab(folder.path(), &["run", "quick", "--set", "load.requests=4000000000"]);
    let said = text(&refused.stderr);
    let mib: u64 = said.split("at least ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().parse().unwrap();
    // Five events of eighty bytes and more.
    assert!(mib > (4_000_000_000 * 400) >> 20, "{said}");
    assert!(said.contains("this machine has") && said.contains("--set load.requests="), "{said}");
    assert!(!folder.path().join("results").exists(), "nothing is begun");
}

#[test]
fn a_command_that_is_printed_runs_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let name = "my exp;touch x.toml";
    experiment(folder.path(), name, "\"?\"", "\"Nothing.\"");
    let arguments = ["run", name, "--out", "o u't", "--set", "question='$(touch y)'"];
    let run = oncelab(folder.path(), &[&arguments[..], &SMALL].concat());
    let said = text(&run.stdout);
    let again = said
        .lines()
        .find_map(|line| line.strip_prefix("again:  "))
        .unwrap_or_else(|| panic!("{said}{}", text(&run.stderr)));
    let more = said.lines().find_map(|line| line.strip_prefix("more:   ")).unwrap();
    for (line, words) in [(again, &[name, "question=$(touch y)"][..]), (more, &["o u't/mine"])] {
        // What a shell makes of the line, in the place of the program.
        let (_, arguments) = line.split_once(' ').unwrap();
        let script = format!("printf '%s\\n' {arguments}");
        let read = Command::new("bash").args(["-c", &script]).current_dir(folder.path()).output().unwrap();
        let read = text(&read.stdout);
        for word in words {
            assert!(
                read.lines().any(|line| line.replace('\'', "").contains(&word.replace('\'', ""))),
                "{word}: {read}"
            );
        }
    }
    let mut there: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    there.sort();
    assert_eq!(there, ["my exp;touch x.toml", "o u't"], "nothing was touched");
    let dir = std::fs::read_dir(folder.path().join("o u't/mine")).unwrap().next().unwrap().unwrap().path();
    let report = text(&oncelab(folder.path(), &["report", dir.to_str().unwrap(), "--format", "md"]).stdout);
    assert!(report.contains("'my exp;touch x.toml'"), "{report}");
    // The printed command makes the run again.
    let line = format!("{again} --out again");
    let made = Command::new("bash").args(["-c", &line]).current_dir(folder.path()).output().unwrap();
    assert!(matches!(made.status.code(), Some(0 | 1 | 3)), "{line}: {}", text(&made.stderr));
}

#[test]
fn nothing_from_a_file_moves_the_terminal_or_becomes_html() {
    let folder = tempfile::tempdir().unwrap();
    let question = "\"Why \\u001b[2J\\u009b31m\\u202eon?\"";
    let analysis = "\"<script>alert(1)</script> <img src=x> ![x](http://example.org/x.png) \\u001b]0;owned\\u0007\"";
    experiment(folder.path(), "mine.toml", question, analysis);
    let run = oncelab(folder.path(), &[&["run", "mine.toml", "--seed", "1"][..], &SMALL].concat());
    let is_harmless = |what: &str, text: &str| {
        let obeyed = |c: char| (c.is_control() && c != '\n' && c != '\t') || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!text.contains(obeyed), "{what}: {}", text.escape_debug());
    };
    let said = text(&run.stdout);
    is_harmless("run", &(said.clone() + &text(&run.stderr)));
    assert!(said.contains("Why \\u001b[2J"), "{said}");
    let dir = std::fs::read_dir(folder.path().join("results/mine")).unwrap().next().unwrap().unwrap().path();
    let dir = dir.to_str().unwrap();
    for format in ["text", "md", "html", "csv", "tex", "json"] {
        let report = text(&oncelab(folder.path(), &["report", dir, "--format", format]).stdout);
        is_harmless(format, &report);
        if format == "md" || format == "html" {
            assert!(report.contains("alert(1)"), "{format}: the sentence is there");
            assert!(!report.contains("<script>alert") && !report.contains("<img src=x"), "{format}: {report}");
            assert!(format != "md" || !report.contains("](http"), "{report}");
        }
        if format == "json" {
            let summary: serde_json::Value = serde_json::from_str(&report).unwrap();
            assert!(summary["question"].as_str().unwrap().contains('\u{1b}'), "a document says what the file says");
        }
    }
    let saved = std::fs::read_to_string(Path::new(dir).join("report.md")).unwrap();
    assert!(!saved.contains("<script>") && !saved.contains('\u{1b}'), "{saved}");
    // An error about a file says what stands there.
    let trials = Path::new(dir).join("trials.csv");
    let rows = std::fs::read_to_string(&trials).unwrap();
    for broken in [rows.replacen("at-least-once.", "\u{1b}[2J.", 1), rows.replacen("lossy", "../lossy", 1)] {
        std::fs::write(&trials, broken).unwrap();
        let refused = oncelab(folder.path(), &["report", dir]);
        assert_eq!(refused.status.code(), Some(2));
        is_harmless("a refusal", &text(&refused.stderr));
        assert!(text(&refused.stderr).contains("trials.csv:2"), "{}", text(&refused.stderr));
    }
}

#[test]
fn a_saved_schedule_that_brings_a_command_along_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let run = small_run_of("lost-reply", folder.path(), &["--strategies", "at-least-once", "--seed", "3"]);
    let file = run.join("schedules.json");
    let there = std::fs::read_to_string(&file).unwrap();
    assert!(there.contains("\"command\": \"oncelab replay at-least-once"), "{there}");
    let forged = there.replace("\"command\": \"oncelab replay", "\"command\": \"touch x; oncelab replay");
    std::fs::write(&file, forged.replace("\"cause\": \"", "\"cause\": \"<img src=x>")).unwrap();
    for format in ["text", "md", "html"] {
        let report = text(&oncelab(folder.path(), &["report", run.to_str().unwrap(), "--format", format]).stdout);
        assert!(report.contains("replay at-least-once"), "{format}: {report}");
        assert!(!report.contains("touch x") && !report.contains("<img src=x"), "{format}: {report}");
    }
}

#[test]
fn a_template_that_would_never_end_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (analysis, part) in [
        ("\"{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}\"", "{%"),
        ("\"{{ [1] * 1000000000 }}\"", "`[`"),
        ("'{{ \"x\" * 100000000 }}'", "`*`"),
    ] {
        experiment(folder.path(), "mine.toml", "\"?\"", analysis);
        let refused = oncelab(folder.path(), &["run", "mine.toml"]);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains("mine.toml:") && said.contains("`analysis`") && said.contains(part), "{said}");
    }
}
