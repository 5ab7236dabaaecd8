//! A service that is there for tests alone is explored, replayed and put under load as the lab's own are: what shows that a service
//! is a folder and a line in the list.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::check::{Case, Evidence, Tally, findings};
use crate::experiment::LoadSettings;
use crate::explore::tests::{bound, by_reference, every_schedule};
use crate::explore::{Bound, Flaws, Limits, Schedule, census, one_by_one, tell};
use crate::fault::{Level, Probability};
use crate::history::What;
use crate::load::{Outside, Setting, TrialRecord, backends_of, run_trial, stores_of};
use crate::replay::{ReplayWork, Testbed, replay_all};
use crate::service::provision::{Keeps, Provision, Source};
use crate::service::{
    BackendSettings, Backends, EmbeddedLockServer, EmbeddedOptions, ServiceKind, SqliteStore, TrialSite, Wanted,
};
use crate::strategy::{Claim, Need, Strategy};
use crate::terms::{
    AccountId, Delivery, FaultKind, Leg, MessageId, Profile, Reply, Request, Retries, Role, Shape, StoreKind, Violation,
};
use crate::world::{AnyOp, Op, OpKind, World};

/// Counts what it is about to apply, and looks at the counter afterwards.
struct CountThenAct;

#[async_trait::async_trait]
impl Strategy for CountThenAct {
    fn name(&self) -> &'static str {
        "count-then-act"
    }

    fn steps(&self) -> &'static str {
        "[ping] [increment] [X] [read-counter]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim { promise: "nothing", retries: Retries::UntilAcknowledged, rules_out: &[], tolerates: &[], breaks: &[] }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::STORE, Need { role: Role::SECOND, service: ServiceKind::Counter, servers: 1 }]
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        let account = request.effect.account;
        world.counter().ping().await?;
        let counted = world.counter().increment(account).await?;
        let answer = world.store().apply(request).await?;
        assert!(world.counter().read(account).await? >= counted, "nobody counts down");
        Ok(answer)
    }
}

const SECOND: Leg = Leg::Service(Role::SECOND);

#[test]
fn the_engines_agree_on_a_strategy_that_uses_the_new_service() {
    // Four operations in each lane, none of which waits: 8! / (4! 4!) orders.
    let (schedules, violations) = by_reference(&CountThenAct, bound(2, 0, 0));
    assert_eq!((schedules, violations.contains_key(&Violation::Duplicate)), (70, true));
    let mut compared = 0;
    for store in [Profile::Sqlite, Profile::Postgres] {
        for (lanes, retries, faults) in [(1, 0, 0), (1, 1, 2), (2, 0, 1), (2, 1, 1)] {
            let bound = Bound { store, ..bound(lanes, retries, faults) };
            let (schedules, violations) = by_reference(&CountThenAct, bound);
            let counted = census(&CountThenAct, bound, Flaws::default(), Limits::default(), &mut ()).unwrap();
            assert!(counted.complete);
            assert_eq!((counted.schedules, &counted.violations), (schedules.into(), &violations), "{bound:?}");
            assert_eq!(one_by_one(&CountThenAct, bound, Flaws::default()).unwrap(), (schedules, violations));
            compared += schedules;
        }
    }
    assert!(compared > 10_000, "{compared} schedules");
}

#[test]
fn a_step_of_the_new_service_reads_as_any_other() {
    let account = AccountId(3);
    let delivered = Request {
        id: MessageId(0),
        client: crate::terms::ClientId(0),
        sequence: 0,
        effect: crate::terms::Effect { account, amount: 1 },
    };
    let kinds: Vec<OpKind> = OpKind::all().filter(|kind| kind.role() == Role::SECOND).collect();
    assert_eq!(kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>(), ["increment", "read-counter", "ping"]);
    for line in ["increment 3", "read-counter 3", "ping", "lock.increment 3"] {
        let op = Op::parse(line, &delivered).expect("it is an operation's line");
        assert_eq!(op.to_string(), line);
        assert_eq!(AnyOp::parse("increment x", &delivered), None);
    }
    let story = tell(&CountThenAct, bound(1, 1, 1), &"a a! a".parse::<Schedule>().unwrap()).unwrap();
    let lines: Vec<_> = story.lines.iter().map(|line| (line.leg, line.did.as_str(), line.learned.as_str())).collect();
    assert_eq!(lines[0], (SECOND, "ping", "done"));
    assert_eq!(lines[1], (SECOND, "increment", "lost on its way there"));
    assert_eq!(lines[3], (SECOND, "increment", "counted 1"));
}

