//! The backends' state, kept as it is.

use crate::service::contract::{Asker, Holder, Timer, Waits};
use crate::service::etcd::model::{LockService, Settled};
use crate::service::store::model::Tables;
use crate::terms::{Entry, Failure, Leg, Session};
use crate::world::{Op, Outcome};

use super::bound::Bound;
use super::environment::{Environment, Flight};

/// The accounts that there can be: the one of all requests, and others that a strategy may change by mistake.
pub(crate) const ACCOUNTS: u8 = 4;

/// Store, lock service and ledger, and what is in flight to them.
#[derive(Clone)]
pub(crate) struct ModelEnvironment {
    pub bound: Bound,
    flaws: super::Flaws,
    pub store: Tables,
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
        let store = Tables::new(bound.store, 1).with_room_for(ACCOUNTS);
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

impl Environment for ModelEnvironment {
    #[inline]
    fn call(&mut self, on: Session, op: Op, by: Asker) -> Result<Outcome, Waits> {
        match op.leg() {
            Leg::Lock => self.lock.call(op, by),
            Leg::Store | Leg::Client => self.store.execute(on, op, by.by, &mut self.ledger),
        }
    }

    fn timers_ahead(&mut self, op: Op) -> Vec<Timer> {
        self.lock.timers_ahead(op)
    }

    fn cut(&mut self, _: Leg, on: Session) {
        self.store.cut(on);
    }

    fn move_session(&mut self, _: Leg, from: Session, to: Session) {
        self.store.rename(from, to);
    }

    fn victim(&mut self, leg: Leg, on: Session) -> Outcome {
        if leg == Leg::Lock {
            return Outcome::Unknown;
        }
        self.store.deadlock(on);
        Outcome::Failed(Failure::Deadlock)
    }

    fn timer(&mut self, of: Holder) -> Option<Timer> {
        self.lock.timer(of)
    }

    fn fire(&mut self, timer: Timer) {
        if !self.flaws.no_expiry {
            self.lock.fire(timer);
        }
    }

    fn queue(&mut self, on: Session, op: Op) -> bool {
        self.lock.queue(on, op)
    }

    fn take_turn(&mut self, on: Session, _: Op) -> Result<Outcome, Waits> {
        self.turns.extend(self.lock.take_settled());
        LockService::take_turn(&mut self.turns, on)
    }

    fn forgets_landings(&self) -> bool {
        self.flaws.no_landing
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
