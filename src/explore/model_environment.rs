//! The backends' state, kept as it is.

use std::num::NonZeroI64;

use crate::service::etcd::model::{LockService, Locking, Settled, Ticket, lock_key};
use crate::service::store::model::{Store, Waits};
use crate::terms::{Entry, Failure, LeaseId, LockKey, Session, Token};
use crate::world::{Op, Outcome, Response};

use super::bound::Bound;
use super::environment::{Acquired, Environment, Flight};
use super::rules::lock_name;

/// The seconds that leases are asked for. The explorer's leases end when the schedule says so.
const TTL_S: i64 = 1;

pub(super) const DONE: Outcome = Outcome::Ok(Response::Done);

/// The accounts that there can be: the one of all requests, and others that a strategy may change by mistake.
pub(crate) const ACCOUNTS: u8 = 4;

/// Store, lock service and ledger, and what is in flight to them.
#[derive(Clone)]
pub(crate) struct ModelEnvironment {
    pub bound: Bound,
    flaws: super::Flaws,
    pub store: Store,
    pub lock: LockService,
    pub ledger: Vec<Entry>,
    pub flights: Vec<Flight>,
    /// How often a lease has expired under its holder.
    pub expired: u64,
    /// The answers to requests for locks that have waited for their turn.
    turns: Vec<Settled>,
    /// How often somebody has waited for leases to expire that nobody kept alive any more.
    pub waits: u64,
}

impl ModelEnvironment {
    /// Backends in which nothing has happened yet, with the mistakes that the model is to have.
    pub fn new(bound: Bound, flaws: super::Flaws) -> Self {
        let store = Store::new(bound.store, 1).with_room_for(ACCOUNTS);
        let lock = LockService::default();
        ModelEnvironment {
            bound,
            flaws,
            store: match flaws.store {
                Some(flaw) => store.with_flaw(flaw),
                None => store,
            },
            lock: match flaws.lock {
                Some(flaw) => lock.with_flaw(flaw),
                None => lock,
            },
            ledger: Vec::new(),
            flights: Vec::new(),
            turns: Vec::new(),
            expired: 0,
            waits: 0,
        }
    }
}

impl ModelEnvironment {
    /// The same backends before anything happened.
    pub fn begin_again(&mut self, flaws: super::Flaws) {
        self.store.begin_again();
        if self.lock.revision() > 1 || self.lock.leases().next().is_some() {
            self.lock = ModelEnvironment::new(self.bound, flaws).lock;
        }
        self.ledger.clear();
        self.flights.clear();
        self.turns.clear();
        self.expired = 0;
        self.waits = 0;
    }
}

/// Takes a lock in the lock service, or says who is in the way.
pub(super) fn acquire(lock: &mut LockService, key: LockKey) -> Acquired {
    let name = lock_name(key.account);
    if !lock.is_alive(key.lease) {
        return Acquired::Expired;
    }
    let ahead = lock.leases_ahead(&name, key.lease);
    if !ahead.is_empty() && !lock.grants_twice() {
        return Acquired::Behind(ahead);
    }
    match lock.lock(&name, Some(key.lease), Ticket(0)) {
        Ok(Locking::Held(held)) => {
            let revision = std::num::NonZeroI64::new(held.revision).expect("revisions begin at 1");
            Acquired::Held(Token(revision))
        }
        Ok(Locking::Waiting) => unreachable!("nobody is ahead"),
        Err(_) => Acquired::Expired,
    }
}

/// Deletes a lock's key.
pub(super) fn release(lock: &mut LockService, key: LockKey) {
    lock.unlock(&lock_key(&lock_name(key.account), key.lease)).expect("the key of a lock is not empty");
}

/// Grants a lease under an id of the machine's choice.
pub(super) fn grant(lock: &mut LockService, lease: LeaseId) {
    // A request that lands twice finds the lease there, and leaves it as it is.
    let _ = lock.grant(Some(lease), TTL_S);
}

impl Environment for ModelEnvironment {
    fn store(&mut self, session: Session, op: Op, (lane, attempt): (u8, u8)) -> Result<Outcome, Waits> {
        self.store.execute(session, op, self.bound.delivery(lane, attempt), &mut self.ledger)
    }

    fn cut(&mut self, session: Session) {
        self.store.cut(session);
    }

    fn move_session(&mut self, from: Session, to: Session) {
        self.store.rename(from, to);
    }

    fn deadlock(&mut self, session: Session) {
        self.store.deadlock(session);
    }

    fn grant(&mut self, _: Session, lease: LeaseId) {
        grant(&mut self.lock, lease);
    }

    fn acquire(&mut self, _: Session, key: LockKey) -> Acquired {
        acquire(&mut self.lock, key)
    }

    fn queue(&mut self, via: Session, key: LockKey) -> bool {
        let name = lock_name(key.account);
        let waits = self.lock.is_alive(key.lease) && !self.lock.leases_ahead(&name, key.lease).is_empty();
        waits && matches!(self.lock.lock(&name, Some(key.lease), Ticket(via.0.into())), Ok(Locking::Waiting))
    }

    fn take_turn(&mut self, via: Session, _: LockKey) -> Acquired {
        self.turns.extend(self.lock.take_settled());
        let Some(at) = self.turns.iter().position(|(ticket, _)| *ticket == Ticket(via.0.into())) else {
            return Acquired::Behind(Vec::new());
        };
        match self.turns.remove(at).1 {
            Ok(held) => Acquired::Held(Token(NonZeroI64::new(held.revision).expect("revisions begin at 1"))),
            Err(_) => Acquired::Expired,
        }
    }

    fn release(&mut self, _: Session, key: LockKey) -> Outcome {
        release(&mut self.lock, key);
        DONE
    }

    fn revoke(&mut self, _: Session, lease: LeaseId) -> Outcome {
        if self.lock.revoke(lease).is_ok() { DONE } else { Outcome::Failed(Failure::LeaseExpired) }
    }

    fn forgets_landings(&self) -> bool {
        self.flaws.no_landing
    }

    fn expire(&mut self, lease: LeaseId) {
        if self.flaws.no_expiry {
            return;
        }
        // One that is gone already need not go again.
        let _ = self.lock.revoke(lease);
    }

    fn is_alive(&mut self, lease: LeaseId) -> bool {
        self.lock.is_alive(lease)
    }

    fn flights(&self) -> &[Flight] {
        &self.flights
    }

    fn add_flight(&mut self, flight: Flight) {
        self.flights.push(flight);
    }

    fn remove_flight(&mut self, at: usize) {
        self.flights.remove(at);
    }

    fn time_passes(&mut self, waiting: bool) {
        self.waits += u64::from(waiting);
        self.expired += u64::from(!waiting);
    }

    // The history tells.
    fn overlap(&mut self, _: u8) {}
}
