//! Signs of life of a trial: what its handlers are at, for whoever watches over it from outside.

use std::num::NonZeroU16;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::terms::MessageId;

/// What a trial is at. It is written to by the trial and read from outside, so that it tells also of a trial that stands still.
#[derive(Debug)]
pub struct Pulse {
    done: AtomicU64,
    /// How many deliveries came to an end.
    ended: AtomicU64,
    /// How long whoever watches has seen the trial go on, in microseconds, and when that was last, counted from the beginning.
    watched_us: AtomicU64,
    last_us: AtomicU64,
    began: Instant,
    handlers: Vec<HandlerPulse>,
}

/// What a handler is at.
#[derive(Debug, Default)]
struct HandlerPulse {
    /// Since when, in microseconds of what was watched, from 1; 0 if it is at nothing.
    since_us: AtomicU64,
    message: AtomicU32,
}

/// What the lab may be kept from watching for, with nothing wrong: longer than that and it was stopped itself.
pub(super) const BLINK: Duration = Duration::from_millis(500);

/// A delivery that a handler is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtWork {
    pub handler: u16,
    pub message: MessageId,
    /// Since when.
    pub lasting: Duration,
}

impl Pulse {
    /// Of a trial with so many handlers.
    #[must_use]
    pub fn new(handlers: NonZeroU16) -> Self {
        let handlers = (0..handlers.get()).map(|_| HandlerPulse::default()).collect();
        let [done, ended, watched_us, last_us] = [const { AtomicU64::new(0) }; 4];
        Pulse { done, ended, watched_us, last_us, began: Instant::now(), handlers }
    }

    /// A client is done with a request.
    pub fn request_done(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    /// How many requests are done with.
    #[must_use]
    pub fn requests_done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// How many deliveries came to an end.
    #[must_use]
    pub fn deliveries_ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }

    /// Whoever watches has seen the trial go on until now, and for how long since it looked last: not what a clock says, since the whole
    /// lab may have been stopped meanwhile.
    pub fn passes(&self) -> Duration {
        let now_us = micros(self.began.elapsed());
        let watched = Duration::from_micros(now_us - self.last_us.swap(now_us, Ordering::Relaxed)).min(BLINK);
        self.watched_us.fetch_add(micros(watched), Ordering::Relaxed);
        watched
    }

    /// A handler turns to a delivery of this message, and is at it for as long as what this returns lives.
    #[must_use]
    pub fn begins(&self, handler: u16, message: MessageId) -> impl Drop + Send + '_ {
        let at = self.handlers.get(usize::from(handler));
        if let Some(at) = at {
            at.message.store(message.0, Ordering::Relaxed);
            at.since_us.store(self.now_us() + 1, Ordering::Release);
        }
        Working { pulse: self, at }
    }

    /// The delivery that has been worked at for longest.
    #[must_use]
    pub fn longest(&self) -> Option<AtWork> {
        let now_us = self.now_us();
        let at_work = |(number, handler): (u16, &HandlerPulse)| {
            let since_us = handler.since_us.load(Ordering::Acquire).checked_sub(1)?;
            let message = MessageId(handler.message.load(Ordering::Relaxed));
            Some(AtWork { handler: number, message, lasting: Duration::from_micros(now_us.saturating_sub(since_us)) })
        };
        (0..).zip(&self.handlers).filter_map(at_work).max_by_key(|at_work| at_work.lasting)
    }

    /// How long the trial goes on as whoever watches sees it, in microseconds.
    fn now_us(&self) -> u64 {
        let unseen = micros(self.began.elapsed()).saturating_sub(self.last_us.load(Ordering::Relaxed));
        self.watched_us.load(Ordering::Relaxed) + unseen.min(micros(BLINK))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

struct Working<'p> {
    pulse: &'p Pulse,
    at: Option<&'p HandlerPulse>,
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        if let Some(at) = self.at {
            at.since_us.store(0, Ordering::Release);
        }
        self.pulse.ended.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{BLINK, Pulse};
    use crate::terms::MessageId;
    use std::time::Duration;

    #[test]
    fn the_longest_delivery_is_the_one_that_began_first_of_those_that_go_on() {
        let pulse = Pulse::new(3.try_into().unwrap());
        assert_eq!(pulse.longest(), None);
        let first = pulse.begins(2, MessageId(u32::MAX));
        std::thread::sleep(Duration::from_millis(2));
        let second = pulse.begins(0, MessageId(7));
        let longest = pulse.longest().unwrap();
        assert_eq!((longest.handler, longest.message), (2, MessageId(u32::MAX)));
        assert!(longest.lasting >= Duration::from_millis(2));
        drop(first);
        assert_eq!(pulse.longest().unwrap().message, MessageId(7));
        assert_eq!(pulse.deliveries_ended(), 1);
        drop(second);
        assert_eq!((pulse.longest(), pulse.deliveries_ended()), (None, 2));
    }

    #[test]
    fn what_passes_while_nobody_watches_counts_for_nothing() {
        let pulse = Pulse::new(1.try_into().unwrap());
        let working = pulse.begins(0, MessageId(1));
        // Nobody looks for longer than a lab does that goes on.
        std::thread::sleep(BLINK * 2);
        assert_eq!(pulse.passes(), BLINK);
        assert!(pulse.longest().unwrap().lasting < BLINK * 3 / 2);
        drop(working);
    }
}
