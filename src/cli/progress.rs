//! Progress on stderr: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::output;
use crate::experiment::{Experiment, TrialPlan};
use crate::explore;
use crate::lab::RunWatch;
use crate::load::TrialError;
use crate::results::{Meta, TrialRow};

/// How often a plain line tells how far a run has come.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// Shows how a run is going: trials, violations so far, requests a second.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    requests_per_trial: u64,
    /// How many trials there were to run, when it began.
    trials: u64,
    trials_ended: u64,
    violations: u64,
    requests_ended: u64,
    started: Instant,
    last_line: Instant,
}

impl Progress {
    /// Progress of a run of this experiment, of which some trials may be finished already.
    pub fn new(experiment: &Experiment, meta: &Meta, finished: usize) -> Self {
        let left = meta.trials_planned.saturating_sub(finished) as u64;
        let total = meta.trials_planned as u64 * u64::from(experiment.load.requests.get());
        let (store, seed, trials) = (&meta.store, meta.seed, meta.trials_planned);
        let shard = meta.shard.map_or(String::new(), |shard| format!(", shard {} of {}", shard.number(), shard.of()));
        output::tell(&format!("{}: {trials} trials on {store}, seed {seed}{shard}", experiment.name));
        if finished > 0 {
            output::tell(&format!("{finished} trials are finished already, {left} are left"));
        }
        let is_whole = meta.settings.is_empty() && meta.only_strategies.is_empty() && meta.only_faults.is_empty();
        if let Some(minutes) = experiment.takes_minutes.get(store).filter(|_| is_whole) {
            #[expect(clippy::cast_precision_loss, reason = "a number of trials")]
            let share = left as f64 / (meta.trials_planned.max(1) * usize::from(meta.shards_in_all())) as f64;
            output::tell(&format!("about {} on two cores", span(minutes * 60.0 * share)));
        }
        let now = Instant::now();
        Progress {
            bar: std::io::stderr().is_terminal().then(|| bar(total)),
            requests_per_trial: experiment.load.requests.get().into(),
            trials: left,
            trials_ended: 0,
            violations: 0,
            requests_ended: 0,
            started: now,
            last_line: now,
        }
    }

    /// Takes the bar away.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// How long it will take yet, from the trials so far; empty before some have ended.
    fn left(&self) -> String {
        if self.trials_ended < 5 {
            return String::new();
        }
        #[expect(clippy::cast_precision_loss, reason = "numbers of trials")]
        let per_trial = self.started.elapsed().as_secs_f64() / self.trials_ended as f64;
        #[expect(clippy::cast_precision_loss, reason = "numbers of trials")]
        let left = per_trial * self.trials.saturating_sub(self.trials_ended) as f64;
        format!(", about {} left", span(left))
    }

    fn per_second(&self, requests: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a figure for people to look at")]
        let requests = requests as f64;
        requests / self.started.elapsed().as_secs_f64().max(1e-3)
    }
}

/// A time for people to look at.
fn span(seconds: f64) -> String {
    if seconds < 90.0 { format!("{seconds:.0} s") } else { format!("{:.0} min", seconds / 60.0) }
}

fn bar(total: u64) -> ProgressBar {
    // NO_COLOR, as https://no-color.org has it: present and not empty. indicatif's own test is of CLICOLOR only.
    let color = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let template = if color { "{bar:24.cyan} {percent:>3}% {wide_msg}" } else { "{bar:24} {percent:>3}% {wide_msg}" };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style)
}

