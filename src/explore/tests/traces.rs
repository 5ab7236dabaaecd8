use std::collections::{HashMap, HashSet};

use super::{bound, models_for};
use crate::explore::execution::{Execution, Executor};
use crate::explore::independence::Touch;
use crate::explore::state_graph::StateGraph;
use crate::explore::{Bound, Flaws, Limits, Schedule, Step, census, count_classes, each_class, reference};
use crate::strategy::{Registry, Strategy};
use crate::terms::Violation;
use crate::world::Outcome;

fn classes(strategy: &dyn Strategy, bound: Bound) -> u128 {
    count_classes(strategy, bound, Flaws::default(), Limits::default(), &mut ()).expect("explorable").expect("small")
}

/// What a schedule comes to: what each lane made and learned, what is in the ledger, and whether two were inside at once. The same for every
/// schedule of a class.
type Outline = (Vec<Vec<(String, Option<Outcome>)>>, Vec<(u32, i64)>, bool);

/// Every schedule with its outline, by the reference engine.
fn schedules(strategy: &dyn Strategy, bound: Bound) -> HashMap<Vec<Step>, Outline> {
    use crate::explore::Did;
    let executor = Executor::new(strategy, bound.for_strategy(strategy), Flaws::default());
    let mut all = HashMap::new();
    let visit = |execution: &mut Execution<'_>, steps: &[Step]| {
        let done = execution.so_far();
        let mut lanes = vec![Vec::new(); bound.lanes.into()];
        for made in &done.made {
            let (what, outcome) = match made.did {
                Did::Made { op, learned } => (format!("{} {op:?}", made.step), Some(learned)),
                Did::Landed { op, outcome } => (format!("{} {op:?}", made.step), Some(outcome)),
                Did::Crashed { .. } | Did::Expired { .. } | Did::Queued { .. } => (made.step.to_string(), None),
            };
            lanes[usize::from(made.step.lane)].push((what, outcome));
        }
        let ledger = done.ledger.iter().map(|entry| (entry.message.0, entry.balance)).collect();
        let overlaps = done.findings().iter().any(|finding| finding.violation == Violation::Overlap);
        assert!(all.insert(steps.to_vec(), (lanes, ledger, overlaps)).is_none(), "twice: {}", Schedule(steps.to_vec()));
        Ok(())
    };
    let visited = reference::every_schedule(&executor, visit, true);
    assert_eq!(visited.expect("explorable"), all.len() as u64);
    all
}

/// The number of sets of schedules that can be turned into each other by letting neighbours change places that touch nothing in
/// common: counted by doing so, without sleep sets. Also holds what steps touch against what they do: neighbours that touch
/// nothing in common can change places, and both ways lead to the same.
fn by_changing_places(strategy: &dyn Strategy, bound: Bound, all: &HashMap<Vec<Step>, Outline>) -> usize {
    let numbers: HashMap<&Vec<Step>, usize> = all.keys().enumerate().map(|(n, steps)| (steps, n)).collect();
    let mut parent: Vec<usize> = (0..all.len()).collect();
    let mut engine =
        StateGraph::new(strategy, bound.for_strategy(strategy), Flaws::default(), true).expect("explorable");
    for (steps, outline) in all {
        let touches = touches(&mut engine, steps);
        for n in 1..steps.len() {
            if steps[n - 1].lane == steps[n].lane || touches[n - 1].conflicts_with(touches[n]) {
                continue;
            }
            let mut swapped = steps.clone();
            swapped.swap(n - 1, n);
            let places = format!("{} and {}", Schedule(steps.clone()), Schedule(swapped.clone()));
            assert_eq!(all.get(&swapped), Some(outline), "{places} do not lead to the same");
            let (a, b) = (root(&mut parent, numbers[steps]), root(&mut parent, numbers[&swapped]));
            parent[a] = b;
        }
    }
    (0..all.len()).filter(|n| parent[*n] == *n).count()
}

fn root(parent: &mut [usize], mut at: usize) -> usize {
    while parent[at] != at {
        parent[at] = parent[parent[at]];
        at = parent[at];
    }
    at
}

