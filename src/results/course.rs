//! The course of a trial: what happened when, and how long clients waited. Reports draw curves of it.

use serde::{Deserialize, Serialize};

/// Stretches of equal length since the first measured request, and the waits of acknowledged requests.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Course {
    pub stretch_ms: u64,
    /// How many requests were acknowledged in each stretch.
    pub acknowledged: Vec<u32>,
    /// How many faults happened to messages and handlers in each stretch.
    pub faults: Vec<u32>,
    /// What was done to backends.
    pub outages: Vec<Outage>,
    /// How many requests waited for so many microseconds, to two digits, retries included, from the intended start.
    pub waits_us: Vec<(u64, u64)>,
}

/// Something that was done to a backend, in milliseconds since the first measured request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// The name of the fault.
    pub what: String,
    pub server: String,
    pub from_ms: f64,
    pub until_ms: f64,
}
