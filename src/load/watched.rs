//! A trial, watched over from outside: it has threads of its own, so that a strategy that never comes back holds up that one trial
//! and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use super::error::TrialError;
use super::patience::Patience;
use super::setting::{Setting, TrialRecord};
use super::trial::{bug, run_trial};

/// How often whoever watches is told how far a trial has come.
const TICK: Duration = Duration::from_millis(100);

/// How long threads have to end when they are told to.
const GRACE: Duration = Duration::from_secs(1);

/// The record of a trial, or nothing if it was stopped.
pub(crate) async fn watched(
    setting: &Arc<Setting>,
    patience: Patience,
    stop: &CancellationToken,
    has_done: &mut (dyn FnMut(u64) + Send),
) -> Option<Result<TrialRecord, TrialError>> {
    let threads = match Threads::start() {
        Ok(threads) => threads,
        Err(source) => return Some(Err(TrialError::NoThreads { source })),
    };
    let own = Arc::clone(setting);
    let mut trial = threads.runtime.spawn(async move { run_trial(&own).await });
    let mut ticks = tokio::time::interval(TICK);
    let mut watch_over = Vigil::new(patience);
    let ended = loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break None,
            record = &mut trial => {
                let record = record.map_err(bug);
                break Some(record.and_then(std::convert::identity));
            }
            _ = ticks.tick() => {
                has_done(setting.outside.pulse.requests_done());
                if let Some(error) = watch_over.outlasted(setting) {
                    break Some(Err(error));
                }
            }
        }
    };
    trial.abort();
    // Also after a signal: what the trial holds of the servers is given back before they are stopped.
    let left = threads.end().await;
    setting.outside.calmed().await;
    match ended {
        Some(Err(error)) if left > 0 && error.is_of_the_strategy() => {
            Some(Err(TrialError::GoesOn { source: Box::new(error), threads: left }))
        }
        ended => ended,
    }
}

/// How long a trial may be without a sign of life, beyond its limit.
const SILENCE: Duration = Duration::from_secs(10);

/// What whoever watches over a trial has seen.
struct Vigil {
    patience: Patience,
    /// How long the trial has been seen to go on.
    seen: Duration,
    /// The last sign of life, and when it was seen.
    signs: u64,
    signs_at: Duration,
}

impl Vigil {
    fn new(patience: Patience) -> Self {
        Vigil { patience, seen: Duration::ZERO, signs: 0, signs_at: Duration::ZERO }
    }

    /// Why the trial must be given up, if it must.
    fn outlasted(&mut self, setting: &Setting) -> Option<TrialError> {
        let (pulse, strategy) = (&setting.outside.pulse, setting.strategy.name());
        self.seen += pulse.passes();
        let signs = pulse.requests_done() + pulse.deliveries_ended();
        if signs != self.signs {
            (self.signs, self.signs_at) = (signs, self.seen);
        }
        let at_work = pulse.longest();
        if let Some(at_work) = at_work.filter(|at_work| at_work.lasting > self.patience.delivery) {
            return Some(TrialError::StandsStill { strategy, at_work });
        }
        let is_silent = self.seen - self.signs_at > SILENCE;
        if self.seen <= self.patience.trial || !(is_silent || self.patience.is_strict) {
            return None;
        }
        let (limit, done, requests) = (self.patience.trial, pulse.requests_done(), setting.load.requests.get());
        // While nobody is at a delivery, it is no strategy that keeps the trial.
        let is_at_load = at_work.is_some() || done < requests.into();
        Some(match is_at_load {
            true => TrialError::TooLong { strategy, limit, done, requests },
            false => TrialError::NoEnd { limit },
        })
    }
}

/// The threads of one trial.
struct Threads {
    runtime: Runtime,
    running: Arc<AtomicUsize>,
}

impl Threads {
    fn start() -> std::io::Result<Self> {
        let running = Arc::new(AtomicUsize::new(0));
        let (begins, ends) = (Arc::clone(&running), Arc::clone(&running));
        let runtime = Builder::new_multi_thread()
            .enable_all()
            .thread_name("trial")
            .on_thread_start(move || {
                begins.fetch_add(1, Ordering::Relaxed);
            })
            .on_thread_stop(move || {
                ends.fetch_sub(1, Ordering::Relaxed);
            })
            .build()?;
        Ok(Threads { runtime, running })
    }

    /// Ends them, and says how many do not end, since nothing can end a thread from outside.
    async fn end(self) -> usize {
        self.runtime.shutdown_background();
        let deadline = Instant::now() + GRACE;
        loop {
            let running = self.running.load(Ordering::Relaxed);
            if running == 0 || Instant::now() > deadline {
                return running;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
