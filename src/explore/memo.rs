//! The services as automata: their states by number, and what each operation leads to, worked out once.
//!
//! The semantics are the model's. An exploration comes to the same few states of store and lock service again and again, in
//! ever new combinations; so each state is kept once, a combination is a handful of numbers, and a step looks up what it
//! leads to.

use std::hash::Hash;

use indexmap::IndexSet;
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::service::contract::{Asker, Holder, Timer, Waits, asked_id, asker_of};
use crate::service::etcd::model::LockService;
use crate::service::store::model::Tables;
use crate::service::{HasIds, IdKind};
use crate::terms::{Delivery, Entry, Failure, LeaseId, Leg, Request, Session};
use crate::world::{Op, Outcome};

use super::Flaws;
use super::bound::Bound;
use super::environment::{Environment, Flight};
use super::model_environment::ModelEnvironment;
use super::observations::{Seen, SeenEffect, Sight};
use super::rules::message;

/// What comes of what is no operation.
const NOTHING_HEARD: Outcome = Outcome::Unknown;

type Numbered<T> = IndexSet<T, FxBuildHasher>;

/// What an operation on the store leads to.
#[derive(Clone, Copy)]
struct ModelStep {
    next: u32,
    outcome: Result<Outcome, Waits>,
    /// The effects that it committed, by number; 0 is none.
    committed: u32,
}

/// What is done to a store besides its operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum StoreCall {
    Op(Op),
    Cut,
    Deadlock,
    MoveTo(Session),
}

/// What is done to a lock service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum LockCall {
    Op(Op, i64),
    Fire(Timer),
}

/// What an operation on the lock service leads to.
#[derive(Clone, Copy)]
struct LockStep {
    next: u32,
    /// The timers ahead, by number, if it has to wait.
    outcome: Result<Outcome, u32>,
}

/// Every state that an exploration has come to, by component.
pub(super) struct Memo {
    pub bound: Bound,
    requests: Vec<Request>,
    flaws: Flaws,
    /// Whether tokens matter. If they do not, neither do revisions.
    pub tokens: bool,
    /// An operation with a token was made although they do not matter: the exploration must begin again.
    pub tokens_needed: bool,
    stores: Numbered<Tables>,
    locks: Numbered<LockService>,
    flights: Numbered<Vec<Flight>>,
    seen: Numbered<Seen>,
    store_calls: Numbered<StoreCall>,
    lock_calls: Numbered<LockCall>,
    sights: Numbered<Sight>,
    committed: Vec<Vec<Entry>>,
    ahead: Vec<Vec<Timer>>,
    /// The timers that the last operation has to wait for, by number.
    last_ahead: u32,
    store_steps: FxHashMap<u64, ModelStep>,
    lock_steps: FxHashMap<u64, LockStep>,
    sight_steps: FxHashMap<u64, u32>,
    permuted: FxHashMap<(u8, u32, u32), u32>,
    /// The effects that the last operation committed, by number.
    pub last_committed: u32,
    /// What has been seen after effects were committed, and after an automaton has replied.
    after_effects: FxHashMap<u64, u32>,
    after_replies: FxHashMap<u64, u32>,
}

fn number<T: Hash + Eq>(of: &mut Numbered<T>, it: T) -> u32 {
    u32::try_from(of.insert_full(it).0).expect("there are fewer than 2^32 states")
}

impl Memo {
    /// A memo that knows of the beginning only: every component's state there is number 0.
    pub fn new(bound: Bound, flaws: Flaws, tokens: bool) -> Self {
        let beginning = ModelEnvironment::new(bound, flaws);
        let lock = if tokens { beginning.lock } else { beginning.lock.with_revisions_forgotten() };
        Memo {
            bound,
            requests: bound.all_requests(),
            flaws,
            tokens,
            tokens_needed: false,
            stores: [beginning.store].into_iter().collect(),
            locks: [lock].into_iter().collect(),
            flights: [Vec::new()].into_iter().collect(),
            seen: [Seen::new(bound.requests.max(1))].into_iter().collect(),
            store_calls: Numbered::default(),
            lock_calls: Numbered::default(),
            sights: Numbered::default(),
            committed: vec![Vec::new()],
            ahead: Vec::new(),
            last_ahead: 0,
            store_steps: FxHashMap::default(),
            lock_steps: FxHashMap::default(),
            sight_steps: FxHashMap::default(),
            permuted: FxHashMap::default(),
            last_committed: 0,
            after_effects: FxHashMap::default(),
            after_replies: FxHashMap::default(),
        }
    }

    /// What has been seen, by number.
    pub fn seen(&self, seen: u32) -> &Seen {
        &self.seen[seen as usize]
    }

    /// What is in flight, by number.
    pub fn flights(&self, flights: u32) -> &[Flight] {
        &self.flights[flights as usize]
    }

