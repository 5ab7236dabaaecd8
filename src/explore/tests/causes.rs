//! The shortest schedule for each violation with each of its causes is there, and is the shortest.

use std::collections::BTreeMap;

use super::bound;
use crate::explore::execution::{Execution, Executor};
use crate::explore::{Bound, Flaws, Kinds, Limits, Schedule, Step, Why, by_cause, census, reference, tell};
use crate::strategy::{Registry, Strategy};
use crate::terms::{Cause, FaultKind, Violation};

type Cost = (usize, usize, usize);

/// By violation and cause, the least cost of a beginning of a schedule that shows it: each beginning of each schedule of the
/// reference engine, which runs on without faults.
fn every_why(strategy: &dyn Strategy, bound: Bound) -> BTreeMap<Why, Cost> {
    let mut least: BTreeMap<Why, Cost> = BTreeMap::new();
    let fewer = (1..=bound.lanes).flat_map(|lanes| Bound { lanes, ..bound }.parts(strategy));
    for part in fewer {
        let executor = Executor::new(strategy, part, Flaws::default());
        let mut again = executor.execution();
        let mut before: Vec<Step> = Vec::new();
        let visit = |_: &mut Execution<'_>, steps: &[Step]| {
            // Schedules come depth first: what begins as the one before was looked at with that.
            let known = before.iter().zip(steps).take_while(|(one, other)| one == other).count();
            for upto in known + 1..=steps.len() {
                let schedule = Schedule(steps[..upto].to_vec());
                again.begin_again()?;
                schedule.0.iter().try_for_each(|step| again.must_step(*step))?;
                let cost = (schedule.faults() + usize::from(part.copies), schedule.switches(), upto);
                for why in again.whys()? {
                    let least = least.entry(why).or_insert(cost);
                    *least = cost.min(*least);
                }
            }
            before = steps.to_vec();
            Ok(())
        };
        reference::every_schedule(&executor, visit, false).expect("explorable");
    }
    least
}

/// So many schedules of a bound are gone through one by one, at the most.
const FEW: u128 = 5_000;

#[test]
fn every_violation_is_found_with_every_cause_by_a_shortest_schedule() {
    let registry = Registry::default();
    let (mut bounds, mut pairs) = (0, 0);
    for strategy in registry.iter().map(|strategy| strategy.as_ref()) {
        for (lanes, retries, faults) in [(1, 1, 2), (2, 0, 1), (2, 1, 1)] {
            let bound = bound(lanes, retries, faults);
            let all = census(strategy, bound, Flaws::default(), Limits::default(), &mut ()).expect("explorable");
            if all.schedules > FEW {
                continue;
            }
            let found = by_cause(strategy, bound, None, Limits::default(), &mut ()).expect("explorable");
            assert!(found.complete);
            let costs: BTreeMap<Why, Cost> = found.found.iter().map(|caused| (caused.why(), caused.cost())).collect();
            let least = every_why(strategy, bound);
            assert_eq!(costs, least, "{} {bound}", strategy.name());
            (bounds, pairs) = (bounds + 1, pairs + least.len());
        }
    }
    // Three bounds of each strategy, but for those with more schedules.
    assert_eq!((bounds, pairs), (162, 511), "what was compared has changed");
}

#[test]
fn the_story_of_a_shortest_schedule_has_its_cause() {
    let registry = Registry::default();
    let mut stories = 0;
    for strategy in registry.iter() {
        let bound = bound(2, 1, 1);
        let found = by_cause(strategy.as_ref(), bound, None, Limits::default(), &mut ()).expect("explorable");
        for caused in found.found {
            let story = tell(strategy.as_ref(), Bound { lanes: caused.lanes, ..bound }, &caused.schedule)
                .expect("it can be made");
            let has_it = story.findings.iter().any(|finding| (finding.violation, finding.cause) == caused.why());
            assert!(has_it, "{} {}: {:?}", strategy.name(), caused.schedule, caused.why());
            stories += 1;
        }
    }
    assert!(stories > 40, "{stories}");
}

/// A16: what a run with only crashes shows is not the race, which needs no fault.
#[test]
fn with_only_crashes_the_shortest_way_is_a_crash() {
    let strategy = Registry::default().get("check-then-act").expect("it is there");
    let bound = Bound { kinds: Kinds::of(FaultKind::Crash), ..bound(2, 1, 2) };
    let wanted = [(Violation::Duplicate, Cause::CrashBetweenStores)];
    let found = by_cause(strategy.as_ref(), bound, Some(&wanted), Limits::default(), &mut ()).expect("explorable");
    let schedules: Vec<String> = found.found.iter().map(|caused| caused.schedule.to_string()).collect();
    assert_eq!(schedules, ["a a ax a a"]);
}
