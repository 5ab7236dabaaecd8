//! The backends that replays run on, and the workers that replay: each with connections, tables and locks of its own.

use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::alone::Alone;
use super::etcd::EtcdSide;
use super::gate::Gate;
use super::lockstep::{Lockstep, ReplayError, Replayed};
use super::postgres::PostgresSide;
use super::search::steps_of;
use super::sides::{LockSide, StoreSide};
use super::sqlite::SqliteSide;
use crate::explore::execution::Executor;
use crate::explore::{Bound, Executed, Flaws, Line, Schedule, Step, Story};
use crate::service::etcd::model as lock_service;
use crate::service::{BackendError, BackendSettings, Backends, Endpoint, Wanted};
use crate::strategy::Strategy;
use crate::terms::{Entry, Profile, StoreKind};

/// How long a lease lives that nobody ends: longer than any replay.
const LEASE_TTL_S: u8 = 120;

/// How long it lives where expiry is waited for: as short as a lock service makes it.
const SHORT_TTL_S: u8 = 2;

/// The backends, for as long as this lives.
pub struct Rig {
    backends: Backends,
    store: StoreKind,
    store_url: Option<String>,
    lock_endpoints: Vec<Endpoint>,
    prefix: String,
    natural_expiry: bool,
    /// How many gates there were.
    gates: AtomicUsize,
}

impl Rig {
    /// Starts the backends that are wanted, or connects to them. With `natural_expiry`, leases are waited for until they
    /// expire; otherwise they are revoked.
    ///
    /// # Errors
    /// [`BackendError`] if one of them cannot be had.
    pub async fn start(wanted: &Wanted, natural_expiry: bool) -> Result<Self, BackendError> {
        let ttl = if natural_expiry { SHORT_TTL_S } else { LEASE_TTL_S };
        let settings = BackendSettings {
            durable: false,
            lease_ttl_s: std::num::NonZeroU8::new(ttl).unwrap_or(std::num::NonZeroU8::MIN),
            ..BackendSettings::default()
        };
        let backends = Backends::start(wanted, &settings).await?;
        let store_url = backends.started_store_url().or_else(|| wanted.store_url.clone());
        Ok(Rig {
            store: wanted.store,
            store_url,
            lock_endpoints: backends.lock_endpoints().to_vec(),
            prefix: format!("oncelab/{:x}-{:08x}", std::process::id(), rand::random::<u32>()),
            natural_expiry,
            gates: AtomicUsize::new(0),
            backends,
        })
    }

    /// The backends.
    #[must_use]
    pub fn backends(&self) -> &Backends {
        &self.backends
    }

    /// Which model goes along with the store.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.store.model().expect("whatever is replayed on has a model")
    }

    /// What the lock service is known to do otherwise than the model, by its version: the model does the same then.
    #[must_use]
    pub fn known_flaws(&self) -> Flaws {
        let described = self.backends.describe();
        let is_old = described.iter().any(|(key, value)| key == "lock_server" && value.starts_with("etcd 3.4"));
        // etcd#11456, mended in 3.5.
        Flaws { lock: is_old.then_some(lock_service::Flaw::GrantsDeadWaiters), ..Flaws::default() }
    }

    /// Removes what the replays have left in servers that were not started for them.
    ///
    /// # Errors
    /// [`BackendError`] if a server is gone.
    pub async fn remove_traces(&self) -> Result<(), BackendError> {
        self.backends.remove_traces(&self.prefix).await
    }

    /// A gate before connections of its own, to be used and dropped on this thread, which must not be one of an asynchronous
    /// runtime's.
    pub(crate) fn gate(&self, needs_lock: bool, requests: u8, always_resets: bool) -> Result<Gate, BackendError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = Rc::new(runtime.map_err(|error| BackendError {
            backend: "replay",
            what: format!("a thread cannot wait for connections: {error}"),
            remedy: Some("raise the number of open files (ulimit -n)".to_owned()),
        })?);
        let store: Box<dyn StoreSide> = match self.store {
            StoreKind::Postgres => {
                let url = self.store_url.as_deref().expect("a server that was started or named has a URL");
                Box::new(PostgresSide::new(Rc::clone(&runtime), url)?)
            }
            StoreKind::Sqlite => Box::new(SqliteSide::new()?),
            StoreKind::Null => unreachable!("nothing is replayed where nothing is kept"),
        };
        let lock = if needs_lock { Some(self.lock_side(runtime)?) } else { None };
        Ok(Gate::new(store, lock, requests, always_resets))
    }

    fn lock_side(&self, runtime: Rc<tokio::runtime::Runtime>) -> Result<Box<dyn LockSide>, BackendError> {
        let number = self.gates.fetch_add(1, Ordering::Relaxed);
        let ttl_s = if self.natural_expiry { SHORT_TTL_S } else { LEASE_TTL_S };
        let prefix = format!("{}/{number}", self.prefix);
        let endpoints = self.lock_endpoints.clone();
        Ok(Box::new(EtcdSide::new(runtime, endpoints, prefix, ttl_s.into(), self.natural_expiry)?))
    }
}

/// What is to be replayed.
#[derive(Clone, Copy)]
pub struct Work<'w> {
    pub strategy: &'w dyn Strategy,
    /// Requests, retries and store are its affair; lanes and faults must be enough for the schedules.
    pub bound: Bound,
    /// The mistakes that the model is to have.
    pub flaws: Flaws,
    pub schedules: &'w [Schedule],
    /// How often each of them.
    pub times: usize,
    pub workers: usize,
    /// The model goes along. It cannot where a strategy has SQL of its own: then a replay is held against the first one.
    pub has_model: bool,
}

