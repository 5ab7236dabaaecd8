//! Strategies with two stores: the engines agree on them, each ledger is judged, and the stories say at which store it goes wrong.

use crate::explore::tests::{bound, by_reference};
use crate::explore::{Bound, Flaws, Kinds, Limits, census, one_by_one, tell};
use crate::strategy::{Claim, Need, Registry, SECOND_STORE, Strategy, async_trait};
use crate::terms::{Cause, Profile, Reply, Request, Retries, Role, StoreKind, Violation};
use crate::world::World;

/// A careless strategy that keeps its effects in these stores.
macro_rules! careless {
    ($name:ident, $text:literal, $effects:expr, |$world:ident, $request:ident| $handle:expr) => {
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
                &[Need::STORE, Need::SECOND_STORE]
            }
            fn effects_in(&self) -> &'static [Role] {
                $effects
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

const BOTH: &[Role] = &[Role::STORE, Role::SECOND];

careless!(InBoth, "in-both", BOTH, |world, request| {
    let answer = world.store().apply(request).await?;
    world.at(&SECOND_STORE).apply(request).await?;
    Ok(answer)
});

careless!(NeverInTheSecond, "never-in-the-second", BOTH, |world, request| {
    if let Some(answer) = world.at(&SECOND_STORE).read_mark(request.id).await? {
        return Ok(answer);
    }
    let answer = world.store().apply(request).await?;
    world.at(&SECOND_STORE).write_mark(request.id, answer).await?;
    Ok(answer)
});

careless!(OverwritesInTheSecond, "overwrites-in-the-second", BOTH, |world, request| {
    let base = world.at(&SECOND_STORE).read_balance(request.effect.account).await?;
    let answer = world.store().apply(request).await?;
    world.at(&SECOND_STORE).overwrite(request, base).await?;
    Ok(answer)
});

#[test]
fn the_engines_agree_on_strategies_with_two_ledgers() {
    let careless: [&dyn Strategy; 3] = [&InBoth, &NeverInTheSecond, &OverwritesInTheSecond];
    let mut compared = 0;
    for strategy in careless {
        for store in [Profile::Sqlite, Profile::Postgres] {
            for (lanes, retries, faults, requests) in
                [(1, 0, 0, 1), (1, 1, 2, 1), (2, 0, 1, 1), (2, 1, 1, 1), (2, 0, 1, 2), (2, 1, 1, 2)]
            {
                let bound = Bound { store, requests, ..bound(lanes, retries, faults) };
                let (schedules, violations) = by_reference(strategy, bound);
                let counted = census(strategy, bound, Flaws::default(), Limits::default(), &mut ()).unwrap();
                assert!(counted.complete);
                let name = strategy.name();
                assert_eq!(
                    (counted.schedules, &counted.violations),
                    (schedules.into(), &violations),
                    "{name} {bound:?}"
                );
                assert_eq!(one_by_one(strategy, bound, Flaws::default()).unwrap(), (schedules, violations), "{name}");
                compared += schedules;
            }
        }
    }
    assert!(compared > 29_000, "{compared} schedules");
}

#[test]
fn a_success_with_an_effect_in_one_store_of_two_is_lost() {
    let (schedules, violations) = by_reference(&NeverInTheSecond, bound(1, 0, 0));
    assert_eq!((schedules, violations.get(&Violation::Lost)), (1, Some(&1)));
    let (_, violations) = by_reference(&InBoth, bound(1, 0, 0));
    assert!(violations.is_empty(), "{violations:?}");
}

/// The arithmetic: two deliveries that both do X in both stores are two duplicates, one at each.
#[test]
fn a_story_says_at_which_store_it_goes_wrong() {
    let both = tell(&InBoth, bound(2, 0, 0), &"a a b b".parse().unwrap()).unwrap();
    assert_eq!(both.place_of(Violation::Duplicate), " at the store and the second store");
    let strategy = Registry::default().get("transfer-two-stores").unwrap();
    let bound = Bound { kinds: Kinds::all(), ..Bound::new(1, 1, 1) };
    let story = tell(strategy.as_ref(), bound, &"a a a a? a a a a".parse().unwrap()).unwrap();
    let found: Vec<_> = story.findings.iter().map(|found| (found.violation, found.at, found.cause)).collect();
    assert_eq!(found, [(Violation::Duplicate, Some(Role::SECOND), Cause::RetryAfterLostReply)]);
    let told = story.as_text();
    assert!(told.contains("✗  duplicate at the second store: X is in the ledger twice"), "{told}");
}

#[test]
fn a_transfer_is_done_once_here_and_charged_twice_there_and_a_key_there_cures_it() {
    for store in [Profile::Sqlite, Profile::Postgres] {
        for requests in [1, 2] {
            let bound = Bound { store, requests, kinds: Kinds::all(), ..Bound::new(2, 1, 2) };
            let found = |name: &str| {
                let strategy = Registry::default().get(name).unwrap();
                let counted = census(strategy.as_ref(), bound, Flaws::default(), Limits::default(), &mut ()).unwrap();
                assert!(counted.complete);
                counted.violations.keys().copied().collect::<Vec<_>>()
            };
            assert_eq!(found("transfer-two-stores"), [Violation::Duplicate], "{store:?}");
            assert_eq!(found("transfer-two-stores-keyed"), [], "{store:?}");
        }
    }
}
