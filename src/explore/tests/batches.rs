//! Two requests that a handler takes at once, and that are retried apart.

use super::engines::agree_on;
use super::{bound, models_for};
use crate::explore::{Bound, Flaws, Limits, Schedule, Story, by_cause, census, count_classes, each_class, tell};
use crate::strategy::{Claim, Registry, Strategy, async_trait};
use crate::terms::{Answer, Cause, Reply, Request, Retries, StoreKind, Trouble, Violation};
use crate::world::World;

const NOTHING: Claim =
    Claim { promise: "nothing", retries: Retries::UntilAcknowledged, rules_out: &[], tolerates: &[], breaks: &[] };

/// A broken twin of dedup-table-batched.
macro_rules! twin {
    ($(#[$doc:meta])* $name:ident, $text:literal, |$world:ident, $requests:ident| $batch:expr) => {
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
            fn claim(&self, _: StoreKind) -> Claim {
                NOTHING
            }
            fn largest_batch(&self) -> usize {
                2
            }
            async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
                self.handle_batch(world, std::slice::from_ref(request)).await.remove(0)
            }
            async fn handle_batch(&self, $world: &mut World<'_>, $requests: &[Request]) -> Vec<Reply> {
                $batch
            }
        }
    };
}

twin!(
    /// Says that a whole batch is done when its first request is.
    FirstAlone,
    "first-alone",
    |world, requests| {
        let reply = world.store().claim_and_apply(&requests[0]).await;
        let reply = match reply {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => world.store().read_answer(requests[0].id).await.and_then(finished),
            Err(trouble) => Err(trouble),
        };
        vec![reply; requests.len()]
    }
);

twin!(
    /// Does both, and gives each the other's answer.
    Swapped,
    "swapped",
    |world, requests| {
        let mut replies = Vec::new();
        for (request, applied) in requests.iter().zip(world.store().claim_and_apply_all(requests).await) {
            replies.push(match applied {
                Ok(Some(answer)) => Ok(answer),
                Ok(None) => world.store().read_answer(request.id).await.and_then(finished),
                Err(trouble) => Err(trouble),
            });
        }
        replies.reverse();
        replies
    }
);

twin!(
    /// Remembers nothing, and does one after the other.
    Forgetful,
    "forgetful",
    |world, requests| {
        let mut replies = Vec::new();
        for request in requests {
            replies.push(world.store().apply(request).await);
        }
        replies
    }
);

fn finished(answer: Option<Answer>) -> Reply {
    answer.ok_or(Trouble::InProgress)
}

fn batched() -> std::sync::Arc<dyn Strategy> {
    Registry::default().get("dedup-table-batched").expect("it is there")
}

fn in_a_batch(bound: Bound) -> Bound {
    Bound { requests: 2, batch: true, ..bound }
}

fn story(strategy: &dyn Strategy, schedule: &str) -> Story {
    let schedule: Schedule = schedule.parse().expect("it is a schedule");
    tell(strategy, in_a_batch(bound(2, 1, 0)), &schedule).expect("it can be made")
}

fn whys(story: &Story) -> Vec<(Violation, Cause)> {
    story.findings.iter().map(|finding| (finding.violation, finding.cause)).collect()
}

#[test]
fn a_batch_is_one_step_for_two_requests_and_they_are_retried_apart() {
    let batched = batched();
    // One step and no fault.
    assert_eq!(agree_on(batched.as_ref(), in_a_batch(bound(2, 0, 0))), 1);
    // Without a retry: the request of the batch is lost, or the reply, or it is late in one order, or the handler dies.
    assert_eq!(agree_on(batched.as_ref(), in_a_batch(bound(2, 0, 1))), 1 + 1 + 1 + 1 + 1);
    // With one: when it is lost each client sends again, in two orders. When it was done unheard, each finds its id taken and reads its
    // answer: two steps each, in 6 orders. When the handler has died, in two orders. When it is late, it lands before both (6), after
    // one of them (2, where the other reads its answer), or after both (2).
    assert_eq!(agree_on(batched.as_ref(), in_a_batch(bound(2, 1, 1))), 1 + 2 + 6 + 2 + (6 + 2 + 2));
    let told = story(batched.as_ref(), "a? b a a b");
    assert_eq!(told.lines[0].did, "claim K1, K2 and apply X1, X2");
    assert_eq!(told.lines[0].learned, "done, and the reply lost");
    assert_eq!(told.lines[1].learned, "taken");
    assert_eq!(told.lines[3].told.as_deref(), Some("its client is told 10"));
    assert_eq!(told.lines[4].told.as_deref(), Some("its client is told 21"));
    assert!(told.findings.is_empty());
}

