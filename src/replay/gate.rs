//! The gate: the environment in which a schedule's steps are made on real backends, one at a time.
//!
//! The rules of a step are the explorer's own ([`Rules`](crate::explore::rules)); where the explorer asks its model, the
//! gate asks the servers. Each replay has messages, an account and a lock of its own, so that what one leaves behind is in
//! nobody's way, and the tables need not be emptied in between: operations are translated on their way.

use std::num::NonZeroI64;

use super::drivers::{LockSide, Ran, StoreSide};
use crate::explore::ACCOUNTS;
use crate::explore::Flaws;
use crate::explore::environment::{Environment, Flight};
use crate::explore::execution::Grounds;
use crate::service::contract::{Asker, Holder, Timer, Waits, asker_of};
use crate::service::{BackendError, HasIds, IdKind, Scope};
use crate::terms::{AccountId, Balances, Delivery, Entry, Failure, LeaseId, Leg, MessageId, Session, Sessions, Token};
use crate::world::{Acts, Op, Outcome};

/// How many replays there are between two times that the tables are emptied.
const REPLAYS: u32 = 64;

/// How many messages a replay may have.
const MESSAGES: u32 = 8;

/// The highest number of a token: what contradicts the order of the others.
const CONTRADICTION: i64 = 255;

/// The environment of real backends.
pub(crate) struct Gate {
    store: Box<dyn StoreSide>,
    lock: Option<Box<dyn LockSide>>,
    requests: u8,
    /// How many replays there were.
    number: u32,
    /// Whether every replay begins with empty tables.
    always_resets: bool,
    flights: Vec<Flight>,
    /// The leases of this replay, by the names that the machine has for them.
    leases: Vec<(LeaseId, LeaseId)>,
    /// The tokens of this replay, by the numbers that the machine has for them.
    tokens: Vec<(i64, i64)>,
    /// The number that the next token has in the model, if one is followed.
    expected_token: Option<i64>,
    /// The timers that the last operation has to wait for.
    ahead: Vec<Timer>,
    /// By connection that waits in a queue: the leases that were there before.
    queued: Vec<(Session, Vec<LeaseId>)>,
    loses_reply: bool,
    expired: u64,
    waits: u64,
    trouble: Option<BackendError>,
    /// What the servers said of the last step that the machine has no words for.
    remarks: Vec<String>,
}

impl Gate {
    /// A gate before these backends.
    pub fn new(store: Box<dyn StoreSide>, lock: Option<Box<dyn LockSide>>, requests: u8, always_resets: bool) -> Self {
        Gate {
            store,
            lock,
            requests: requests.max(1),
            number: 0,
            always_resets,
            flights: Vec::new(),
            leases: Vec::new(),
            tokens: Vec::new(),
            expected_token: None,
            ahead: Vec::new(),
            queued: Vec::new(),
            loses_reply: false,
            expired: 0,
            waits: 0,
            trouble: None,
            remarks: Vec::new(),
        }
    }

    /// Takes the trouble that a backend is in, if it is.
    pub fn take_trouble(&mut self) -> Option<BackendError> {
        self.trouble.take()
    }

    /// The next token should have this number: the model gave it.
    pub fn expect_token(&mut self, number: Option<i64>) {
        self.expected_token = number;
    }

    /// What the servers said beside the responses since it was asked last.
    pub fn take_remarks(&mut self) -> Vec<String> {
        std::mem::take(&mut self.remarks)
    }

    /// The number of the first message of this replay, and its account.
    pub fn place(&self) -> (MessageId, AccountId) {
        (MessageId(self.base()), AccountId(self.first_account()))
    }

    /// The effects of this replay, as they stand in the store.
    ///
    /// # Errors
    /// [`BackendError`] if the store is gone.
    pub fn rows(&mut self) -> Result<Vec<Entry>, BackendError> {
        self.store.ledger(&self.scope())
    }

    /// The accounts and messages of this replay; everything where the tables are its own.
    fn scope(&self) -> Scope {
        if self.always_resets {
            return Scope::EVERYTHING;
        }
        let (accounts, messages) = (i64::from(self.first_account()), i64::from(self.base()));
        Scope {
            accounts: (accounts, accounts + i64::from(ACCOUNTS) - 1),
            messages: (messages, messages + i64::from(MESSAGES) - 1),
        }
    }

    /// Gives the store back.
    pub fn into_store(self) -> Box<dyn StoreSide> {
        self.store
    }

    /// Lets go of everything after a replay that was not finished.
    pub fn abandon(&mut self) {
        self.flights.clear();
        let closed = self.store.close();
        self.note(closed);
        if let Some(lock) = &mut self.lock {
            lock.close();
        }
    }

    fn base(&self) -> u32 {
        self.number * MESSAGES
    }

    fn first_account(&self) -> u32 {
        self.number * u32::from(ACCOUNTS)
    }

