//! A step in words: what it did, what came of it, and what its client was told.

use super::bound::Bound;
use super::execution::{Did, Executor, MadeStep};
use super::schedule::Fate;
use super::story::Line;
use crate::strategy::WithHop;
use crate::terms::{Failure, Leg, Role, Trouble, Violation};
use crate::world::{Acts, Op, Outcome};

/// What the words for the steps of a schedule depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words {
    /// Which lane carries what: several requests are told apart, and bodies.
    bound: Bound,
    /// Requests and answers cross a hop.
    pub has_hop: bool,
}

impl Words {
    /// The words for schedules of these.
    pub fn of(executor: &Executor<'_>) -> Self {
        Words { bound: executor.bound, has_hop: WithHop::is(executor.strategy) }
    }

    /// An operation of a lane in words. What another body asks for is X′.
    fn of_op(self, op: Op, lane: u8) -> String {
        let words = op.in_words(self.bound.ids() > 1);
        let is_other = self.bound.is_other_body(self.bound.request_of(lane)) && op.own_sql().is_none();
        if is_other { words.replace('X', "X′") } else { words }
    }

    /// A step in words.
    pub fn line(self, made: &MadeStep, shows: Vec<Violation>, ran_on: bool) -> Line {
        let in_words = |op: Op| self.of_op(op, made.step.lane);
        let (leg, did, learned) = match made.did {
            Did::Made { op, learned } => (op.leg(), in_words(op), came(op, learned, made)),
            Did::Landed { op, outcome } if op.acts().any(Acts::ARRIVES) => {
                let learned = outcome_in_words(op, outcome);
                (op.leg(), format!("{} lands late", in_words(op)), format!("{learned}, and nobody listens"))
            }
            Did::Landed { op, outcome } => (
                op.leg(),
                format!("{} lands late", in_words(op)),
                format!("{}, and nobody hears", outcome_in_words(op, outcome)),
            ),
            // Over a hop a handler ends for its client, who leaves.
            Did::Crashed { op } if self.has_hop && made.has_client => {
                (op.leg(), format!("the client leaves before {}", in_words(op)), "its handler is dropped".to_owned())
            }
            Did::Crashed { op } => (op.leg(), format!("crash before {}", in_words(op)), String::new()),
            Did::Expired { role: Role::CACHE, .. } => {
                (Leg::to(Role::CACHE), "its key runs out".to_owned(), String::new())
            }
            Did::Expired { role, .. } if role != Role::LOCK => {
                (Leg::to(role), "the time of K runs out".to_owned(), String::new())
            }
            Did::Expired { role, which: None } => (Leg::to(role), "lease expires".to_owned(), String::new()),
            Did::Expired { role, which: Some(n) } => (Leg::to(role), format!("lease {} expires", n + 1), String::new()),
            Did::Queued { op } if op.acts().any(Acts::QUEUES) => {
                (op.leg(), in_words(op), "waits in the queue".to_owned())
            }
            Did::Queued { op } => (op.leg(), in_words(op), "takes its snapshot, and waits".to_owned()),
        };
        let MadeStep { step, did: event, attempt, waited, .. } = *made;
        Line { step, event, attempt, leg, did, learned, told: told(made), shows, ran_on, waited }
    }
}

/// What came of an operation.
fn came(op: Op, learned: Outcome, made: &MadeStep) -> String {
    let acts = op.acts();
    match made.step.fate {
        Fate::RequestLost if acts.any(Acts::ARRIVES) => "the client's request is lost on its way".to_owned(),
        Fate::TimesOut if acts.any(Acts::ARRIVES) => "times out; still on its way".to_owned(),
        Fate::ReplyLost if acts.any(Acts::ANSWERS) => "the answer is lost on its way back".to_owned(),
        Fate::RequestLost => "lost on its way there".to_owned(),
        Fate::ReplyLost => "done, and the reply lost".to_owned(),
        Fate::TimesOut => "timed out, still in flight".to_owned(),
        Fate::Arrives | Fate::Lands | Fate::Crashes | Fate::Expires | Fate::Queues => {
            if acts.any(Acts::ANSWERS) && !made.has_client {
                return "nobody hears it".to_owned();
            }
            outcome_in_words(op, learned)
        }
    }
}

/// What its client is told after a step, or does of its own accord.
fn told(made: &MadeStep) -> Option<String> {
    if !made.has_client {
        return None;
    }
    let then = if made.ended { "gives up" } else { "retries" };
    let has_crashed = matches!(made.did, Did::Crashed { .. });
    let hears_nothing = match made.did {
        Did::Made { op, learned } => learned == Outcome::Unknown && op.acts().any(Acts::ARRIVES.and(Acts::ANSWERS)),
        Did::Crashed { .. } | Did::Expired { .. } | Did::Queued { .. } | Did::Landed { .. } => false,
    };
    match made.replied {
        Some(Ok(answer)) => Some(format!("its client is told {}", answer.0)),
        Some(Err(_)) if hears_nothing => Some(format!("its client hears nothing, and {then}")),
        Some(Err(trouble)) => Some(format!("its client is told '{}', and {then}", trouble_in_words(trouble))),
        None => has_crashed.then(|| format!("its client {then}")),
    }
}

pub(super) fn trouble_in_words(trouble: Trouble) -> String {
    match trouble {
        Trouble::Failed(failure) => failure_in_words(failure).to_owned(),
        Trouble::Unknown => "unknown".to_owned(),
        Trouble::InProgress => "in progress".to_owned(),
        Trouble::Refused => "refused".to_owned(),
    }
}

fn failure_in_words(failure: Failure) -> &'static str {
    match failure {
        Failure::SerializationFailure => "could not serialize (40001)",
        Failure::Deadlock => "deadlock (40P01)",
        Failure::Busy => "busy",
        Failure::NoTransaction => "no transaction",
        Failure::StaleToken => "stale token",
        Failure::OtherLease => "other lease",
        Failure::LeaseExpired => "lease expired",
        Failure::SessionOver => "session over",
        Failure::Unavailable => "unavailable",
        Failure::NoAccount => "no such account",
    }
}

fn outcome_in_words(op: Op, outcome: Outcome) -> String {
    match outcome {
        Outcome::Unknown => "gives up waiting".to_owned(),
        Outcome::Failed(failure) => format!("refused: {}", failure_in_words(failure)),
        Outcome::Ok(response) => response.in_words(op.of),
    }
}
