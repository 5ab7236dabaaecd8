//! Effects that etcd keeps: its ledger is read back whole, a put that is repeated shows, and a run is judged by it.

use std::sync::Arc;
use std::time::Duration;

use oncelab::explore::{Bound, Kinds};
use oncelab::service::etcd::LockOp;
use oncelab::service::{
    Backend, EmbeddedLockServer, EmbeddedOptions, Endpoint, EtcdBackend, EtcdOptions, LockKind, Store,
};
use oncelab::strategy::{Claim, Need, Strategy, async_trait};
use oncelab::terms::{Delivery, Reply, Request, Retries, Role, Shape, StoreKind, Violation};
use oncelab::world::World;

use crate::backends::{block_on, on_etcd, processes, request};
use crate::common::{Trial, oncelab, text};
use crate::replay::{Mounted, replay};

/// The broken twin of etcd-transaction: it puts the effect, whatever is there.
struct PutAlways;

#[async_trait]
impl Strategy for PutAlways {
    fn name(&self) -> &'static str {
        "put-always"
    }

    fn steps(&self) -> &'static str {
        "[put X], in etcd"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::LOCK]
    }

    fn effects_in(&self) -> &'static [Role] {
        &[Role::LOCK]
    }

    fn shape(&self) -> Shape {
        Shape::Entry
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim { promise: "nothing", retries: Retries::UntilAcknowledged, rules_out: &[], tolerates: &[], breaks: &[] }
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        world.lock().record(request).await
    }
}

const RETRY: Delivery = Delivery { attempt: 1, copy: 0 };

/// What etcd keeps of these puts, by message and delivery.
async fn keeps_every_put(endpoint: Endpoint) {
    let at = |prefix: &str| {
        let options =
            EtcdOptions { endpoints: vec![endpoint.clone()], prefix: prefix.to_owned(), ..EtcdOptions::default() };
        EtcdBackend::new(options).unwrap()
    };
    let (etcd, other) = (at("oncelab/kept"), at("oncelab/kept-too"));
    let mut session = etcd.connect().await.unwrap();
    let once = |n| LockOp::record_once(&request(n)).into();
    let put = |n| LockOp::record(&request(n)).into();
    let mut said = Vec::new();
    for (op, by) in [
        (once(9), Delivery::FIRST),
        (once(9), RETRY),
        (put(3), RETRY),
        (put(9), RETRY),
        // The same delivery once more, under the same key.
        (put(3), RETRY),
        (put(u32::MAX), Delivery::FINAL),
    ] {
        said.push(format!("{:?}", session.execute(op, by).await.unwrap()));
    }
    assert!(said[0].contains("Recorded(Answer(10))") && said[1].contains("Found(Answer(10))"), "{said:?}");
    other.connect().await.unwrap().execute(once(9), Delivery::FIRST).await.unwrap();
    etcd.quiesce().await.unwrap();
    let ledger = etcd.ledger().await.unwrap();
    let entries: Vec<_> = ledger.iter().map(|entry| (entry.number, entry.message.0, entry.by)).collect();
    let expected =
        [(1, 9, Delivery::FIRST), (2, 3, RETRY), (3, 9, RETRY), (4, 3, RETRY), (5, u32::MAX, Delivery::FINAL)];
    assert_eq!(entries, expected);
    assert!(ledger.iter().all(|entry| (entry.amount, entry.account) == (10, request(9).effect.account)));

    etcd.reset(1).await.unwrap();
    assert_eq!((etcd.ledger().await.unwrap().len(), other.ledger().await.unwrap().len()), (0, 1));
    let again = format!("{:?}", session.execute(once(9), Delivery::FIRST).await.unwrap());
    assert!(again.contains("Recorded"), "{again}: what was marked is forgotten too");
    other.reset(1).await.unwrap();
}

#[test]
fn every_put_is_an_entry_in_the_embedded_server_and_in_etcd() {
    block_on(async {
        let server = EmbeddedLockServer::start(EmbeddedOptions::default()).unwrap();
        keeps_every_put(server.endpoint()).await;
    });
    on_etcd(|url| keeps_every_put(url.into()));
}

