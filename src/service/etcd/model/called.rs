//! The lock service as an exploration calls it: one operation, one outcome, or something to wait for.

use std::num::NonZeroI64;

use super::lock::{Locking, Ticket, lock_key};
use super::{KeyRange, LockService, Put, Query, Txn, TxnCompare, TxnOp, TxnOpResult, TxnRelation, TxnTarget};
use crate::service::contract::asker_of;
use crate::service::etcd::records;
use crate::service::etcd::{LockOp, LockOutcome, LockResponse};
use crate::service::modelled::{Asker, Called, Heir, Holder, Model, ModelSettings, OutOfSight, Party, Timer, Waits};
use crate::service::{IdKind, Ids};
use crate::terms::{AccountId, Effect, Entry, Failure, LeaseId, MessageId, Session, Token};

/// The seconds that leases are asked for. The leases of an exploration end when the schedule says so.
const TTL_S: i64 = 1;

const DONE: LockOutcome = LockOutcome::Ok(LockResponse::Done);
const EXPIRED: LockOutcome = LockOutcome::Failed(Failure::LeaseExpired);

/// The name of the lock on an account.
fn lock_name(account: AccountId) -> Vec<u8> {
    account.0.to_string().into_bytes()
}

fn held(revision: i64) -> LockOutcome {
    LockOutcome::Ok(LockResponse::Held(Token(NonZeroI64::new(revision).expect("revisions begin at 1"))))
}

/// The entry that an effect is recorded as.
fn entry(ledger: &[Entry], message: MessageId, Effect { account, amount }: Effect, by: &Asker) -> Entry {
    Entry {
        role: by.role,
        number: ledger.len() as u64 + 1,
        message,
        account,
        amount: amount.into(),
        balance: amount.into(),
        token: None,
        by: by.by,
    }
}

impl Model for LockService {
    type Op = LockOp;
    type Response = LockResponse;

    fn call(&mut self, _: Session, op: &LockOp, by: &Asker, ledger: &mut Vec<Entry>) -> Called<LockResponse> {
        match *op {
            LockOp::GrantLease => {
                // A request that lands twice finds the lease there, and leaves it as it is.
                let _ = self.grant(Some(LeaseId(by.id)), TTL_S);
                Ok(LockOutcome::Ok(LockResponse::Granted(LeaseId(by.id))))
            }
            LockOp::Acquire(account, lease) => self.acquire(account, lease),
            LockOp::Release(account, lease) => {
                let key = lock_key(&lock_name(account), lease);
                self.unlock(&key).expect("the key of a lock is not empty");
                Ok(DONE)
            }
            LockOp::Revoke(lease) => Ok(if self.revoke(lease).is_ok() { DONE } else { EXPIRED }),
            LockOp::KeepAlive(lease) => Ok(if self.is_alive(lease) { DONE } else { EXPIRED }),
            LockOp::RecordOnce(message, effect) => {
                let answer = self.mark_once(message, effect);
                if let LockResponse::Recorded(_) = answer {
                    ledger.push(entry(ledger, message, effect, by));
                }
                Ok(LockOutcome::Ok(answer))
            }
            LockOp::Record(message, effect) => {
                ledger.push(entry(ledger, message, effect, by));
                Ok(LockOutcome::Ok(LockResponse::Recorded(records::answer(effect))))
            }
        }
    }

    fn begin_again(&mut self) {
        if self.revision() > 1 || self.has_names() {
            *self = LockService { flaw: self.flaw, ..LockService::default() };
        }
    }

    fn has_names(&self) -> bool {
        self.leases().next().is_some()
    }

    fn rename(&mut self, _: &dyn Fn(Session) -> Session, ids: &mut impl Ids) {
        self.rename_leases(&mut |lease| LeaseId(ids.id(IdKind::Asked, lease.0)));
    }

    fn without_ranks(self) -> Self {
        self.with_revisions_forgotten()
    }

    /// The newest timer of a holder: that of the lease that it asked for last, of those that live.
    fn timer(&self, of: Holder) -> Option<Timer> {
        let is_its = |id: &i64| matches!(asker_of(*id), (lane, attempt, _) if (lane, attempt) == (of.lane, of.attempt));
        self.leases().map(|lease| lease.0).filter(is_its).max().map(Timer)
    }

    fn fire(&mut self, timer: Timer) {
        let _ = self.revoke(LeaseId(timer.0));
    }

    /// The leases of those who are ahead.
    fn timers_ahead(&self, op: LockOp) -> Vec<Timer> {
        match op {
            LockOp::Acquire(account, lease) => {
                self.leases_ahead(&lock_name(account), lease).into_iter().map(|lease| Timer(lease.0)).collect()
            }
            LockOp::GrantLease
            | LockOp::Release(..)
            | LockOp::Revoke(_)
            | LockOp::KeepAlive(_)
            | LockOp::RecordOnce(..)
            | LockOp::Record(..) => Vec::new(),
        }
    }