#[test]
fn the_new_service_does_beside_a_real_store_what_its_model_says() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let source = Source { provision: Provision::Embedded, keeps: Keeps::InMemory, ..Source::default() };
    let wanted = Wanted { source, ..Wanted::default() };
    let testbed = runtime.block_on(Testbed::start(&wanted, false)).unwrap();
    let mut replays = 0;
    for (lanes, retries, faults) in [(2, 0, 0), (1, 1, 2), (2, 0, 1)] {
        let bound = Bound { store: Profile::Sqlite, ..bound(lanes, retries, faults) };
        let schedules = every_schedule(&CountThenAct, bound);
        let done = AtomicUsize::new(0);
        let work = ReplayWork {
            strategy: &CountThenAct,
            bound,
            flaws: Flaws::default(),
            schedules: &schedules,
            times: 1,
            workers: 2,
            has_model: true,
        };
        replay_all(&testbed, work, &|place, replayed| {
            assert_eq!(replayed.divergence, None, "{}", schedules[place]);
            done.fetch_add(1, Ordering::Relaxed);
            true
        })
        .unwrap();
        assert_eq!(done.into_inner(), schedules.len());
        replays += schedules.len();
    }
    assert!(replays > 1_000, "{replays} replays");
    runtime.block_on(async { drop(testbed) });
}

/// A trial in which the messages to the counter meet faults, and no others: what it leaves, and what the counters are in the end.
async fn trial() -> (TrialRecord, u32) {
    let likely = |value| Probability::new(value).expect("a probability");
    let mut level = Level { name: "second".to_owned(), ..Level::none() };
    level.second.request_lost = likely(0.05);
    level.second.reply_lost = likely(0.05);
    level.second.late_landing = likely(0.05);
    let settings = BackendSettings::default();
    let server = EmbeddedLockServer::start(EmbeddedOptions::default()).unwrap();
    let backends = Backends::new(StoreKind::Sqlite, Arc::new(SqliteStore::new().unwrap()), server, &settings);
    let load = LoadSettings { requests: 200.try_into().unwrap(), warmup: 0, ..LoadSettings::default() };
    let site = TrialSite { prefix: "test", broker_client: settings.broker_client };
    let setting = Setting {
        strategy: Arc::new(CountThenAct),
        level,
        seed: 1,
        hop: crate::terms::HopSettings::default(),
        backend: settings,
        store_kind: StoreKind::Sqlite,
        stores: stores_of(&CountThenAct, &backends, "test").unwrap(),
        backends: backends_of(&CountThenAct, &backends, site).unwrap(),
        lease: backends.lease(),
        servers: Arc::downgrade(&backends.servers()),
        outside: Arc::new(Outside::here(load.handlers)),
        load,
    };
    let record = run_trial(&setting).await.unwrap();
    let mut counter = setting.backends[Role::SECOND].as_ref().unwrap().connect().await.unwrap();
    let mut counted = 0;
    for (account, _) in &record.balances[Role::STORE] {
        let read = AnyOp::parse(&format!("read-counter {}", account.0), &record.requests[0]).unwrap();
        let said = counter.execute(read, Delivery::FIRST).await.unwrap();
        let crate::world::Outcome::Ok(response) = said else { panic!("{said:?}") };
        counted += response.to_string().strip_prefix("counted ").unwrap().parse::<u32>().unwrap();
    }
    (record, counted)
}

#[test]
fn faults_on_the_way_to_the_new_service_fire_and_are_counted_on_its_leg() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (record, counted) = runtime.block_on(trial());
    // A request of `increment` that arrives counts once, and so does one that lands late.
    let increment = OpKind::named("increment");
    let counts = |what: &What| match what {
        What::Called { op, fault, .. } => op.kind() == increment && matches!(fault, None | Some(FaultKind::ReplyLost)),
        What::Landed { op, .. } => op.kind() == increment,
        _ => false,
    };
    let arrived = record.events.iter().filter(|event| counts(&event.what)).count();
    assert_eq!(usize::try_from(counted).unwrap(), arrived);
    assert!(arrived > record.requests.len(), "a lost reply to it has a client count again");
    let case = Case::new(Evidence {
        requests: &record.requests,
        events: &record.events,
        ledger: &record.ledger,
        balances: Some(&record.balances),
        effects: &[Role::STORE],
        disturbed: &record.disturbed,
        retries: Retries::UntilAcknowledged,
        shape: Shape::Account,
        lease: std::time::Duration::from_secs(1),
    });
    let tally = Tally::new(&case, &findings(&case));
    for fault in [FaultKind::RequestLost, FaultKind::ReplyLost, FaultKind::LateLanding] {
        let on_leg = tally.fired.on(fault, Some(SECOND));
        assert!(on_leg > 0 && on_leg == tally.fired.of(fault), "{fault}: {on_leg} of {}", tally.fired.of(fault));
    }
    assert!(tally.violations.keys().any(|(violation, _)| *violation == Violation::Duplicate), "{:?}", tally.violations);
}