/// Either way to replay.
enum Replayer<'e> {
    Beside(Box<Lockstep<'e>>),
    /// With the steps of each schedule to its end, and what they came to the first time.
    Alone(Box<Alone<'e>>, Vec<Option<(Vec<Step>, Executed)>>),
}

impl<'e> Replayer<'e> {
    fn new(rig: &Rig, work: &Work<'_>, executor: &'e Executor<'e>) -> Result<Self, ReplayError> {
        let gate = rig.gate(work.strategy.needs_lock_service(), work.bound.requests, !work.has_model);
        let gate = gate.map_err(|error| ReplayError::Backend { position: 0, error })?;
        Ok(if work.has_model {
            Replayer::Beside(Box::new(Lockstep::new(executor, gate)))
        } else {
            Replayer::Alone(Box::new(Alone::new(executor, gate)), vec![None; work.schedules.len()])
        })
    }

    fn replay(&mut self, place: usize, schedule: &Schedule) -> Result<Replayed, ReplayError> {
        match self {
            Replayer::Beside(lockstep) => lockstep.replay(schedule, None),
            Replayer::Alone(alone, known) => {
                if let Some((steps, first)) = &known[place] {
                    return alone.replay(steps, Some(first));
                }
                let steps = steps_of(alone, schedule)?;
                let replayed = alone.replay(&steps, None)?;
                known[place] = replayed.executed.clone().map(|first| (steps, first));
                Ok(replayed)
            }
        }
    }

    fn tell(&mut self, schedule: &Schedule) -> Result<(Replayed, Vec<Line>), ReplayError> {
        match self {
            Replayer::Beside(lockstep) => {
                let mut lines = Vec::new();
                let replayed = lockstep.replay(schedule, Some(&mut lines))?;
                Ok((replayed, lines))
            }
            Replayer::Alone(alone, _) => {
                let steps = steps_of(alone, schedule)?;
                alone.tell(&steps, schedule.0.len())
            }
        }
    }

    fn gate(&mut self) -> &mut Gate {
        match self {
            Replayer::Beside(lockstep) => lockstep.gate(),
            Replayer::Alone(alone, _) => alone.gate(),
        }
    }

    fn into_gate(self) -> Gate {
        match self {
            Replayer::Beside(lockstep) => lockstep.into_gate(),
            Replayer::Alone(alone, _) => alone.into_gate(),
        }
    }
}

/// Replays schedules, several at a time, and hands each result to `done` with the place of its schedule; until that says stop,
/// or a server breaks down.
///
/// # Errors
/// The first [`ReplayError`]; what was done before was handed over.
pub fn replay_all(
    rig: &Rig,
    work: Work<'_>,
    done: &(dyn Fn(usize, Replayed) -> bool + Sync),
) -> Result<(), ReplayError> {
    let next = AtomicUsize::new(0);
    let stops = AtomicBool::new(false);
    let failed: Mutex<Option<ReplayError>> = Mutex::new(None);
    let total = work.schedules.len() * work.times;
    let worker = || {
        let executor = Executor::new(work.strategy, work.bound, work.flaws);
        let mut replayer = Replayer::new(rig, &work, &executor)?;
        while !stops.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= total {
                break;
            }
            let place = number % work.schedules.len();
            let replayed = replayer.replay(place, &work.schedules[place])?;
            if !done(place, replayed) {
                stops.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        for _ in 0..work.workers.clamp(1, total.max(1)) {
            scope.spawn(|| {
                if let Err(error) = worker() {
                    stops.store(true, Ordering::Relaxed);
                    failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            });
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

/// Where a database was left that is to stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// A file.
    File(std::path::PathBuf),
    /// A schema in the database at this URL.
    Schema(String),
}

/// A replay with all that can be told of it.
#[derive(Debug, Clone)]
pub struct Told {
    pub replayed: Replayed,
    /// What happened, with the responses of the real backends.
    pub story: Story,
    /// The effects as they stand in the store.
    pub rows: Vec<Entry>,
    pub kept: Option<Kept>,
}

/// Replays a schedule once and tells every step; then lets the database stay, in this folder if it is a file.
///
/// # Errors
/// [`ReplayError`] if the schedule is none, or a server breaks down.
pub fn replay_and_tell(rig: &Rig, work: Work<'_>, keep: Option<&Path>) -> Result<Told, ReplayError> {
    let in_the_beginning = |error| ReplayError::Backend { position: 0, error };
    let executor = Executor::new(work.strategy, work.bound, work.flaws);
    let mut replayer = Replayer::new(rig, &work, &executor)?;
    let schedule = work.schedules.first().cloned().unwrap_or_default();
    let (replayed, lines) = replayer.tell(&schedule)?;
    let rows = replayer.gate().rows().map_err(in_the_beginning)?;
    let kept = match keep {
        Some(folder) => Some(replayer.into_gate().into_store().keep(folder).map_err(in_the_beginning)?),
        None => None,
    };
    let story = Story {
        strategy: work.strategy.name(),
        bound: work.bound,
        schedule,
        lines,
        retried: replayed.executed.iter().flat_map(|executed| executed.retried.clone()).collect(),
        findings: replayed.findings.clone(),
        has_lock: work.strategy.needs_lock_service(),
    };
    Ok(Told { replayed, story, rows, kept })
}
