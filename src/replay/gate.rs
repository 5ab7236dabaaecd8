//! The gate: the environment in which a schedule's steps are made on real backends, one at a time.
//!
//! The rules of a step are the explorer's own ([`Rules`](crate::explore::rules)); where the explorer asks its model, the
//! gate asks the servers. Each replay has messages, an account and a lock of its own, so that what one leaves behind is in
//! nobody's way, and the tables need not be emptied in between: operations are translated on their way.

mod names;

use std::num::NonZeroI64;

use crate::explore::environment::{Environment, Flight};
use crate::explore::execution::Grounds;
use crate::explore::{ACCOUNTS, Bound};
use crate::service::contract::asker_of;
use crate::service::modelled::{Asker, Holder, Timer, Waits};
use crate::service::replayed::{Kept, Ran, ReplayDriver};
use crate::service::{BackendError, HasIds, IdKind, Scope};
use crate::terms::{AccountId, Balances, ByRole, Entry, Failure, Ledgers, MessageId, Role, Session, Sessions, Token};
use crate::world::{Acts, Op, Outcome};

/// How many replays there are between two times that the tables are emptied.
const REPLAYS: u32 = 64;

/// How many messages a replay may have.
const MESSAGES: u32 = 8;

/// The highest number of a token: what contradicts the order of the others.
const CONTRADICTION: i64 = 255;

/// The environment of real backends.
pub(crate) struct Gate {
    drivers: ByRole<Option<Box<dyn ReplayDriver>>>,
    /// Which delivery of which request each attempt of a lane is.
    bound: Bound,
    /// How many replays there were.
    number: u32,
    /// Whether every replay begins with empty tables.
    always_resets: bool,
    flights: Vec<Flight>,
    /// What was asked for in this replay, e.g. leases.
    asked: Vec<AskedThing>,
    /// The tokens of this replay, by the numbers that the machine has for them.
    tokens: Vec<(i64, i64)>,
    /// The number that the next token has in the model, if one is followed.
    expected_token: Option<i64>,
    /// The timers that the last operation has to wait for.
    ahead: Vec<Timer>,
    /// By connection that waits in a queue: the ids of what was there before.
    queued: Vec<(Session, Vec<i64>)>,
    loses_reply: bool,
    expired: u64,
    waits: u64,
    trouble: Option<BackendError>,
    /// What the servers said of the last step that the machine has no words for.
    remarks: Vec<String>,
}

/// Something that was asked for: in which role, by which name in the schedule, and by which id on the server.
#[derive(Debug, Clone, Copy)]
struct AskedThing {
    role: Role,
    name: i64,
    real: i64,
}

