//! Counters in memory: behind a driver for replays, and behind a backend for load.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::op::{CounterOp, CounterResponse};
use crate::service::replayed::{Ran, ReplayDriver};
use crate::service::{AnyOp, Backend, BackendError, Connection, Outcome, Pending, own};
use crate::terms::{AccountId, Delivery, Session};

/// The counters of all accounts that were counted.
#[derive(Debug, Default)]
struct Counters(HashMap<AccountId, u32>);

impl Counters {
    fn execute(&mut self, op: CounterOp) -> Outcome {
        let response = match op {
            CounterOp::Increment(account) => {
                let count = self.0.get(&account).map_or(1, |count| count + 1);
                self.0.insert(account, count);
                CounterResponse::Counted(count)
            }
            CounterOp::Read(account) => CounterResponse::Counted(*self.0.get(&account).unwrap_or(&0)),
            CounterOp::Ping => CounterResponse::Done,
        };
        Outcome::Ok(response.into())
    }
}

/// Counters in replays. There is no wire: faults are logical.
#[derive(Debug, Default)]
pub(super) struct ReplayedCounter(Counters);

impl ReplayDriver for ReplayedCounter {
    fn close(&mut self) -> Result<(), BackendError> {
        Ok(())
    }

    fn execute(&mut self, _: Session, op: AnyOp, _: Delivery, loses_reply: bool) -> Result<Ran, BackendError> {
        let outcome = self.0.execute(own(op));
        Ok(if loses_reply { Ran::Unheard } else { Ran::Came(outcome) })
    }

    fn lose_request(&mut self, _: Session, _: AnyOp, _: Delivery) -> Result<(), BackendError> {
        Ok(())
    }

    fn hold(&mut self, _: Session, _: Session, _: AnyOp, _: Delivery) -> Result<(), BackendError> {
        Ok(())
    }

    fn land(&mut self, flight: Session, op: AnyOp, by: Delivery) -> Result<Ran, BackendError> {
        self.execute(flight, op, by, false)
    }

    fn cut(&mut self, _: Session) -> Result<(), BackendError> {
        Ok(())
    }

    fn reset(&mut self, _: u32, _: u32) -> Result<(), BackendError> {
        self.0.0.clear();
        Ok(())
    }
}

/// Counters that all connections share.
#[derive(Debug, Default)]
pub(super) struct CounterBackend(Arc<Mutex<Counters>>);

struct CounterConnection(Arc<Mutex<Counters>>);

impl Backend for CounterBackend {
    fn connect(&self) -> Pending<'_, Result<Box<dyn Connection>, BackendError>> {
        let connection = CounterConnection(Arc::clone(&self.0));
        Box::pin(std::future::ready(Ok(Box::new(connection) as Box<dyn Connection>)))
    }

    fn describe(&self) -> Vec<(String, String)> {
        vec![("counter".to_owned(), "in memory".to_owned())]
    }
}

impl Connection for CounterConnection {
    fn execute(&mut self, op: AnyOp, _: Delivery) -> Pending<'_, Result<Outcome, BackendError>> {
        let outcome = self.0.lock().unwrap_or_else(PoisonError::into_inner).execute(own(op));
        Box::pin(std::future::ready(Ok(outcome)))
    }
}