impl RunWatch for Progress {
    fn begins(&mut self, number: usize, of: usize, trial: &TrialPlan) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{number}/{of}{} {}", self.left(), trial.cell.strategy));
        } else if self.last_line.elapsed() >= PLAIN_EVERY {
            self.last_line = Instant::now();
            let rate = self.per_second(self.requests_ended);
            output::tell(&format!(
                "trial {number} of {of}: {} violations so far, {rate:.0} requests/s{}",
                self.violations,
                self.left()
            ));
        }
    }

    fn has_done(&mut self, requests: u64) {
        if let Some(bar) = &self.bar {
            let done = self.requests_ended + requests;
            bar.set_position(done);
            let rate = self.per_second(done);
            let trial = bar.message();
            let trial = trial.split(" · ").next().unwrap_or_default().to_owned();
            bar.set_message(format!("{trial} · {} violations · {rate:.0} req/s", self.violations));
        }
    }

    fn ended(&mut self, row: &TrialRow) {
        self.trials_ended += 1;
        self.requests_ended += self.requests_per_trial;
        self.violations += row.tally.violations.values().sum::<u64>();
    }

    fn failed(&mut self, trial: &str, why: &TrialError) {
        self.trials_ended += 1;
        self.requests_ended += self.requests_per_trial;
        let tell = || output::tell(&format!("failed: {trial}: {why}"));
        match &self.bar {
            Some(bar) => bar.suspend(tell),
            None => tell(),
        }
    }
}

/// Shows how an exploration is going, and stops it at the first SIGINT or SIGTERM.
pub(super) struct Spinner {
    name: &'static str,
    spinner: Option<ProgressBar>,
    started: Instant,
    last_line: Instant,
    stop: tokio_util::sync::CancellationToken,
}

impl Spinner {
    /// Progress of the exploration of this strategy.
    pub fn new(name: &'static str) -> Self {
        // What was found so far is to be told.
        super::signals::must_undo(true);
        let spinner = std::io::stderr().is_terminal().then(ProgressBar::new_spinner);
        Spinner {
            name,
            spinner,
            started: Instant::now(),
            last_line: Instant::now(),
            stop: super::signals::stop_on_signals(),
        }
    }

    /// Takes it away.
    pub fn finish(&mut self) {
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
        }
    }

    /// Whether it was interrupted.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// The same, and it stops after so many states.
    pub fn with_limit(&mut self, states: u64) -> Limited<'_> {
        Limited { spinner: self, states }
    }
}

impl explore::Watch for Spinner {
    fn goes_on(&mut self, states: u64, schedules: u128) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "a figure for people to look at")]
        let rate = states as f64 / self.started.elapsed().as_secs_f64().max(1e-3);
        let message = || format!("{}: {states} states, {schedules} schedules, {rate:.0} states/s", self.name);
        if let Some(spinner) = &self.spinner {
            spinner.set_message(message());
            spinner.tick();
        } else if self.last_line.elapsed() >= PLAIN_EVERY {
            self.last_line = Instant::now();
            output::tell(&message());
        }
        !self.stop.is_cancelled()
    }
}

/// A watch that also stops after so many states.
pub(super) struct Limited<'s> {
    spinner: &'s mut Spinner,
    states: u64,
}

impl explore::Watch for Limited<'_> {
    fn goes_on(&mut self, states: u64, schedules: u128) -> bool {
        states <= self.states && self.spinner.goes_on(states, schedules)
    }
}

/// Shows how many of something are done. It can be told by several threads.
pub(super) struct Counter {
    name: &'static str,
    bar: Option<ProgressBar>,
    started: Instant,
    /// When it was told last, in milliseconds since the start.
    last_ms: std::sync::atomic::AtomicU64,
}

/// How often a bar is drawn again, in milliseconds.
const DRAWN_EVERY_MS: u64 = 50;

impl Counter {
    /// A counter of this.
    pub fn new(name: &'static str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| bar(0));
        Counter { name, bar, started: Instant::now(), last_ms: std::sync::atomic::AtomicU64::new(0) }
    }

    /// So many are done, of so many.
    pub fn tell(&self, done: usize, total: usize) {
        use std::sync::atomic::Ordering;
        let now_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let every = if self.bar.is_some() {
            DRAWN_EVERY_MS
        } else {
            u64::try_from(PLAIN_EVERY.as_millis()).unwrap_or(u64::MAX)
        };
        let last = self.last_ms.load(Ordering::Relaxed);
        if now_ms < last + every
            || self.last_ms.compare_exchange(last, now_ms, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return;
        }
        let rate = done as u64 * 1_000 / now_ms.max(1);
        match &self.bar {
            Some(bar) => {
                bar.set_length(total as u64);
                bar.set_position(done as u64);
                bar.set_message(format!("{} · {done} of {total} · {rate} a second", self.name));
            }
            None => output::tell(&format!("{}: {done} of {total}, {rate} a second", self.name)),
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
