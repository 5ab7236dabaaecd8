//! The shortest schedules are the shortest.

use super::bound;
use crate::explore::execution::Executor;
use crate::explore::{Bound, Executed, Exploration, Flaws, Limits, Schedule, bound_of};
use crate::strategy::Registry;

/// Goes through every schedule that is cheaper than one, with the reference engine, and finds none that shows the violation:
/// neither in the middle nor in the end.
#[test]
fn nothing_cheaper_than_a_minimal_schedule_shows_its_violation() {
    let registry = Registry::default();
    for strategy in registry.iter() {
        let bound = bound(2, 1, 1);
        let exploration = Exploration::new(strategy.as_ref(), bound, Limits::default(), &mut ()).expect("explorable");
        for minimal in &exploration.minimal {
            let (faults, switches, steps) = minimal.schedule.cost();
            let part = bound_of(strategy.as_ref(), bound, &minimal.schedule).expect("it has few lanes");
            let part = Bound { kinds: bound.for_strategy(strategy.as_ref()).kinds, ..part };
            let executor = Executor::new(strategy.as_ref(), part, Flaws::default());
            let mut found: Option<Schedule> = None;
            let looked_at = every_beginning(
                &executor,
                &mut Schedule::default(),
                &mut |schedule, executed, is_over| {
                    let cheaper = found.as_ref().is_none_or(|found| schedule.cost() < found.cost());
                    let judged = is_over || minimal.violation.lasts();
                    if cheaper && judged && executed.violations().contains(&minimal.violation) {
                        found = Some(schedule.clone());
                    }
                },
                (faults, switches, steps),
            );
            let found = found.expect("at its own length it is there");
            assert_eq!(found.cost(), minimal.schedule.cost(), "{} {}: {found}", strategy.name(), minimal.violation);
            assert!(looked_at >= steps, "there was something to look at");
        }
    }
}

/// Executes every schedule that costs at most so much, ended or not, by the reference engine's own way: each from the beginning.
fn every_beginning(
    executor: &Executor<'_>,
    schedule: &mut Schedule,
    visit: &mut impl FnMut(&Schedule, &Executed, bool),
    most: (usize, usize, usize),
) -> usize {
    let mut execution = executor.begin().expect("explorable");
    for step in &schedule.0 {
        execution.must_step(*step).expect("explorable");
    }
    let is_over = execution.is_over();
    let enabled = execution.enabled();
    let executed = if is_over { execution.settle().expect("explorable") } else { execution.so_far() };
    visit(schedule, &executed, is_over);
    let mut looked_at = 1;
    for step in enabled {
        schedule.0.push(step);
        if schedule.cost() <= most {
            looked_at += every_beginning(executor, schedule, visit, most);
        }
        schedule.0.pop();
    }
    looked_at
}
