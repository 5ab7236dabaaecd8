//! How requests ended for their clients, and what the store says of its work: the lines of a history that figures of time
//! follow from.

use serde::{Deserialize, Serialize};

use crate::load::{Finished, Resolution};
use crate::service::Usage;
use crate::terms::MessageId;

/// The first schema whose histories have these lines.
pub(super) const SINCE: u32 = 3;

/// A client is done with a request: `from` when it started, `to` when it ended, in nanoseconds since the trial began.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DoneLine {
    pub done: u32,
    from: u64,
    pub to: u64,
    told: ToldLine,
    attempts: u8,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ToldLine {
    Acknowledged,
    Refused,
    GaveUp,
}

impl From<&Finished> for DoneLine {
    fn from(end: &Finished) -> Self {
        let told = match end.resolution {
            Resolution::Acknowledged => ToldLine::Acknowledged,
            Resolution::Refused => ToldLine::Refused,
            Resolution::GaveUp => ToldLine::GaveUp,
        };
        DoneLine { done: end.message.0, from: end.started_ns, to: end.ended_ns, told, attempts: end.attempts }
    }
}

impl DoneLine {
    /// What the line says; none if the end comes before the start.
    pub fn finished(&self) -> Option<Finished> {
        let resolution = match self.told {
            ToldLine::Acknowledged => Resolution::Acknowledged,
            ToldLine::Refused => Resolution::Refused,
            ToldLine::GaveUp => Resolution::GaveUp,
        };
        let DoneLine { done, from, to, attempts, .. } = *self;
        let end = Finished { message: MessageId(done), started_ns: from, ended_ns: to, resolution, attempts };
        (from <= to).then_some(end)
    }
}

/// What the store says of its work for the requests.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UsageLine {
    usage: Bytes,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bytes {
    kept_bytes: Option<u64>,
    logged_bytes: Option<u64>,
}

impl From<Usage> for UsageLine {
    fn from(Usage { kept_bytes, logged_bytes }: Usage) -> Self {
        UsageLine { usage: Bytes { kept_bytes, logged_bytes } }
    }
}

impl From<UsageLine> for Usage {
    fn from(UsageLine { usage: Bytes { kept_bytes, logged_bytes } }: UsageLine) -> Self {
        Usage { kept_bytes, logged_bytes }
    }
}
