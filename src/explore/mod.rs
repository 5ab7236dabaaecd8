//! Exploring: every interleaving and every loss within a bound, over the model of the backends.
//!
//! The strategy is the same code that runs on the servers; only its port is another. Two engines go through the schedules
//! and check each other: the reference executes each of them with the strategy's own futures, and the census knows the
//! strategy as an automaton over the responses to its operations, which lets it merge states, count exactly and find
//! shortest ways. Whatever either of them finds is judged by [`check`](crate::check), as a load run is.
//!
//! An exploration, and the story of the shortest schedule that it found:
//!
//! ```
//! use oncelab::explore::{Bound, Exploration, Limits, tell};
//! use oncelab::strategy::Registry;
//!
//! let strategy = Registry::default().get("check-then-act")?;
//! // One delivery with one retry, and one fault.
//! let bound = Bound::new(1, 1, 1);
//! let explored = Exploration::new(&*strategy, bound, Limits::default(), &mut ())?;
//! let shortest = &explored.minimal[0];
//! assert_eq!((shortest.violation.name(), shortest.schedule.to_string().as_str()), ("duplicate", "a a? a a"));
//!
//! let story = tell(&*strategy, bound, &shortest.schedule)?;
//! let told = story.lines.iter().map(|line| format!("{} {}: {}", line.step, line.did, line.learned));
//! let lines = ["a read K: nothing there", "a? apply X: done, and the reply lost", "a read K: nothing there", "a apply X: balance 20"];
//! assert_eq!(told.take(4).collect::<Vec<_>>(), lines);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod actors;
mod any_number;
mod attempt;
mod bound;
mod by_cause;
mod census;
mod class_index;
pub(crate) mod environment;
pub(crate) mod execution;
mod exploration;
mod in_order;
mod independence;
mod limits;
mod memo;
mod model_environment;
mod observations;
mod random_walks;
mod reference;
pub(crate) mod rules;
mod schedule;
mod shortest;
mod standstill;
mod state_graph;
pub(crate) mod step_words;
pub(crate) mod story;
mod strategy_tree;
mod symmetry;
#[cfg(test)]
pub(crate) mod tests;
mod traces;
mod violations;

pub(crate) use crate::service::contract::lane_name;
#[cfg(feature = "lab")]
pub(crate) use any_number::is_proved_within;
pub use any_number::{AnyNumber, ForAny, ProofLines, Unproved, any_number, check_proof};
pub(crate) use attempt::guarded;
pub use bound::{Bound, Kinds, MAX_LANES, MAX_RETRIES};
pub use by_cause::{ByCause, Caused, by_cause};
pub use census::{Census, census, one_by_one};
pub use class_index::{ClassIndex, Classes, draw_numbers};
pub use execution::{Did, Executed, MadeStep};
pub use exploration::{Exploration, unseen};
pub use limits::{Limits, Watch};
pub(crate) use model_environment::ACCOUNTS;
pub use random_walks::{Walk, Walked, shorten, walk};
pub use reference::execute_all;
pub use schedule::{Fate, MalformedToken, Schedule, Step};
pub use shortest::{Minimal, Shortest, shortest};
pub use standstill::watch_for_standstill;
pub use story::{Line, ScheduleError, Story, at_stores, bound_of, meaning, tell, tell_with};
pub(crate) use traces::ClassWalk;
pub use traces::{count_classes, each_class};
pub use violations::{Violations, Why};

use crate::service::etcd::model as lock_service;
use crate::service::store::model as store;
use crate::strategy::Strategy;
use crate::terms::StoreKind;
use crate::world::Op;

/// Deliberate mistakes in the model, for tests that must catch them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flaws {
    pub store: Option<store::StoreModelFlaw>,
    pub lock: Option<lock_service::LockModelFlaw>,
    pub redis: Option<crate::service::redis::RedisModelFlaw>,
    pub kafka: Option<crate::service::kafka::KafkaModelFlaw>,
    /// Leases live on when they have expired.
    pub no_expiry: bool,
    /// What lands late changes nothing.
    pub no_landing: bool,
}

/// That a strategy runs on a kind of store.
///
/// # Errors
/// [`Reason::NotOnStore`] if it does not.
pub fn require_store(strategy: &dyn Strategy, store: StoreKind) -> Result<(), ExploreError> {
    let refused = || Reason::NotOnStore { strategy: strategy.name(), store }.into();
    strategy.runs_on(store).then_some(()).ok_or_else(refused)
}

/// Why there are too many lanes, where a strategy has actors.
pub(crate) fn too_many_lanes(bound: &Bound) -> Reason {
    let what = format!("{} lanes, of which {} are actors", bound.lanes, bound.lanes - bound.requesting());
    Reason::TooLarge { what }
}

/// A strategy cannot be explored. As small as can be, since every step could come back with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct ExploreError(Box<Reason>);

impl ExploreError {
    /// Why.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.0
    }
}

impl From<Reason> for ExploreError {
    fn from(reason: Reason) -> Self {
        ExploreError(Box::new(reason))
    }
}

/// Why a strategy cannot be explored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The same responses led to another operation.
    #[error(
        "'{strategy}' is not deterministic: after {after}, it made `{first}` the first time and `{then}` the second; \
         a strategy may depend on nothing but its request and the responses to its operations: no clock, no random \
         number, no iteration over a hash map"
    )]
    Nondeterministic { strategy: &'static str, after: String, first: String, then: String },
    /// It waits for something that never comes.
    #[error(
        "'{strategy}' awaits something that is not one of its own operations; the explorer can only wait for those: \
         no timer, no task, no channel"
    )]
    AwaitsSomethingElse { strategy: &'static str },
    /// It issues SQL of its own.
    #[error(
        "'{strategy}' issues SQL of its own, which no model knows: `{statement}`; search on a real store \
         (`oncelab explore {strategy} --store …`), replay a schedule there (`oncelab replay`), or say the same with the \
         operations of World"
    )]
    OwnSql { strategy: &'static str, statement: &'static str },
    /// It asks a service that it has not named.
    #[error(
        "'{strategy}' makes `{op}` in the role '{role}', which its `needs` do not give to that service; name it there"
    )]
    NotNeeded { strategy: &'static str, op: String, role: &'static str },
    /// The store that is modelled has not what it asks for.
    #[error("'{strategy}' does not run on {}: it asks for what that store has not; take another store", .store.name())]
    NotOnStore { strategy: &'static str, store: StoreKind },
    /// It has more states than the engine can number.
    #[error("bound too large: {what}; lower --lanes, --retries or --faults")]
    TooLarge { what: String },
    /// It asks for more in one delivery than the engines can tell apart.
    #[error("'{strategy}' {what}, and the explorer cannot tell so many apart; ask for fewer")]
    TooMany { strategy: &'static str, what: &'static str },
    /// A bug in it.
    #[error("'{strategy}' panicked: {message}")]
    Panicked { strategy: &'static str, message: String },
}

/// What a strategy does at one place, for an error.
fn in_words(op: Option<Op>) -> String {
    op.map_or_else(|| "its reply".to_owned(), |op| op.to_string())
}
