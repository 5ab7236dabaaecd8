//! How many files this process may have open: a connection is one, and a store of its own has several.

use super::Usage;
use crate::load::Experiment;

/// What a run has open besides what its handlers have: the folder, the runtime, the lock server, and the sessions of deliveries that were
/// given up, until they have ended. Eight handlers were seen with 184 files in all.
const OF_A_RUN: u64 = 192;
/// What a handler has open: a session of the store (on SQLite up to three files), and its way to the lock server. 64 handlers were seen with
/// 278 files in all.
const OF_A_HANDLER: u64 = 4;

/// Lets this process have as many files open as it may: many systems begin with a low limit that anybody can raise.
#[cfg(unix)]
pub(super) fn raise() {
    use rustix::process::{Resource, getrlimit, setrlimit};

    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        // Without it there is the limit that there was.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

#[cfg(not(unix))]
pub(super) fn raise() {}

/// The limit now; nothing where there is none.
#[cfg(unix)]
fn most() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(not(unix))]
fn most() -> Option<u64> {
    None
}

/// That the handlers of an experiment can have their files open.
///
/// # Errors
/// How many they need, and how many there may be.
pub(super) fn require(experiment: &Experiment) -> Result<(), Usage> {
    let handlers = u64::from(experiment.load.handlers.get());
    let needed = OF_A_RUN + OF_A_HANDLER * handlers;
    match most() {
        Some(most) if most < needed => Err(Usage(format!(
            "{handlers} handlers need up to {needed} open files, and this process may have {most}: raise the limit with `ulimit -n \
             {needed}`, or lower load.handlers"
        ))),
        _ => Ok(()),
    }
}
