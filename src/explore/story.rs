//! The story of a schedule: every step in words, with what came of it, and the moment at which it goes wrong.

use crate::check::Finding;
use crate::strategy::Strategy;
use crate::terms::{Cause, Leg, MessageId, Reply, Retries, Role, Violation};

use super::attempt::guarded;
use super::bound::{Bound, Kinds, MAX_LANES};
use super::execution::{Did, Executed, Execution, Executor};
use super::schedule::{Fate, Schedule, Step};
use super::step_words::{Words, trouble_in_words};
use super::violations::Why;
use super::{ExploreError, Flaws};
use crate::service::contract::lane_name;

/// A schedule with what it did, step by step.
#[derive(Debug, Clone)]
pub struct Story {
    pub strategy: &'static str,
    pub bound: Bound,
    /// The steps that were asked for.
    pub schedule: Schedule,
    pub lines: Vec<Line>,
    /// The fault-free retry of each request that was given up.
    pub retried: Vec<(MessageId, Reply)>,
    /// What took a last turn without faults after that.
    pub turned: Vec<&'static str>,
    /// Every violation that it shows in the end.
    pub findings: Vec<Finding>,
    /// The roles of the servers that the strategy talks to.
    pub roles: Vec<Role>,
    /// Its requests and answers cross a hop between client and handler.
    pub has_hop: bool,
}

/// One step.
#[derive(Debug, Clone)]
pub struct Line {
    pub step: Step,
    /// The same as data: the operation, and what came of it.
    pub event: Did,
    /// The attempt that the lane was at, from 0.
    pub attempt: u8,
    /// Where the lane's request went, or its lease.
    pub leg: Leg,
    /// What it did, e.g. `read K`.
    pub did: String,
    /// What came back, e.g. `nothing`.
    pub learned: String,
    /// What its client was told after it, or does of its own accord: the attempt is over.
    pub told: Option<String>,
    /// The violations that are there from now on.
    pub shows: Vec<Violation>,
    /// It was not asked for: the lanes ran on.
    pub ran_on: bool,
    /// Time passed until a lease expired that nobody kept any more.
    pub waited: bool,
}

/// A schedule cannot be executed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    #[error("step {position} of the schedule, '{step}', cannot be made there; what can: {}", .enabled.join(" "))]
    Disabled { position: usize, step: Step, enabled: Vec<String> },
    #[error(
        "step {position} of the schedule, '{step}', comes after the end: every lane has its reply, and nothing is in flight"
    )]
    AfterTheEnd { position: usize, step: Step },
    #[error(
        "step {position} of the schedule, '{step}', cannot be made on the real backends: it waits for another, or there is nothing for it to do"
    )]
    WaitsReally { position: usize, step: Step },
    #[error("before step {position} every lane waits for another, and the schedule cannot go on")]
    Stuck { position: usize },
    #[error("the schedule has more than {} lanes; lanes are named a to {}", MAX_LANES, lane_name(MAX_LANES - 1))]
    TooManyLanes,
    #[error(transparent)]
    Explore(#[from] ExploreError),
}

/// Tells the story of a schedule. The bound says which requests there are, how often they are retried and what the store is; as
/// many lanes and faults as the schedule names are allowed, of every kind.
///
/// # Errors
/// [`ScheduleError`] if a step of it cannot be made, or the strategy cannot be explored.
pub fn tell(strategy: &dyn Strategy, bound: Bound, schedule: &Schedule) -> Result<Story, ScheduleError> {
    tell_with(strategy, bound, schedule, Flaws::default())
}

