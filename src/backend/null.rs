//! A store that does nothing but remember which effects it was asked for: the ceiling that the lab itself sets.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Backend, BackendError, Entry, Pending, Session, Store};
use crate::world::{Answer, Delivery, Op, Outcome, Request, Response, Token};

/// Answers every operation at once, as if it had gone well and nothing had been there before.
#[derive(Default)]
pub struct NullStore {
    /// What closed connections have applied. Open ones keep their own list, so that they share nothing.
    applied: Applied,
}

type Applied = Arc<Mutex<Vec<Vec<Entry>>>>;

struct NullSession {
    entries: Vec<Entry>,
    applied: Applied,
}

impl NullSession {
    fn apply(&mut self, request: &Request, token: Option<Token>, by: Delivery) -> Response {
        let effect = request.effect;
        let balance = i64::from(effect.amount);
        self.entries.push(Entry {
            number: 0,
            message: request.id,
            account: effect.account,
            amount: effect.amount,
            balance,
            token,
            by,
        });
        Response::Applied(Some(Answer(balance)))
    }
}

impl Session for NullSession {
    fn execute(&mut self, op: Op, by: Delivery) -> Pending<'_, Result<Outcome, BackendError>> {
        let response = match op {
            Op::ReadMark(_) | Op::ReadAnswer(_) | Op::Sql(_) => Response::Found(None),
            Op::Claim(_) => Response::Claimed(true),
            Op::Apply(request, token) => self.apply(&request, token, by),
            Op::ClaimAndApply(request) | Op::ApplyUnderLease(request, _) | Op::Overwrite(request, _) => {
                self.apply(&request, None, by)
            }
            Op::ReadBalance(_) => Response::Found(Some(Answer(0))),
            _ => Response::Done,
        };
        Box::pin(std::future::ready(Ok(Outcome::Ok(response))))
    }
}

impl Drop for NullSession {
    fn drop(&mut self) {
        self.applied.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut self.entries));
    }
}

impl Backend for NullStore {
    fn connect(&self) -> Pending<'_, Result<Box<dyn Session>, BackendError>> {
        let session = NullSession { entries: Vec::new(), applied: Arc::clone(&self.applied) };
        Box::pin(std::future::ready(Ok(Box::new(session) as Box<dyn Session>)))
    }

    fn describe(&self) -> Vec<(String, String)> {
        vec![("store".to_owned(), "null (does nothing)".to_owned())]
    }
}

impl Store for NullStore {
    fn reset(&self, _accounts: u32) -> Pending<'_, Result<(), BackendError>> {
        self.applied.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Box::pin(std::future::ready(Ok(())))
    }

    fn ledger(&self) -> Pending<'_, Result<Vec<Entry>, BackendError>> {
        let lists = std::mem::take(&mut *self.applied.lock().unwrap_or_else(PoisonError::into_inner));
        let entries = lists.into_iter().flatten().zip(1..).map(|(entry, number)| Entry { number, ..entry });
        Box::pin(std::future::ready(Ok(entries.collect())))
    }
}