#[test]
fn the_engines_agree_on_batches() {
    let (batched, mut schedules) = (batched(), 0);
    for strategy in [batched.as_ref(), &FirstAlone, &Swapped, &Forgetful] {
        for store in models_for(strategy) {
            for (lanes, retries, faults) in [(2, 0, 1), (2, 1, 1), (2, 1, 2), (3, 0, 1)] {
                schedules += agree_on(strategy, in_a_batch(Bound { store, ..bound(lanes, retries, faults) }));
            }
        }
    }
    assert!(schedules > 2_000, "{schedules} schedules");
}

#[test]
fn one_schedule_of_each_class_shows_whatever_all_show() {
    for strategy in [batched().as_ref(), &Swapped, &Forgetful] {
        let bound = in_a_batch(bound(2, 1, 1));
        let mut shown = std::collections::BTreeSet::new();
        let classes = each_class(strategy, bound, Flaws::default(), |schedule| {
            let story = tell(strategy, bound, schedule).expect("it can be made");
            shown.extend(story.findings.iter().map(|finding| finding.violation));
            true
        });
        let counted = count_classes(strategy, bound, Flaws::default(), Limits::default(), &mut ());
        let all = census(strategy, bound, Flaws::default(), Limits::default(), &mut ()).expect("explorable");
        assert_eq!(counted.expect("explorable"), Some(classes.expect("explorable").into()), "{}", strategy.name());
        assert!(shown.iter().eq(all.violations.keys()), "{}: {shown:?}", strategy.name());
    }
}

#[test]
fn a_batch_does_every_effect_once_within_every_bound_that_is_tried() {
    let batched = batched();
    for store in models_for(batched.as_ref()) {
        for bound in [bound(2, 1, 2), bound(3, 1, 2), bound(4, 0, 2)] {
            let bound = in_a_batch(Bound { store, ..bound });
            let all = census(batched.as_ref(), bound, Flaws::default(), Limits::default(), &mut ());
            let all = all.expect("explorable");
            assert!(all.complete && all.violations.is_empty(), "{bound}: {:?}", all.violations);
        }
    }
}

#[test]
fn careless_batches_are_found_by_their_shortest_schedules() {
    let shortest = |strategy: &dyn Strategy| {
        let bound = in_a_batch(bound(2, 1, 1));
        let found = by_cause(strategy, bound, None, Limits::default(), &mut ()).expect("explorable");
        let words = |caused: &crate::explore::Caused| (caused.violation, caused.cause, caused.schedule.to_string());
        found.found.iter().map(words).collect::<Vec<_>>()
    };
    let lost = shortest(&FirstAlone);
    assert!(lost.iter().any(|(violation, _, schedule)| *violation == Violation::Lost && schedule == "a"), "{lost:?}");
    let swapped = shortest(&Swapped);
    assert!(swapped.iter().any(|(it, _, schedule)| *it == Violation::Wrong && schedule == "a"), "{swapped:?}");
    let twice = (Violation::Duplicate, Cause::RetryAfterLostReply);
    assert!(shortest(&Forgetful).iter().any(|(violation, cause, _)| (*violation, *cause) == twice));
    // The second request was done in the batch, and its answer lost: its own client sends again.
    assert_eq!(whys(&story(&Forgetful, "a a? b")), [twice]);
}

#[test]
fn a_strategy_that_handles_one_delivery_at_a_time_has_no_batches() {
    let table = Registry::default().get("dedup-table").expect("it is there");
    let alone = Bound { requests: 2, ..bound(2, 1, 1) };
    assert_eq!(in_a_batch(alone).for_strategy(table.as_ref()), alone.for_strategy(table.as_ref()));
}
