//! Strategies that cannot be explored are rejected, with the place named; closed forms hold for those that are made for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::explore::{
    Bound, Exploration, ExploreError, Flaws, Limits, Reason, Walk, census, count_classes, execute_all, shorten, walk,
};
use crate::service::store::{StoreOp, StoreService};
use crate::strategy::{Claim, Need, Registry, Strategy, async_trait};
use crate::terms::{
    AccountId, Answer, Isolation, MessageId, Reply, Request, Retries, Role, StoreKind, Trouble, Violation,
};
use crate::world::{At, Op, ServiceKind, Sql, World};

/// A strategy for a test, by its `handle`.
macro_rules! strategy {
    ($name:ident, $text:literal, |$world:ident, $request:ident| $handle:expr) => {
        strategy!($name, $text, [Need::STORE], |$world, $request| $handle);
    };
    ($name:ident, $text:literal, [$($need:expr),*], |$world:ident, $request:ident| $handle:expr) => {
        struct $name;
        #[async_trait]
        impl Strategy for $name {
            fn name(&self) -> &'static str {
                $text
            }
            fn steps(&self) -> &'static str {
                "made for a test"
            }
            fn needs(&self) -> &'static [Need] {
                &[$($need),*]
            }
            fn claim(&self, _: StoreKind) -> Claim {
                Claim {
                    promise: "nothing",
                    retries: Retries::UntilAcknowledged,
                    rules_out: &[],
                    tolerates: &[],
                    breaks: &[],
                }
            }
            async fn handle(&self, $world: &mut World<'_>, $request: &Request) -> Reply {
                $handle
            }
        }
    };
}

/// As good as a clock: never the same twice.
static CLOCK: AtomicU32 = AtomicU32::new(0);

strategy!(ReadsTheClock, "reads-the-clock", |world, request| {
    world.store().read_mark(request.id).await?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let ticks = CLOCK.fetch_add(1, Ordering::Relaxed);
    world.store().read_answer(MessageId(now.subsec_nanos() / 4 + ticks)).await?;
    world.store().apply(request).await
});

strategy!(IteratesAHashMap, "iterates-a-hash-map", |world, request| {
    let answer = world.store().apply(request).await?;
    let places: HashMap<u32, ()> = (0..64).map(|place| (place, ())).collect();
    for place in places.keys() {
        world.store().read_mark(MessageId(*place)).await?;
    }
    Ok(answer)
});

strategy!(Sleeps, "sleeps", |world, request| {
    world.store().read_mark(request.id).await?;
    std::future::pending::<()>().await;
    world.store().apply(request).await
});

strategy!(Panics, "panics", |world, request| {
    assert!(world.store().read_mark(request.id).await?.is_some(), "there is no mark");
    world.store().apply(request).await
});

strategy!(SpeaksSql, "speaks-sql", |world, request| {
    let statement = "INSERT INTO mark (message, answer) VALUES ($1, 0) RETURNING answer";
    world.store().sql(Sql::new(statement, request, 0)).await?;
    world.store().apply(request).await
});

strategy!(AsksForMore, "asks-for-more", |world, request| {
    world.lock().grant_lease().await?;
    world.store().apply(request).await
});

strategy!(NeverEnds, "never-ends", |world, request| {
    loop {
        world.store().read_mark(request.id).await?;
    }
});

fn error(strategy: &dyn Strategy) -> ExploreError {
    let explored = Exploration::new(strategy, Bound::new(2, 1, 1), Limits::default(), &mut ());
    explored.expect_err("it cannot be explored")
}

#[test]
fn a_strategy_that_reads_the_clock_is_rejected_with_the_place_named() {
    let told = error(&ReadsTheClock).to_string();
    assert!(told.contains("'reads-the-clock' is not deterministic: after operation 1, `read-mark m0`"), "{told}");
    assert!(told.contains("no clock"), "{told}");
}

#[test]
fn a_strategy_that_iterates_a_hash_map_is_rejected_with_the_place_named() {
    let told = error(&IteratesAHashMap).to_string();
    assert!(told.contains("'iterates-a-hash-map' is not deterministic: after operation "), "{told}");
    assert!(told.contains("`read-mark m"), "{told}");
}

