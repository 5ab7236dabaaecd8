//! What can be asked of a counter, and what it answers.

use std::fmt;

use crate::service::contract::{Given, Operation, Returned, another};
use crate::service::{Acts, Footprint, HasIds, Ids, Item, Kind, Whose};
use crate::terms::{AccountId, Request, Trouble};

/// An operation of a counter. None of them applies an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CounterOp {
    Increment(AccountId),
    Read(AccountId),
    Ping,
}

const INCREMENT: Kind = Kind { number: 60, name: "increment", acts: Acts::NONE };
const READ: Kind = Kind { number: 61, name: "read-counter", acts: Acts::READS };
const PING: Kind = Kind { number: 62, name: "ping", acts: Acts::READS };

pub(super) const KINDS: &[Kind] = &[INCREMENT, READ, PING];

/// The place of the counters.
pub(super) const COUNTERS: &str = "counter";

impl Operation for CounterOp {
    fn kind(self) -> &'static Kind {
        match self {
            CounterOp::Increment(_) => &INCREMENT,
            CounterOp::Read(_) => &READ,
            CounterOp::Ping => &PING,
        }
    }

    fn footprint(self) -> Footprint {
        let item = |account| vec![Item { place: COUNTERS, which: Whose::Account(account) }];
        match self {
            CounterOp::Increment(account) => Footprint { reads: Vec::new(), writes: item(account) },
            CounterOp::Read(account) => Footprint { reads: item(account), writes: Vec::new() },
            CounterOp::Ping => Footprint::default(),
        }
    }

    fn in_words(self, _: bool) -> String {
        self.kind().name.to_owned()
    }

    fn parse(kind: &str, rest: &str, _: &Request) -> Option<Self> {
        let account = || rest.parse().ok().map(AccountId);
        match kind {
            "increment" => account().map(CounterOp::Increment),
            "read-counter" => account().map(CounterOp::Read),
            "ping" => rest.is_empty().then_some(CounterOp::Ping),
            _ => None,
        }
    }
}

impl HasIds for CounterOp {
    fn map_ids(self, ids: &mut impl Ids) -> Self {
        match self {
            CounterOp::Increment(account) => CounterOp::Increment(account.map_ids(ids)),
            CounterOp::Read(account) => CounterOp::Read(account.map_ids(ids)),
            CounterOp::Ping => self,
        }
    }
}

impl fmt::Display for CounterOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.kind().name;
        match self {
            CounterOp::Increment(account) | CounterOp::Read(account) => write!(f, "{name} {}", account.0),
            CounterOp::Ping => f.write_str(name),
        }
    }
}

/// What came back from an operation of a counter that was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CounterResponse {
    Done,
    /// What the counter is.
    Counted(u32),
}

impl Returned for CounterResponse {
    type Op = CounterOp;

    fn parse(text: &str, _: &str) -> Option<Self> {
        match text.split_once(' ') {
            None => (text == "done").then_some(CounterResponse::Done),
            Some((word, count)) => (word == "counted").then(|| count.parse().ok().map(CounterResponse::Counted))?,
        }
    }

    fn in_words(self, _: CounterOp) -> String {
        self.to_string()
    }

    fn is_like(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

impl HasIds for CounterResponse {
    fn map_ids(self, _: &mut impl Ids) -> Self {
        self
    }
}

impl fmt::Display for CounterResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CounterResponse::Done => f.write_str("done"),
            CounterResponse::Counted(count) => write!(f, "counted {count}"),
        }
    }
}

impl Given<CounterResponse> for () {
    fn of(response: &CounterResponse) -> Result<Self, Trouble> {
        if *response == CounterResponse::Done { Ok(()) } else { another(response) }
    }
}

impl Given<CounterResponse> for u32 {
    fn of(response: &CounterResponse) -> Result<Self, Trouble> {
        if let CounterResponse::Counted(count) = *response { Ok(count) } else { another(response) }
    }
}