    /// An account as the machine knows it; one of another replay is none that a request asks for.
    fn as_modelled(&self, account: AccountId) -> AccountId {
        AccountId(account.0.wrapping_sub(self.first_account()))
    }

    fn delivery(&self, lane: u8, attempt: u8) -> Delivery {
        crate::explore::delivery_of(self.requests, lane, attempt)
    }

    /// Keeps the first trouble.
    fn note<T>(&mut self, result: Result<T, BackendError>) -> Option<T> {
        match result {
            Ok(it) => Some(it),
            Err(error) => {
                self.trouble.get_or_insert(error);
                None
            }
        }
    }

    fn really(&self, lease: LeaseId) -> Option<LeaseId> {
        self.leases.iter().find(|(name, _)| *name == lease).map(|(_, real)| *real)
    }

    fn name_of(&self, real: LeaseId) -> Option<LeaseId> {
        self.leases.iter().find(|(_, its)| *its == real).map(|(name, _)| *name)
    }

    /// An operation as the servers know it.
    fn translated(&self, op: Op) -> Op {
        // Whatever a strategy asks for is translated: what there is not in the model, there is not on the server.
        op.map_ids(&mut |kind, id| match kind {
            IdKind::Message => (i64::from(self.base()) + id) & i64::from(u32::MAX),
            IdKind::Account if id < i64::from(ACCOUNTS) => i64::from(self.first_account()) + id,
            IdKind::Account => u32::MAX.into(),
            // One that was never granted is known to nobody.
            IdKind::Asked => self.really(LeaseId(id)).map_or(i64::MAX - id, |lease| lease.0),
            IdKind::Ranked => {
                let known = self.tokens.iter().rev().find(|(number, _)| *number == id);
                known.map_or(id, |(_, real)| *real)
            }
        })
    }

    /// The number of a token: the model's, if the token has the place among the others that it has in the model.
    ///
    /// A token is the revision of the whole lock service, which others raise too: two that are the same in the model may
    /// differ.
    fn number_of(&mut self, real: i64) -> i64 {
        let known = self.tokens.iter().find(|(_, its)| *its == real).map(|(number, _)| *number);
        let next = || self.tokens.iter().map(|(number, _)| number + 1).max().unwrap_or(1);
        let number = self.expected_token.or(known).unwrap_or_else(next);
        let in_order = |(other, its): &(i64, i64)| match other.cmp(&number) {
            std::cmp::Ordering::Less => *its < real,
            std::cmp::Ordering::Equal => true,
            std::cmp::Ordering::Greater => *its > real,
        };
        let number = if self.tokens.iter().all(in_order) { number } else { CONTRADICTION };
        self.tokens.push((number, real));
        number
    }

    /// An outcome of the lock service's as the model would name it.
    fn as_named(&mut self, outcome: Outcome) -> Outcome {
        let Outcome::Ok(response) = outcome else { return outcome };
        Outcome::Ok(response.map_ids(&mut |kind, id| match kind {
            IdKind::Ranked => {
                self.remarks.push(format!("revision {id}"));
                self.number_of(id)
            }
            IdKind::Asked | IdKind::Message | IdKind::Account => id,
        }))
    }

    fn lock_is_alive(&mut self, lease: LeaseId) -> bool {
        let Some(real) = self.really(lease) else { return false };
        let Some(lock) = &mut self.lock else { return false };
        let alive = lock.is_alive(real);
        self.note(alive).unwrap_or(false)
    }

    /// The leases in the queue of this replay's lock, the holder's first; none if the lock service is gone.
    fn lock_queue(&mut self) -> Option<Vec<LeaseId>> {
        let (_, account) = self.place();
        let Some(lock) = &mut self.lock else { unreachable!("a strategy that needs a lock service has one") };
        let asked = lock.queue(account);
        self.note(asked)
    }

    /// Asks for a lock, if nobody is in the way.
    fn acquire(&mut self, via: Session, op: Op) -> Result<Outcome, Waits> {
        let lease = LeaseId(op.asked().expect("whoever queues has a lease"));
        let Some(queue) = self.lock_queue() else { return Ok(Outcome::Unknown) };
        let own = self.really(lease);
        let ahead: Vec<LeaseId> = queue.into_iter().take_while(|lease| Some(*lease) != own).collect();
        // Whoever has no lease does not queue: etcd says so at once.
        if !ahead.is_empty() && self.lock_is_alive(lease) {
            let named = ahead.into_iter().map(|lease| Timer(self.name_of(lease).unwrap_or(lease).0)).collect();
            self.ahead = named;
            return Err(Waits::ForTimers);
        }
        let outcome = self.call_lock(via, op);
        Ok(self.as_named(outcome))
    }

