//! Patience: how long a trial and a delivery may take before the trial is given up. What a strategy does is not known, so both are
//! multiples of what the experiment should take at the worst.

use std::time::Duration;

use crate::experiment::{LoadSettings, Rate};
use crate::fault::Level;
use crate::service::BackendSettings;
use crate::terms::Leg;

/// What a strategy that is well may take longer, on a machine that does other things too.
const SLACK: Duration = Duration::from_secs(30);

/// A delivery may take as long as so many operations at their worst.
const OPERATIONS: u32 = 12;

/// A trial may take so many times as long as one in which every request takes every attempt.
const TRIALS: u32 = 3;

/// How long a trial, and each delivery in it, may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long a handler may be at one delivery.
    pub delivery: Duration,
    /// How long a trial may take from its start to its last figure.
    pub trial: Duration,
    /// Whether a trial that takes longer is given up although its deliveries still come to an end: where somebody has set the limit.
    /// How long an overloaded strategy works off what has piled up, nobody can work out.
    pub is_strict: bool,
}

impl Patience {
    /// With a trial of this load, on backends with these settings and leases of this length, under these faults.
    #[must_use]
    pub fn with(load: &LoadSettings, backend: &BackendSettings, level: &Level, lease: Duration) -> Self {
        let seconds = |limit: Option<std::num::NonZeroU32>| limit.map(|s| Duration::from_secs(s.get().into()));
        let limits = backend.limits();
        let outage = Leg::ALL.map(|leg| level.longest_outage(leg)).into_iter().sum::<Duration>();
        let operation = limits.operation.max(limits.lock)
            + limits.loss_noticed
            + lease.mul_f64(level.pause_leases)
            + Duration::from_millis(level.delay_ms.1.into())
            + Duration::from_millis(level.late_ms.1.into());
        let delivery = seconds(load.delivery_limit_s)
            .unwrap_or_else(|| SLACK.saturating_add(outage).saturating_add(operation.saturating_mul(OPERATIONS)));
        let request = load.longest_wait().saturating_mul(load.attempts.get().into());
        let all = match load.rate_per_s {
            None => request.saturating_mul(load.requests.get().div_ceil(load.clients.get().into())),
            Some(rate) => request.saturating_add(lasting(rate, load.requests.get())),
        };
        let worked_out = || delivery.saturating_add(outage).saturating_add(all).saturating_mul(TRIALS);
        let trial = seconds(load.trial_limit_s).unwrap_or_else(worked_out);
        Patience { delivery, trial, is_strict: load.trial_limit_s.is_some() }
    }
}

fn lasting(rate: Rate, requests: u32) -> Duration {
    rate.interval().saturating_mul(requests)
}

#[cfg(test)]
mod tests {
    use super::Patience;
    use crate::experiment::LoadSettings;
    use crate::fault::Level;
    use crate::service::BackendSettings;
    use std::time::Duration;

    fn with(load: &LoadSettings) -> Patience {
        Patience::with(load, &BackendSettings::default(), &Level::none(), Duration::from_secs(2))
    }

    #[test]
    fn grows_with_what_the_experiment_asks_for_and_can_be_set() {
        let usual = with(&LoadSettings::default());
        assert!(usual.delivery > Duration::from_secs(30) && usual.trial > usual.delivery, "{usual:?}");
        let more = with(&LoadSettings { requests: 1_000_000.try_into().unwrap(), ..LoadSettings::default() });
        assert!(more.trial > usual.trial * 100 && more.delivery == usual.delivery, "{more:?}");
        let slow = with(&LoadSettings { rate_per_s: Some(0.001.try_into().unwrap()), ..LoadSettings::default() });
        assert!(slow.trial > Duration::from_secs(1_000_000), "{slow:?}");
        let set = LoadSettings {
            delivery_limit_s: Some(1.try_into().unwrap()),
            trial_limit_s: Some(2.try_into().unwrap()),
            ..LoadSettings::default()
        };
        let (delivery, trial) = (Duration::from_secs(1), Duration::from_secs(2));
        assert_eq!(with(&set), Patience { delivery, trial, is_strict: true });
    }

    #[test]
    fn no_setting_is_too_large_to_be_added_up() {
        let load = LoadSettings {
            requests: u32::MAX.try_into().unwrap(),
            clients: 1.try_into().unwrap(),
            attempts: 255.try_into().unwrap(),
            timeout_ms: u32::MAX.try_into().unwrap(),
            ..LoadSettings::default()
        };
        assert!(with(&load).trial > Duration::from_secs(1 << 40));
    }
}
