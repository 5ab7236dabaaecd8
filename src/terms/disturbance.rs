//! What is done to backends during a trial, at times that an experiment states: pauses, kills and partitions.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{FaultKind, Leg, Role};

/// Something that is done to a backend once, or again and again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackendFault {
    pub fault: Disturbance,
    pub target: Target,
    /// When it is done first, in milliseconds since the load began; after one interval if it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u32>,
    /// How long it takes from one time to the next; if it is not said, it is done once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_ms: Option<NonZeroU32>,
    /// How long it lasts: the pause, the partition, or the time until the killed server is started again.
    pub for_ms: u32,
}

impl BackendFault {
    /// When it is done for the `n`-th time (from 0), counted from the beginning of the load; none if it no longer is.
    #[must_use]
    pub fn time(&self, n: u32) -> Option<Duration> {
        let every = self.every_ms.map(|ms| Duration::from_millis(ms.get().into()));
        let first = self.at_ms.map(|ms| Duration::from_millis(ms.into())).or(every).unwrap_or_default();
        match (n, every) {
            (0, _) => Some(first),
            (_, None) => None,
            (n, Some(every)) => Some(first + every * n),
        }
    }

    /// How long it lasts.
    #[must_use]
    pub fn lasting(&self) -> Duration {
        Duration::from_millis(self.for_ms.into())
    }
}

/// What is done to a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disturbance {
    /// It stops in its tracks and keeps its connections, as a machine does that is suspended or swaps.
    Pause,
    /// It is killed, and started again on the same data.
    Kill,
    /// Nothing gets through to it and back; what was sent arrives when the partition has healed.
    Partition,
}

impl Disturbance {
    /// The kind of fault that it is counted as.
    #[must_use]
    pub fn kind(self) -> FaultKind {
        match self {
            Disturbance::Pause => FaultKind::ServerPaused,
            Disturbance::Kill => FaultKind::ServerKilled,
            Disturbance::Partition => FaultKind::Partition,
        }
    }
}

/// Which backend it is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The store; a partition lies between it and the handlers.
    Store,
    /// Every member of the lock service; a partition lies between them and the handlers.
    Lock,
    /// The member that leads at that moment; a partition lies between it and the other members.
    LockLeader,
    /// The Redis of the run. It keeps nothing on its disk, so that it comes back empty when it was killed.
    Cache,
}

impl Target {
    /// The name in experiments and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Target::Store => "store",
            Target::Lock => "lock",
            Target::LockLeader => "lock-leader",
            Target::Cache => "cache",
        }
    }

    /// The leg that leads there.
    #[must_use]
    pub fn leg(self) -> Leg {
        match self {
            Target::Store => Leg::STORE,
            Target::Lock | Target::LockLeader => Leg::LOCK,
            Target::Cache => Leg::Service(Role::CACHE),
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Something that was done to a backend during a trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disturbed {
    pub disturbed: Disturbance,
    pub target: Target,
    /// The server that it was done to, e.g. `etcd-2`.
    pub server: String,
    /// Nanoseconds since the trial began.
    pub from_ns: u64,
    /// When it was over, in nanoseconds since the trial began.
    pub until_ns: u64,
}

/// On which layer messages between handlers and backends meet their faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// In the port, where an operation is one call.
    #[default]
    Port,
    /// On the wire, in a proxy that knows where messages begin and end.
    Wire,
}

#[cfg(test)]
mod tests {
    use super::{BackendFault, Disturbance, Target};
    use std::time::Duration;

    fn fault(at_ms: Option<u32>, every_ms: Option<u32>) -> BackendFault {
        let every_ms = every_ms.map(|ms| ms.try_into().unwrap());
        BackendFault { fault: Disturbance::Kill, target: Target::Store, at_ms, every_ms, for_ms: 1 }
    }

    #[test]
    fn comes_once_at_its_time_or_again_and_again() {
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!([0, 1].map(|n| fault(Some(30), None).time(n)), [ms(30), None]);
        assert_eq!([0, 1, 2].map(|n| fault(None, Some(50)).time(n)), [ms(50), ms(100), ms(150)]);
        assert_eq!([0, 1, 2].map(|n| fault(Some(10), Some(50)).time(n)), [ms(10), ms(60), ms(110)]);
    }
}
