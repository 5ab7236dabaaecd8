//! `oncelab evidence`: what stands behind each claim, in one table.

use serde_json::Value;

use crate::common::{oncelab, text};

const SHORT: [&str; 5] = ["--times", "4", "--sample", "40", "--json"];

/// The row of a strategy, with so many requests in a run.
fn row(strategy: &str, requests: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let output = oncelab(folder.path(), &[&["evidence", strategy, "--run-requests", requests][..], &SHORT].concat());
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    // Nothing is left where it was run.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let [row] = document["rows"].as_array().unwrap().as_slice() else { panic!("{document}") };
    assert_eq!((&row["strategy"], &row["holds"]), (&strategy.into(), &true.into()));
    row.clone()
}

#[test]
fn a_row_has_schedules_replays_conformance_and_a_run() {
    // A run of so few requests may show no violation: it is left out.
    let put = row("put", "0");
    assert!(put["run"].is_null());
    // Two causes, with two requests each: a retry, and a late landing.
    let schedules = put["schedules"].as_array().unwrap();
    assert_eq!(schedules.len(), 2, "{put}");
    for schedule in schedules {
        assert_eq!((&schedule["violation"], &schedule["requests"]), (&"reverted".into(), &2.into()));
        assert_eq!((&schedule["hits"], &schedule["times"]), (&4.into(), &4.into()));
    }
    let dedup = row("dedup-table", "2500");
    assert_eq!(dedup["schedules"].as_array().unwrap().len(), 0);
    assert_eq!(dedup["conformed"]["replayed"], 40);
    assert_eq!(dedup["run"][0]["acknowledged"], 2_500);
    // With two stores, and a lane for what works for the system.
    let outbox = row("outbox-inbox", "0");
    assert_eq!((outbox["schedules"].as_array().unwrap().len(), &outbox["conformed"]["replayed"]), (0, &40.into()));
    let lease = row("claim-lease-two-stores", "0");
    assert!(lease["schedules"].as_array().unwrap().iter().any(|it| it["violation"] == "duplicate"), "{lease}");
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_is_gathered() {
    let folder = tempfile::tempdir().unwrap();
    let unknown = oncelab(folder.path(), &["evidence", "dedup-tabel"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("dedup-table"), "{}", text(&unknown.stderr));
    let elsewhere = oncelab(folder.path(), &["evidence", "row-lock", "--times", "1", "--run-requests", "0"]);
    assert_eq!(elsewhere.status.code(), Some(2));
    assert!(text(&elsewhere.stderr).contains("does not run on sqlite"), "{}", text(&elsewhere.stderr));
}
