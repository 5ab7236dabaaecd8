//! How many files this process may have open: a connection is one, and a store of its own has several.

use super::UsageError;
use crate::experiment::Experiment;

/// What a run has open besides what its handlers have: the folder, the runtime, the lock server, and the sessions of deliveries that were
/// given up, until they have ended. Eight handlers were seen with 184 files in all.
const OF_A_RUN: u64 = 192;
/// What a handler has open: a session of the store (on SQLite up to three files), and its way to the lock server. 64 handlers were seen with
/// 278 files in all.
const OF_A_HANDLER: u64 = 4;

/// What a client has open over HTTP: both ends of its connection to the lab's proxy, and of the one behind it.
const OF_A_CLIENT_OVER_HTTP: u64 = 4;

/// What replays have open beside their workers, and each worker: a runtime, and for each lane a session of both backends with the proxies
/// before them. 16 workers on three lanes were seen with 537 files in all.
const OF_REPLAYS: u64 = 32;
const OF_A_WORKER: u64 = 56;

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

/// That the handlers of an experiment, and the clients if they come over HTTP, can have their files open.
///
/// # Errors
/// How many they need, and how many there may be.
pub(super) fn require(experiment: &Experiment) -> Result<(), UsageError> {
    let handlers = u64::from(experiment.load.handlers.get());
    let needed = OF_A_RUN + OF_A_HANDLER * handlers;
    if experiment.hop.is_inside() {
        return require_files(needed, &format!("{handlers} handlers need"), "load.handlers");
    }
    let clients = u64::from(experiment.load.clients.get());
    let who = format!("{handlers} handlers and {clients} clients over HTTP need");
    require_files(needed + OF_A_CLIENT_OVER_HTTP * clients, &who, "load.handlers or load.clients")
}

/// That so many replays at a time can have their files open.
///
/// # Errors
/// How many they need, and how many there may be.
pub(super) fn require_for_replays(workers: usize) -> Result<(), UsageError> {
    let needed = OF_REPLAYS + OF_A_WORKER * workers as u64;
    let who = if workers == 1 { "a replay needs".to_owned() } else { format!("{workers} replays at a time need") };
    require_files(needed, &who, "--workers")
}

fn require_files(needed: u64, who: &str, setting: &str) -> Result<(), UsageError> {
    match most() {
        Some(most) if most < needed => Err(UsageError(format!(
            "{who} up to {needed} open files, but this process may have {most}: raise the limit with `ulimit -n {needed}`, or lower {setting}"
        ))),
        _ => Ok(()),
    }
}