#[test]
fn a_strategy_that_awaits_something_else_panics_or_never_ends_is_rejected() {
    assert_eq!(error(&Sleeps).reason(), &Reason::AwaitsSomethingElse { strategy: "sleeps" });
    assert!(
        matches!(error(&Panics).reason(), Reason::Panicked { message, .. } if message.contains("there is no mark"))
    );
    let told = error(&SpeaksSql).to_string();
    assert!(told.contains("'speaks-sql' issues SQL of its own") && told.contains("oncelab replay"), "{told}");
    let told = error(&AsksForMore).to_string();
    assert!(
        told.contains("'asks-for-more' makes `grant-lease` in the role 'lock'") && told.contains("needs"),
        "{told}"
    );
    assert!(matches!(error(&NeverEnds).reason(), Reason::TooLarge { .. }));
}

strategy!(AsksForEightLeases, "asks-for-eight-leases", [Need::STORE, Need::LOCK], |world, request| {
    for _ in 0..8 {
        world.lock().grant_lease().await?;
    }
    world.store().apply(request).await
});

strategy!(TakesFourLocks, "takes-four-locks", [Need::STORE, Need::LOCK], |world, request| {
    for account in 0..4 {
        let lock = world.lock().enter(AccountId(account)).await?;
        world.lock().leave(lock).await;
    }
    world.store().apply(request).await
});

#[test]
fn a_strategy_that_asks_for_more_than_the_engines_can_tell_apart_is_told_so() {
    for (strategy, what) in [
        (&AsksForEightLeases as &dyn Strategy, "asks for more than 7 leases in one delivery"),
        (&TakesFourLocks, "takes more than 3 locks in one delivery"),
    ] {
        assert_eq!(error(strategy).reason(), &Reason::TooMany { strategy: strategy.name(), what });
        let executed = execute_all(strategy, super::bound(1, 0, 0), Flaws::default(), |_| {});
        assert!(executed.is_err_and(|error| error.to_string().contains(what)), "{what}");
    }
}

// Who was first under which lease decides what becomes of the second: lanes cannot change places without their leases.
strategy!(AppliesTwiceUnderItsLease, "applies-twice-under-its-lease", [Need::STORE, Need::LOCK], |world, request| {
    let lease = world.lock().grant_lease().await?;
    world.store().apply_under_lease(request, lease).await?;
    world.store().apply_under_lease(request, lease).await
});

strategy!(
    AppliesTwiceUnderItsLeaseAtOnce,
    "applies-twice-under-its-lease-at-once",
    [Need::STORE, Need::LOCK],
    |world, request| {
        let lease = world.lock().grant_lease().await?;
        world.store().begin(Isolation::ReadCommitted).await?;
        world.store().apply_under_lease(request, lease).await?;
        let answer = world.store().apply_under_lease(request, lease).await?;
        world.store().commit().await?;
        Ok(answer)
    }
);

#[test]
fn the_engines_agree_on_what_a_store_makes_of_leases() {
    let strategies: [(&dyn Strategy, &[_]); 2] = [
        (&AppliesTwiceUnderItsLease, &[(2, 0, 1), (2, 1, 1), (3, 0, 0)]),
        (&AppliesTwiceUnderItsLeaseAtOnce, &[(2, 0, 1), (2, 1, 0)]),
    ];
    for (strategy, bounds) in strategies {
        for (lanes, retries, faults) in bounds.iter().copied() {
            let bound = super::bound(lanes, retries, faults);
            let (schedules, violations) = super::by_reference(strategy, bound);
            let counted = census(strategy, bound, Flaws::default(), Limits::default(), &mut ()).expect("explorable");
            assert_eq!((counted.schedules, counted.violations), (schedules.into(), violations), "{bound:?}");
        }
    }
}

strategy!(ReadsThrice, "reads-thrice", |world, request| {
    for _ in 0..3 {
        world.store().read_mark(request.id).await?;
    }
    Ok(Answer(0))
});

strategy!(WritesThrice, "writes-thrice", |world, request| {
    for _ in 0..3 {
        world.store().write_mark(request.id, Answer(0)).await?;
    }
    Ok(Answer(0))
});

fn schedules(strategy: &dyn Strategy, bound: Bound) -> u128 {
    census(strategy, bound, Flaws::default(), Limits::default(), &mut ()).expect("explorable").schedules
}

fn classes(strategy: &dyn Strategy, bound: Bound) -> u128 {
    count_classes(strategy, bound, Flaws::default(), Limits::default(), &mut ()).expect("explorable").expect("small")
}