/// As [`tell`], with mistakes in the model.
///
/// # Errors
/// As [`tell`].
pub fn tell_with(
    strategy: &dyn Strategy,
    bound: Bound,
    schedule: &Schedule,
    flaws: Flaws,
) -> Result<Story, ScheduleError> {
    let bound = bound_of(strategy, bound, schedule)?;
    // A strategy that panics or awaits something else is found out before it is told of.
    let executor = Executor::new(strategy, bound, flaws);
    guarded(strategy.name(), || executor.begin().map(drop))?;
    let mut execution = executor.begin()?;
    let mut shown = Vec::new();
    let mut lines = Vec::new();
    let words = Words::of(&executor);
    for (n, step) in schedule.0.iter().enumerate() {
        let position = n + 1;
        if execution.is_over() {
            return Err(ScheduleError::AfterTheEnd { position, step: *step });
        }
        let enabled = execution.enabled();
        if !enabled.contains(step) {
            let enabled = enabled.iter().map(ToString::to_string).collect();
            return Err(ScheduleError::Disabled { position, step: *step, enabled });
        }
        execution.must_step(*step)?;
        lines.push(line(words, &execution, &mut shown, false)?);
    }
    while !execution.is_over() {
        execution.run_on_once()?;
        lines.push(line(words, &execution, &mut shown, true)?);
    }
    let executed = execution.settle()?;
    let findings = executed.findings();
    Ok(Story {
        strategy: strategy.name(),
        bound,
        schedule: schedule.clone(),
        lines,
        retried: executed.retried,
        turned: executed.turned,
        findings,
        roles: server_roles(strategy),
        has_hop: words.has_hop,
    })
}

/// A bound in which a schedule has as many lanes and faults as it names, of every kind.
///
/// # Errors
/// [`ScheduleError::TooManyLanes`].
pub fn bound_of(strategy: &dyn Strategy, bound: Bound, schedule: &Schedule) -> Result<Bound, ScheduleError> {
    let named = schedule.0.iter().map(|step| step.lane + 1).max().unwrap_or(1);
    if named > MAX_LANES {
        return Err(ScheduleError::TooManyLanes);
    }
    let faults = u8::try_from(schedule.faults()).unwrap_or(u8::MAX);
    let kinds = Kinds::all().with(Fate::Queues);
    if bound.claim_of(strategy).retries == Retries::Never {
        // Every lane beyond those of the requests is a copy, and only what the schedule names was made.
        let sent = bound.requests.max(1);
        let copies = named.saturating_sub(sent);
        let faults = faults.saturating_add(copies).max(bound.faults);
        return Ok(Bound { lanes: sent + copies, copies, faults, retries: 0, kinds, ..bound });
    }
    let bound = bound.for_strategy(strategy);
    let requesting = named.saturating_sub(bound.residents).div_ceil(bound.stride());
    let Bound { lanes, .. } = bound.with_requesting(bound.requesting().max(requesting));
    Ok(Bound { lanes, faults: faults.max(bound.faults), kinds, ..bound })
}

/// The last step in words. What it shows that was not there before is found by the checks, on everything up to it.
fn line(
    words: Words,
    execution: &Execution<'_>,
    shown: &mut Vec<Violation>,
    ran_on: bool,
) -> Result<Line, ExploreError> {
    let so_far = execution.so_far();
    let made = so_far.made.last().expect("a step was made");
    let shows = so_far.lasting_violations(shown);
    shown.extend(&shows);
    Ok(words.line(made, shows, ran_on))
}

/// The roles of the servers that a strategy talks to: the hop is no server.
pub(crate) fn server_roles(strategy: &dyn Strategy) -> Vec<Role> {
    strategy.needs().iter().map(|need| need.role).filter(|role| *role != Role::HOP).collect()
}

/// What it means that a schedule shows a violation, in a few words.
#[must_use]
pub fn meaning(violation: Violation) -> &'static str {
    violation.meaning()
}

/// At which stores findings are, as words to add; nothing of findings that name no store.
pub fn at_stores<'f>(findings: impl Iterator<Item = &'f Finding>) -> String {
    let mut roles: Vec<Role> = findings.filter_map(|finding| finding.at).collect();
    roles.sort_unstable();
    roles.dedup();
    let titles: Vec<String> = roles.into_iter().map(|role| format!("the {}", role.title())).collect();
    if titles.is_empty() { String::new() } else { format!(" at {}", titles.join(" and ")) }
}

