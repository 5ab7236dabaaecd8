//! What the backends of a trial are like, as an experiment states it.

use std::num::{NonZeroU8, NonZeroU32};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::BackendError;

/// How long a handler waits for its operations.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Until an operation that is under way is given up, its outcome unknown.
    pub operation: Duration,
    /// Until a lock that others hold is waited for no longer.
    pub lock: Duration,
    /// Until a message that was lost is noticed to be lost.
    pub loss_noticed: Duration,
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
    /// What handlers reach a broker with.
    pub broker_client: BrokerClient,
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
            broker_client: BrokerClient::Bare,
        }
    }
}

/// What handlers reach a broker with, under load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BrokerClient {
    /// The lab's own connection: an operation is one request, and nothing is sent again unseen.
    #[default]
    Bare,
    /// librdkafka, which connects, numbers its records and sends them again by itself. Only with the feature `rdkafka`.
    Rdkafka,
}

impl BrokerClient {
    /// What it is, with its version; nothing of the lab's own connection.
    #[must_use]
    pub fn described(self) -> Option<String> {
        match self {
            #[cfg(feature = "rdkafka")]
            BrokerClient::Rdkafka => Some(super::kafka::librdkafka::version()),
            #[cfg(not(feature = "rdkafka"))]
            BrokerClient::Rdkafka => None,
            BrokerClient::Bare => None,
        }
    }

    /// That this build has it.
    ///
    /// # Errors
    /// Says which feature is missing, and what to do about it.
    pub fn require(self) -> Result<(), BackendError> {
        match self {
            BrokerClient::Rdkafka if cfg!(not(feature = "rdkafka")) => Err(BackendError {
                backend: "kafka",
                what: "backend.broker_client is rdkafka, and this oncelab is built without it".to_owned(),
                remedy: Some(
                    "build it with `cargo build --release --features rdkafka`, or set backend.broker_client=bare; a sweep over clients runs with --at client=bare".to_owned(),
                ),
            }),
            BrokerClient::Rdkafka | BrokerClient::Bare => Ok(()),
        }
    }
}

impl BackendSettings {
    /// How long handlers wait for their operations.
    #[must_use]
    pub fn limits(&self) -> Timeouts {
        Timeouts {
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
