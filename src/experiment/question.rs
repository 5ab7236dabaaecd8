//! An experiment: the matrix of trials, with the answers that are expected.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::{NonZeroU8, NonZeroU16, NonZeroU32};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Analysis, Axis, Expectation, Point};
use crate::fault::{Level, Millis};
use crate::service::BackendSettings;
use crate::terms::{Expected, Hop, HopSettings, Via};

/// A question to the lab: which strategies, under which load and faults, and what the answers should be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    pub name: String,
    /// What it asks, in one sentence.
    pub question: String,
    /// What its answers mean, printed with the table.
    #[serde(default, skip_serializing_if = "Analysis::is_empty")]
    pub analysis: Analysis,
    /// The strategies; if none is named, all but those of scenarios.
    #[serde(default)]
    pub strategies: Vec<toml::Spanned<String>>,
    /// If no strategy is named: those of scenarios too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub every_strategy: bool,
    /// How many trials each combination gets, each with a seed of its own.
    #[serde(default = "one")]
    pub repeats: NonZeroU16,
    /// Whether no verdict is expected where none is written: what shows is reported, and only what a claim rules out is a failure.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub survey: bool,
    /// How many minutes a run took on two cores, by store: what a run says before it begins.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub takes_minutes: BTreeMap<String, f64>,
    /// What requests cross between clients and handlers.
    #[serde(default, skip_serializing_if = "Hop::is_inside")]
    pub hop: Hop,
    /// A real proxy on the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
    /// Where the lab's server listens for a proxy that it has not started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<SocketAddr>,
    #[serde(default)]
    pub load: LoadSettings,
    #[serde(default)]
    pub backend: BackendSettings,
    /// The fault levels.
    pub faults: Vec<Level>,
    /// What is varied, in every combination.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sweep: Vec<Axis>,
    /// The points that a run was restricted to; all of the sweep's if none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only_points: Vec<Point>,
    /// The strategy that others are compared with, trial by trial: the one that does nothing but the effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<toml::Spanned<String>>,
    /// What others have found, to be printed beside what is found here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Reference>,
    /// The answers that differ from those by claim: by fault level, then by strategy.
    #[serde(default)]
    pub expect: BTreeMap<String, BTreeMap<String, Expectation>>,
    /// The answers that follow from the claims where none is written: by fault level, then by strategy. A run works them out when
    /// it begins, for its store, and saves them: what it is judged by does not change when a claim does.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expect_by_claim: BTreeMap<String, BTreeMap<String, Expected>>,
}

impl Experiment {
    /// The hop between clients and handlers, with what stands on it.
    #[must_use]
    pub fn hop(&self) -> HopSettings {
        HopSettings { hop: self.hop, via: self.via.clone(), origin: self.origin }
    }
}

/// A figure from elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The fault level and the strategy that it is to be compared with.
    pub faults: String,
    pub strategy: String,
    /// The name of the violation.
    pub violation: String,
    /// Its share of the acknowledged requests.
    pub share: f64,
    /// Whose figure it is, and of what.
    pub source: String,
    /// How the two differ.
    pub differs: String,
}

fn one() -> NonZeroU16 {
    NonZeroU16::MIN
}

/// How often the back-off of clients doubles at the most.
pub(crate) const DOUBLINGS: u8 = 4;

/// What the clients and handlers of a trial do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoadSettings {
    /// Requests in a trial, warm-up included.
    pub requests: NonZeroU32,
    /// The first so many requests count for no figure of speed; the guarantees hold for them too.
    pub warmup: u32,
    pub clients: NonZeroU16,
    /// Each handles one delivery at a time.
    pub handlers: NonZeroU16,
    /// Few accounts make hot rows.
    pub accounts: NonZeroU32,
    /// Whether each client keeps to an account of its own, as far as there are enough of them: then nobody else writes to it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub own_accounts: bool,
    /// Requests a second that arrive whether or not earlier ones are answered (an open loop). Without it, each client
    /// sends its next request when the last one is answered (a closed loop).
    pub rate_per_s: Option<Rate>,
    /// How long a client waits for an answer before it sends again.
    pub timeout_ms: NonZeroU32,
    /// How long a client waits before its first retry; the wait doubles with each further one, four times at the most.
    pub backoff_ms: Millis,
    /// How often a client sends a request before it gives up.
    pub attempts: NonZeroU8,
    /// How long a handler may be at one delivery, in seconds, before the trial is given up; worked out from the other settings if
    /// it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_limit_s: Option<NonZeroU32>,
    /// How long a trial may take, in seconds, before it is given up; worked out from the other settings if it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial_limit_s: Option<NonZeroU32>,
}

impl Default for LoadSettings {
    fn default() -> Self {
        LoadSettings {
            requests: NonZeroU32::new(1_000).unwrap_or(NonZeroU32::MIN),
            warmup: 100,
            clients: NonZeroU16::new(16).unwrap_or(NonZeroU16::MIN),
            handlers: NonZeroU16::new(8).unwrap_or(NonZeroU16::MIN),
            accounts: NonZeroU32::new(64).unwrap_or(NonZeroU32::MIN),
            own_accounts: false,
            rate_per_s: None,
            timeout_ms: NonZeroU32::new(50).unwrap_or(NonZeroU32::MIN),
            backoff_ms: Millis(1, 10),
            attempts: NonZeroU8::new(20).unwrap_or(NonZeroU8::MIN),
            delivery_limit_s: None,
            trial_limit_s: None,
        }
    }
}

impl LoadSettings {
    /// How long a client waits for an answer before it sends again.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.get().into())
    }

    /// How long a client waits at the most from one attempt to the next.
    #[must_use]
    pub fn longest_wait(&self) -> Duration {
        self.timeout() + self.backoff_ms.at(1.0) * (1 << DOUBLINGS)
    }
}

/// A number of events a second, above zero.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Rate(f64);

impl Rate {
    /// The mean time between two events.
    #[must_use]
    pub fn interval(self) -> Duration {
        Duration::from_secs_f64(1.0 / self.0)
    }
}

impl TryFrom<f64> for Rate {
    type Error = &'static str;

    fn try_from(value: f64) -> Result<Self, Self::Error> {
        if (1e-3..=1e9).contains(&value) { Ok(Rate(value)) } else { Err("a rate must be from 0.001 to 1e9 a second") }
    }
}

impl From<Rate> for f64 {
    fn from(rate: Rate) -> f64 {
        rate.0
    }
}
