//! HTTP between client and handler in schedules: what the model says of it holds on real sockets.

use oncelab::explore::{Bound, Exploration, Flaws, Kinds, Limits, tell_with};
use oncelab::replay::{Conformance, conform};
use oncelab::service::LockKind;
use oncelab::strategy::{Registry, WithHop};
use oncelab::terms::{Cause, StoreKind, Violation};

use crate::backends::processes;
use crate::common::{oncelab, text};
use crate::replay::{Mounted, needs_a_broker, replay};

/// What the hop teaches, and two cures.
const STRATEGIES: [&str; 6] =
    ["post", "put", "conditional-put", "dedup-table", "check-then-act", "etcd-lock-fenced-transaction"];

fn behind(name: &str) -> WithHop {
    WithHop::new(Registry::default().get(name).unwrap())
}

fn bound(mounted: &Mounted, requests: u8) -> Bound {
    Bound { requests, kinds: Kinds::all(), store: mounted.rig().profile(), ..Bound::new(2, 1, 1) }
}

/// Replays the shortest schedule of each violation with each of its causes, so often each. Says how many schedules there were.
fn replay_minimal_schedules(mounted: &Mounted, times: usize) -> usize {
    let mut schedules = 0;
    for name in STRATEGIES {
        let strategy = behind(name);
        for requests in [1, 2] {
            let bound = bound(mounted, requests);
            let explored = Exploration::new(&strategy, bound, Limits::default(), &mut ()).unwrap();
            let causes = explored.with_causes(&strategy, Limits::default(), &mut ()).unwrap().causes.unwrap();
            for found in causes.found {
                let shown = replay(mounted, &strategy, bound, &found.schedule, found.violation, times);
                assert_eq!(shown, times, "{name}: {} {}", found.violation, found.schedule);
                schedules += 1;
            }
        }
    }
    schedules
}

#[test]
fn every_minimal_schedule_shows_its_violation_through_real_sockets_100_times_of_100() {
    // A lost answer, a client that leaves, a late request and plain redelivery, for post alone.
    assert!(replay_minimal_schedules(&Mounted::embedded(), 100) >= 20);
}

#[test]
fn every_minimal_schedule_shows_its_violation_on_postgres_and_etcd_too() {
    let Some(mounted) = Mounted::new(StoreKind::Postgres, LockKind::Etcd, processes()) else { return };
    assert!(replay_minimal_schedules(&mounted, 20) >= 20);
}

/// The violations that a schedule shows each time of 100.
fn shows(mounted: &Mounted, name: &str, schedule: &str) -> Vec<Violation> {
    let schedule = schedule.parse().unwrap();
    let of = |violation: &Violation| {
        let shown = replay(mounted, &behind(name), bound(mounted, 2), &schedule, *violation, 100);
        assert!([0, 100].contains(&shown), "{name} {schedule}: {violation} {shown} times of 100");
        shown > 0
    };
    Violation::ALL.into_iter().filter(of).collect()
}

#[test]
fn post_duplicates_under_a_lost_answer_and_put_under_none_and_if_match_keeps_out_what_is_late() {
    let mounted = Mounted::embedded();
    let (lost_answer, late_duplicate) = ("a a a? a a a b b b", "a~ a a a b b b a+ a a");
    assert!(shows(&mounted, "post", lost_answer).contains(&Violation::Duplicate));
    assert_eq!(shows(&mounted, "put", lost_answer), []);
    assert_eq!(shows(&mounted, "put", late_duplicate), [Violation::Reverted]);
    // What is late meets another version, and is refused: 412, although its request was done. After a lost answer the client hears that.
    assert_eq!(shows(&mounted, "conditional-put", late_duplicate), [Violation::Deviating]);
    assert_eq!(shows(&mounted, "conditional-put", lost_answer), [Violation::Denied, Violation::Deviating]);
}

fn conformance(mounted: &Mounted, flaws: Flaws, sample: Option<usize>) -> Conformance {
    let until_divergence = flaws != Flaws::default();
    let bound = bound(mounted, 1);
    Conformance { bound, flaws, shard: None, sample, max_classes: 100_000, seed: 7, workers: 1, until_divergence }
}