    fn call_store(&mut self, on: Session, op: Op, by: Asker) -> Result<Outcome, Waits> {
        let loses_reply = std::mem::take(&mut self.loses_reply);
        let real = self.translated(op);
        let lands = self.flights.iter().any(|flight| flight.session == on);
        let ran =
            if lands { self.store.land(on, real, by.by) } else { self.store.execute(on, real, by.by, loses_reply) };
        self.remarks.extend(self.store.name_of(on));
        match self.note(ran) {
            Some(Ran::Came(outcome)) => Ok(outcome),
            Some(Ran::Unheard) | None => Ok(Outcome::Unknown),
            // Whom it waits for is for nobody to know here.
            Some(Ran::Waits) => Err(Waits::For(Sessions::NONE)),
        }
    }

    /// Sends an operation to the lock service, over a lane's connection or from where it was held.
    fn call_lock(&mut self, via: Session, op: Op) -> Outcome {
        let real = self.translated(op);
        let loses_reply = std::mem::take(&mut self.loses_reply);
        let lands = self.flights.iter().any(|flight| flight.session == via);
        if self.trouble.is_some() {
            return Outcome::Unknown;
        }
        let Some(lock) = &mut self.lock else { unreachable!("a strategy that needs a lock service has one") };
        let ran = if lands { lock.land(via) } else { lock.execute(via, real, loses_reply) };
        match self.note(ran) {
            Some(Ran::Came(outcome)) => outcome,
            Some(Ran::Unheard) | None => Outcome::Unknown,
            Some(Ran::Waits) => {
                self.trouble = Some(BackendError {
                    backend: "etcd",
                    what: format!("`{op}` waits although nobody is in the way"),
                    remedy: None,
                });
                Outcome::Unknown
            }
        }
    }
}

impl Environment for Gate {
    fn call(&mut self, on: Session, op: Op, by: Asker) -> Result<Outcome, Waits> {
        if self.trouble.is_some() {
            self.loses_reply = false;
            return Ok(Outcome::Unknown);
        }
        if op.leg() != Leg::Lock {
            return self.call_store(on, op, by);
        }
        if op.acts().any(Acts::QUEUES) {
            return self.acquire(on, op);
        }
        let outcome = self.call_lock(on, op);
        let Outcome::Ok(response) = outcome else { return Ok(outcome) };
        if let Some(real) = response.asked() {
            self.leases.push((LeaseId(by.id), LeaseId(real)));
            self.remarks.push(format!("lease {real:x}"));
        }
        Ok(Outcome::Ok(response.map_ids(&mut |kind, id| if kind == IdKind::Asked { by.id } else { id })))
    }

    fn timers_ahead(&mut self, _: Op) -> Vec<Timer> {
        self.ahead.clone()
    }

    fn cut(&mut self, _: Leg, on: Session) {
        let cut = self.store.cut(on);
        self.note(cut);
    }

    /// What was held has taken its connection along already.
    fn move_session(&mut self, _: Leg, _: Session, _: Session) {}

    fn victim(&mut self, leg: Leg, _: Session) -> Outcome {
        if leg == Leg::Lock {
            return Outcome::Unknown;
        }
        self.trouble.get_or_insert(BackendError {
            backend: "replay",
            what: "the schedule makes a transaction the victim of a deadlock, and which one it is the server decides"
                .to_owned(),
            remedy: Some("replay a schedule that ends before the deadlock".to_owned()),
        });
        Outcome::Failed(Failure::Deadlock)
    }

    fn timer(&mut self, of: Holder) -> Option<Timer> {
        let asked = self.leases.iter().map(|(name, _)| name.0);
        let mut own: Vec<i64> =
            asked.filter(|id| (asker_of(*id).0, asker_of(*id).1) == (of.lane, of.attempt)).collect();
        own.sort_unstable();
        own.into_iter().rev().find(|id| self.lock_is_alive(LeaseId(*id))).map(Timer)
    }

    fn fire(&mut self, Timer(id): Timer) {
        // A lease of which nobody heard can have no key either.
        let Some(real) = self.really(LeaseId(id)) else { return };
        let others: Vec<LeaseId> = self.leases.iter().map(|(_, its)| *its).filter(|its| *its != real).collect();
        let Some(lock) = &mut self.lock else { return };
        let expired = lock.expire(real, &others);
        self.note(expired);
        self.remarks.push(format!("lease {:x}", real.0));
    }

    fn queue(&mut self, via: Session, op: Op) -> bool {
        // Whoever has no lease does not queue.
        if op.asked().is_none_or(|lease| self.really(LeaseId(lease)).is_none()) {
            return false;
        }
        let Some(ahead) = self.lock_queue() else { return false };
        if ahead.is_empty() {
            return false;
        }
        self.queued.retain(|(session, _)| *session != via);
        self.queued.push((via, ahead));
        let real = self.translated(op);
        let Some(lock) = &mut self.lock else { return false };
        let queued = lock.queue_up(via, real);
        self.note(queued).is_some()
    }