    fn queue(&mut self, via: Session, op: LockOp, _: &Asker) -> bool {
        let LockOp::Acquire(account, lease) = op else { return false };
        let name = lock_name(account);
        let waits = self.is_alive(lease) && !self.leases_ahead(&name, lease).is_empty();
        waits && matches!(self.lock(&name, Some(lease), Ticket(via.0.into())), Ok(Locking::Waiting))
    }

    fn forget(&mut self, party: Party, heir: Heir) -> Result<(), OutOfSight> {
        self.without(party, heir)
    }

    fn adopt(&self, from: &Self, party: Party, heir: Heir) -> Result<Vec<Self>, OutOfSight> {
        self.with(from, party, heir).map(|with| vec![with])
    }

    fn unheard(&self, _: Session, op: LockOp) -> Option<LockOp> {
        // Nobody knows of a lease that was granted to nobody.
        (!matches!(op, LockOp::GrantLease | LockOp::KeepAlive(_))).then_some(op)
    }

    fn count_on_from(&mut self, rank: i64) {
        self.forget_revisions();
        self.raise_revision(rank);
    }

    fn take_turn(&mut self, via: Session) -> Called<LockResponse> {
        let settled = self.take_settled();
        self.turns.extend(settled);
        let at = self.turns.iter().position(|(ticket, _)| *ticket == Ticket(via.0.into())).ok_or(Waits::ForTimers)?;
        Ok(self.turns.remove(at).1.map_or(EXPIRED, |lock| held(lock.revision)))
    }
}

impl LockService {
    /// The lock service before anything happened.
    #[must_use]
    pub fn of(settings: &ModelSettings) -> Self {
        match settings.lock_flaw {
            Some(flaw) => LockService::default().with_flaw(flaw),
            None => LockService::default(),
        }
    }

    /// The transaction that records an effect once. In an exploration the ledger's entries are the explorer's, and the keys of messages
    /// are all that a transaction can see.
    fn mark_once(&mut self, message: MessageId, effect: Effect) -> LockResponse {
        let key = KeyRange::key(records::mark_key(message));
        let answer = records::answer(effect);
        let put = Put::new(key.start.clone(), answer.0.to_string());
        let txn = Txn {
            compare: vec![TxnCompare {
                keys: key.clone(),
                relation: TxnRelation::Equal,
                target: TxnTarget::CreateRevision(0),
            }],
            success: vec![TxnOp::Put(put)],
            failure: vec![TxnOp::Range(Query { keys: key, ..Query::default() })],
        };
        let done = self.txn(txn).expect("keys are not empty, and one is put");
        match done.results.first() {
            Some(TxnOpResult::Range(read)) if !done.succeeded => {
                let answer = read.found.first().and_then(|found| records::read_answer(&found.value));
                LockResponse::Found(answer.expect("the key was put with its answer"))
            }
            _ => LockResponse::Recorded(answer),
        }
    }

    fn acquire(&mut self, account: AccountId, lease: LeaseId) -> Result<LockOutcome, Waits> {
        if !self.is_alive(lease) {
            return Ok(EXPIRED);
        }
        let name = lock_name(account);
        if !self.leases_ahead(&name, lease).is_empty() && !self.grants_twice() {
            return Err(Waits::ForTimers);
        }
        match self.lock(&name, Some(lease), Ticket(0)) {
            Ok(Locking::Held(lock)) => Ok(held(lock.revision)),
            Ok(Locking::Waiting) => unreachable!("nobody is ahead"),
            Err(_) => Ok(EXPIRED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::contract::asked_id;
    use crate::terms::{Delivery, MessageId, Role};

    #[test]
    fn the_newest_timer_of_a_holder_fires_first_and_then_the_next() {
        let mut service = LockService::default();
        for (lane, number) in [(0, 0), (0, 1), (1, 0)] {
            let by = Asker { by: Delivery::FIRST, role: Role::LOCK, id: asked_id(lane, 0, number) };
            assert!(service.call(Session(0), &LockOp::GrantLease, &by, &mut Vec::new()).is_ok());
        }
        let holder = Holder { lane: 0, attempt: 0, session: Session(0), message: MessageId(0) };
        for number in [1, 0] {
            let timer = service.timer(holder).expect("it runs");
            assert_eq!(timer, Timer(asked_id(0, 0, number)));
            service.fire(timer);
        }
        assert_eq!(service.timer(holder), None, "what is left is another lane's");
        assert_eq!(service.timer(Holder { attempt: 1, ..holder }), None);
    }
}
