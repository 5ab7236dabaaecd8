//! Effects that etcd keeps: the engines agree on them, they are judged by etcd's ledger, and a transaction that compares nothing is caught.

use crate::explore::tests::{bound, by_reference};
use crate::explore::{Bound, Flaws, Kinds, Limits, by_cause, census, one_by_one, tell};
use crate::strategy::{Claim, Need, Registry, Strategy, async_trait};
use crate::terms::{Cause, Profile, Reply, Request, Retries, Role, Shape, StoreKind, Violation};
use crate::world::World;

/// A strategy that keeps its effects in etcd.
macro_rules! in_etcd {
    ($(#[$doc:meta])* $name:ident, $text:literal, |$world:ident, $request:ident| $handle:expr) => {
        $(#[$doc])*
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
                &[Need::LOCK]
            }
            fn effects_in(&self) -> &'static [Role] {
                &[Role::LOCK]
            }
            fn shape(&self) -> Shape {
                Shape::Entry
            }
            fn claim(&self, _: StoreKind) -> Claim {
                let retries = Retries::UntilAcknowledged;
                Claim { promise: "nothing", retries, rules_out: &[], tolerates: &[], breaks: &[] }
            }
            async fn handle(&self, $world: &mut World<'_>, $request: &Request) -> Reply {
                $handle
            }
        }
    };
}

in_etcd!(
    /// The broken twin of etcd-transaction: it puts the effect, whatever is there.
    PutAlways,
    "put-always",
    |world, request| world.lock().record(request).await
);

in_etcd!(
    /// Keeps effects in the etcd whose lock it holds: revisions and tokens grow together.
    LockedPut,
    "locked-put",
    |world, request| {
        let lock = world.lock().enter(request.effect.account).await?;
        let answer = world.lock().record_once(request).await;
        world.lock().leave(lock).await;
        answer
    }
);

#[test]
fn the_engines_agree_on_effects_in_etcd() {
    let transaction = Registry::default().get("etcd-transaction").unwrap();
    let all: [&dyn Strategy; 3] = [transaction.as_ref(), &PutAlways, &LockedPut];
    let mut compared = 0;
    for strategy in all {
        for (lanes, retries, faults, requests) in
            [(1, 0, 0, 1), (1, 1, 2, 1), (2, 0, 1, 1), (2, 1, 1, 1), (2, 0, 1, 2), (2, 1, 1, 2)]
        {
            if strategy.name() == "locked-put" && (lanes, retries) == (2, 1) {
                continue;
            }
            let bound = Bound { requests, ..bound(lanes, retries, faults) };
            let (schedules, violations) = by_reference(strategy, bound);
            let counted = census(strategy, bound, Flaws::default(), Limits::default(), &mut ()).unwrap();
            assert!(counted.complete);
            let name = strategy.name();
            assert_eq!((counted.schedules, &counted.violations), (schedules.into(), &violations), "{name} {bound:?}");
            assert_eq!(one_by_one(strategy, bound, Flaws::default()).unwrap(), (schedules, violations), "{name}");
            compared += schedules;
        }
    }
    assert!(compared > 1_000, "{compared} schedules");
}

/// The arithmetic: one operation in each of two lanes, in either order. With one fault of five kinds or none there are more.
#[test]
fn a_transaction_of_etcd_does_every_effect_once_and_a_put_does_not() {
    let transaction = Registry::default().get("etcd-transaction").unwrap();
    let (schedules, _) = by_reference(transaction.as_ref(), bound(2, 0, 0));
    assert_eq!(schedules, 2);
    for requests in [1, 2] {
        let bound = Bound { requests, kinds: Kinds::all(), ..Bound::new(2, 1, 2) };
        let found = |strategy: &dyn Strategy| {
            let counted = census(strategy, bound, Flaws::default(), Limits::default(), &mut ()).unwrap();
            assert!(counted.complete);
            counted.violations.keys().copied().collect::<Vec<_>>()
        };
        assert_eq!(found(transaction.as_ref()), []);
        assert_eq!(found(&PutAlways), [Violation::Duplicate]);
    }
}

#[test]
fn a_second_put_has_a_cause_and_a_story_says_where_it_is() {
    let bound = Bound { store: Profile::Sqlite, kinds: Kinds::all(), ..Bound::new(1, 1, 1) };
    let caused = by_cause(&PutAlways, bound, None, Limits::default(), &mut ()).unwrap();
    let found: Vec<_> = caused.found.iter().map(|one| (one.cause, one.schedule.to_string())).collect();
    let expected = [(Cause::RetryAfterLostReply, "a? a"), (Cause::LateLanding, "a~ a a+"), (Cause::Redelivery, "a b")];
    for (cause, schedule) in &found {
        assert!(expected.contains(&(*cause, schedule.as_str())), "{cause}: {schedule}");
    }
    assert!(found.iter().any(|(cause, _)| *cause == Cause::RetryAfterLostReply), "{found:?}");
    let story = tell(&PutAlways, bound, &"a? a".parse().unwrap()).unwrap();
    let found: Vec<_> = story.findings.iter().map(|found| (found.violation, found.at)).collect();
    assert_eq!(found, [(Violation::Duplicate, Some(Role::LOCK))]);
    let told = story.as_text();
    assert!(told.contains("duplicate at the lock service: X is in the ledger twice"), "{told}");
}