    fn take_turn(&mut self, via: Session, _: Op) -> Result<Outcome, Waits> {
        let before: Vec<LeaseId> =
            self.queued.iter().filter(|(session, _)| *session == via).flat_map(|(_, ahead)| ahead.clone()).collect();
        let Some(queue) = self.lock_queue() else { return Ok(Outcome::Unknown) };
        if queue.into_iter().any(|lease| before.contains(&lease)) {
            return Err(Waits::ForTimers);
        }
        let Some(lock) = &mut self.lock else { return Ok(Outcome::Unknown) };
        let ran = lock.take_turn(via);
        match self.note(ran) {
            Some(Ran::Came(outcome)) => Ok(self.as_named(outcome)),
            Some(Ran::Unheard | Ran::Waits) | None => Ok(Outcome::Unknown),
        }
    }

    fn lose_request(&mut self, via: Session, op: Op, by: Asker) {
        if self.trouble.is_some() {
            return;
        }
        let real = self.translated(op);
        let lost = match (op.leg(), &mut self.lock) {
            (Leg::Lock, Some(lock)) => lock.lose_request(via, real),
            (Leg::Lock, None) | (Leg::Store | Leg::Client, _) => self.store.lose_request(via, real, by.by),
        };
        self.note(lost);
    }

    fn lose_next_reply(&mut self) {
        self.loses_reply = true;
    }

    fn crash(&mut self, lane: u8) {
        let cut = self.store.cut(Session(lane));
        self.note(cut);
        if let Some(lock) = &mut self.lock {
            lock.cut(Session(lane));
        }
    }

    fn flights(&self) -> &[Flight] {
        &self.flights
    }

    fn add_flight(&mut self, flight: Flight) {
        if self.trouble.is_none() {
            let by = self.delivery(flight.lane, flight.attempt);
            let (on, real) = (Session(flight.lane), self.translated(flight.op));
            let held = match (flight.op.leg(), &mut self.lock) {
                (Leg::Lock, Some(lock)) => lock.hold(on, flight.session, real),
                (Leg::Lock, None) | (Leg::Store | Leg::Client, _) => self.store.hold(on, flight.session, real, by),
            };
            self.note(held);
        }
        self.flights.push(flight);
    }

    fn remove_flight(&mut self, at: usize) {
        let flight = self.flights.remove(at);
        if let (Leg::Lock, Some(lock)) = (flight.op.leg(), &mut self.lock) {
            lock.cut(flight.session);
        }
    }

    fn time_passes(&mut self, waiting: bool) {
        self.waits += u64::from(waiting);
        self.expired += u64::from(!waiting);
    }

    // The history tells.
    fn overlap(&mut self, _: u8) {}
}

impl Grounds for Gate {
    const IS_REAL: bool = true;

    fn begin_again(&mut self, _: Flaws) {
        self.number += 1;
        self.flights.clear();
        self.leases.clear();
        self.tokens.clear();
        self.queued.clear();
        self.expected_token = None;
        self.loses_reply = false;
        (self.expired, self.waits) = (0, 0);
        self.remarks.clear();
        if self.trouble.is_none() && (self.always_resets || self.number % REPLAYS == 1) {
            let replays = if self.always_resets { 1 } else { REPLAYS };
            let reset = self.store.reset(self.first_account(), replays * u32::from(ACCOUNTS));
            self.note(reset);
        }
    }

    fn expired(&self) -> u64 {
        self.expired
    }

    fn waits(&self) -> u64 {
        self.waits
    }

    /// As the model would have it: with the messages, the account and the tokens as the machine knows them.
    fn take_ledger(&mut self) -> Vec<Entry> {
        let (first, _) = self.place();
        if self.trouble.is_some() {
            return Vec::new();
        }
        let read = self.store.ledger(&self.scope());
        let entries = self.note(read).unwrap_or_default();
        let numbered = entries.into_iter().zip(1..).map(|(entry, number)| {
            let number_of = |token: Token| {
                let known = self.tokens.iter().find(|(_, real)| *real == token.0.get());
                Token(known.and_then(|(number, _)| NonZeroI64::new(*number)).unwrap_or(token.0))
            };
            Entry {
                number,
                message: MessageId(entry.message.0.wrapping_sub(first.0)),
                account: self.as_modelled(entry.account),
                token: entry.token.map(number_of),
                ..entry
            }
        });
        numbered.collect()
    }

    fn balances(&mut self) -> Balances {
        if self.trouble.is_some() {
            return Vec::new();
        }
        let read = self.store.balances(&self.scope());
        let balances = self.note(read).unwrap_or_default();
        balances.into_iter().map(|(account, balance)| (self.as_modelled(account), balance)).collect()
    }
}
