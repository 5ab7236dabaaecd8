//! The services as automata: their states by number, and what each operation leads to, worked out once.
//!
//! The semantics are the models'. An exploration comes to the same few states of each service again and again, in ever new
//! combinations; so each state is kept once, and each combination of them is one number, whatever the number of services. A step
//! looks up what it leads to: from a combination, or else from the state of the service that it asks.

mod views;

use std::hash::Hash;

use indexmap::IndexSet;
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::service::contract::{asked_id, asker_of};
use crate::service::modelled::{Asker, Heir, Holder, Model, OutOfSight, Party, Timer, Waits};
use crate::service::{AnyModel, HasIds, IdKind};
use crate::strategy::Need;
use crate::terms::{ByRole, Delivery, Entry, Request, Role, Session, Sessions};
use crate::world::{Acts, AnyOp, Op, OpKind, Outcome};

use super::Flaws;
use super::bound::Bound;
use super::environment::{Environment, Flight};
use super::model_environment::models;
use super::observations::{Seen, SeenEffect, Sight};
use super::schedule::Fate;
use views::Sighted;
pub(super) use views::{Names, rank_among};

/// What comes of what is no operation.
const NOTHING_HEARD: Outcome = Outcome::Unknown;

/// The number of a state where there is no service.
const NO_SERVICE: u32 = u32::MAX;

type Numbered<T> = IndexSet<T, FxBuildHasher>;

/// What is done to a service, in which role and over which connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct ServiceCall {
    role: Role,
    on: Session,
    what: CallKind,
}

/// What is done to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum CallKind {
    /// An operation, with the id that whatever it makes will bear.
    Op(AnyOp, i64),
    /// An operation that begins and waits.
    Queue(AnyOp),
    TakeTurn,
    Cut,
    Victim,
    MoveTo(Session),
    Fire(Timer),
    Settle,
}

/// The combinations of states that look like one, and where a party is as it is in another.
type Adopted = Result<Vec<u32>, OutOfSight>;

/// What a call leads to: from the state of one service, or from a combination of states.
#[derive(Clone, Copy)]
struct MemoStep {
    next: u32,
    outcome: Result<Outcome, Waits>,
    /// The effects that it committed, by number; 0 is none.
    committed: u32,
    /// The timers that it has to wait for, by number; 0 is none.
    ahead: u32,
}

/// Every state that an exploration has come to, by component.
pub(super) struct Memo {
    pub bound: Bound,
    requests: Vec<Request>,
    flaws: Flaws,
    /// Whether ranked ids matter. If they do not, neither does what they are counted by.
    pub tokens: bool,
    /// An operation with a ranked id was made although they do not matter: the exploration must begin again.
    pub tokens_needed: bool,
    /// An operation that a server lets wait with a snapshot of its own, if one was made: what follows is not modelled.
    pub waits_unmodelled: Option<OpKind>,
    /// The states of services, in whatever role.
    states: Numbered<AnyModel>,
    /// The combinations of states; the first one is the beginning.
    services: Numbered<ByRole<u32>>,
    flights: Numbered<Vec<Flight>>,
    seen: Numbered<Seen>,
    calls: Numbered<ServiceCall>,
    sights: Numbered<Sight>,
    committed: Vec<Vec<Entry>>,
    ahead: Vec<Vec<Timer>>,
    /// The timers that the last operation has to wait for, by number.
    last_ahead: u32,
    steps: FxHashMap<u64, MemoStep>,
    state_steps: FxHashMap<u64, MemoStep>,
    sight_steps: FxHashMap<u64, u32>,
    permuted: FxHashMap<(u8, u32, u32), u32>,
    sighted: FxHashMap<Sighted, Result<u32, OutOfSight>>,
    named: FxHashMap<(u32, u8), bool>,
    ranked: FxHashMap<u32, Vec<i64>>,
    adopted: FxHashMap<(u32, u32, Party, Heir), Adopted>,
    /// The effects that the last operation committed, by number.
    pub last_committed: u32,
    /// What has been seen after effects were committed, and after a strategy has replied.
    after_effects: FxHashMap<u64, u32>,
    after_replies: FxHashMap<u64, u32>,
}

fn number<T: Hash + Eq>(of: &mut Numbered<T>, it: T) -> u32 {
    u32::try_from(of.insert_full(it).0).expect("there are fewer than 2^32 states")
}

