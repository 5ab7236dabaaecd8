//! Whose fault an error is: the exit code follows from that.

use crate::exit;
use crate::experiment::{ExperimentError, UnknownPoint};
use crate::explore::{ExploreError, MalformedToken, ScheduleError};
use crate::lab::RunError;
use crate::lab::{MergeError, ResumeError};
use crate::load::{MemoryError, TrialError};
use crate::replay::{ConformError, ReplayError};
use crate::report::NoIsolationTest;
use crate::results::{FileError, NoHistories, OpenError};
use crate::service::BackendError;
use crate::strategy::UnknownStrategy;

use super::UsageError;
use super::track_record::Lacking;

/// The exit code for an error, by whose fault it is. [`exit::INTERNAL`] is for bugs alone: an error that is not listed is one, until
/// somebody has thought about it.
pub(super) fn code_of(error: &anyhow::Error) -> u8 {
    of_usage(error).or_else(|| of_backends(error)).unwrap_or(exit::INTERNAL)
}

/// The command line's, a file's or the machine's: what was asked for cannot be done here and so.
fn of_usage(error: &anyhow::Error) -> Option<u8> {
    let is_usage = error.is::<UsageError>()
        || error.is::<ExploreError>()
        || error.is::<ScheduleError>()
        || error.is::<MalformedToken>()
        || error.is::<ExperimentError>()
        || error.is::<MemoryError>()
        || error.is::<UnknownStrategy>()
        || error.is::<UnknownPoint>()
        || error.is::<NoIsolationTest>()
        || error.is::<NoHistories>()
        || error.is::<FileError>()
        || error.is::<OpenError>()
        || error.is::<MergeError>()
        || error.is::<ResumeError>()
        || error.is::<std::io::Error>();
    is_usage.then_some(exit::USAGE)
}

/// A backend's, or whatever stands between.
fn of_backends(error: &anyhow::Error) -> Option<u8> {
    if error.is::<BackendError>() || error.is::<Lacking>() {
        return Some(exit::UNAVAILABLE);
    }
    match error.downcast_ref() {
        Some(ReplayError::Schedule(_) | ReplayError::Differs { .. }) => return Some(exit::USAGE),
        Some(ReplayError::Backend { .. }) => return Some(exit::UNAVAILABLE),
        None => {}
    }
    match error.downcast_ref() {
        Some(ConformError::Replay { source: ReplayError::Backend { .. }, .. }) => return Some(exit::UNAVAILABLE),
        Some(_) => return Some(exit::USAGE),
        None => {}
    }
    match error.downcast_ref() {
        Some(RunError::Strategy(_) | RunError::Experiment(_) | RunError::File(_)) => Some(exit::USAGE),
        Some(RunError::Backend(_)) => Some(exit::UNAVAILABLE),
        Some(RunError::Trial { source, .. }) => Some(of_trial(source)),
        None => None,
    }
}

fn of_trial(error: &TrialError) -> u8 {
    match error {
        TrialError::Backend(_) | TrialError::OfRole { .. } | TrialError::NoEnd { .. } => exit::UNAVAILABLE,
        TrialError::Bug { .. } => exit::INTERNAL,
        TrialError::NoThreads { .. } => exit::USAGE,
        TrialError::Panicked { .. } | TrialError::StandsStill { .. } | TrialError::TooLong { .. } => exit::BROKEN,
        TrialError::GoesOn { source, .. } => of_trial(source),
    }
}
