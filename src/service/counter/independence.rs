//! What a step touches of the counters.

use super::op::{COUNTERS, CounterOp, CounterResponse};
use crate::service::contract::Operation;
use crate::service::modelled::Past;
use crate::service::touched::Touched;
use crate::service::{Item, Whose};
use crate::terms::{OutcomeOf, Profile};

/// Nothing of what a lane has done before says what its next step touches.
#[derive(Debug, Clone, Copy, Default)]
pub struct CounterPast;

fn bits(items: &[Item]) -> u64 {
    let bit = |item: &Item| match item.which {
        Whose::Account(account) if item.place == COUNTERS => 1 << (account.0 % 64),
        Whose::Account(_) | Whose::Message(_) | Whose::Client(_) | Whose::Asked(_) | Whose::Any => u64::MAX,
    };
    items.iter().map(bit).fold(0, |a, b| a | b)
}

impl Past for CounterPast {
    type Op = CounterOp;
    type Response = CounterResponse;

    fn follow(self, _: CounterOp, _: OutcomeOf<CounterResponse>) -> Self {
        self
    }

    fn touch(self, op: CounterOp, _: Profile) -> Touched {
        let footprint = op.footprint();
        Touched { reads: bits(&footprint.reads), writes: bits(&footprint.writes) }
    }
}
