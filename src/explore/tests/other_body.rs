//! The same id with another body is a request of its own: all engines know the same of it, and only who compares bodies refuses it.

use crate::explore::{Bound, Exploration, Flaws, Limits, Schedule, census, tell, unseen};
use crate::strategy::{Claim, Registry, Strategy, async_trait};
use crate::terms::{
    Cause, Delivery, FaultKind, MessageId, Profile, Reply, Request, Retries, StoreKind, Trouble, Violation,
};
use crate::world::World;

use super::engines::agree_on;
use super::{bound, models_for};

fn strategy(name: &str) -> std::sync::Arc<dyn Strategy> {
    Registry::default().get(name).expect("it is there")
}

#[test]
fn the_other_body_has_the_id_of_the_first_request_and_deliveries_of_its_own() {
    let two = Bound { requests: 2, ..Bound::new(6, 1, 1) }.with_other_body(true);
    assert_eq!((two.requests, two.ids()), (3, 2));
    let requests = two.all_requests();
    assert_eq!(requests.iter().map(|request| request.id.0).collect::<Vec<_>>(), [0, 1, 0]);
    assert_eq!(requests[2], requests[0].with_other_body());
    assert_ne!(requests[2].effect.digest(), requests[0].effect.digest());
    assert_eq!(two.requests_by_id(), requests[..2]);
    let of = |lane| (two.message_of(two.request_of(lane)), two.delivery(lane, 1));
    let by = |copy| Delivery { attempt: 1, copy };
    let expected =
        [(0, by(0)), (1, by(0)), (0, by(0).of_other_body()), (0, by(1)), (1, by(1)), (0, by(1).of_other_body())];
    assert_eq!([0, 1, 2, 3, 4, 5].map(of), expected.map(|(id, by)| (MessageId(id), by)));
}

#[test]
fn the_engines_agree_where_an_id_comes_with_another_body() {
    let (mut bounds, mut schedules) = (0, 0);
    for name in ["at-most-once", "at-least-once", "check-then-act", "dedup-table-statement", "put", "idempotency-key"] {
        let strategy = strategy(name);
        for store in models_for(strategy.as_ref()) {
            for (lanes, retries, faults) in [(2, 0, 0), (2, 0, 1), (2, 1, 1)] {
                if name == "idempotency-key" && retries > 0 {
                    continue;
                }
                let bound = Bound { store, ..bound(lanes, retries, faults) }.with_other_body(true);
                schedules += agree_on(strategy.as_ref(), bound);
                bounds += 1;
            }
        }
    }
    // Lanes a and c carry the same body, and lane b another: they are no three alike.
    for name in ["at-least-once", "dedup-table-statement"] {
        schedules += agree_on(strategy(name).as_ref(), bound(3, 0, 1).with_other_body(true));
        bounds += 1;
    }
    schedules += agree_on(
        strategy("dedup-table-statement").as_ref(),
        Bound { requests: 2, ..bound(3, 0, 1) }.with_other_body(true),
    );
    assert_eq!(bounds, 5 * 2 * 3 + 2 * 2 + 2);
    println!("{bounds} bounds, {schedules} schedules");
}

#[test]
fn whoever_compares_no_bodies_mixes_them_without_a_fault_and_no_other_does() {
    let registry = Registry::default();
    let mut seen = (0, Vec::new());
    for strategy in registry.iter() {
        for store in models_for(strategy.as_ref()) {
            let place = format!("{} on {store:?}", strategy.name());
            let explored = |bound: Bound| {
                Exploration::new(strategy.as_ref(), Bound { store, ..bound }, Limits::default(), &mut ()).expect(&place)
            };
            assert!(!explored(Bound::new(2, 0, 0)).shows(Violation::Mixed), "{place}");
            let others = explored(Bound::new(2, 0, 0).with_other_body(true));
            let claim = others.bound.claim_of(strategy.as_ref());
            assert_eq!(others.broken_promises(&claim), [], "{place}");
            assert_eq!(others.shows(Violation::Mixed), strategy.mixes_bodies(), "{place}");
            assert!(unseen(&claim, strategy.has_timers(), &[&others]).is_empty(), "{place}");
            let says_so = claim.breaks_under(|fault, _| fault == FaultKind::OtherBody).count();
            assert_eq!(says_so, usize::from(others.shows(Violation::Mixed)), "{place}");
            // One fact is one finding: neither body is wrong, and two bodies are no duplicate.
            // But who answers a redelivery wrongly does so whatever its body is.
            let is_wrong_anyway = explored(Bound::new(2, 0, 0)).shows(Violation::Wrong);
            for never in [Violation::Wrong, Violation::Duplicate, Violation::Denied, Violation::Reverted] {
                let alone = explored(Bound { requests: 2, ..Bound::new(2, 0, 0) });
                let is_its_own = alone.shows(never) || never == Violation::Wrong && is_wrong_anyway;
                assert!(!others.shows(never) || is_its_own, "{place}: {never}");
            }
            match strategy.mixes_bodies() {
                true => seen.0 += 1,
                false => seen.1.push(place),
            }
        }
    }
    assert_eq!(seen.1.len(), 6, "{:?}", seen.1);
    assert!(seen.0 >= 60, "{}", seen.0);
}

