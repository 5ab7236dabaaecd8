//! A store that does nothing but remember which effects it was asked for: the ceiling that the lab itself sets.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::program::{Act, Gives};
use super::{Does, StoreOp, StoreResponse, TwoAnswers};
use crate::service::contract::Operation;
use crate::service::{AnyOp, Backend, BackendError, Connection, Outcome, Pending, Store, own};
use crate::terms::{AccountId, Answer, Balances, Delivery, Entry, Role};

/// Answers every operation at once, as if it had gone well and nothing had been there before.
#[derive(Default)]
pub struct NullStore {
    accounts: Arc<Accounts>,
    /// What closed connections have applied. Open ones keep their own list, so that they share nothing.
    applied: Applied,
}

type Applied = Arc<Mutex<Vec<Vec<Entry>>>>;

/// The balances: that is all that sessions share.
#[derive(Default)]
struct Accounts(RwLock<Vec<AtomicI64>>);

impl Accounts {
    /// Adds to a balance, and gives it; nothing if there is no such account.
    fn add(&self, account: AccountId, amount: i64) -> Option<i64> {
        let accounts = self.0.read().unwrap_or_else(PoisonError::into_inner);
        accounts.get(account.0 as usize).map(|balance| balance.fetch_add(amount, Ordering::Relaxed) + amount)
    }
}

struct NullSession {
    accounts: Arc<Accounts>,
    entries: Vec<Entry>,
    applied: Applied,
}

impl NullSession {
    fn apply(&mut self, op: StoreOp, by: Delivery) -> Option<i64> {
        let (account, amount) = (op.effect().account, i64::from(op.effect().amount));
        let balance = self.accounts.add(account, amount)?;
        self.entries.push(Entry {
            role: Role::STORE,
            number: 0,
            message: op.message(),
            account,
            amount,
            balance,
            token: op.token(),
            by,
        });
        Some(balance)
    }
}

impl Connection for NullSession {
    fn execute(&mut self, op: AnyOp, by: Delivery) -> Pending<'_, Result<Outcome, BackendError>> {
        let op: StoreOp = own(op);
        let response = match op.does() {
            Does::Begin | Does::Commit | Does::Rollback => StoreResponse::Done,
            Does::Own => StoreResponse::Found(None),
            Does::Both => {
                let applied = op.parts().expect("it has two parts").map(|part| self.apply(part, by).map(Answer));
                StoreResponse::AppliedBoth(TwoAnswers::of(applied))
            }
            Does::Rows(program) => match program.gives {
                _ if program.acts.iter().any(|act| matches!(act, Act::Append | Act::Record)) => {
                    StoreResponse::Applied(self.apply(op, by).map(Answer))
                }
                Gives::Claimed => StoreResponse::Claimed(true),
                Gives::Found => StoreResponse::Found(None),
                Gives::Balance => StoreResponse::Found(Some(Answer(0))),
                Gives::Done | Gives::DoneOr(_) | Gives::Applied | Gives::AppliedOr(_) => StoreResponse::Done,
            },
        };
        Box::pin(std::future::ready(Ok(Outcome::Ok(response.into()))))
    }
}

impl Drop for NullSession {
    fn drop(&mut self) {
        self.applied.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut self.entries));
    }
}

impl Backend for NullStore {
    fn connect(&self) -> Pending<'_, Result<Box<dyn Connection>, BackendError>> {
        let session = NullSession {
            accounts: Arc::clone(&self.accounts),
            entries: Vec::new(),
            applied: Arc::clone(&self.applied),
        };
        Box::pin(std::future::ready(Ok(Box::new(session) as Box<dyn Connection>)))
    }

    fn describe(&self) -> Vec<(String, String)> {
        vec![("store".to_owned(), "null (does nothing)".to_owned())]
    }
}

impl Store for NullStore {
    fn reset(&self, accounts: u32) -> Pending<'_, Result<(), BackendError>> {
        let fresh = (0..accounts).map(|_| AtomicI64::new(0)).collect();
        *self.accounts.0.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        self.applied.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Box::pin(std::future::ready(Ok(())))
    }

    fn ledger(&self) -> Pending<'_, Result<Vec<Entry>, BackendError>> {
        let lists = std::mem::take(&mut *self.applied.lock().unwrap_or_else(PoisonError::into_inner));
        let mut entries: Vec<Entry> = lists.into_iter().flatten().collect();
        // Amounts are positive: the balances of an account tell in which order they came about.
        entries.sort_by_key(|entry| (entry.account, entry.balance));
        let numbered = entries.into_iter().zip(1..).map(|(entry, number)| Entry { number, ..entry });
        Box::pin(std::future::ready(Ok(numbered.collect())))
    }

    fn balances(&self) -> Pending<'_, Result<Balances, BackendError>> {
        let accounts = self.accounts.0.read().unwrap_or_else(PoisonError::into_inner);
        let balances = accounts.iter().zip(0..).map(|(balance, id)| (AccountId(id), balance.load(Ordering::Relaxed)));
        let balances = balances.collect();
        Box::pin(std::future::ready(Ok(balances)))
    }
}
