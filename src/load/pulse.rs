//! Signs of life of a trial: what its handlers are at, for whoever watches over it from outside.

use std::num::NonZeroU16;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::world::MessageId;

/// What a trial is at. It is written to by the trial and read from outside, so that it tells also of a trial that stands still.
#[derive(Debug)]
pub struct Pulse {
    done: AtomicU64,
    began: Instant,
    /// For each handler: 0, or the message that it is at in the lower half, and since when in the upper one (milliseconds, from 1).
    handlers: Vec<AtomicU64>,
}

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
        let handlers = (0..handlers.get()).map(|_| AtomicU64::new(0)).collect();
        Pulse { done: AtomicU64::new(0), began: Instant::now(), handlers }
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

    /// A handler turns to a delivery of this message.
    pub fn begins(&self, handler: u16, message: MessageId) {
        self.set(handler, (u64::from(self.now_ms()) + 1) << 32 | u64::from(message.0));
    }

    /// A handler is done with its delivery.
    pub fn ends(&self, handler: u16) {
        self.set(handler, 0);
    }

    /// The delivery that has been worked at for longest.
    #[must_use]
    pub fn longest(&self) -> Option<AtWork> {
        let now_ms = self.now_ms();
        let at_work = |(handler, state): (u16, &AtomicU64)| {
            let state = state.load(Ordering::Relaxed);
            let since_ms = u32::try_from((state >> 32).checked_sub(1)?).unwrap_or(u32::MAX);
            let lasting = Duration::from_millis(now_ms.saturating_sub(since_ms).into());
            #[expect(clippy::cast_possible_truncation, reason = "the lower half is the message")]
            Some(AtWork { handler, message: MessageId(state as u32), lasting })
        };
        (0..).zip(&self.handlers).filter_map(at_work).max_by_key(|at_work| at_work.lasting)
    }

    fn now_ms(&self) -> u32 {
        u32::try_from(self.began.elapsed().as_millis()).unwrap_or(u32::MAX - 1)
    }

    fn set(&self, handler: u16, state: u64) {
        if let Some(slot) = self.handlers.get(usize::from(handler)) {
            slot.store(state, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pulse;
    use crate::world::MessageId;

    #[test]
    fn the_longest_delivery_is_the_one_that_began_first_of_those_that_go_on() {
        let pulse = Pulse::new(3.try_into().unwrap());
        assert_eq!(pulse.longest(), None);
        pulse.begins(2, MessageId(u32::MAX));
        std::thread::sleep(std::time::Duration::from_millis(5));
        pulse.begins(0, MessageId(7));
        let longest = pulse.longest().unwrap();
        assert_eq!((longest.handler, longest.message), (2, MessageId(u32::MAX)));
        pulse.ends(2);
        assert_eq!(pulse.longest().unwrap().message, MessageId(7));
        pulse.ends(0);
        assert_eq!(pulse.longest(), None);
    }
}