#[test]
fn the_shortest_schedules_say_which_body_was_taken_for_which() {
    let shortest = |name: &str| {
        let strategy = strategy(name);
        let bound = Bound::new(2, 1, 1).with_other_body(true);
        let explored = Exploration::new(strategy.as_ref(), bound, Limits::default(), &mut ())
            .and_then(|explored| explored.with_causes(strategy.as_ref(), Limits::default(), &mut ()))
            .expect("explorable");
        let causes = explored.causes.expect("they were looked for").found;
        let mixed = causes.into_iter().filter(|caused| caused.violation == Violation::Mixed);
        mixed.map(|caused| (caused.cause, caused.schedule.to_string(), caused.faults)).collect::<Vec<_>>()
    };
    let taken = |schedule: &str| vec![(Cause::OtherBodyAnswered, schedule.to_owned(), 0)];
    assert_eq!(shortest("dedup-table-statement"), taken("a b b"));
    assert_eq!(shortest("idempotency-key"), []);
    assert_eq!(shortest("at-least-once"), [(Cause::BothBodiesDone, "a b".to_owned(), 0)]);
    let kinds: Vec<Cause> = shortest("check-then-act").into_iter().map(|(cause, ..)| cause).collect();
    assert_eq!(kinds, [Cause::OtherBodyAnswered, Cause::BothBodiesDone]);
}

#[test]
fn a_body_that_was_taken_first_and_crashed_is_done_by_its_own_retry_and_the_other_is_refused() {
    let strategy = strategy("idempotency-key");
    let bound = Bound::new(2, 0, 1).with_other_body(true);
    // The other body is bound first and its handler dies; the request's own is refused for good, and rightly.
    let schedule: Schedule = "b bx a".parse().expect("a schedule");
    let story = tell(strategy.as_ref(), bound, &schedule).expect("it can be told");
    assert_eq!(story.findings, [], "{}", story.as_text());
    assert_eq!(story.retried, [(MessageId(0), Ok(crate::terms::Answer(1_010)))]);
}

/// Keeps the body beside the id, and compares it only with what is finished: the broken twin of idempotency-key.
struct ComparesTooLate;

#[async_trait]
impl Strategy for ComparesTooLate {
    fn name(&self) -> &'static str {
        "compares-too-late"
    }

    fn steps(&self) -> &'static str {
        "[read R]; if there is one: [bind K to its body], and refuse another; else [X] [bind K to its body] [store R]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim { promise: "nothing", retries: Retries::UntilAcknowledged, rules_out: &[], tolerates: &[], breaks: &[] }
    }

    fn mixes_bodies(&self) -> bool {
        false
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        if let Some(answer) = world.store().read_answer(request.id).await? {
            let is_same = world.store().bind(request.id, request.effect.digest()).await?;
            return if is_same { Ok(answer) } else { Err(Trouble::Refused) };
        }
        let answer = world.store().apply(request).await?;
        world.store().bind(request.id, request.effect.digest()).await?;
        world.store().store_answer(request.id, answer).await?;
        Ok(answer)
    }
}

#[test]
fn a_comparison_that_comes_too_late_is_caught() {
    let bound = Bound::new(2, 0, 0).with_other_body(true);
    let counted = census(&ComparesTooLate, bound, Flaws::default(), Limits::default(), &mut ()).expect("explorable");
    assert!(counted.violations.contains_key(&Violation::Mixed));
    // One after the other they are told apart.
    let story = tell(&ComparesTooLate, bound, &"a a a a b b".parse().expect("a schedule")).expect("it can be told");
    assert!(story.findings.iter().all(|finding| finding.violation != Violation::Mixed), "{}", story.as_text());
    assert!(agree_on(&ComparesTooLate, Bound { store: Profile::Sqlite, ..bound }) > 0);
}