/// What each step of a schedule touches.
fn touches(engine: &mut StateGraph<'_>, steps: &[Step]) -> Vec<Touch> {
    let mut state = engine.beginning().expect("explorable");
    let mut ways = Vec::new();
    let mut touches = Vec::new();
    for step in steps {
        engine.ways(&state, &mut ways).expect("explorable");
        let way = *ways.iter().find(|way| way.step == *step).unwrap_or_else(|| {
            panic!(
                "{step} of {} is none of {:?}",
                Schedule(steps.to_vec()),
                ways.iter().map(|way| way.step).collect::<Vec<_>>()
            )
        });
        touches.push(engine.touch(&state, &way));
        state = way.to;
    }
    touches
}

#[test]
fn check_then_act_has_six_classes_in_two_lanes() {
    // Either lane reads after the other has written: 2. Or both find nothing, and what is left to tell apart is whose effect
    // is first and whose mark is: 2 × 2.
    let strategy = Registry::default().get("check-then-act").expect("it is there");
    assert_eq!(classes(strategy.as_ref(), bound(2, 0, 0)), 2 + 2 * 2);
}

/// One asks the second master and is inside, the other asks the first one and leaves: who is first decides whether they meet.
#[test]
fn whoever_enters_and_whoever_leaves_do_not_change_places_whichever_master_they_ask() {
    let strategy = Registry::default().get("redlock").expect("it is there");
    let bound = bound(2, 0, 1).for_strategy(strategy.as_ref());
    let mut engine = StateGraph::new(strategy.as_ref(), bound, Flaws::default(), true).expect("explorable");
    let schedule: Schedule = "a a a a* a b b a".parse().expect("it is a schedule");
    let touches = touches(&mut engine, &schedule.0);
    assert!(touches[6].conflicts_with(touches[7]));
    // The first vote of one, and the second of the other, are nobody's business.
    let apart: Schedule = "a a b".parse().expect("it is a schedule");
    let touches = self::touches(&mut engine, &apart.0);
    assert!(!touches[1].conflicts_with(touches[2]));
}

#[test]
fn of_each_class_one_is_gone_through_where_a_server_forgets() {
    for name in ["redis-lock", "redis-lock-replica", "redis-lock-wait"] {
        let strategy = Registry::default().get(name).expect("it is there");
        for faults in [0, 1] {
            let bound = Bound { reaps: true, ..bound(2, 0, faults) };
            bound.parts(strategy.as_ref()).into_iter().for_each(|part| one_of_each_class(strategy.as_ref(), part));
        }
    }
}

#[test]
fn of_each_class_one_schedule_is_gone_through() {
    let registry = Registry::default();
    let mut compared = 0;
    for name in registry.names() {
        let strategy = registry.get(name).expect("it is there");
        for store in models_for(strategy.as_ref()) {
            for (lanes, retries, faults) in [(2, 0, 0), (1, 1, 1), (2, 0, 1), (1, 1, 2), (3, 0, 0)] {
                // Some strategies have too many schedules for changing places in each of them.
                let bound = Bound { store, ..bound(lanes, retries, faults) };
                let all = census(strategy.as_ref(), bound, Flaws::default(), Limits::default(), &mut ());
                if all.expect("explorable").schedules > 4_000 {
                    continue;
                }
                compared += 1;
                bound.parts(strategy.as_ref()).into_iter().for_each(|part| one_of_each_class(strategy.as_ref(), part));
            }
        }
    }
    assert!(compared > 6 * registry.names().count(), "{compared} bounds");
}

/// Classes counted in three ways, and what can happen in one of them.
fn one_of_each_class(strategy: &dyn Strategy, bound: Bound) {
    let name = strategy.name();
    let all = schedules(strategy, bound);
    let mut visited = HashSet::new();
    let count = each_class(strategy, bound, Flaws::default(), |schedule| visited.insert(schedule.0.clone()));
    let count = count.expect("explorable");
    assert_eq!(visited.len() as u64, count, "{name} {bound:?}: one of them twice");
    assert_eq!(by_changing_places(strategy, bound, &all) as u64, count, "{name} {bound:?}");
    assert_eq!(classes(strategy, bound), count.into(), "{name} {bound:?}: counted without going through");
    let outlines: HashSet<&Outline> = all.values().collect();
    let reached: HashSet<&Outline> = visited.iter().map(|steps| &all[steps]).collect();
    assert_eq!(reached, outlines, "{name} {bound:?}: what can happen, happens in one of them");
}
