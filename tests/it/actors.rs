//! Actors at work beside deliveries, under load and in replays.

use std::io::Read;

use crate::common::{oncelab, small_run_of, text};

const KEPT: &str = "etcd-lock-kept-alive";

#[test]
fn a_keeper_keeps_leases_alive_and_learns_of_those_that_are_lost() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "--strategies",
        KEPT,
        "--set",
        "load.requests=300",
        "--set",
        "repeats=1",
        "--set",
        "faults.pauses.handler.pause=0.02",
    ];
    let run = small_run_of("pause-beyond-lease", folder.path(), &arguments);
    let history = std::fs::File::open(run.join(format!("histories/{KEPT}.pauses.0.jsonl.zst"))).unwrap();
    let mut lines = String::new();
    zstd::Decoder::new(history).unwrap().read_to_string(&mut lines).unwrap();
    let rounds: Vec<&str> = lines.split("keep-alive ").skip(1).collect();
    assert!(rounds.iter().any(|round| round.contains("\"outcome\":\"ok: done\"")), "no lease was kept alive");
    assert!(rounds.iter().any(|round| round.contains("failed: lease_expired")), "no lease was lost");
    let checked = oncelab(folder.path(), &["check", run.to_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
}

#[test]
fn a_schedule_with_a_keeper_is_replayed_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["replay", KEPT, "a a a* b c c a c", "--times", "10"];
    let replayed = oncelab(folder.path(), &arguments);
    let said = text(&replayed.stdout);
    assert_eq!(replayed.status.code(), Some(0), "{said}{}", text(&replayed.stderr));
    assert!(said.contains("b   keep the lease alive") && said.contains("refused: lease expired"), "{said}");
    assert!(said.contains("10 of 10"), "{said}");
}
