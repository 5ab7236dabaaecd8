//! How long a backend has been out of reach, so that a trial whose server has died ends with an error and not with every
//! client's patience.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// For how long a backend may be out of reach, besides what the experiment itself does to it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether a backend can be reached, as its users see it.
pub struct Outage {
    /// When it began, in nanoseconds since the trial began, and at least 1; 0 if there is none.
    since_ns: AtomicU64,
    patience: Duration,
}

impl Outage {
    /// None yet. `planned` is how long the experiment itself keeps the backend from answering, at the longest.
    #[must_use]
    pub fn new(planned: Duration) -> Self {
        Outage { since_ns: AtomicU64::new(0), patience: PATIENCE + planned }
    }

    /// The backend has answered.
    pub fn is_over(&self) {
        // Most of the time there is none, and reading is cheaper than writing what everybody reads.
        if self.since_ns.load(Ordering::Relaxed) != 0 {
            self.since_ns.store(0, Ordering::Relaxed);
        }
    }

    /// The backend could not be reached now. For how long it has been so, if that is too long.
    pub fn goes_on(&self, now_ns: u64) -> Option<Duration> {
        let now_ns = now_ns.max(1);
        let since_ns =
            self.since_ns.compare_exchange(0, now_ns, Ordering::Relaxed, Ordering::Relaxed).unwrap_or_else(|set| set);
        let lasting = Duration::from_nanos(now_ns.saturating_sub(since_ns.max(1)));
        (since_ns != 0 && lasting > self.patience).then_some(lasting)
    }
}

#[cfg(test)]
mod tests {
    use super::Outage;
    use std::time::Duration;

    const S: u64 = 1_000_000_000;

    #[test]
    fn is_too_long_only_without_an_answer_in_between() {
        let outage = Outage::new(Duration::from_secs(5));
        assert_eq!(outage.goes_on(0), None);
        assert_eq!(outage.goes_on(14 * S), None);
        outage.is_over();
        assert_eq!(outage.goes_on(16 * S), None);
        assert_eq!(outage.goes_on(30 * S), None);
        assert_eq!(outage.goes_on(32 * S), Some(Duration::from_secs(16)));
    }
}