#[test]
fn interleavings_are_multinomial_and_classes_one_or_all_of_them() {
    // (3 n)! / (3!)^n: 20 for two lanes, 1,680 for three, 369,600 for four.
    for (lanes, interleavings) in [(1, 1), (2, 20), (3, 1_680), (4, 369_600)] {
        let bound = Bound::new(lanes, 0, 0);
        assert_eq!(schedules(&ReadsThrice, bound), interleavings);
        assert_eq!(schedules(&WritesThrice, bound), interleavings);
        // Readers do not get in each other's way: all orders are one. Writers of one thing do: each order is another.
        assert_eq!(classes(&ReadsThrice, bound), 1);
        if lanes < 4 {
            assert_eq!(classes(&WritesThrice, bound), interleavings);
        }
    }
}

#[test]
fn check_then_act_has_as_many_schedules_as_can_be_counted_by_hand() {
    // Both find nothing: of the 20 interleavings of three and three operations all but the two in which one lane reads after the
    // other has written. In these two it makes one operation and not three, which still is one schedule each.
    let strategy = Registry::default().get("check-then-act").expect("it is there");
    assert_eq!(schedules(strategy.as_ref(), Bound::new(2, 0, 0)), 18 + 2);
}

#[test]
fn single_faults_are_as_many_as_can_be_counted_by_hand() {
    // One lane of one operation, one retry, one fault. Without a fault: 1. A lost request, a lost reply and a crash each lead to a
    // retry: 3. With a time-out the request lands before the retry or after it: 2.
    let strategy = Registry::default().get("at-least-once").expect("it is there");
    assert_eq!(schedules(strategy.as_ref(), super::bound(1, 1, 1)), 1 + 3 + 2);
}

#[test]
fn walks_find_what_is_frequent_and_are_shortened_to_the_minimum() {
    let strategy = Registry::default().get("etcd-lock-fenced-marker").expect("it is there");
    let bound = super::bound(3, 1, 2);
    let minimal = Exploration::new(strategy.as_ref(), super::bound(3, 1, 1), Limits::default(), &mut ())
        .expect("explorable")
        .minimal
        .into_iter()
        .find(|minimal| minimal.violation == Violation::Duplicate)
        .expect("it duplicates");
    for kind in [Walk::Random, Walk::Pct { depth: 3 }, Walk::Uniform] {
        let walked = walk(strategy.as_ref(), bound, kind, 4_000, 7, &mut ()).expect("explorable");
        assert_eq!(
            walked,
            walk(strategy.as_ref(), bound, kind, 4_000, 7, &mut ()).expect("explorable"),
            "same seed, same walks"
        );
        let drawn = &walked.first[&Violation::Duplicate];
        let short = shorten(strategy.as_ref(), bound, Violation::Duplicate, drawn, Limits::default(), &mut ());
        let short = short.expect("explorable").expect("there is memory enough");
        assert!(short.cost() <= drawn.cost(), "{kind:?}");
        if drawn.faults() > 0 {
            assert_eq!(short.cost(), minimal.schedule.cost(), "{kind:?}: {short}");
        }
    }
}

#[test]
fn a_uniform_walk_draws_every_interleaving_as_often() {
    // 20 interleavings and 20,000 walks: 1,000 of each, with a standard deviation of 31.
    let mut drawn: HashMap<String, u32> = HashMap::new();
    for seed in 0..20_000 {
        let walked = walk(&AlwaysDuplicates, Bound::new(2, 0, 0), Walk::Uniform, 1, seed, &mut ()).expect("explorable");
        *drawn.entry(walked.first[&Violation::Duplicate].to_string()).or_default() += 1;
    }
    assert_eq!(drawn.len(), 20);
    assert!(drawn.values().all(|times| (850..1_150).contains(times)), "{drawn:?}");
}

strategy!(AlwaysDuplicates, "always-duplicates", |world, request| {
    world.store().apply(request).await?;
    world.store().read_mark(request.id).await?;
    world.store().apply(request).await
});

/// T{read K; X; write K}.
async fn in_a_transaction(world: &mut World<'_>, request: &Request, isolation: Isolation) -> Reply {
    world.store().begin(isolation).await?;
    if let Some(answer) = world.store().read_mark(request.id).await? {
        world.store().rollback().await?;
        return Ok(answer);
    }
    let answer = world.store().apply(request).await?;
    world.store().write_mark(request.id, answer).await?;
    world.store().commit().await?;
    Ok(answer)
}

strategy!(AtReadCommitted, "at-read-committed", |world, request| {
    in_a_transaction(world, request, Isolation::ReadCommitted).await
});
strategy!(AtRepeatableRead, "at-repeatable-read", |world, request| {
    in_a_transaction(world, request, Isolation::RepeatableRead).await
});
strategy!(AtSerializable, "at-serializable", |world, request| {
    in_a_transaction(world, request, Isolation::Serializable).await
});

