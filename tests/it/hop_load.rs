//! HTTP between clients and handlers under load: the same faults, the same judgement, and a wire that saw what the history says.

use std::collections::{BTreeMap, BTreeSet};

use oncelab::check::Tally;
use oncelab::history::What;
use oncelab::load::{HopCounts, TrialRecord};
use oncelab::service::provision;
use oncelab::terms::{Delivery, FaultKind, Hop, HopSettings, HttpProxy, Leg, MessageId, Via, Violation};
use serde_json::Value;

use crate::backends::or_skip;
use crate::common::{Trial, oncelab, text};

/// Every fate that a message between client and handler can have.
const EVERY_FATE: &str = "client = { request_lost = 0.1, reply_lost = 0.1, late_landing = 0.05, duplicated = 0.1, delayed = 0.1 }\n\
     delay_ms = [1, 5]";

fn over(hop: Hop, via: Option<HttpProxy>) -> HopSettings {
    HopSettings { hop, via: via.map(Via::Started), origin: None }
}

/// Clients wait for long: none leaves before its request has been read.
fn trial(strategy: &'static str, faults: &str, hop: HopSettings) -> Trial {
    let mut trial = Trial { hop, ..Trial::new(strategy, faults) };
    trial.load.timeout_ms = 2_000.try_into().unwrap();
    trial.load.own_accounts = true;
    trial
}

fn counted(record: &TrialRecord) -> HopCounts {
    record.hop.expect("a hop over HTTP")
}

fn count(record: &TrialRecord, is: impl Fn(&What, Delivery) -> bool) -> u64 {
    record.events.iter().filter(|event| is(&event.what, event.delivery)).count() as u64
}

fn is_sent(what: &What) -> bool {
    matches!(what, What::Sent { .. })
}

#[test]
fn the_wire_saw_what_the_history_says() {
    let mut seen = 0;
    for hop in [Hop::Http, Hop::Http2] {
        let (record, tally) = trial("dedup-table", EVERY_FATE, over(hop, None)).run();
        let counts = counted(&record);
        let sent = count(&record, |what, _| is_sent(what));
        let attempts = count(&record, |what, delivery| is_sent(what) && delivery.copy == 0);
        let lost = count(&record, |what, _| matches!(what, What::Sent { fault: Some(FaultKind::RequestLost), .. }));
        let arrived = count(&record, |what, delivery| *what == What::Arrived && delivery != Delivery::FINAL);
        assert_eq!((counts.at_proxy, counts.at_server), (attempts, sent - lost), "{hop:?}");
        assert_eq!((counts.at_server, counts.repeated, counts.dropped), (arrived, 0, 0), "{hop:?}");
        for fault in [
            FaultKind::RequestLost,
            FaultKind::ReplyLost,
            FaultKind::LateLanding,
            FaultKind::Duplicated,
            FaultKind::Delayed,
        ] {
            assert!(tally.fired.on(fault, Some(Leg::Client)) > 0, "{hop:?}: {fault}");
        }
        let unheard = count(&record, |what, _| matches!(what, What::Answered { heard: false, .. }));
        assert_eq!(unheard, tally.fired.on(FaultKind::ReplyLost, Some(Leg::Client)), "{hop:?}");
        assert_eq!(Violation::ALL.map(|violation| tally.count(violation)), [0; Violation::ALL.len()], "{hop:?}");
        seen += 1;
    }
    assert_eq!(seen, 2);
}

/// Everything that was sent, with what the network had in store for it.
fn sent(record: &TrialRecord) -> BTreeSet<(MessageId, Delivery, Option<FaultKind>, bool, u16)> {
    let sent = record.events.iter().filter_map(|event| match event.what {
        What::Sent { fault, delayed } => Some((event.message, event.delivery, fault, delayed, event.handler)),
        _ => None,
    });
    sent.collect()
}

