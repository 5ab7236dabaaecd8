//! What an exploration shows, as JSON.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::explore::count;
use super::explore_bound::not_tried;
use super::explore_output::{Found, millis, share};
use crate::exit;
use crate::explore::{Bound, ByCause, Caused, Exploration, Schedule, Story, Walked};
use crate::lab::Both;
use crate::replay::Searched;
use crate::strategy::{Claim, Strategy};
use crate::terms::Violation;

/// An exploration as a JSON document.
pub(super) fn as_json(exploration: &Exploration, claim: &Claim, classes: Option<u128>) -> Value {
    let Exploration { census, bound, .. } = exploration;
    let violations: Vec<Value> =
        census.violations.iter().map(|(kind, n)| violation_as_json(exploration, *kind, *n)).collect();
    json!({
        "strategy": exploration.strategy,
        "bound": bound_as_json(bound),
        "complete": census.complete,
        "waits_not_modelled": census.waits_unmodelled.map(|kind| kind.name()),
        "causes_complete": exploration.causes.as_ref().map(|causes| causes.complete),
        "not_tried": not_tried(&exploration.asked, exploration.batches),
        "schedules": count(census.schedules),
        "states": census.states,
        "elapsed_ms": millis(exploration.elapsed),
        "violations": violations,
        "classes": classes.map(count),
        "promise": claim.promise,
        "broken_promises": exploration.broken_promises(claim).iter().map(|violation| violation.name()).collect::<Vec<_>>(),
    })
}

fn bound_as_json(bound: &Bound) -> Value {
    json!({
        "lanes": bound.requesting(),
        "retries": bound.retries,
        "faults": bound.faults,
        "requests": bound.ids(),
        "other_body": bound.other_body,
        "batch": bound.batch,
        "copies": bound.copies,
        "kinds": bound.kinds.iter().map(|fate| fate.suffix()).collect::<Vec<_>>(),
        "repeats": bound.kinds.has_repeats(),
        "store": bound.store_kind().name(),
        "model": bound.store.modelled_as().name(),
    })
}

fn violation_as_json(exploration: &Exploration, kind: Violation, schedules: u128) -> Value {
    let minimal = exploration.minimal.iter().find(|minimal| minimal.violation == kind);
    json!({
        "kind": kind.name(),
        "schedules": count(schedules),
        "share": share(schedules, exploration.census.schedules),
        "cause": minimal.and_then(|minimal| exploration.cause_of(minimal)).map(|cause| cause.name()),
        "faults": minimal.map(|minimal| minimal.faults),
        "switches": minimal.map(|minimal| minimal.schedule.switches()),
        "minimal": minimal.map(|minimal| minimal.schedule.to_string()),
        "found_in_ms": minimal.map(|minimal| millis(minimal.took)),
        "causes": exploration.causes.as_ref().map(|causes| causes_as_json(causes, kind)),
    })
}

/// The shortest schedule for a violation with each of its causes.
fn causes_as_json(causes: &ByCause, kind: Violation) -> Vec<Value> {
    let of_kind = causes.found.iter().filter(|caused| caused.violation == kind);
    let one = |caused: &Caused| json!({ "cause": caused.cause.name(), "faults": caused.faults, "minimal": caused.schedule.to_string() });
    of_kind.map(one).collect()
}

/// Every exploration in one JSON document.
pub(super) fn all_as_json(rows: &[(Arc<dyn Strategy>, Both)], bound: Bound) -> Value {
    let one = |(strategy, row): &(Arc<dyn Strategy>, Both)| {
        let claim = bound.claim_of(strategy.as_ref());
        let mut document = as_json(&row.one, &claim, None);
        document["agrees"] = json!(row.verdict(strategy.as_ref()) == exit::MET);
        document["two_requests"] = json!(row.two.as_ref().map(|two| as_json(two, &claim, None)));
        document
    };
    let elapsed: Duration = rows.iter().flat_map(|(_, row)| row.both()).map(|exploration| exploration.elapsed).sum();
    json!({
        "bound": bound_as_json(&bound),
        "elapsed_ms": millis(elapsed),
        "strategies": rows.iter().map(one).collect::<Vec<_>>(),
    })
}

/// A story as a JSON document.
pub(super) fn story_as_json(story: &Story) -> Value {
    let line = |line: &crate::explore::Line| {
        json!({
            "step": line.step.to_string(),
            "did": line.did,
            "learned": line.learned,
            "told": line.told,
            "shows": line.shows.iter().map(|violation| violation.name()).collect::<Vec<_>>(),
            "ran_on": line.ran_on,
        })
    };
    let finding = |finding: &crate::check::Finding| {
        let mut document =
            json!({ "kind": finding.violation.name(), "cause": finding.cause.name(), "detail": finding.detail });
        if let Some(role) = finding.at {
            document["role"] = json!(role.name());
        }
        document
    };
    json!({
        "strategy": story.strategy,
        "schedule": story.schedule.to_string(),
        "bound": bound_as_json(&story.bound),
        "steps": story.lines.iter().map(line).collect::<Vec<_>>(),
        "end": story.end(),
        "violations": story.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

/// Walks as a JSON document.
pub(super) fn walked_as_json(strategy: &str, bound: Bound, seed: u64, walked: &Walked, found: &[Found]) -> Value {
    let violation = |(violation, drawn, minimal): &Found| {
        json!({
            "kind": violation.name(),
            "walks": walked.violations[violation],
            "drawn": drawn.to_string(),
            "minimal": minimal.as_ref().map(ToString::to_string),
        })
    };
    json!({
        "strategy": strategy,
        "bound": bound_as_json(&bound),
        "seed": seed,
        "walks": walked.walks,
        "violations": found.iter().map(violation).collect::<Vec<_>>(),
    })
}

/// What a search on real backends has found, as JSON.
pub(super) fn searched_as_json(
    strategy: &str,
    bound: &Bound,
    (store, lock): (&str, &str),
    seed: Option<u64>,
    searched: &Searched,
    command: &dyn Fn(&Schedule) -> String,
) -> Value {
    let violation = |(kind, schedules): (&Violation, &u64)| {
        let mut of_kind = searched.found.iter().filter(|((violation, _), _)| violation == kind);
        let all: Vec<Value> = of_kind
            .clone()
            .map(|((_, cause), (schedule, _))| {
                json!({ "cause": cause.name(), "faults": schedule.faults(), "minimal": schedule.to_string() })
            })
            .collect();
        let found = of_kind.next();
        json!({
            "kind": kind.name(),
            "schedules": schedules,
            "cause": found.map(|((_, cause), _)| cause.name()),
            "causes": all,
            "faults": found.map(|(_, (schedule, _))| schedule.faults()),
            "minimal": found.map(|(_, (schedule, _))| schedule.to_string()),
            "found_after_ms": found.map(|(_, (_, after))| millis(*after)),
            "replay": found.map(|(_, (schedule, _))| command(schedule)),
        })
    };
    json!({
        "strategy": strategy,
        "store": store,
        "lock": lock,
        "bound": { "lanes": bound.requesting(), "retries": bound.retries, "faults": bound.faults, "requests": bound.ids(), "other_body": bound.other_body, "batch": bound.batch },
        "seed": seed,
        "schedules": searched.schedules,
        "runs": searched.runs,
        "deadlocks": searched.deadlocks,
        "complete": searched.complete,
        "elapsed_ms": millis(searched.elapsed),
        "violations": searched.violations.iter().map(violation).collect::<Vec<_>>(),
    })
}
