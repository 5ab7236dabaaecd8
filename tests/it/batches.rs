//! Batches of deliveries on real stores: one statement or one transaction for many, and an outcome for each.

use oncelab::explore::{Bound, Kinds};
use oncelab::service::LockKind;
use oncelab::strategy::{Claim, Strategy, async_trait};
use oncelab::terms::{Reply, Request, Retries, StoreKind, Violation};
use oncelab::world::World;
use serde_json::Value;

use crate::backends::{on_mariadb, on_postgres, processes};
use crate::common::{oncelab, text};
use crate::replay::{Mounted, replay};

/// Everything that can happen to messages, with so few handlers that deliveries wait, and so few accounts that several effects of a
/// batch are on one.
const LOSSY: &str = r#"
name = "batched"
question = "Are batches done once?"
strategies = ["dedup-table-batched"]
load = { requests = 1200, warmup = 0, clients = 64, handlers = 4, accounts = 8, timeout_ms = 150, attempts = 30 }
backend = { durable = false, restart_ms = 5, loss_noticed_ms = 2 }

[[faults]]
name = "lossy"
client = { request_lost = 0.02, reply_lost = 0.03, late_landing = 0.02, duplicated = 0.03 }
store = { request_lost = 0.1, reply_lost = 0.1, late_landing = 0.1, duplicated = 0.05 }
handler = { crash = 0.05, cancel = 0.05 }
"#;

fn is_done_once(arguments: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("batched.toml"), LOSSY).unwrap();
    let output = oncelab(folder.path(), &[&["run", "batched.toml", "--seed", "5", "--json"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let cell = &summary["cells"][0];
    let violations = cell["violations"].as_object().unwrap();
    assert!(violations.values().all(|count| count == 0), "{cell}");
    assert_eq!((&cell["verdict"], cell["effects"].as_u64()), (&"valid".into(), Some(1200)), "{cell}");
    for fault in ["request_lost", "reply_lost", "late_landing", "duplicated", "crash", "cancel"] {
        assert!(cell["fired"][fault].as_u64().unwrap() >= 5, "{fault}: {cell}");
    }
    // A fault on the way to the store is one of a statement, and not of each of its deliveries.
    let dir = summary["dir"].as_str().unwrap();
    let checked = oncelab(folder.path(), &["check", dir]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
}

#[test]
fn a_batch_is_done_once_for_each_of_its_deliveries_on_sqlite() {
    is_done_once(&["--store", "sqlite"]);
}

#[test]
fn a_batch_is_done_once_for_each_of_its_deliveries_on_postgres_at_the_port_and_on_the_wire() {
    on_postgres(|url| async move {
        is_done_once(&["--store", "postgres", "--store-url", &url]);
        is_done_once(&["--store", "postgres", "--store-url", &url, "--set", "faults.lossy.where=wire"]);
    });
}

/// In schedules both requests of a batch are done by one step of its lane, and each is sent again by its own client.
#[test]
fn batches_in_schedules_do_on_real_stores_what_the_model_says() {
    let folder = tempfile::tempdir().unwrap();
    let json = |arguments: &[&str]| {
        let output = oncelab(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    const BATCH: [&str; 4] = ["dedup-table-batched", "--requests", "2", "--batch"];
    let conform = |store: &[&str]| {
        let document = json(&[&["conform"], &BATCH[..], &["--json"], store].concat());
        assert_eq!(document["bound"]["batch"], true);
        let row = &document["strategies"][0];
        assert_eq!((&row["replayed"], &row["divergences"]), (&13.into(), &0.into()), "{row}");
    };
    conform(&["--store", "sqlite"]);
    on_postgres(|url| async move { conform(&["--store", "postgres", "--store-url", &url]) });
    let told = oncelab(folder.path(), &[&["explore"], &BATCH[..], &["--schedule", "a? b a a b"]].concat());
    let told = text(&told.stdout);
    let really = told.lines().find_map(|line| line.strip_prefix("really: ")).unwrap();
    assert!(really.contains("--requests 2 --batch \"a? b a a b\""), "{told}");
    let replay = |schedule: &str, store: &[&str]| {
        let document = json(&[&["replay"], &BATCH[..], &["--times", "20", "--json", schedule], store].concat());
        assert_eq!(document["divergences"], 0, "{document}");
    };
    replay("a? b a a b", &["--store", "sqlite"]);
    on_mariadb(|url| async move { replay("a", &["--store", "mariadb", "--store-url", &url]) });
    for (arguments, says) in [
        (&["explore", "dedup-table", "--requests", "2", "--batch"][..], "handles one delivery at a time"),
        (&["replay", "dedup-table-batched", "--batch", "a"], "add --requests 2"),
    ] {
        let refused = oncelab(folder.path(), arguments);
        assert_eq!(refused.status.code(), Some(2));
        assert!(text(&refused.stderr).contains(says), "{}", text(&refused.stderr));
    }
}

/// A broken twin: it does the first request of a batch, and says that all are done.
struct FirstAlone;

#[async_trait]
impl Strategy for FirstAlone {
    fn name(&self) -> &'static str {
        "first-alone"
    }

    fn steps(&self) -> &'static str {
        "[X of the first]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        let retries = Retries::UntilAcknowledged;
        Claim { promise: "nothing", retries, rules_out: &[], tolerates: &[], breaks: &[] }
    }

    fn largest_batch(&self) -> usize {
        8
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        world.store().apply(request).await
    }

    async fn handle_batch(&self, world: &mut World<'_>, requests: &[Request]) -> Vec<Reply> {
        vec![world.store().apply(&requests[0]).await; requests.len()]
    }
}

#[test]
fn a_batch_of_which_a_part_is_forgotten_is_found_in_replays() {
    let lost = |mounted: &Mounted| {
        let bound = Bound { requests: 2, batch: true, kinds: Kinds::all(), ..Bound::new(2, 1, 1) };
        let bound = Bound { store: mounted.rig().profile(), ..bound };
        assert_eq!(replay(mounted, &FirstAlone, bound, &"a".parse().unwrap(), Violation::Lost, 100), 100);
    };
    lost(&Mounted::embedded());
    let Some(mounted) = Mounted::new(StoreKind::Postgres, LockKind::Embedded, processes()) else { return };
    lost(&mounted);
}
