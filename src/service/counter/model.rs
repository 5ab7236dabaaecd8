//! What a counter does, without I/O.

use std::collections::BTreeMap;

use super::op::{CounterOp, CounterResponse};
use crate::service::modelled::{Asker, Called, Model};
use crate::terms::{AccountId, Entry, OutcomeOf, Session};

/// The counters that are not zero.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct CounterModel(BTreeMap<AccountId, u32>);

impl Model for CounterModel {
    type Op = CounterOp;
    type Response = CounterResponse;

    fn call(&mut self, _: Session, op: &CounterOp, _: &Asker, _: &mut Vec<Entry>) -> Called<CounterResponse> {
        Ok(OutcomeOf::Ok(match *op {
            CounterOp::Increment(account) => {
                let count = self.0.entry(account).or_default();
                *count += 1;
                CounterResponse::Counted(*count)
            }
            CounterOp::Read(account) => CounterResponse::Counted(self.0.get(&account).copied().unwrap_or_default()),
            CounterOp::Ping => CounterResponse::Done,
        }))
    }

    fn begin_again(&mut self) {
        self.0.clear();
    }

    fn has_names(&self) -> bool {
        false
    }
}
