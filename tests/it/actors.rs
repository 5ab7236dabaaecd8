//! Actors at work beside deliveries, under load and in replays.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Arc;

use oncelab::history::What;
use oncelab::strategy::{Actor, Claim, Need, Registry, Strategy, async_trait};
use oncelab::terms::{LeaseId, Reply, Request, StoreKind, Trouble};
use oncelab::world::World;

use crate::common::{Trial, oncelab, small_run_of, text};

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

#[test]
fn an_actor_stands_still_and_ends_with_its_delivery_and_meets_none_of_the_faults_of_handlers() {
    // Handlers crash, and are cancelled, where a keeper keeps a lease alive: that is none of the handler's operations.
    let faults = "handler = { pause = 0.02, crash = 0.02 }\npause_leases = 1.5\n[[for]]\nops = [\"keep-alive\"]\n\
                  handler = { crash = 1.0 }";
    let (record, _) = Trial::new(KEPT, faults).run();
    let (mut over, mut rounds, mut after) = (BTreeSet::new(), 0, 0);
    let mut crashes_of_keepers = 0;
    let mut last_was_keeper = BTreeSet::new();
    let (mut pauses, mut while_paused) = (BTreeMap::new(), 0);
    for event in &record.events {
        let delivery = (event.message, event.delivery);
        match event.what {
            What::Called { op, .. } => {
                let is_keeper = op.kind().name() == "keep-alive";
                rounds += u32::from(is_keeper);
                after += u32::from(is_keeper && over.contains(&delivery));
                // What was under way when the pause began may still be noted.
                let in_pause = |(from, until): &(u64, u64)| (from + 5_000_000..*until).contains(&event.at_ns);
                while_paused += u32::from(is_keeper && pauses.get(&delivery).is_some_and(in_pause));
                match is_keeper {
                    true => last_was_keeper.insert(delivery),
                    false => last_was_keeper.remove(&delivery),
                };
            }
            What::Crashed => {
                crashes_of_keepers += u32::from(last_was_keeper.contains(&delivery));
                over.insert(delivery);
            }
            What::Paused { for_us } => {
                pauses.insert(delivery, (event.at_ns, event.at_ns + u64::from(for_us) * 1_000));
            }
            What::Answered { .. } | What::Cancelled => {
                over.insert(delivery);
            }
            _ => {}
        }
    }
    assert!(rounds > 0, "nothing was kept alive");
    assert!(!pauses.is_empty());
    assert_eq!((after, while_paused), (0, 0), "of {rounds} rounds");
    assert!(crashes_of_keepers * 4 < rounds, "{crashes_of_keepers} crashes after {rounds} rounds");
}

struct Clumsy;

#[async_trait]
impl Actor for Clumsy {
    fn name(&self) -> &'static str {
        "clumsy"
    }

    async fn work(&self, _: &mut World<'_>, _: LeaseId) -> Result<(), Trouble> {
        panic!("an actor that stumbles");
    }
}

/// As etcd-lock-kept-alive, with another actor.
struct Stumbles(Arc<dyn Strategy>);

#[async_trait]
impl Strategy for Stumbles {
    fn name(&self) -> &'static str {
        "stumbles"
    }
    fn steps(&self) -> &'static str {
        self.0.steps()
    }
    fn claim(&self, store: StoreKind) -> Claim {
        self.0.claim(store)
    }
    fn needs(&self) -> &[Need] {
        self.0.needs()
    }
    fn actors(&self) -> &'static [&'static dyn Actor] {
        &[&Clumsy]
    }
    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        self.0.handle(world, request).await
    }
}

#[test]
fn an_actor_that_panics_fails_its_trial() {
    let stumbles = Arc::new(Stumbles(Registry::default().get(KEPT).unwrap()));
    let trial = Trial::new("stumbles", "handler = { pause = 0.05 }\npause_leases = 0.9");
    let error = trial.run_with(stumbles).err().expect("its actor panics").to_string();
    assert!(error.contains("an actor that stumbles"), "{error}");
}
