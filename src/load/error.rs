//! Why a trial has no end.

use std::time::Duration;

use super::pulse::AtWork;
use crate::service::BackendError;
use crate::terms::Role;

/// Why a trial could not be brought to its end.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// A service that some strategies need and others do not.
    #[error("the {} cannot be used: {source}", .role.title())]
    OfRole { role: Role, source: BackendError },
    #[error("a panic in strategy '{strategy}': {message}")]
    Panicked { strategy: &'static str, message: String },
    /// A delivery that does not end.
    #[error(
        "strategy '{strategy}' has been at one delivery (of message {}) for {} s without an end: it waits, blocks or loops; if it needs longer, set load.delivery_limit_s",
        .at_work.message.0, .at_work.lasting.as_secs()
    )]
    StandsStill { strategy: &'static str, at_work: AtWork },
    /// A trial that does not end.
    #[error(
        "a trial of strategy '{strategy}' has taken longer than the {} s that it may: {done} of {requests} requests are done with; if it needs longer, set load.trial_limit_s",
        .limit.as_secs()
    )]
    TooLong { strategy: &'static str, limit: Duration, done: u64, requests: u32 },
    /// What failed goes on all the same: no thread can be ended from outside.
    #[error(
        "{source}; {threads} of its threads had not ended a second later: they may go on beside later trials, whose speeds then mean little"
    )]
    GoesOn { source: Box<TrialError>, threads: usize },
    #[error("a bug of the lab: {message}")]
    Bug { message: String },
    #[error(
        "the clients were done, and the trial had not ended after {} s: a server does not answer, or the lab has a bug; if it needs longer, set load.trial_limit_s",
        .limit.as_secs()
    )]
    NoEnd { limit: Duration },
    #[error("no threads could be started for a trial: {source}")]
    NoThreads { source: std::io::Error },
}

impl TrialError {
    /// The trouble of the service in a role.
    #[must_use]
    pub fn at(role: Role, source: BackendError) -> Self {
        if role == Role::STORE || role == Role::LOCK { source.into() } else { TrialError::OfRole { role, source } }
    }

    /// Whether it is that of a service which other strategies do not need.
    #[must_use]
    pub fn is_of_one_role(&self) -> bool {
        matches!(self, TrialError::OfRole { .. })
    }

    /// Whether the other trials can go on.
    #[must_use]
    pub fn leaves_the_others(&self) -> bool {
        self.is_of_the_strategy() || self.is_of_one_role()
    }

    /// Whether it is the strategy's doing.
    #[must_use]
    pub fn is_of_the_strategy(&self) -> bool {
        match self {
            TrialError::Panicked { .. } | TrialError::StandsStill { .. } | TrialError::TooLong { .. } => true,
            TrialError::GoesOn { source, .. } => source.is_of_the_strategy(),
            TrialError::Backend(_)
            | TrialError::OfRole { .. }
            | TrialError::Bug { .. }
            | TrialError::NoEnd { .. }
            | TrialError::NoThreads { .. } => false,
        }
    }
}