#[test]
fn the_same_seed_sends_the_same_with_the_hop_and_without() {
    // Without late landings, of which a client inside the process still hears.
    let faults = "client = { request_lost = 0.1, reply_lost = 0.1, duplicated = 0.1 }";
    let short = |hop| {
        let mut trial = trial("post", faults, over(hop, None));
        // Inside the process a client waits out what a closed connection tells at once.
        trial.load.timeout_ms = 400.try_into().unwrap();
        trial.run()
    };
    let (inside, tally) = short(Hop::Inside);
    assert!(inside.hop.is_none());
    let mut compared = 0;
    for hop in [Hop::Http, Hop::Http2] {
        let (record, own) = short(hop);
        assert_eq!(sent(&record), sent(&inside), "{hop:?}");
        assert_eq!(own.count(Violation::Duplicate), tally.count(Violation::Duplicate), "{hop:?}");
        compared += sent(&record).len();
    }
    assert!(compared > 600 && tally.count(Violation::Duplicate) > 0);
}

fn shows(strategy: &'static str, faults: &str) -> Tally {
    trial(strategy, faults, over(Hop::Http, None)).run().1
}

#[test]
fn a_lost_reply_duplicates_a_post_and_no_put() {
    let lost = "client = { reply_lost = 0.1 }";
    assert!(shows("post", lost).count(Violation::Duplicate) > 0);
    for strategy in ["put", "delete-matching", "conditional-put", "dedup-table", "idempotency-key"] {
        let tally = shows(strategy, lost);
        assert!(tally.fired.on(FaultKind::ReplyLost, Some(Leg::Client)) > 0, "{strategy}");
        assert_eq!(tally.count(Violation::Duplicate), 0, "{strategy}");
    }
    // What succeeded is refused: the retry's precondition is what the first try has changed.
    assert!(shows("conditional-put", lost).count(Violation::Denied) > 0);
}

#[test]
fn a_request_that_lands_late_reverts_a_put_and_not_one_with_if_match() {
    let late = "client = { late_landing = 0.1 }\nlate_ms = [1, 5]";
    let landed = |strategy| {
        let mut trial = trial(strategy, late, over(Hop::Http, None));
        // It lands after that, when its client has gone on.
        trial.load.timeout_ms = 100.try_into().unwrap();
        trial.run().1
    };
    assert!(landed("put").count(Violation::Reverted) > 0);
    assert_eq!(landed("conditional-put").count(Violation::Reverted), 0);
}

#[test]
fn a_client_that_leaves_has_its_handler_cancelled() {
    for hop in [Hop::Http, Hop::Http2] {
        let (record, tally) = trial("dedup-table", "handler = { cancel = 0.05, crash = 0.02 }", over(hop, None)).run();
        let cancelled = count(&record, |what, _| *what == What::Cancelled);
        assert!(cancelled > 0 && count(&record, |what, _| *what == What::Crashed) > 0);
        // hyper saw the connection close, and dropped what it was at: for each of them, and for no other.
        assert_eq!(counted(&record).dropped, cancelled, "{hop:?}");
        assert_eq!(tally.count(Violation::Duplicate), 0);
    }
}

/// How many messages had their effect twice before the last retry, which is made when all has settled, and not over HTTP.
fn twice(record: &TrialRecord) -> u64 {
    let mut effects = BTreeMap::<MessageId, u64>::new();
    for entry in record.ledger.iter().filter(|entry| entry.by != Delivery::FINAL) {
        *effects.entry(entry.message).or_default() += 1;
    }
    effects.values().filter(|effects| **effects > 1).count() as u64
}

/// What a proxy makes of replies that are lost behind it, with clients that try once.
fn behind(proxy: HttpProxy, strategy: &'static str, hop: Hop) -> (TrialRecord, Tally) {
    let mut trial = trial(strategy, "client = { reply_lost = 0.1 }", over(hop, Some(proxy)));
    trial.load.attempts = 1.try_into().unwrap();
    trial.run()
}

fn is_installed(proxy: HttpProxy) -> bool {
    or_skip(provision::version_of_http_proxy(proxy)).is_some()
}

