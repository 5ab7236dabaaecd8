//! Another etcd than the installed one: how it is named, and where it is written down.

use oncelab::service::provision;

use crate::backends::skipped;
use crate::common::{command, oncelab, text};

#[test]
fn an_etcd_that_is_named_runs_as_a_process_and_is_written_down() {
    let Some(etcd) = provision::binary("etcd") else { return skipped("`etcd` is not installed") };
    let folder = tempfile::tempdir().unwrap();
    let named = folder.path().join("another etcd");
    std::os::unix::fs::symlink(&etcd, &named).unwrap();
    // Without --provision it is a process, whatever Docker engine there is.
    let mut replay = command(folder.path());
    replay.args(["replay", "etcd-lock-marker", "a a a a* b b b b a", "--lock", "etcd", "--json"]);
    let output = replay.args(["--etcd-binary", "another etcd"]).output().unwrap();
    let said = text(&output.stderr);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
    assert!(said.contains("lock: process") && said.contains("another etcd"), "{said}");
    assert!(document["lock_server"].as_str().unwrap().starts_with("etcd 3."), "{document:#}");

    let mut run = command(folder.path());
    run.args(["run", "lost-reply", "--strategies", "etcd-lock", "--lock", "etcd", "--seed", "1", "--json"]);
    run.args(["--set", "load.requests=150", "--set", "repeats=1"]).env("ONCELAB_ETCD_BINARY", &named);
    let output = run.output().unwrap();
    let summary: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    let dir = folder.path().join(summary["dir"].as_str().unwrap());
    let meta = std::fs::read_to_string(dir.join("meta.json")).unwrap();
    let meta: serde_json::Value = serde_json::from_str(&meta).unwrap();
    assert_eq!(meta["etcd_binary"], named.to_str().unwrap());
    assert_eq!(meta["backends"]["lock_server"], document["lock_server"]);
    let report = oncelab(folder.path(), &["report", dir.to_str().unwrap(), "--format", "md"]);
    let said = text(&report.stdout);
    assert!(said.contains(&format!("--etcd-binary '{}'", named.display())), "{said}");
}

#[test]
fn an_etcd_that_cannot_run_is_refused_with_what_named_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("text"), "no program").unwrap();
    let refused = |arguments: &[&str], variable: &str, expected: &str| {
        let mut replay = command(folder.path());
        replay.args(["replay", "etcd-lock", "a", "--lock", "etcd"]).args(arguments);
        let output = replay.env("ONCELAB_ETCD_BINARY", variable).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
    };
    refused(&["--etcd-binary", "nowhere"], "", "--etcd-binary nowhere: No such file");
    refused(&["--etcd-binary", "text"], "", "--etcd-binary text: this is not a program");
    refused(&["--etcd-binary", "."], "", "--etcd-binary .: this is not a program");
    refused(&[], "text", "ONCELAB_ETCD_BINARY text: this is not a program");
    refused(&["--etcd-binary", "text", "--provision", "container"], "", "leave one of them out");
    // Nobody asks for it where there is no etcd, and a bug's row says what it is.
    let output = oncelab(folder.path(), &["replay", "check-then-act", "a b b a", "--etcd-binary", "nowhere"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let output = oncelab(folder.path(), &["track-record", "--etcd-binary", "text"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--etcd-binary text: this does not say that it is an etcd"));
}
