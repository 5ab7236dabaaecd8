//! `--requests`, `--other-body` and `--batch`: what the lanes of schedules carry.

use clap::Args;

use super::UsageError;
use crate::explore::{Bound, MAX_LANES};
use crate::strategy::{Strategy, WithHop};

/// The requests of schedules.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Requests {
    /// How many different requests there are, all on one account; the lanes carry them in turn
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=i64::from(MAX_LANES)))]
    requests: u8,
    /// Let the id of the first request come with another body too, which asks for another amount: one more request, which the lanes
    /// carry in turn behind the others
    #[arg(long)]
    other_body: bool,
    /// Let a handler take the first deliveries of the first two requests at once, as a batch; they are retried apart. For strategies
    /// that handle batches
    #[arg(long, conflicts_with = "other_body")]
    batch: bool,
}

impl Requests {
    /// How many different bodies the lanes carry.
    fn bodies(self) -> u8 {
        self.requests.saturating_add(u8::from(self.other_body))
    }

    /// Refuses so few lanes that a request would be in none.
    pub fn require_lanes(self, lanes: u8) -> Result<(), UsageError> {
        if self.batch && self.requests < 2 {
            return Err(UsageError("--batch is of two requests: add --requests 2".to_owned()));
        }
        if self.bodies() <= lanes {
            return Ok(());
        }
        let Requests { requests, other_body, .. } = self;
        Err(UsageError(if other_body {
            format!("--other-body needs a lane besides those of --requests {requests}: raise --lanes {lanes}")
        } else {
            format!("--requests {requests} needs as many lanes at least: raise --lanes {lanes}, or lower --requests")
        }))
    }

    /// Refuses a batch for a strategy that handles none, and behind a hop, over which each request comes alone.
    pub fn require_batches(self, strategy: &dyn Strategy) -> Result<(), UsageError> {
        let name = strategy.name();
        if self.batch && strategy.largest_batch() < 2 {
            return Err(UsageError(format!("{name} handles one delivery at a time: leave --batch out")));
        }
        if self.batch && WithHop::is(strategy) {
            return Err(UsageError("over a hop each request comes alone: leave --hop or --batch out".to_owned()));
        }
        Ok(())
    }

    /// A bound with these requests.
    pub fn put_into(self, bound: Bound) -> Bound {
        Bound { requests: self.requests, batch: self.batch, ..bound }.with_other_body(self.other_body)
    }

    /// The same, with so many lanes that none of the requests is in none.
    pub fn make_room_in(self, bound: Bound) -> Bound {
        self.put_into(Bound { lanes: bound.lanes.max(self.bodies()), ..bound })
    }

    /// The options again, for a command to repeat.
    pub fn options(self) -> String {
        let requests = if self.requests == 1 { String::new() } else { format!(" --requests {}", self.requests) };
        requests + if self.other_body { " --other-body" } else { "" } + if self.batch { " --batch" } else { "" }
    }
}