impl Memo {
    /// A memo that knows of the beginning only: every component's state there is number 0.
    pub fn new(bound: Bound, flaws: Flaws, needs: &[Need], tokens: bool) -> Self {
        let mut states = Numbered::default();
        let beginning = ByRole(models(&bound, flaws, needs).0.map(|model| match model {
            Some(model) => number(&mut states, if tokens { model } else { model.without_ranks() }),
            None => NO_SERVICE,
        }));
        Memo {
            bound,
            requests: bound.all_requests(),
            flaws,
            tokens,
            tokens_needed: false,
            waits_unmodelled: None,
            states,
            services: [beginning].into_iter().collect(),
            flights: [Vec::new()].into_iter().collect(),
            seen: [Seen::new(bound.requests.max(1))].into_iter().collect(),
            calls: Numbered::default(),
            sights: Numbered::default(),
            committed: vec![Vec::new()],
            ahead: vec![Vec::new()],
            last_ahead: 0,
            steps: FxHashMap::default(),
            state_steps: FxHashMap::default(),
            sight_steps: FxHashMap::default(),
            permuted: FxHashMap::default(),
            sighted: FxHashMap::default(),
            named: FxHashMap::default(),
            ranked: FxHashMap::default(),
            adopted: FxHashMap::default(),
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
            let Entry { role, message, account, amount, balance, token, .. } = self.committed[committed as usize][n];
            let effect = SeenEffect { role, message, account, amount, balance, token };
            after = self.see(after, Sight::SeenEffect(effect));
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

    /// Roughly how many bytes the states and steps take.
    pub fn bytes(&self) -> usize {
        self.states.len() * 768
            + self.services.len() * 32
            + self.seen.len() * 128
            + (self.steps.len() + self.state_steps.len()) * 64
            + (self.sight_steps.len() + self.permuted.len()) * 40
    }

    /// What a call leads to from a combination of states.
    #[inline]
    fn step(&mut self, services: u32, call: ServiceCall) -> MemoStep {
        let call_number = number(&mut self.calls, call);
        let key = u64::from(services) << 32 | u64::from(call_number);
        match self.steps.get(&key) {
            Some(step) => *step,
            None => self.learn_step(services, call, call_number),
        }
    }

    #[cold]
    fn learn_step(&mut self, services: u32, call: ServiceCall, call_number: u32) -> MemoStep {
        let mut combination = self.services[services as usize];
        let step = self.state_step(combination[call.role], call, call_number);
        combination[call.role] = step.next;
        let step = MemoStep { next: number(&mut self.services, combination), ..step };
        self.steps.insert(u64::from(services) << 32 | u64::from(call_number), step);
        step
    }

    /// What a call leads to from the state of the service that it asks.
    fn state_step(&mut self, state: u32, call: ServiceCall, call_number: u32) -> MemoStep {
        let key = u64::from(state) << 32 | u64::from(call_number);
        if let Some(step) = self.state_steps.get(&key) {
            return *step;
        }
        let mut after = self.states[state as usize].clone();
        let mut ledger = Vec::new();
        let mut ahead = 0;
        let outcome = match call.what {
            // Who did it matters to causes, and not to what can happen.
            CallKind::Op(op, id) => {
                let outcome =
                    after.call(call.on, &op, &Asker { by: Delivery::FIRST, role: call.role, id }, &mut ledger);
                if outcome == Err(Waits::ForTimers) {
                    self.ahead.push(after.timers_ahead(op));
                    ahead = last_place(&self.ahead);
                }
                if matches!(outcome, Err(Waits::WithSnapshot(_))) && !self.bound.kinds.contains(Fate::Queues) {
                    self.waits_unmodelled.get_or_insert(Op { role: call.role, of: op }.kind());
                }
                outcome.map(|outcome| self.without_ranks(outcome))
            }
            CallKind::Queue(op) => {
                let by = Asker { by: Delivery::FIRST, role: call.role, id: 0 };
                if after.queue(call.on, op, &by) { Ok(NOTHING_HEARD) } else { Err(Waits::For(Sessions::NONE)) }
            }
            CallKind::TakeTurn => after.take_turn(call.on).map(|outcome| self.without_ranks(outcome)),
            CallKind::Victim => Ok(after.victim(call.on)),
            CallKind::Cut => {
                after.cut(call.on);
                Ok(NOTHING_HEARD)
            }
            CallKind::MoveTo(to) => {
                after.rename(&|session| if session == call.on { to } else { session }, &mut |_, id| id);
                Ok(NOTHING_HEARD)
            }
            CallKind::Fire(timer) => {
                after.fire(timer);
                Ok(NOTHING_HEARD)
            }
            CallKind::Settle => {
                after.settle();
                Ok(NOTHING_HEARD)
            }
        };
        let after = if self.tokens { after } else { after.without_ranks() };
        let next = if outcome.is_ok() { number(&mut self.states, after) } else { state };
        let committed = if ledger.is_empty() {
            0
        } else {
            self.committed.push(ledger);
            last_place(&self.committed)
        };
        let step = MemoStep { next, outcome, committed, ahead };
        self.state_steps.insert(key, step);
        step
    }

    /// An outcome whose ranked ids say nothing, where they do not matter.
    fn without_ranks(&self, outcome: Outcome) -> Outcome {
        if self.tokens {
            return outcome;
        }
        let unranked = |kind, id| if kind == IdKind::Ranked { 1 } else { id };
        outcome.map(|response| response.map_ids(&mut { unranked }))
    }

    /// The components' states with the lanes under other names. `to` gives each lane's new place; `code` stands for it.
    pub fn permute(&mut self, at: MemoPlace, code: u32, to: impl Fn(u8) -> u8) -> MemoPlace {
        let mut rename = |kind: IdKind, id: i64| match kind {
            IdKind::Asked => {
                let (lane, attempt, number) = asker_of(id);
                asked_id(to(lane), attempt, number)
            }
            IdKind::Ranked | IdKind::Message | IdKind::Account | IdKind::Client => id,
        };
        let services = self.permute_one(0, at.services, code, |memo| {
            let lanes = memo.bound.lanes;
            let session = |session: Session| if session.0 < lanes { Session(to(session.0)) } else { session };
            let mut combination = memo.services[at.services as usize];
            for (_, state) in combination.iter_mut() {
                if *state == NO_SERVICE || !memo.states[*state as usize].has_names() {
                    continue;
                }
                let of = *state;
                *state = memo.permute_one(2, of, code, |memo| {
                    let mut renamed = memo.states[of as usize].clone();
                    renamed.rename(&session, &mut rename);
                    number(&mut memo.states, renamed)
                });
            }
            number(&mut memo.services, combination)
        });
        let flights = self.permute_one(1, at.flights, code, |memo| {
            let mut renamed = memo.flights[at.flights as usize].clone();
            for flight in &mut renamed {
                flight.lane = to(flight.lane);
                flight.op = flight.op.map_ids(&mut rename);
            }
            number(&mut memo.flights, renamed)
        });
        MemoPlace { services, flights, ..at }
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

/// The number of the last one.
fn last_place<T>(of: &[T]) -> u32 {
    u32::try_from(of.len() - 1).expect("there are fewer than 2^32")
}

/// Where the services stand, by number, and what has been seen so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct MemoPlace {
    pub services: u32,
    pub flights: u32,
    pub seen: u32,
}

/// An environment over the memo.
pub(super) struct Cursor<'t> {
    pub memo: &'t mut Memo,
    pub at: MemoPlace,
}

impl Cursor<'_> {
    /// Whether there is a service in a role.
    pub fn has_service(&self, role: Role) -> bool {
        self.memo.services[self.at.services as usize][role] != NO_SERVICE
    }

    fn make(&mut self, role: Role, on: Session, what: CallKind) -> Outcome {
        let step = self.memo.step(self.at.services, ServiceCall { role, on, what });
        self.at.services = step.next;
        step.outcome.unwrap_or(NOTHING_HEARD)
    }

    fn set_flights(&mut self, flights: Vec<Flight>) {
        self.at.flights = number(&mut self.memo.flights, flights);
    }
}

impl Environment for Cursor<'_> {
    #[inline]
    fn call(&mut self, on: Session, op: &Op, by: Asker) -> Result<Outcome, Waits> {
        if !self.memo.tokens && op.has_ranked() {
            self.memo.tokens_needed = true;
        }
        let id = if op.acts().any(Acts::LEASES.and(Acts::SIGNS)) { by.id } else { 0 };
        let step = self.memo.step(self.at.services, ServiceCall { role: op.role, on, what: CallKind::Op(op.of, id) });
        self.memo.last_ahead = step.ahead;
        let outcome = step.outcome?;
        self.at.services = step.next;
        self.memo.last_committed = step.committed;
        self.at.seen = self.memo.see_effects(self.at.seen, step.committed);
        Ok(outcome)
    }