impl Story {
    /// The violations that only the end shows, after the fault-free retry.
    #[must_use]
    pub fn shown_in_the_end(&self) -> Vec<Violation> {
        let seen: Vec<Violation> = self.lines.iter().flat_map(|line| line.shows.iter().copied()).collect();
        let mut kinds: Vec<Violation> = self.findings.iter().map(|finding| finding.violation).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds.into_iter().filter(|violation| !seen.contains(violation)).collect()
    }

    /// At which stores a violation is, as words to add: nothing where there is only one that it could be.
    #[must_use]
    pub fn place_of(&self, violation: Violation) -> String {
        at_stores(self.findings.iter().filter(|finding| finding.violation == violation))
    }

    /// The words for a violation that a step or the end shows.
    #[must_use]
    pub fn words_for(&self, violation: Violation) -> String {
        format!("{violation}{}: {}", self.place_of(violation), meaning(violation))
    }

    /// What happens when everything has settled: the fault-free retries and the last turns, in words.
    #[must_use]
    pub fn settling(&self) -> Vec<String> {
        let retried = self.retried.iter().map(|(_, reply)| match reply {
            Ok(answer) => format!("a retry without faults is answered {}", answer.0),
            Err(trouble) => format!("a retry without faults is told '{}'", trouble_in_words(*trouble)),
        });
        let turned = self.turned.iter().map(|name| format!("the {name} takes a last turn without faults"));
        retried.chain(turned).collect()
    }

    /// What is in the end: the fault-free retry, and what it shows, in words.
    #[must_use]
    pub fn end(&self) -> Vec<String> {
        let shown = self.shown_in_the_end().into_iter().map(|violation| self.words_for(violation));
        self.settling().into_iter().chain(shown).collect()
    }

    /// Why a violation came about, as the history shows it.
    #[must_use]
    pub fn cause(&self, violation: Violation) -> Option<Cause> {
        self.findings.iter().find(|finding| finding.violation == violation).map(|finding| finding.cause)
    }

    /// The story on lines of at most 80 columns.
    #[must_use]
    pub fn as_text(&self) -> String {
        let mut out = String::new();
        let mut ran_on = false;
        for (n, line) in self.lines.iter().enumerate() {
            if line.ran_on && !ran_on {
                ran_on = true;
                out.push_str("      … and then, without faults:\n");
            }
            let learned = if line.learned.is_empty() { String::new() } else { format!("→ {}", line.learned) };
            if line.waited {
                let lane = lane_name(line.step.lane);
                out.push_str(&format!(
                    "         {lane} waits until the lease that a dead handler has left behind expires\n"
                ));
            }
            let text = format!("{:>3}  {:<3} {:<24} {learned}", n + 1, line.step.to_string(), line.did);
            out.push_str(text.trim_end());
            out.push('\n');
            if let Some(told) = &line.told {
                out.push_str(&format!("         {}: {told}\n", lane_name(line.step.lane)));
            }
            for violation in &line.shows {
                out.push_str(&format!("  ✗  {}\n", self.words_for(*violation)));
            }
        }
        let shown = self.shown_in_the_end();
        for what in self.settling() {
            out.push_str(&format!("     everything has settled; {what}\n"));
        }
        for violation in shown {
            out.push_str(&format!("  ✗  {}\n", self.words_for(violation)));
        }
        if self.findings.is_empty() {
            out.push_str("     nothing is broken\n");
        }
        out
    }
}

impl Executed {
    /// The violations that are there before everything has settled, and will be afterwards, without those that were shown
    /// already.
    #[must_use]
    pub fn lasting_violations(&self, shown: &[Violation]) -> Vec<Violation> {
        self.violations()
            .into_iter()
            .filter(|violation| violation.lasts())
            .filter(|violation| !shown.contains(violation))
            .collect()
    }

    /// The violations with their causes, each once, in the order of reports.
    #[must_use]
    pub fn whys(&self) -> Vec<Why> {
        let mut whys: Vec<Why> = self.findings().iter().map(|finding| (finding.violation, finding.cause)).collect();
        whys.sort_unstable();
        whys.dedup();
        whys
    }

    /// The kinds of violations, each once, in the order of reports.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        let mut kinds: Vec<Violation> = self.findings().iter().map(|finding| finding.violation).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }
}