#[test]
fn what_others_have_written_is_an_error_that_names_the_key() {
    on_etcd(|url| async move {
        let options = EtcdOptions {
            endpoints: vec![url.clone().into()],
            prefix: "oncelab/x".to_owned(),
            ..EtcdOptions::default()
        };
        let etcd = EtcdBackend::new(options).unwrap();
        let mut client = Endpoint::from(url).client(Duration::from_secs(5)).await.unwrap();
        for (key, value) in
            [("oncelab/x/ledger/0000000001/\u{1b}", "+1 to 0"), ("oncelab/x/ledger/0000000001/0.0", "much")]
        {
            client.put(key, value, None).await.unwrap();
            let error = etcd.ledger().await.unwrap_err().to_string();
            assert!(error.contains("is no entry of a ledger") && !error.contains('\u{1b}'), "{error}");
            client.delete(key, None).await.unwrap();
        }
        client.put("oncelab/x/id/0000000001", "much", None).await.unwrap();
        let mut session = etcd.connect().await.unwrap();
        let error = session.execute(LockOp::record_once(&request(1)).into(), Delivery::FIRST).await.unwrap_err();
        assert!(error.to_string().contains("a value that the lab has not put"), "{error}");
    });
}

fn breaks(mounted: &Mounted, times: usize) {
    let bound = Bound { kinds: Kinds::all(), store: mounted.rig().profile(), ..Bound::new(2, 1, 1) };
    for schedule in ["a b", "a? a", "a~ a a+"] {
        let schedule = schedule.parse().unwrap();
        assert_eq!(replay(mounted, &PutAlways, bound, &schedule, Violation::Duplicate, times), times, "{schedule}");
    }
}

#[test]
fn a_put_without_a_comparison_breaks_in_replays() {
    breaks(&Mounted::embedded(), 100);
    let Some(mounted) = Mounted::new(StoreKind::Sqlite, LockKind::Etcd, processes()) else { return };
    breaks(&mounted, 100);
}

/// Losses on the way to etcd.
const LOSSY: &str = "lock = { request_lost = 0.05, reply_lost = 0.1, late_landing = 0.05, duplicated = 0.05 }\nhandler = { crash = 0.05 }";

#[test]
fn under_load_a_put_is_repeated_and_a_transaction_is_not() {
    let (record, tally) = Trial::new("etcd-transaction", LOSSY).run();
    assert_eq!((record.ledger.len(), tally.violations.len()), (300, 0), "{:?}", tally.violations);
    assert!(record.ledger.iter().all(|entry| entry.role == Role::LOCK));
    let (record, tally) = Trial::new("etcd-transaction", LOSSY).run_with(Arc::new(PutAlways)).unwrap();
    // 300 requests, and 15 % or more of their puts are repeated.
    let duplicates = tally.count_at(Role::LOCK, Violation::Duplicate);
    assert!(duplicates > 20 && tally.count(Violation::Duplicate) == duplicates, "{duplicates}");
    assert!(record.ledger.len() as u64 >= 300 + duplicates);
}

#[test]
fn a_run_is_judged_by_the_ledger_in_etcd_and_judged_the_same_again() {
    let folder = tempfile::tempdir().unwrap();
    // Of 1,200 requests ten meet the rarest of its faults; of 400 none did, once in 25 runs, and a pass was inconclusive.
    let small =
        ["--set", "load.requests=1200", "--set", "load.warmup=0", "--set", "repeats=1", "--seed", "5", "--json"];
    let ran =
        oncelab(folder.path(), &[&["run", "lock-or-transaction", "--faults", "lossy"], small.as_slice()].concat());
    let summary: serde_json::Value =
        serde_json::from_slice(&ran.stdout).unwrap_or_else(|_| panic!("{}", text(&ran.stderr)));
    let cell = summary["cells"].as_array().unwrap().iter().find(|cell| cell["strategy"] == "etcd-transaction").unwrap();
    assert_eq!(cell["violations_by_role"].as_object().unwrap().keys().collect::<Vec<_>>(), ["lock"]);
    assert_eq!(
        (&cell["verdict"], cell["effects"].as_u64()),
        (&"valid".into(), cell["acknowledged"].as_u64()),
        "{cell}"
    );
    let checked = oncelab(folder.path(), &["check", summary["dir"].as_str().unwrap()]);
    assert!(text(&checked.stdout).contains("4 of 4 trials judged again"), "{}", text(&checked.stdout));
}