    fn timers_ahead(&mut self, _: Op) -> Vec<Timer> {
        self.memo.ahead[self.memo.last_ahead as usize].clone()
    }

    fn cut(&mut self, role: Role, on: Session) {
        self.make(role, on, CallKind::Cut);
    }

    fn move_session(&mut self, role: Role, from: Session, to: Session) {
        self.make(role, from, CallKind::MoveTo(to));
    }

    fn victim(&mut self, role: Role, on: Session) -> Outcome {
        self.make(role, on, CallKind::Victim)
    }

    fn timer(&mut self, of: Holder) -> Option<(Role, Timer)> {
        let combination = self.memo.services[self.at.services as usize];
        let states = combination.iter().filter(|(_, state)| **state != NO_SERVICE);
        let running = states.filter_map(|(role, state)| Some((role, self.memo.states[*state as usize].timer(of)?)));
        running.max_by_key(|(_, timer)| *timer)
    }

    fn fire(&mut self, role: Role, timer: Timer) {
        if !self.memo.flaws.no_expiry {
            self.make(role, Session(0), CallKind::Fire(timer));
        }
    }

    fn settle(&mut self) {
        if self.memo.flaws.no_expiry {
            return;
        }
        for role in Role::ALL {
            if self.memo.services[self.at.services as usize][role] != NO_SERVICE {
                self.make(role, Session(0), CallKind::Settle);
            }
        }
    }

    fn queue(&mut self, on: Session, op: Op, _: Asker) -> bool {
        let step = self.memo.step(self.at.services, ServiceCall { role: op.role, on, what: CallKind::Queue(op.of) });
        self.at.services = step.next;
        step.outcome.is_ok()
    }

    fn take_turn(&mut self, on: Session, op: Op) -> Result<Outcome, Waits> {
        let step = self.memo.step(self.at.services, ServiceCall { role: op.role, on, what: CallKind::TakeTurn });
        self.at.services = step.next;
        step.outcome
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
        let request = self.memo.bound.request_of(lane);
        self.at.seen = self.memo.see(self.at.seen, Sight::Overlap { request });
    }
}