    /// What has been seen after something else has been.
    pub fn see(&mut self, seen: u32, sight: Sight) -> u32 {
        let sight_number = number(&mut self.sights, sight);
        let key = u64::from(seen) << 32 | u64::from(sight_number);
        if let Some(next) = self.sight_steps.get(&key) {
            return *next;
        }
        let after = self.seen[seen as usize].after(sight, &self.requests);
        let next = number(&mut self.seen, after);
        self.sight_steps.insert(key, next);
        next
    }

    /// What has been seen after effects were committed.
    #[inline]
    pub fn see_effects(&mut self, seen: u32, committed: u32) -> u32 {
        if committed == 0 {
            return seen;
        }
        let key = u64::from(seen) << 32 | u64::from(committed);
        if let Some(after) = self.after_effects.get(&key) {
            return *after;
        }
        let mut after = seen;
        for n in 0..self.committed[committed as usize].len() {
            let Entry { message, account, amount, balance, token, .. } = self.committed[committed as usize][n];
            after = self.see(after, Sight::SeenEffect(SeenEffect { message, account, amount, balance, token }));
        }
        self.after_effects.insert(key, after);
        after
    }

    /// What has been seen after a strategy has replied at this node of its automaton, to a client or to nobody.
    #[inline]
    pub fn see_reply(&mut self, seen: u32, (node, heard): (u16, bool), sight: Sight) -> u32 {
        let key = u64::from(seen) << 32 | u64::from(heard) << 16 | u64::from(node);
        if let Some(after) = self.after_replies.get(&key) {
            return *after;
        }
        let after = self.see(seen, sight);
        self.after_replies.insert(key, after);
        after
    }

    /// How many states of store and lock service there are, and roughly how many bytes they take.
    pub fn bytes(&self) -> usize {
        self.stores.len() * 512
            + self.locks.len() * 768
            + self.seen.len() * 128
            + self.store_steps.len() * 64
            + (self.lock_steps.len() + self.sight_steps.len() + self.permuted.len()) * 40
    }

    fn store_step(&mut self, store: u32, session: Session, call: StoreCall) -> ModelStep {
        let call_number = number(&mut self.store_calls, call);
        let key = u64::from(store) << 32 | u64::from(call_number) << 8 | u64::from(session.0);
        if let Some(step) = self.store_steps.get(&key) {
            return *step;
        }
        let mut after = self.stores[store as usize].clone();
        let mut ledger = Vec::new();
        let outcome = match call {
            // Who did it matters to causes, and not to what can happen.
            StoreCall::Op(op) => after.execute(session, op, Delivery::FIRST, &mut ledger),
            StoreCall::Cut => {
                after.cut(session);
                Ok(NOTHING_HEARD)
            }
            StoreCall::Deadlock => {
                after.deadlock(session);
                Ok(NOTHING_HEARD)
            }
            StoreCall::MoveTo(to) => {
                after.rename(session, to);
                Ok(NOTHING_HEARD)
            }
        };
        let next = if outcome.is_ok() { number(&mut self.stores, after) } else { store };
        let committed = if ledger.is_empty() {
            0
        } else {
            self.committed.push(ledger);
            u32::try_from(self.committed.len() - 1).expect("there are fewer than 2^32")
        };
        let step = ModelStep { next, outcome, committed };
        self.store_steps.insert(key, step);
        step
    }

    fn lock_step(&mut self, lock: u32, call: LockCall) -> LockStep {
        let call_number = number(&mut self.lock_calls, call);
        let key = u64::from(lock) << 32 | u64::from(call_number);
        if let Some(step) = self.lock_steps.get(&key) {
            return *step;
        }
        let mut after = self.locks[lock as usize].clone();
        let outcome = match call {
            LockCall::Op(op, id) => match after.call(op, Asker { by: Delivery::FIRST, id }) {
                Ok(outcome) => Ok(self.without_ranks(outcome)),
                Err(Waits::For(_) | Waits::ForTimers) => {
                    self.ahead.push(after.timers_ahead(op));
                    Err(u32::try_from(self.ahead.len() - 1).expect("there are fewer than 2^32"))
                }
            },
            LockCall::Fire(timer) => {
                after.fire(timer);
                Ok(NOTHING_HEARD)
            }
        };
        let after = if self.tokens { after } else { after.with_revisions_forgotten() };
        let step = LockStep { next: number(&mut self.locks, after), outcome };
        self.lock_steps.insert(key, step);
        step
    }

