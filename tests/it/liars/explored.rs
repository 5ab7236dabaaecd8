//! Liars and twins in every schedule within a bound: on the model, or on the real SQLite.

use std::sync::Mutex;

use oncelab::check::Finding;
use oncelab::explore::{Bound, Exploration, Flaws, Limits, Schedule, bound_of, tell};
use oncelab::replay::{How, ReplayWork, Testbed, replay_all, search};
use oncelab::service::Wanted;
use oncelab::strategy::Strategy;
use oncelab::terms::{Cause, StoreKind, Violation};

use super::bound;
use super::table::{Conformed, Liar};
use super::tried::{Tried, against, guarded};
use crate::backends::processes;

/// More runs than any search of a liar or a twin needs.
const MOST_RUNS: u64 = 40_000;

/// Backends for a search or a replay.
pub(super) struct Mounted {
    rig: Option<Testbed>,
    runtime: tokio::runtime::Runtime,
}

impl Mounted {
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let wanted = Wanted { source: processes(), ..Wanted::default() };
        let rig = runtime.block_on(Testbed::start(&wanted, false)).unwrap();
        Mounted { rig: Some(rig), runtime }
    }

    /// The backends.
    pub fn rig(&self) -> &Testbed {
        self.rig.as_ref().unwrap()
    }

    /// What a schedule shows on the real store, and whether the model says so too.
    pub fn replay(&self, liar: &Liar, bound: Bound, schedule: &Schedule) -> Result<Vec<Finding>, String> {
        let found = Mutex::new(Err("it was not replayed".to_owned()));
        let work = ReplayWork {
            strategy: liar.lies.as_ref(),
            bound: bound_of(liar.lies.as_ref(), bound, schedule).map_err(|error| error.to_string())?,
            flaws: Flaws::default(),
            schedules: std::slice::from_ref(schedule),
            times: 1,
            workers: 1,
            has_model: liar.conformed != Conformed::OwnSql,
        };
        let ended = replay_all(self.rig(), work, &|_, replayed| {
            *found.lock().unwrap() = match replayed.divergence {
                Some(divergence) => Err(divergence.to_string()),
                None => Ok(replayed.findings),
            };
            true
        });
        ended.map_err(|error| error.to_string())?;
        found.into_inner().unwrap()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let rig = self.rig.take();
        self.runtime.block_on(async { drop(rig) });
    }
}

/// A violation with one of its causes, and a short schedule that shows it.
pub(super) struct Caused {
    pub violation: Violation,
    pub cause: Cause,
    pub schedule: Schedule,
}

/// What a strategy shows within a bound; or why that is not known.
pub(super) fn explored(
    mounted: &Mounted,
    strategy: &dyn Strategy,
    bound: Bound,
    conformed: Conformed,
) -> Result<Vec<Caused>, String> {
    match conformed {
        Conformed::Agrees | Conformed::WithoutLiar => {
            let limits = Limits::default();
            let explored = Exploration::new(strategy, bound, limits, &mut ());
            let explored = explored.and_then(|it| it.with_causes(strategy, limits, &mut ()));
            let explored = explored.map_err(|error| error.to_string())?;
            let caused = explored.causes.into_iter().flat_map(|causes| causes.found);
            let found: Vec<Caused> =
                caused.map(|it| Caused { violation: it.violation, cause: it.cause, schedule: it.schedule }).collect();
            let counted: Vec<&str> = explored.census.violations.keys().map(|violation| violation.name()).collect();
            if !explored.census.complete || counted != names(&found) {
                return Err(format!("{counted:?} was counted, and {:?} has causes", names(&found)));
            }
            Ok(found)
        }
        Conformed::OwnSql => {
            let searched = search(mounted.rig(), strategy, bound, How::Every, MOST_RUNS, &|_| true);
            let searched = searched.map_err(|error| error.to_string())?;
            if !searched.complete {
                return Err(format!("{} runs were not enough", searched.runs));
            }
            let caused = searched.found.into_iter();
            Ok(caused.map(|((violation, cause), (schedule, _))| Caused { violation, cause, schedule }).collect())
        }
    }
}

fn names(found: &[Caused]) -> Vec<&'static str> {
    let mut names: Vec<_> = found.iter().map(|caused| caused.violation.name()).collect();
    names.dedup();
    names
}

/// What is to be said against what a liar shows: the violations, or the first cause that a load run must show and that is missing.
fn objection(liar: &Liar, found: &[Caused]) -> Option<String> {
    let is_there = |(violation, cause): &&(&str, &str)| {
        found.iter().any(|caused| caused.violation.name() == *violation && caused.cause.name() == *cause)
    };
    let missing = || liar.loaded.causes.iter().find(|why| !is_there(why));
    let uncaused = |(violation, cause): &(&str, &str)| {
        let causes: Vec<_> = found.iter().map(|caused| (caused.violation.name(), caused.cause.name())).collect();
        format!("no {violation} because of {cause}: {causes:?}")
    };
    liar.bounded.shown.objection(&names(found)).or_else(|| missing().map(uncaused))
}

/// Explores each liar and each twin: on the model, or where they speak SQL by a search on the real SQLite.
pub(super) fn explore(liars: &[Liar]) -> (usize, usize) {
    let mounted = Mounted::new();
    let mut tried = Tried::default();
    for liar in liars {
        let within = |strategy: &dyn Strategy, bound| guarded(|| explored(&mounted, strategy, bound, liar.conformed));
        let (lies, honest, limit) = (liar.lies.as_ref(), liar.honest.as_ref(), liar.bounded.bound);
        tried.liars += 1;
        tried.object(lies, liar, against(within(lies, limit), |found| objection(liar, &found)));
        if liar.only_in_company {
            let nothing =
                |found: Vec<Caused>| (!found.is_empty()).then(|| format!("alone it shows {:?}", names(&found)));
            // One that sends once is given up alone: its claim tolerates that.
            let faults = u8::from(lies.claim(StoreKind::Sqlite).tolerates.is_empty());
            tried.object(lies, liar, against(within(lies, bound(1, 1, faults)), nothing));
        }
        for (schedule, violation, cause) in liar.bounded.stories {
            let told = guarded(|| told(&mounted, liar, &schedule.parse().unwrap()));
            let is_it = |finding: &Finding| {
                finding.violation.name() == *violation && (cause.is_empty() || finding.cause.name() == *cause)
            };
            let objection = |found: Vec<Finding>| {
                (!found.iter().any(is_it)).then(|| format!("`{schedule}` shows no {violation}, {cause}: {found:?}"))
            };
            tried.object(lies, liar, against(told, objection));
        }

        tried.twins += 1;
        // One that sends once is given up when its request is lost.
        let tolerated = |name: &&str| honest.claim(StoreKind::Sqlite).tolerates.iter().any(|it| it.name() == *name);
        let nothing = |found: Vec<Caused>| {
            let found: Vec<_> = names(&found).into_iter().filter(|name| !tolerated(name)).collect();
            (!found.is_empty()).then(|| format!("it shows {found:?}"))
        };
        tried.object(honest, liar, against(within(honest, limit), nothing));
    }
    tried.counted()
}

/// What a schedule of a liar shows, told step by step.
fn told(mounted: &Mounted, liar: &Liar, schedule: &Schedule) -> Result<Vec<Finding>, String> {
    match liar.conformed {
        Conformed::Agrees | Conformed::WithoutLiar => tell(liar.lies.as_ref(), liar.bounded.bound, schedule)
            .map(|story| story.findings)
            .map_err(|error| error.to_string()),
        Conformed::OwnSql => mounted.replay(liar, liar.bounded.bound, schedule),
    }
}