impl Gate {
    /// A gate before these services.
    pub fn new(drivers: ByRole<Option<Box<dyn ReplayDriver>>>, bound: Bound, always_resets: bool) -> Self {
        Gate {
            drivers,
            bound,
            number: 0,
            always_resets,
            flights: Vec::new(),
            asked: Vec::new(),
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

    /// The effects of this replay, as they stand in the stores.
    ///
    /// # Errors
    /// [`BackendError`] if a store is gone.
    pub fn rows(&mut self) -> Result<Ledgers, BackendError> {
        let scope = self.scope();
        let mut ledgers = Ledgers::default();
        for (role, driver) in self.drivers.iter_mut() {
            if let Some(driver) = driver {
                ledgers[role] = driver.ledger(&scope)?;
            }
        }
        Ok(ledgers)
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

    /// Lets what is in the services stay, in this folder if it is a file. Says where the first of them has left it.
    ///
    /// # Errors
    /// [`BackendError`] if it cannot stay.
    pub fn keep(self, folder: &std::path::Path) -> Result<Option<Kept>, BackendError> {
        let mut kept = None;
        for driver in self.drivers.0.into_iter().flatten() {
            let its = driver.keep(folder)?;
            kept = kept.or(its);
        }
        Ok(kept)
    }

    /// Lets go of everything after a replay that was not finished.
    pub fn abandon(&mut self) {
        self.flights.clear();
        for role in Role::ALL {
            let closed = self.drivers[role].as_mut().map_or(Ok(()), |driver| driver.close());
            self.note(closed);
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

    /// A ledger's entries as the machine knows them.
    fn as_modelled_entries(&self, entries: &[Entry]) -> Vec<Entry> {
        let (first, _) = self.place();
        let number_of = |token: Token| {
            let known = self.tokens.iter().find(|(_, real)| *real == token.0.get());
            Token(known.and_then(|(number, _)| NonZeroI64::new(*number)).unwrap_or(token.0))
        };
        let numbered = entries.iter().zip(1..).map(|(entry, number)| Entry {
            number,
            message: MessageId(entry.message.0.wrapping_sub(first.0)),
            account: self.as_modelled(entry.account),
            token: entry.token.map(number_of),
            ..*entry
        });
        numbered.collect()
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

    fn driver(&mut self, role: Role) -> &mut dyn ReplayDriver {
        self.drivers[role].as_mut().expect("an attempt asks only the services that its strategy needs").as_mut()
    }

    fn is_alive(&mut self, name: i64) -> bool {
        let Some(AskedThing { role, real, .. }) = self.asked(name) else { return false };
        let alive = self.driver(role).is_alive(real);
        self.note(alive).unwrap_or(false)
    }

    /// The ids of what an operation would have to wait for; none if the server is gone.
    fn ahead(&mut self, op: Op) -> Option<Vec<i64>> {
        let real = self.translated(op);
        let asked = self.driver(op.role).ahead(real.of);
        self.note(asked)
    }

    /// Sends an operation to its service, over a lane's connection or from where it was held.
    fn send(&mut self, on: Session, op: Op, by: Asker) -> Result<Outcome, Waits> {
        let real = self.translated(op);
        let loses_reply = std::mem::take(&mut self.loses_reply);
        let lands = self.flights.iter().any(|flight| flight.session == on);
        if self.trouble.is_some() {
            return Ok(Outcome::Unknown);
        }
        let driver = self.driver(op.role);
        let ran = if lands { driver.land(on, real.of, by.by) } else { driver.execute(on, real.of, by.by, loses_reply) };
        let name = driver.name_of(on);
        self.remarks.extend(name);
        match self.note(ran) {
            Some(Ran::Came(outcome)) => Ok(self.as_named(outcome)),
            Some(Ran::Unheard) | None => Ok(Outcome::Unknown),
            Some(Ran::Waits) if op.acts().any(Acts::QUEUES) => {
                self.trouble = Some(BackendError {
                    backend: "replay",
                    what: format!("`{op}` waits although nobody is in the way"),
                    remedy: None,
                });
                Ok(Outcome::Unknown)
            }
            // Whom it waits for is for nobody to know here.
            Some(Ran::Waits) => Err(Waits::For(Sessions::NONE)),
        }
    }
}

impl Environment for Gate {
    fn call(&mut self, on: Session, op: &Op, by: Asker) -> Result<Outcome, Waits> {
        let op = *op;
        if self.trouble.is_some() {
            self.loses_reply = false;
            return Ok(Outcome::Unknown);
        }
        if op.acts().any(Acts::QUEUES) {
            let Some(ahead) = self.ahead(op) else { return Ok(Outcome::Unknown) };
            // What was asked for and is gone does not queue: the server says so at once.
            if !ahead.is_empty() && op.asked().is_none_or(|name| self.is_alive(name)) {
                let name_of = |real: i64| self.asked.iter().find(|asked| asked.real == real).map(|asked| asked.name);
                self.ahead = ahead.into_iter().map(|real| Timer(name_of(real).unwrap_or(real))).collect();
                return Err(Waits::ForTimers);
            }
        }
        let outcome = self.send(on, op, by)?;
        let Outcome::Ok(response) = outcome else { return Ok(outcome) };
        if let Some(real) = response.asked() {
            self.asked.push(AskedThing { role: op.role, name: by.id, real });
            let is_producer = op.role == Role::BROKER;
            self.remarks.push(if is_producer { format!("producer {real}") } else { format!("lease {real:x}") });
        }
        Ok(Outcome::Ok(response.map_ids(&mut |kind, id| if kind == IdKind::Asked { by.id } else { id })))
    }

    fn timers_ahead(&mut self, _: Op) -> Vec<Timer> {
        self.ahead.clone()
    }

    fn cut(&mut self, role: Role, on: Session) {
        let cut = self.driver(role).cut(on);
        self.note(cut);
    }

    /// What was held has taken its connection along already.
    fn move_session(&mut self, _: Role, _: Session, _: Session) {}

    fn take_over(&mut self, role: Role, from: Session, to: Session) {
        self.driver(role).take_over(from, to);
    }

    fn victim(&mut self, role: Role, _: Session) -> Outcome {
        if let Some(outcome) = self.driver(role).victim() {
            return outcome;
        }
        self.trouble.get_or_insert(BackendError {
            backend: "replay",
            what: "the schedule makes a transaction the victim of a deadlock, and which one it is the server decides"
                .to_owned(),
            remedy: Some("replay a schedule that ends before the deadlock".to_owned()),
        });
        Outcome::Failed(Failure::Deadlock)
    }

    fn timer(&mut self, of: Holder) -> Option<(Role, Timer)> {
        let is_its = |asked: &&AskedThing| matches!(asker_of(asked.name), (lane, attempt, _) if (lane, attempt) == (of.lane, of.attempt));
        let mut own: Vec<(i64, Role)> =
            self.asked.iter().filter(is_its).map(|asked| (asked.name, asked.role)).collect();
        own.sort_unstable();
        let asked = own.into_iter().rev().find(|(name, _)| self.is_alive(*name));
        if let Some((name, role)) = asked {
            return Some((role, Timer(name)));
        }
        let message = i64::from(self.base() + of.message.0);
        Role::ALL.into_iter().find_map(|role| {
            let taken = self.drivers[role].as_mut().map_or(Ok(false), |driver| driver.is_taken(message));
            self.note(taken).unwrap_or(false).then(|| (role, Timer(of.message.0.into())))
        })
    }

    fn settle(&mut self) {
        if self.trouble.is_some() {
            return;
        }
        let base = i64::from(self.base());
        for role in Role::ALL {
            let ended = self.drivers[role]
                .as_mut()
                .map_or(Ok(()), |driver| driver.end_taking(base, base + i64::from(MESSAGES) - 1));
            self.note(ended);
        }
    }

    fn fire(&mut self, role: Role, Timer(name): Timer) {
        let asked = self.asked(name).filter(|asked| asked.role == role).map(|asked| asked.real);
        // Something that was made although nobody has heard of it bears the server's own name.
        let unheard = (name >= i64::from(MESSAGES)).then_some(name);
        let Some(real) = asked.or(unheard) else {
            let message = i64::from(self.base()) + name;
            let ended = self.driver(role).end_taking(message, message);
            self.note(ended);
            return;
        };
        let others: Vec<i64> = self.asked.iter().map(|asked| asked.real).filter(|its| *its != real).collect();
        let expired = self.driver(role).expire(real, &others);
        self.note(expired);
        self.remarks.push(format!("lease {real:x}"));
    }

    fn queue(&mut self, via: Session, op: Op, by: Asker) -> bool {
        if !op.acts().any(Acts::QUEUES) {
            let real = self.translated(op);
            let waits = self.driver(op.role).queue_up(via, real.of, by.by);
            return self.note(waits) == Some(true);
        }
        // What was never granted does not queue.
        if op.asked().is_none_or(|name| self.asked(name).is_none()) {
            return false;
        }
        let Some(ahead) = self.ahead(op) else { return false };
        if ahead.is_empty() {
            return false;
        }
        self.queued.retain(|(session, _)| *session != via);
        self.queued.push((via, ahead));
        let real = self.translated(op);
        let queued = self.driver(op.role).queue_up(via, real.of, by.by);
        self.note(queued) == Some(true)
    }

    fn take_turn(&mut self, via: Session, op: Op) -> Result<Outcome, Waits> {
        let before: Vec<i64> =
            self.queued.iter().filter(|(session, _)| *session == via).flat_map(|(_, ahead)| ahead.clone()).collect();
        let Some(queue) = self.ahead(op) else { return Ok(Outcome::Unknown) };
        if queue.into_iter().any(|id| before.contains(&id)) {
            return Err(Waits::ForTimers);
        }
        let ran = self.driver(op.role).take_turn(via);
        match self.note(ran) {
            Some(Ran::Came(outcome)) => Ok(self.as_named(outcome)),
            Some(Ran::Waits) => Err(Waits::For(Sessions::NONE)),
            Some(Ran::Unheard) | None => Ok(Outcome::Unknown),
        }
    }

    fn lose_request(&mut self, via: Session, op: Op, by: Asker) {
        if self.trouble.is_some() {
            return;
        }
        let real = self.translated(op);
        let lost = self.driver(op.role).lose_request(via, real.of, by.by);
        self.note(lost);
    }

    fn lose_next_reply(&mut self) {
        self.loses_reply = true;
    }

    fn crash(&mut self, lane: u8) {
        for role in Role::ALL {
            let cut = self.drivers[role].as_mut().map_or(Ok(()), |driver| driver.cut(Session(lane)));
            self.note(cut);
        }
    }

    fn flights(&self) -> &[Flight] {
        &self.flights
    }

    fn add_flight(&mut self, flight: Flight) {
        if self.trouble.is_none() {
            let by = self.bound.delivery(flight.lane, flight.attempt);
            let (on, real) = (Session(flight.lane), self.translated(flight.op));
            let held = self.driver(flight.op.role).hold(on, flight.session, real.of, by);
            self.note(held);
        }
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

impl Grounds for Gate {
    const IS_REAL: bool = true;

    fn begin_again(&mut self) {
        self.number += 1;
        self.flights.clear();
        self.asked.clear();
        self.tokens.clear();
        self.queued.clear();
        self.expected_token = None;
        self.loses_reply = false;
        (self.expired, self.waits) = (0, 0);
        self.remarks.clear();
        for role in Role::ALL {
            let begun = self.drivers[role].as_mut().map_or(Ok(()), |driver| driver.begin());
            self.note(begun);
        }
        if self.trouble.is_none() && (self.always_resets || self.number % REPLAYS == 1) {
            let replays = if self.always_resets { 1 } else { REPLAYS };
            let (first, accounts) = (self.first_account(), replays * u32::from(ACCOUNTS));
            for role in Role::ALL {
                let reset = self.drivers[role].as_mut().map_or(Ok(()), |driver| driver.reset(first, accounts));
                self.note(reset);
            }
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
        if self.trouble.is_some() {
            return Vec::new();
        }
        let read = self.rows();
        let ledgers = self.note(read).unwrap_or_default();
        Ledgers::new(|role| self.as_modelled_entries(&ledgers[role])).joined()
    }

    fn balances(&mut self) -> ByRole<Balances> {
        if self.trouble.is_some() {
            return ByRole::default();
        }
        let scope = self.scope();
        ByRole::new(|role| {
            let read = self.drivers[role].as_mut().map_or(Ok(Balances::default()), |driver| driver.balances(&scope));
            let balances = self.note(read).unwrap_or_default();
            balances.into_iter().map(|(account, balance)| (self.as_modelled(account), balance)).collect()
        })
    }
}