#[test]
fn check_then_act_in_a_transaction_needs_more_than_read_committed() {
    // Both change the account's row, so that snapshots alone tell them apart: the second one to come fails and is retried.
    let found = |strategy: &dyn Strategy, requests| {
        let bound = Bound { requests, ..super::bound(2, 1, 2) };
        let explored = Exploration::new(strategy, bound, Limits::default(), &mut ()).expect("explorable");
        explored.census.violations.keys().copied().collect::<Vec<_>>()
    };
    assert_eq!(found(&AtReadCommitted, 1), [Violation::Duplicate, Violation::Deviating]);
    for requests in [1, 2] {
        assert_eq!(found(&AtRepeatableRead, requests), []);
        assert_eq!(found(&AtSerializable, requests), []);
    }
}

#[test]
fn a_bound_that_is_too_large_ends_with_partial_figures() {
    let strategy = Registry::default().get("etcd-lock-twice").expect("it is there");
    let limits = Limits { memory_bytes: 1 << 20, ..Limits::default() };
    let counted =
        census(strategy.as_ref(), super::bound(3, 1, 2), Flaws::default(), limits, &mut ()).expect("explorable");
    assert!(counted.out_of_memory && !counted.complete && counted.states > 0);
}

const ELSEWHERE: At<StoreService> = At::new(Role::SECOND);

// The claim in one store, the effect in another: two transactions, whatever is committed first.
strategy!(
    ClaimsElsewhere,
    "claims-elsewhere",
    [Need::STORE, Need { role: Role::SECOND, service: ServiceKind::Store, servers: 1 }],
    |world, request| {
        world.at(&ELSEWHERE).begin(Isolation::ReadCommitted).await?;
        if !world.at(&ELSEWHERE).claim(request.id).await? {
            world.at(&ELSEWHERE).rollback().await?;
            return Err(Trouble::InProgress);
        }
        let answer = world.store().apply(request).await?;
        world.at(&ELSEWHERE).commit().await?;
        Ok(answer)
    }
);

#[test]
fn a_second_store_is_a_declaration_and_shares_nothing_with_the_first() {
    let op = |op: StoreOp, role| Op { role, of: op.into() };
    let claim = op(StoreOp::claim(MessageId(0)), Role::SECOND);
    assert_eq!((claim.to_string(), claim.leg().name()), ("second.claim m0".to_owned(), "second"));
    assert_eq!(claim.in_words(false), "claim K (second)");
    for (lanes, retries, faults) in [(2, 0, 0), (2, 1, 1), (2, 0, 2)] {
        let bound = super::bound(lanes, retries, faults);
        let (schedules, violations) = super::by_reference(&ClaimsElsewhere, bound);
        let counted =
            census(&ClaimsElsewhere, bound, Flaws::default(), Limits::default(), &mut ()).expect("explorable");
        assert_eq!((counted.schedules, &counted.violations), (schedules.into(), &violations), "{bound:?}");
        // Who crashes between the two has done the work, and left no claim behind.
        let is_broken = violations.contains_key(&Violation::Duplicate);
        assert_eq!(is_broken, faults > 0, "{bound:?}: {violations:?}");
    }
}

strategy!(WaitsUnsaid, "waits-unsaid", |world, request| {
    world.store().begin(Isolation::RepeatableRead).await?;
    world.store().advisory_lock(request.id).await?;
    if let Some(answer) = world.store().read_mark(request.id).await? {
        return Ok(answer);
    }
    let answer = world.store().create(request).await?;
    world.store().write_mark(request.id, answer).await?;
    world.store().commit().await?;
    Ok(answer)
});

#[test]
fn nothing_is_shown_of_a_strategy_that_waits_with_a_snapshot_and_does_not_say_so() {
    let exploration = Exploration::new(&WaitsUnsaid, Bound::new(2, 0, 0), Limits::default(), &mut ()).expect("it can");
    let census = &exploration.census;
    assert!(census.complete && !census.is_whole(), "there is more than these schedules");
    assert_eq!(census.waits_unmodelled.map(|kind| kind.name()), Some("advisory-lock"));
    let alone = Exploration::new(&WaitsUnsaid, Bound::new(1, 0, 0), Limits::default(), &mut ()).expect("it can");
    assert!(alone.census.is_whole(), "nobody is in the way");
}
