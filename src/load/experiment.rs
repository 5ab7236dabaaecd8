//! An experiment: the matrix of trials, with the answers that are expected.

use std::collections::BTreeMap;
use std::num::{NonZeroU8, NonZeroU16, NonZeroU32};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Analysis, Axis, Expectation, Point};
use crate::fault::{Level, Limits, Millis};

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
    /// The strategies; all of them if none is named.
    #[serde(default)]
    pub strategies: Vec<toml::Spanned<String>>,
    /// How many trials each combination gets, each with a seed of its own.
    #[serde(default = "one")]
    pub repeats: NonZeroU16,
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
    /// The answers: by fault level, then by strategy.
    #[serde(default)]
    pub expect: BTreeMap<String, BTreeMap<String, Expectation>>,
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
pub(super) const DOUBLINGS: u8 = 4;

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

/// What the backends of a trial are like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackendSettings {
    /// The time to live that is asked for leases. etcd grants no less than 2 s.
    pub lease_ttl_s: NonZeroU8,
    /// How many members the etcd has that the lab starts: 1 or 3.
    pub lock_members: Members,
    /// How long the members of that etcd wait for their leader before they elect another. A lease lives for one and a half
    /// times as long at the least, rounded up to a second, on the embedded lock server too.
    pub lock_election_ms: ElectionMs,
    /// Whether leases are kept alive for as long as their holder is at work, and does not stand still itself.
    pub lock_keep_alive: bool,
    /// How many times faster than the wall clock leases age on the embedded lock server. A real one knows only 1.
    pub embedded_clock_speed: ClockSpeed,
    /// Whether servers that the lab starts keep their data on disk. In memory they lose it with the machine, not with their
    /// process; what a commit costs is not measured then.
    pub durable: bool,
    /// How long a handler waits for an operation that is under way.
    pub operation_timeout_ms: NonZeroU32,
    /// How long a handler waits for a lock that others hold; then it leaves the queue.
    pub lock_wait_ms: NonZeroU32,
    /// How long it takes a handler to notice that a message was lost.
    pub loss_noticed_ms: u32,
    /// How long a crashed handler is away.
    pub restart_ms: u32,
}

impl Default for BackendSettings {
    fn default() -> Self {
        BackendSettings {
            lease_ttl_s: NonZeroU8::new(2).unwrap_or(NonZeroU8::MIN),
            lock_members: Members(1),
            lock_election_ms: ElectionMs(1_000),
            lock_keep_alive: false,
            embedded_clock_speed: ClockSpeed(1.0),
            durable: true,
            operation_timeout_ms: NonZeroU32::new(5_000).unwrap_or(NonZeroU32::MIN),
            lock_wait_ms: NonZeroU32::new(1_000).unwrap_or(NonZeroU32::MIN),
            loss_noticed_ms: 2,
            restart_ms: 5,
        }
    }
}

impl BackendSettings {
    /// How long handlers wait for their operations.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            operation: Duration::from_millis(self.operation_timeout_ms.get().into()),
            lock: Duration::from_millis(self.lock_wait_ms.get().into()),
            loss_noticed: Duration::from_millis(self.loss_noticed_ms.into()),
        }
    }

    /// How long the members of an etcd wait for their leader before they elect another.
    #[must_use]
    pub fn election(&self) -> Duration {
        Duration::from_millis(self.lock_election_ms.0.into())
    }

    /// The shortest life of a lease in seconds: one and a half election time-outs, rounded up, as etcd has it.
    #[must_use]
    pub fn min_ttl_s(&self) -> i64 {
        (i64::from(self.lock_election_ms.0) * 3 / 2 + 999) / 1_000
    }

    /// How long a lease lives on the wall clock, when it ages this many times as fast.
    #[must_use]
    pub fn lease(&self, clock_speed: f64) -> Duration {
        let ttl_s = i64::from(self.lease_ttl_s.get()).max(self.min_ttl_s());
        Duration::from_secs(ttl_s.unsigned_abs()).div_f64(clock_speed)
    }
}

/// The number of members of an etcd cluster: 1 or 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Members(u8);

impl Members {
    /// The number.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Members {
    type Error = &'static str;

    fn try_from(value: u8) -> Result<Self, Self::Error> {
        if matches!(value, 1 | 3) { Ok(Members(value)) } else { Err("an etcd of the lab's has 1 member or 3") }
    }
}

impl From<Members> for u8 {
    fn from(members: Members) -> u8 {
        members.0
    }
}

/// An election time-out in milliseconds: from 100 to 50,000, as etcd allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct ElectionMs(u32);

impl TryFrom<u32> for ElectionMs {
    type Error = &'static str;

    fn try_from(value: u32) -> Result<Self, Self::Error> {
        if (100..=50_000).contains(&value) {
            Ok(ElectionMs(value))
        } else {
            Err("an election time-out must be from 100 to 50000 ms")
        }
    }
}

impl From<ElectionMs> for u32 {
    fn from(election: ElectionMs) -> u32 {
        election.0
    }
}

/// How many times faster than the wall clock something goes: from 1 to 1000.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct ClockSpeed(f64);

impl ClockSpeed {
    /// The factor.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for ClockSpeed {
    type Error = &'static str;

    fn try_from(value: f64) -> Result<Self, Self::Error> {
        if (1.0..=1_000.0).contains(&value) {
            Ok(ClockSpeed(value))
        } else {
            Err("a clock speed must be from 1 to 1000")
        }
    }
}

impl From<ClockSpeed> for f64 {
    fn from(speed: ClockSpeed) -> f64 {
        speed.0
    }
}