    /// An outcome whose ranked ids say nothing, where they do not matter.
    fn without_ranks(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Ok(response) if !self.tokens => {
                Outcome::Ok(response.map_ids(&mut |kind, id| if kind == IdKind::Ranked { 1 } else { id }))
            }
            Outcome::Ok(_) | Outcome::Failed(_) | Outcome::Unknown => outcome,
        }
    }

    /// The components' states with the lanes under other names. `to` gives each lane's new place; `code` stands for it.
    pub fn permute(&mut self, at: MemoPlace, code: u32, to: impl Fn(u8) -> u8) -> MemoPlace {
        let rename = |id: i64| {
            let (lane, attempt, number) = asker_of(id);
            asked_id(to(lane), attempt, number)
        };
        let rename_lease = |lease: LeaseId| LeaseId(rename(lease.0));
        let store = self.permute_one(0, at.store, code, |memo| {
            let store = &memo.stores[at.store as usize];
            if !store.has_open_transactions() && !store.remembers_leases() {
                return at.store;
            }
            let mut renamed = store.clone();
            let lanes = memo.bound.lanes;
            renamed.rename_all(|session| if session.0 < lanes { Session(to(session.0)) } else { session });
            renamed.rename_leases(rename_lease);
            number(&mut memo.stores, renamed)
        });
        let lock = self.permute_one(1, at.lock, code, |memo| {
            let renamed = memo.locks[at.lock as usize].with_leases_renamed(rename_lease);
            number(&mut memo.locks, renamed)
        });
        let flights = self.permute_one(2, at.flights, code, |memo| {
            let mut renamed = memo.flights[at.flights as usize].clone();
            for flight in &mut renamed {
                flight.lane = to(flight.lane);
                flight.op = flight.op.map_ids(&mut |kind, id| match kind {
                    IdKind::Asked => rename(id),
                    IdKind::Ranked | IdKind::Message | IdKind::Account => id,
                });
            }
            number(&mut memo.flights, renamed)
        });
        MemoPlace { store, lock, flights, ..at }
    }

    fn permute_one(&mut self, kind: u8, of: u32, code: u32, make: impl FnOnce(&mut Self) -> u32) -> u32 {
        // Nothing is open, held or in flight in the beginning.
        if of == 0 {
            return 0;
        }
        if let Some(permuted) = self.permuted.get(&(kind, of, code)) {
            return *permuted;
        }
        let permuted = make(self);
        self.permuted.insert((kind, of, code), permuted);
        permuted
    }
}

/// Where the backends stand, by number, and what has been seen so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct MemoPlace {
    pub store: u32,
    pub lock: u32,
    pub flights: u32,
    pub seen: u32,
}

/// A environment over the memo.
pub(super) struct Cursor<'t> {
    pub memo: &'t mut Memo,
    pub at: MemoPlace,
}

impl Cursor<'_> {
    fn call_store(&mut self, session: Session, call: StoreCall) {
        self.at.store = self.memo.store_step(self.at.store, session, call).next;
    }

    fn set_flights(&mut self, flights: Vec<Flight>) {
        self.at.flights = number(&mut self.memo.flights, flights);
    }
}

impl Environment for Cursor<'_> {
    #[inline]
    fn call(&mut self, on: Session, op: Op, by: Asker) -> Result<Outcome, Waits> {
        if op.leg() == Leg::Lock {
            let step = self.memo.lock_step(self.at.lock, LockCall::Op(op, by.id));
            return match step.outcome {
                Ok(outcome) => {
                    self.at.lock = step.next;
                    Ok(outcome)
                }
                Err(ahead) => {
                    self.memo.last_ahead = ahead;
                    Err(Waits::ForTimers)
                }
            };
        }
        if !self.memo.tokens && op.has_ranked() {
            self.memo.tokens_needed = true;
        }
        let step = self.memo.store_step(self.at.store, on, StoreCall::Op(op));
        let outcome = step.outcome?;
        self.at.store = step.next;
        self.memo.last_committed = step.committed;
        self.at.seen = self.memo.see_effects(self.at.seen, step.committed);
        Ok(outcome)
    }

    fn timers_ahead(&mut self, _: Op) -> Vec<Timer> {
        self.memo.ahead[self.memo.last_ahead as usize].clone()
    }

    fn cut(&mut self, _: Leg, on: Session) {
        self.call_store(on, StoreCall::Cut);
    }

    fn move_session(&mut self, _: Leg, from: Session, to: Session) {
        self.call_store(from, StoreCall::MoveTo(to));
    }

    fn victim(&mut self, leg: Leg, on: Session) -> Outcome {
        if leg == Leg::Lock {
            return Outcome::Unknown;
        }
        self.call_store(on, StoreCall::Deadlock);
        Outcome::Failed(Failure::Deadlock)
    }

    fn timer(&mut self, of: Holder) -> Option<Timer> {
        self.memo.locks[self.at.lock as usize].timer(of)
    }

    fn fire(&mut self, timer: Timer) {
        if !self.memo.flaws.no_expiry {
            self.at.lock = self.memo.lock_step(self.at.lock, LockCall::Fire(timer)).next;
        }
    }

    fn forgets_landings(&self) -> bool {
        self.memo.flaws.no_landing
    }

    fn flights(&self) -> &[Flight] {
        self.memo.flights(self.at.flights)
    }

    fn add_flight(&mut self, flight: Flight) {
        let mut flights = self.flights().to_vec();
        flights.push(flight);
        self.set_flights(flights);
    }

    fn remove_flight(&mut self, at: usize) {
        let mut flights = self.flights().to_vec();
        flights.remove(at);
        self.set_flights(flights);
    }

    fn overlap(&mut self, lane: u8) {
        let message = message(self.memo.bound.request_of(lane));
        self.at.seen = self.memo.see(self.at.seen, Sight::Overlap { message });
    }
}
