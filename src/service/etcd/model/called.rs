//! The lock service as an exploration calls it: one operation, one outcome, or something to wait for.

use std::num::NonZeroI64;

use super::lock::{Locking, Ticket, lock_key};
use super::{LockService, Settled};
use crate::service::contract::{Asker, Holder, Timer, Waits, asker_of};
use crate::service::{Op, Outcome, Response};
use crate::terms::{AccountId, Failure, LeaseId, LockKey, Session, Token};

/// The seconds that leases are asked for. The leases of an exploration end when the schedule says so.
const TTL_S: i64 = 1;

const DONE: Outcome = Outcome::Ok(Response::Done);
const EXPIRED: Outcome = Outcome::Failed(Failure::LeaseExpired);

/// The name of the lock on an account.
fn lock_name(account: AccountId) -> Vec<u8> {
    account.0.to_string().into_bytes()
}

fn held(revision: i64) -> Outcome {
    Outcome::Ok(Response::Held(Token(NonZeroI64::new(revision).expect("revisions begin at 1"))))
}

impl LockService {
    /// Carries out an operation.
    ///
    /// # Errors
    /// [`Waits::ForTimers`] if others hold the lock, or were there before; then nothing has changed.
    ///
    /// # Panics
    /// If the operation is not one of a lock service's.
    pub fn call(&mut self, op: Op, by: Asker) -> Result<Outcome, Waits> {
        match op {
            Op::GrantLease => {
                // A request that lands twice finds the lease there, and leaves it as it is.
                let _ = self.grant(Some(LeaseId(by.id)), TTL_S);
                Ok(Outcome::Ok(Response::Granted(LeaseId(by.id))))
            }
            Op::Acquire(key) => self.acquire(key),
            Op::Release(key) => {
                let key = lock_key(&lock_name(key.account), key.lease);
                self.unlock(&key).expect("the key of a lock is not empty");
                Ok(DONE)
            }
            Op::Revoke(lease) => Ok(if self.revoke(lease).is_ok() { DONE } else { EXPIRED }),
            _ => panic!("`{op}` was sent to a lock service"),
        }
    }

    fn acquire(&mut self, key: LockKey) -> Result<Outcome, Waits> {
        if !self.is_alive(key.lease) {
            return Ok(EXPIRED);
        }
        let name = lock_name(key.account);
        if !self.leases_ahead(&name, key.lease).is_empty() && !self.grants_twice() {
            return Err(Waits::ForTimers);
        }
        match self.lock(&name, Some(key.lease), Ticket(0)) {
            Ok(Locking::Held(lock)) => Ok(held(lock.revision)),
            Ok(Locking::Waiting) => unreachable!("nobody is ahead"),
            Err(_) => Ok(EXPIRED),
        }
    }

    /// The timers that an operation would have to wait for: the leases of those who are ahead.
    #[must_use]
    pub fn timers_ahead(&self, op: Op) -> Vec<Timer> {
        match op {
            Op::Acquire(key) => {
                self.leases_ahead(&lock_name(key.account), key.lease).into_iter().map(|lease| Timer(lease.0)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The newest timer that a holder has running: that of the lease that it asked for last, of those that live.
    #[must_use]
    pub fn timer(&self, of: Holder) -> Option<Timer> {
        let is_its = |id: &i64| matches!(asker_of(*id), (lane, attempt, _) if (lane, attempt) == (of.lane, of.attempt));
        self.leases().map(|lease| lease.0).filter(is_its).max().map(Timer)
    }

    /// A timer runs out. One that is gone already need not go again.
    pub fn fire(&mut self, timer: Timer) {
        let _ = self.revoke(LeaseId(timer.0));
    }

    /// Queues for a lock that others hold; false, and nothing has changed, if it would not have to wait.
    pub fn queue(&mut self, via: Session, op: Op) -> bool {
        let Op::Acquire(key) = op else { return false };
        let name = lock_name(key.account);
        let waits = self.is_alive(key.lease) && !self.leases_ahead(&name, key.lease).is_empty();
        waits && matches!(self.lock(&name, Some(key.lease), Ticket(via.0.into())), Ok(Locking::Waiting))
    }

    /// What a request that is queued has come to, of those that have been settled.
    ///
    /// # Errors
    /// [`Waits::ForTimers`] if it still waits.
    pub fn take_turn(settled: &mut Vec<Settled>, via: Session) -> Result<Outcome, Waits> {
        let at = settled.iter().position(|(ticket, _)| *ticket == Ticket(via.0.into())).ok_or(Waits::ForTimers)?;
        Ok(settled.remove(at).1.map_or(EXPIRED, |lock| held(lock.revision)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::contract::asked_id;
    use crate::terms::Delivery;

    #[test]
    fn the_newest_timer_of_a_holder_fires_first_and_then_the_next() {
        let mut service = LockService::default();
        for (lane, number) in [(0, 0), (0, 1), (1, 0)] {
            let by = Asker { by: Delivery::FIRST, id: asked_id(lane, 0, number) };
            assert!(service.call(Op::GrantLease, by).is_ok());
        }
        let holder = Holder { lane: 0, attempt: 0, session: Session(0) };
        for number in [1, 0] {
            let timer = service.timer(holder).expect("it runs");
            assert_eq!(timer, Timer(asked_id(0, 0, number)));
            service.fire(timer);
        }
        assert_eq!(service.timer(holder), None, "what is left is another lane's");
        assert_eq!(service.timer(Holder { attempt: 1, ..holder }), None);
    }
}