#[test]
fn real_sockets_do_what_the_model_says() {
    let mounted = Mounted::embedded();
    let (mut held, mut replayed) = (0, 0);
    let registry = WithHop::all(&Registry::default());
    for strategy in registry.on(StoreKind::Sqlite).filter(|strategy| !needs_a_broker(strategy.as_ref())) {
        let of = conformance(&mounted, Flaws::default(), Some(60));
        let conformed = conform(mounted.rig(), strategy.as_ref(), &of, &|_, _| true).unwrap();
        assert_eq!(conformed.smallest, None, "{}", strategy.name());
        (held, replayed) = (held + 1, replayed + conformed.replayed);
    }
    assert!(held > 20 && replayed > 1_000, "{held} strategies, {replayed} schedules");
}

#[test]
fn a_model_in_which_late_requests_vanish_is_caught() {
    let mounted = Mounted::embedded();
    let flaws = Flaws { no_landing: true, ..Flaws::default() };
    let conformed = conform(mounted.rig(), &behind("put"), &conformance(&mounted, flaws, None), &|_, _| true).unwrap();
    let (schedule, divergence) = conformed.smallest.unwrap();
    assert!(divergence.real.contains("lands with `arrived`") || schedule.to_string().contains('+'), "{divergence}");
    // And with it no late duplicate is seen.
    let late = "a~ a a a b b b a+".parse().unwrap();
    let kinds = |flaws| {
        let told = tell_with(&behind("put"), Bound { requests: 2, ..Bound::new(2, 1, 1) }, &late, flaws).unwrap();
        told.findings.iter().map(|finding| (finding.violation, finding.cause)).collect::<Vec<_>>()
    };
    assert_eq!(kinds(flaws), []);
    assert_eq!(kinds(Flaws::default()), [(Violation::Reverted, Cause::LateLanding)]);
}

#[test]
fn the_command_line_tells_what_happens_on_the_hop_and_replays_what_it_prints() {
    let folder = tempfile::tempdir().unwrap();
    let told = oncelab(folder.path(), &["explore", "post", "--hop", "http", "--schedule", "a! a a a? ax"]);
    let told = (text(&told.stdout), text(&told.stderr));
    assert!(told.1.contains("'ax', cannot be made there"), "{told:?}");
    let told =
        oncelab(folder.path(), &["explore", "put", "--hop", "http", "--schedule", "a! a a a?", "--retries", "2"]);
    let told = text(&told.stdout);
    for words in [
        "PUT X                    → the client's request is lost on its way",
        "a: its client hears nothing, and retries",
        "PUT X                    → a handler begins",
        "answer 200               → the answer is lost on its way back",
        "--hop http",
    ] {
        assert!(told.contains(words), "'{words}' is not in {told}");
    }
    let replay = ["replay", "put", "--hop", "http", "--times", "100", "--requests", "2", "--json", "a~ a a a b b b a+"];
    let replayed = oncelab(folder.path(), &replay);
    let document: serde_json::Value = serde_json::from_slice(&replayed.stdout).unwrap();
    assert_eq!((&document["reproduced"], &document["divergences"]), (&100.into(), &0.into()), "{document}");
    assert_eq!(document["hop"], "http");
    let without = oncelab(folder.path(), &["explore", "put", "--json", "--lanes", "1"]);
    let without: serde_json::Value = serde_json::from_slice(&without.stdout).unwrap();
    assert!(without.get("hop").is_none(), "there is none");
}

#[test]
fn what_the_hop_cannot_be_or_be_exported_as_is_said_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let refused = oncelab(folder.path(), &["explore", "post", "--hop", "smtp"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("possible values: http"), "{}", text(&refused.stderr));
    let export = ["explore", "post", "--hop", "http", "--schedule", "a a a?", "--export", "isolationtester"];
    let refused = oncelab(folder.path(), &export);
    assert!(text(&refused.stderr).contains("leave --hop out"), "{}", text(&refused.stderr));
    let used = oncelab(folder.path(), &["run", "quick", "--use", "hop=sqlite"]);
    assert_eq!(used.status.code(), Some(2));
    assert!(text(&used.stderr).contains("hop"), "{}", text(&used.stderr));
}

/// Whether a strategy is behind the hop says what it needs; what it claims stays.
#[test]
fn a_strategy_behind_the_hop_is_the_same_strategy() {
    let registry = Registry::default();
    for (one, behind) in registry.iter().zip(WithHop::all(&registry).iter()) {
        assert_eq!((one.name(), one.steps(), one.shape()), (behind.name(), behind.steps(), behind.shape()));
        assert_eq!(one.claim(StoreKind::Postgres), behind.claim(StoreKind::Postgres));
        assert_eq!(one.needs().len() + 1, behind.needs().len());
        assert!(WithHop::is(behind.as_ref()) && !WithHop::is(one.as_ref()));
    }
}