#[test]
fn nginx_repeats_a_put_by_itself_and_a_post_where_it_is_told_to() {
    if !is_installed(HttpProxy::Nginx) {
        return;
    }
    for hop in [Hop::Http, Hop::Http2] {
        let (record, _) = behind(HttpProxy::Nginx, "post", hop);
        assert_eq!((counted(&record).repeated, twice(&record)), (0, 0), "{hop:?}");
        let (record, tally) = behind(HttpProxy::Nginx, "put", hop);
        let repeated = counted(&record).repeated;
        assert!(repeated > 0 && tally.count(Violation::Duplicate) == 0, "{hop:?}");
        // The repeated request is a delivery of its own in the history, and counts as a duplicate that something has made.
        assert_eq!(tally.fired.on(FaultKind::Duplicated, Some(Leg::Client)), repeated);
        assert_eq!(count(&record, |what, delivery| *what == What::Arrived && delivery.copy > 1), repeated);
    }
    let (record, _) = behind(HttpProxy::NginxNonIdempotent, "post", Hop::Http);
    let repeated = counted(&record).repeated;
    assert!(repeated > 0);
    assert_eq!(twice(&record), repeated, "two upstreams: no request comes three times");
}

#[test]
fn haproxy_repeats_nothing_unless_it_is_told_to() {
    if !is_installed(HttpProxy::Haproxy) {
        return;
    }
    for hop in [Hop::Http, Hop::Http2] {
        let (record, _) = behind(HttpProxy::Haproxy, "post", hop);
        assert_eq!((counted(&record).repeated, twice(&record)), (0, 0), "{hop:?}");
    }
    let (record, _) = behind(HttpProxy::HaproxyRetry, "post", Hop::Http);
    assert!(counted(&record).repeated > 0 && twice(&record) > 0);
    let (record, tally) = behind(HttpProxy::HaproxyRetry, "dedup-table", Hop::Http);
    assert!(counted(&record).repeated > 0);
    assert_eq!(tally.count(Violation::Duplicate), 0);
}

const SMALL: [&str; 9] =
    ["run", "lost-reply", "--strategies", "dedup-table", "--set", "repeats=1", "--set", "load.requests=300", "--json"];

#[test]
fn a_run_says_which_hop_it_had_and_makes_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let ran = oncelab(folder.path(), &[&SMALL[..], &["--set", "hop=http", "--seed", "3"]].concat());
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    let summary: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let dir = summary["dir"].as_str().unwrap();
    let meta = std::fs::read(folder.path().join(dir).join("meta.json")).unwrap();
    let meta: Value = serde_json::from_slice(&meta).unwrap();
    assert_eq!(meta["backends"]["hop"], "http");
    let saved = std::fs::read_to_string(folder.path().join(dir).join("experiment.toml")).unwrap();
    assert!(saved.contains("hop = \"http\""), "{saved}");
    let report = std::fs::read_to_string(folder.path().join(dir).join("report.md")).unwrap();
    assert!(report.lines().any(|line| line.contains("hop") && line.contains("http")), "{report}");
    let again = oncelab(folder.path(), &["report", dir]);
    assert!(text(&again.stdout).contains("--set 'hop=http'"), "{}", text(&again.stdout));
    let checked = oncelab(folder.path(), &["check", dir]);
    assert_eq!(checked.status.code(), Some(0), "{}{}", text(&checked.stdout), text(&checked.stderr));
}

#[test]
fn what_cannot_be_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let told = |settings: &[&str]| {
        let settings = settings.iter().flat_map(|setting| ["--set", setting]).collect::<Vec<_>>();
        let ran = oncelab(folder.path(), &[&SMALL[..], &settings].concat());
        (ran.status.code(), text(&ran.stderr).replace('\n', " "))
    };
    let cases: [(&[&str], i32, &str); 6] = [
        (&["hop=carrier-pigeon"], 2, "unknown variant `carrier-pigeon`"),
        (&["via=nginx"], 2, "`via` needs a hop"),
        (&["hop=http", "via=envoy"], 2, "'envoy' is no proxy: name one of nginx, nginx-non-idempotent"),
        (&["hop=http", "via=http://127.0.0.1:9"], 2, "set `origin`"),
        (&["hop=http", "via=http://127.0.0.1:9", "origin=127.0.0.1:0"], 4, "start the proxy that `via` names"),
        (&["hop=http", "origin=127.0.0.1:9090"], 2, "leave `origin` out"),
    ];
    for (settings, code, says) in cases {
        let (ended, said) = told(settings);
        assert!(ended == Some(code) && said.contains(says), "{settings:?}: {ended:?} {said}");
    }
}
