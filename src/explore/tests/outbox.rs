//! What works for the system and hands messages on to a second store: it takes a last turn without faults, and its mistakes are found there.

use crate::explore::tests::{bound, by_reference};
use crate::explore::{Bound, Exploration, Flaws, Limits, Schedule, census, one_by_one, tell};
use crate::strategy::{Claim, Need, Registry, Resident, SECOND_STORE, Strategy, Turn, async_trait};
use crate::terms::{Answer, Cause, Isolation, Profile, Reply, Request, Retries, Role, StoreKind, Trouble, Violation};
use crate::world::World;

const SENT: u32 = 1;

/// Outboxes whose relays are careless.
macro_rules! outbox {
    ($name:ident, $text:literal, $relay:ident, |$world:ident, $about:ident| $turn:expr) => {
        struct $relay;
        #[async_trait]
        impl Resident for $relay {
            fn name(&self) -> &'static str {
                "relay"
            }
            async fn turn(&self, $world: &mut World<'_>, $about: &Request) -> Result<Turn, Trouble> {
                $turn
            }
        }
        pub(crate) struct $name;
        #[async_trait]
        impl Strategy for $name {
            fn name(&self) -> &'static str {
                $text
            }
            fn steps(&self) -> &'static str {
                "made for a test"
            }
            fn claim(&self, _: StoreKind) -> Claim {
                let retries = Retries::UntilAcknowledged;
                Claim { promise: "nothing", retries, rules_out: &[], tolerates: &[], breaks: &[] }
            }
            fn needs(&self) -> &'static [Need] {
                &[Need::STORE, Need::SECOND_STORE]
            }
            fn effects_in(&self) -> &'static [Role] {
                &[Role::STORE, Role::SECOND]
            }
            fn residents(&self) -> &'static [&'static dyn Resident] {
                &[&$relay]
            }
            async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
                world.store().begin(Isolation::ReadCommitted).await?;
                if !world.store().put_in_outbox(request.id).await? {
                    let answer = world.store().read_answer(request.id).await?;
                    world.store().rollback().await?;
                    return answer.ok_or(Trouble::InProgress);
                }
                let answer = world.store().apply(request).await?;
                world.store().store_answer(request.id, answer).await?;
                world.store().commit().await?;
                Ok(answer)
            }
        }
    };
}

outbox!(NoInbox, "no-inbox", HandsOverUnseen, |world, about| {
    match world.store().read_outbox(about.id).await? {
        None => Ok(Turn::Again),
        Some(Answer(0)) => {
            world.at(&SECOND_STORE).apply(about).await?;
            world.store().mark_sent(about.id, SENT).await?;
            Ok(Turn::Done)
        }
        Some(_) => Ok(Turn::Done),
    }
});

outbox!(MarksFirst, "marks-first", MarksBeforeItHandsOver, |world, about| {
    match world.store().read_outbox(about.id).await? {
        None => Ok(Turn::Again),
        Some(Answer(0)) => {
            world.store().mark_sent(about.id, SENT).await?;
            world.at(&SECOND_STORE).claim_and_apply(about).await?;
            Ok(Turn::Done)
        }
        Some(_) => Ok(Turn::Done),
    }
});

outbox!(LooksOnce, "looks-once", IsDoneTooSoon, |world, about| {
    if world.store().read_outbox(about.id).await? == Some(Answer(0)) {
        world.at(&SECOND_STORE).claim_and_apply(about).await?;
        world.store().mark_sent(about.id, SENT).await?;
    }
    Ok(Turn::Done)
});

#[test]
fn the_engines_agree_on_what_is_handed_on() {
    let honest = Registry::default().get("outbox-inbox").expect("it is there");
    let all: [&dyn Strategy; 4] = [honest.as_ref(), &NoInbox, &MarksFirst, &LooksOnce];
    let mut compared = 0;
    for strategy in all {
        for store in [Profile::Postgres, Profile::Sqlite] {
            for (lanes, retries, faults, requests) in [(1, 0, 1, 1), (1, 1, 1, 1), (2, 0, 0, 1), (2, 0, 0, 2)] {
                // Six steps more make a thousand times as many schedules.
                if lanes > 1 && (strategy.name() == "outbox-inbox" || requests > 1 && store == Profile::Postgres) {
                    continue;
                }
                let bound = Bound { store, requests, ..bound(lanes, retries, faults) };
                let (schedules, violations) = by_reference(strategy, bound);
                let counted =
                    census(strategy, bound, Flaws::default(), Limits::default(), &mut ()).expect("explorable");
                let name = strategy.name();
                assert_eq!(
                    (counted.schedules, &counted.violations),
                    (schedules.into(), &violations),
                    "{name} {bound:?}"
                );
                let (one, found) = one_by_one(strategy, bound, Flaws::default()).expect("explorable");
                assert_eq!((one, found), (schedules, violations), "{name} {bound:?}");
                compared += schedules;
            }
        }
    }
    assert!(compared > 7_900, "{compared} schedules");
}

#[test]
fn a_relay_that_comes_too_early_or_is_disturbed_takes_a_last_turn() {
    let strategy = Registry::default().get("outbox-inbox").expect("it is there");
    for (schedule, last) in [
        // It finds nothing, and the message comes later.
        ("b a a a a a", true),
        ("a a a a a b b b b b b", false),
        ("a a a a a b b b b b b?", true),
        ("a a a a a b b b bx", true),
        // The client gives up, and its fault-free retry comes before that turn.
        ("a! b", true),
    ] {
        let schedule: Schedule = schedule.parse().expect("a schedule");
        let story = tell(strategy.as_ref(), Bound::new(1, 0, 0), &schedule).expect("it can be told");
        assert_eq!(story.turned, if last { vec!["relay"] } else { Vec::new() }, "{schedule}");
        assert!(story.findings.is_empty(), "{schedule}: {:?}", story.findings);
        assert_eq!(story.as_text().contains("the relay takes a last turn without faults"), last);
    }
}

/// The violations that a strategy shows within two lanes, one retry and so many faults, with where and why, by their shortest schedules.
fn shown(strategy: &dyn Strategy, faults: u8) -> Vec<(Violation, Option<Role>, Cause)> {
    let asked = bound(2, 1, faults);
    let explored = Exploration::new(strategy, asked, Limits::default(), &mut ()).expect("explorable");
    let of = |minimal: &crate::explore::Minimal| {
        let story = tell(strategy, explored.bound, &minimal.schedule).expect("it can be told");
        let found = story.findings.iter().find(|finding| finding.violation == minimal.violation).expect("it shows it");
        (found.violation, found.at, found.cause)
    };
    explored.minimal.iter().map(of).collect()
}

#[test]
fn an_outbox_without_an_inbox_is_done_twice_at_the_second_store() {
    assert_eq!(shown(&NoInbox, 0), []);
    let [(violation, at, _)] = shown(&NoInbox, 1)[..] else { panic!("one violation") };
    assert_eq!((violation, at), (Violation::Duplicate, Some(Role::SECOND)));
}

#[test]
fn a_relay_that_marks_before_it_hands_over_loses_at_the_second_store() {
    assert_eq!(shown(&MarksFirst, 0), []);
    let [(violation, at, _)] = shown(&MarksFirst, 1)[..] else { panic!("one violation") };
    assert_eq!((violation, at), (Violation::Lost, Some(Role::SECOND)));
    // Whoever says that it is done is not asked again.
    let [(violation, at, cause)] = shown(&LooksOnce, 0)[..] else { panic!("one violation") };
    assert_eq!((violation, at, cause), (Violation::Lost, Some(Role::SECOND), Cause::Unexplained));
}
