//! `oncelab evidence`: what stands behind each claim, in one table.

use serde_json::Value;

use crate::common::{oncelab, text};

const SHORT: [&str; 7] = ["--times", "4", "--sample", "40", "--requests", "300", "--json"];

#[test]
fn a_row_has_schedules_replays_conformance_and_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let output = oncelab(folder.path(), &[&["evidence", "put", "dedup-table"][..], &SHORT].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let [put, dedup] = document["rows"].as_array().unwrap().as_slice() else { panic!("{document}") };
    assert_eq!((&put["strategy"], &put["holds"], &dedup["holds"]), (&"put".into(), &true.into(), &true.into()));
    // Two causes, with two requests each: a retry, and a late landing.
    let schedules = put["schedules"].as_array().unwrap();
    assert_eq!(schedules.len(), 2, "{put}");
    for schedule in schedules {
        assert_eq!((&schedule["violation"], &schedule["requests"]), (&"reverted".into(), &2.into()));
        assert_eq!((&schedule["hits"], &schedule["times"]), (&4.into(), &4.into()));
    }
    assert_eq!(dedup["schedules"].as_array().unwrap().len(), 0);
    assert_eq!(dedup["conformed"]["replayed"], 40);
    assert_eq!(dedup["run"][0]["acknowledged"], 300);
    // Nothing is left where it was run.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_is_gathered() {
    let folder = tempfile::tempdir().unwrap();
    let unknown = oncelab(folder.path(), &["evidence", "dedup-tabel"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("dedup-table"), "{}", text(&unknown.stderr));
    let elsewhere = oncelab(folder.path(), &["evidence", "row-lock", "--times", "1", "--requests", "0"]);
    assert_eq!(elsewhere.status.code(), Some(2));
    assert!(text(&elsewhere.stderr).contains("does not run on sqlite"), "{}", text(&elsewhere.stderr));
}
