//! Standing still: a strategy that is stepped through gives control back at each of its operations. One that blocks or loops does
//! not, and nothing can take it back: all that is left is to say so.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a step may take: its strategy only computes.
const PATIENCE_S: u32 = 10;

/// A thread that steps through strategies.
pub(super) struct Stepper {
    /// Odd while a strategy has control.
    steps: AtomicU64,
    strategy: Mutex<&'static str>,
}

static STEPPERS: Mutex<Vec<&'static Stepper>> = Mutex::new(Vec::new());

thread_local! {
    static OWN: &'static Stepper = register();
    static STRATEGY: Cell<&'static str> = const { Cell::new("") };
}

/// One for each thread that ever steps through a strategy: few, and they stay.
fn register() -> &'static Stepper {
    let own: &'static Stepper = Box::leak(Box::new(Stepper { steps: AtomicU64::new(0), strategy: Mutex::new("") }));
    STEPPERS.lock().unwrap_or_else(PoisonError::into_inner).push(own);
    own
}

/// The steps that follow on this thread are this strategy's.
#[inline]
pub(super) fn steps_of(strategy: &'static str) {
    if !std::ptr::eq(STRATEGY.get(), strategy) {
        STRATEGY.set(strategy);
        *Stepper::own().strategy.lock().unwrap_or_else(PoisonError::into_inner) = strategy;
    }
}

/// A step of a strategy, for as long as this lives.
pub(super) struct StepWatch(&'static Stepper);

impl StepWatch {
    /// A step on the thread of this stepper.
    #[inline]
    pub fn begin(own: &'static Stepper) -> Self {
        own.add_one();
        StepWatch(own)
    }
}

impl Drop for StepWatch {
    #[inline]
    fn drop(&mut self) {
        self.0.add_one();
    }
}

impl Stepper {
    /// This thread.
    pub fn own() -> &'static Stepper {
        OWN.with(|own| *own)
    }

    /// Only its own thread writes, so that no addition in one piece is needed.
    #[inline]
    fn add_one(&self) {
        self.steps.store(self.steps.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }
}

/// Watches over every thread of this process from now on. Tells the name of a strategy that has been at one step for
/// ten seconds, counted by what this thread itself has seen pass, so that a machine that was asleep accuses nobody.
pub fn watch_for_standstill(tell: impl Fn(&'static str) + Send + 'static) {
    let watch = move || {
        let mut seen: Vec<(u64, u32)> = Vec::new();
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let steppers = STEPPERS.lock().unwrap_or_else(PoisonError::into_inner).clone();
            seen.resize(steppers.len(), (0, 0));
            for (stepper, (known, seconds)) in steppers.iter().zip(&mut seen) {
                let steps = stepper.steps.load(Ordering::Relaxed);
                *seconds = if steps % 2 == 1 && steps == *known { *seconds + 1 } else { 0 };
                *known = steps;
                if *seconds == PATIENCE_S {
                    tell(*stepper.strategy.lock().unwrap_or_else(PoisonError::into_inner));
                }
            }
        }
    };
    // Without it nothing is lost but the word.
    let _ = std::thread::Builder::new().name("standstill".to_owned()).spawn(watch);
}
