//! A peer over HTTP beside a real store: its ledger is judged, in replays through real sockets and under load.

use oncelab::explore::{Bound, Kinds};
use oncelab::service::LockKind;
use oncelab::strategy::Registry;
use oncelab::terms::{Role, StoreKind, Violation};

use crate::backends::processes;
use crate::common::{Trial, oncelab, text};
use crate::replay::{Mounted, replay};

/// The shortest ways to charge twice: a reply that is lost, a crash after it, a request that lands late.
const TWICE: [&str; 3] = ["a a a a? a a a a", "a a a a ax a a a a", "a a a a~ a a a a a+"];

fn charges_twice(mounted: &Mounted, times: usize) {
    let bound = Bound { kinds: Kinds::all(), store: mounted.rig().profile(), ..Bound::new(1, 1, 1) };
    let strategy = Registry::default().get("transfer-peer").unwrap();
    for schedule in TWICE {
        let schedule = schedule.parse().unwrap();
        let shown = replay(mounted, strategy.as_ref(), bound, &schedule, Violation::Duplicate, times);
        assert_eq!(shown, times, "{schedule}");
        let keyed = Registry::default().get("idempotency-key-peer").unwrap();
        assert_eq!(replay(mounted, keyed.as_ref(), bound, &schedule, Violation::Duplicate, times), 0, "{schedule}");
    }
}

#[test]
fn a_peer_is_charged_twice_through_real_sockets_beside_sqlite_and_postgres() {
    charges_twice(&Mounted::embedded(), 100);
    let Some(mounted) = Mounted::new(StoreKind::Postgres, LockKind::Embedded, processes()) else { return };
    charges_twice(&mounted, 50);
}

/// Losses on the way to the peer, inside the process and on the wire.
const LOSSY: &str = "peer = { request_lost = 0.05, reply_lost = 0.1, late_landing = 0.05 }";

#[test]
fn under_load_the_peer_is_charged_twice_without_a_key_and_once_with_one() {
    let (record, tally) = Trial::new("idempotency-key-peer", LOSSY).run();
    assert_eq!(tally.violations.len(), 0, "{:?}", tally.violations);
    let at = |role: Role| record.ledger.iter().filter(|entry| entry.role == role).count();
    assert_eq!((at(Role::STORE), at(Role::PEER)), (300, 300));
    let (_, tally) = Trial::new("transfer-peer", LOSSY).run();
    // 300 requests, and 15 % or more of their calls are made again after the peer has done them.
    let [here, there] = [Role::STORE, Role::PEER].map(|role| tally.count_at(role, Violation::Duplicate));
    assert!(here == 0 && there > 15 && tally.count(Violation::Duplicate) == there, "{here} {there}");
}

#[test]
fn a_run_is_judged_at_the_peer_and_judged_the_same_again() {
    let folder = tempfile::tempdir().unwrap();
    let small = ["--set", "load.requests=400", "--set", "load.warmup=0", "--set", "repeats=1", "--json"];
    let strategies = ["--strategies", "transfer-peer,idempotency-key-peer", "--faults", "lossy", "--seed", "5"];
    let ran = oncelab(folder.path(), &[&["run", "peer"], strategies.as_slice(), small.as_slice()].concat());
    let summary: serde_json::Value =
        serde_json::from_slice(&ran.stdout).unwrap_or_else(|_| panic!("{}", text(&ran.stderr)));
    let cell = |name: &str| summary["cells"].as_array().unwrap().iter().find(|cell| cell["strategy"] == name).unwrap();
    let by_role = &cell("transfer-peer")["violations_by_role"];
    assert_eq!(by_role["store"]["duplicate"], 0, "{by_role}");
    assert!(by_role["peer"]["duplicate"].as_u64() > Some(0), "{by_role}");
    let keyed = cell("idempotency-key-peer");
    assert_eq!((&keyed["violations"]["duplicate"], keyed["effects"].as_u64()), (&0.into(), Some(800)), "{keyed}");
    let dir = summary["dir"].as_str().unwrap();
    let checked = oncelab(folder.path(), &["check", dir]);
    assert!(text(&checked.stdout).contains("2 of 2 trials judged again"), "{}", text(&checked.stdout));
    let shown = text(&oncelab(folder.path(), &["report", dir]).stdout).replace('\n', " ");
    let twice = &by_role["peer"]["duplicate"];
    assert!(shown.contains(&format!("{twice} duplicate at the peer; no violation at the store.")), "{shown}");
    let refused = oncelab(folder.path(), &["run", "peer", "--use", "peer=sqlite"]);
    assert!(text(&refused.stderr).contains("the lab plays the role 'peer' itself"), "{}", text(&refused.stderr));
}
