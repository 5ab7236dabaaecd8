//! Recorders: where the tasks of a trial write down what happens, without getting in each other's way.

use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use super::Event;

/// How many events a recorder of a long-lived task writes before it hands them over.
pub const LONG: usize = 1024;
/// How many events a recorder for a single occurrence has room for.
pub const SHORT: usize = 2;

/// One task's own notebook. Writing into it takes no lock and allocates nothing; a full page is handed over as a whole.
pub struct Recorder {
    clock: Clock,
    page: Vec<Event>,
    page_len: usize,
    to: Sender<Vec<Event>>,
}

/// Makes recorders for the tasks of a trial.
#[derive(Clone)]
pub struct Recorders {
    clock: Clock,
    to: Sender<Vec<Event>>,
}

/// Gathers the pages of all recorders of a trial, on a thread of its own: pages are copied into one list while the trial
/// runs, and their memory goes back to the recorders.
pub struct Collector {
    gathering: JoinHandle<Vec<Event>>,
    to: Sender<Vec<Event>>,
}

/// Time since the trial began.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Nanoseconds since the trial began.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The moment that many nanoseconds after the trial began.
    #[must_use]
    pub fn instant(&self, at_ns: u64) -> Instant {
        self.start + std::time::Duration::from_nanos(at_ns)
    }
}

/// Begins a history: its clock starts now.
#[must_use]
pub fn begin() -> (Recorders, Collector) {
    let (to, from) = channel::<Vec<Event>>();
    let gathering = std::thread::spawn(move || {
        let mut events = Vec::new();
        // An empty page is the last one; without it, the trial has been abandoned and the channel closes.
        for page in from.iter().take_while(|page| !page.is_empty()) {
            events.extend_from_slice(&page);
        }
        events
    });
    (Recorders { clock: Clock { start: Instant::now() }, to: to.clone() }, Collector { gathering, to })
}

impl Recorders {
    /// A recorder with pages of `page_len` events.
    #[must_use]
    pub fn recorder(&self, page_len: usize) -> Recorder {
        Recorder { clock: self.clock, page: Vec::new(), page_len, to: self.to.clone() }
    }

    /// The clock of the trial.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }
}

impl Recorder {
    /// Writes down one event.
    pub fn record(&mut self, event: Event) {
        if self.page.len() == self.page.capacity() {
            self.turn_page();
        }
        self.page.push(event);
    }

    /// The clock of the trial.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    fn turn_page(&mut self) {
        let full = std::mem::replace(&mut self.page, Vec::with_capacity(self.page_len));
        if !full.is_empty() {
            // If nobody collects any more, the trial has been abandoned and its history with it.
            let _ = self.to.send(full);
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let last = std::mem::take(&mut self.page);
        if !last.is_empty() {
            let _ = self.to.send(last);
        }
    }
}

impl Collector {
    /// Everything recorded, in the order of time. Call it when every recorder has been dropped: what is still being
    /// written down is not waited for.
    ///
    /// # Panics
    /// If the gathering thread has, which it has no reason to.
    #[must_use]
    pub fn collect(self) -> Vec<Event> {
        let _ = self.to.send(Vec::new());
        let mut events = self.gathering.join().expect("gathering pages does not panic");
        // In place: a stable sort would need half as much memory again. Two events of one nanosecond are of two tasks.
        events.sort_unstable_by_key(|event| (event.at_ns, event.message, event.delivery));
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::What;
    use crate::terms::{Delivery, MessageId};

    fn event(at_ns: u64) -> Event {
        Event { at_ns, message: MessageId(0), delivery: Delivery::FIRST, handler: 0, what: What::Arrived }
    }

    #[test]
    fn pages_of_several_recorders_come_out_in_the_order_of_time() {
        let (recorders, collector) = begin();
        let (mut odd, mut even) = (recorders.recorder(3), recorders.recorder(3));
        for at in 0..10 {
            if at % 2 == 0 { even.record(event(at)) } else { odd.record(event(at)) }
        }
        drop((odd, even));
        let times: Vec<u64> = collector.collect().iter().map(|event| event.at_ns).collect();
        assert_eq!(times, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn a_page_never_grows() {
        let (recorders, _collector) = begin();
        let mut recorder = recorders.recorder(4);
        for at in 0..9 {
            recorder.record(event(at));
            assert!(recorder.page.capacity() <= 4);
        }
    }
}
