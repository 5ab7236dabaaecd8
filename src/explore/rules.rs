//! One step of one lane: what its operation meets, what becomes of it, and what the lane learns.
//!
//! The rules are the same for every engine; an engine says only where the state of the backends is kept ([`Environment`]).

use crate::service::store::model::Waits;
use crate::terms::{AccountId, Failure, LeaseId, Leg, LockKey, MessageId, Reply, Session, Token, Trouble};
use crate::world::{Op, Outcome, Response};

use super::bound::{Bound, MAX_LANES};
use super::environment::{Acquired, Environment, Flight};
use super::schedule::{Fate, Step};

/// The lanes of a state. Lanes beyond the bound stay as they are.
pub(crate) type Lanes = [Lane; MAX_LANES as usize];

/// Where one lane stands. Small, since engines keep millions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Lane {
    /// Where its strategy stands in the automaton, for the engine that has one.
    pub node: u16,
    pub attempt: u8,
    pub flags: u8,
    /// The leases that were granted in this attempt, whether or not the strategy heard of it.
    pub leases: u8,
    /// The tokens that the strategy was given in this attempt.
    pub tokens: [u8; 3],
}

/// The client has its answer, or has stopped trying.
const ENDED: u8 = 1;
/// A transaction is open on the lane's connection.
const IN_TRANSACTION: u8 = 2;
/// The strategy believes that it is inside a critical section.
const INSIDE: u8 = 4;
/// The strategy was given a lease.
const LEASED: u8 = 8;
/// Its request for a lock waits in the lock service's queue.
const QUEUED: u8 = 16;

/// The leases and locks of one delivery are numbered below these.
const MAX_LEASES: u8 = 8;
const MAX_TOKENS: usize = 3;
/// The attempt that the fault-free retry is, after everything has settled.
pub(crate) const FINAL_ATTEMPT: u8 = 15;
/// Where the sessions of requests in flight begin.
const FLIGHTS: u8 = 16;

impl Lane {
    fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn set(&mut self, flag: u8, on: bool) {
        self.flags = if on { self.flags | flag } else { self.flags & !flag };
    }

    /// Whether it has nothing left to do.
    pub fn is_ended(self) -> bool {
        self.has(ENDED)
    }

    /// Whether a transaction is open on its connection.
    pub fn is_in_transaction(self) -> bool {
        self.has(IN_TRANSACTION)
    }

    /// Whether its strategy believes that it is inside a critical section.
    pub fn is_inside(self) -> bool {
        self.has(INSIDE)
    }

    fn tokens_given(self) -> usize {
        self.tokens.iter().take_while(|token| **token != 0).count()
    }

    /// The lane as a number, for hashing.
    pub fn bits(self) -> u64 {
        let [a, b, c] = self.tokens;
        let [low, high] = self.node.to_le_bytes();
        u64::from_le_bytes([low, high, self.attempt, self.flags, self.leases, a, b, c])
    }
}

/// What a step came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StepEffect {
    /// The strategy made its operation, and learns this.
    Made { learns: Outcome },
    /// The attempt is over; its operation was not made.
    Crashed,
    /// The lease is gone.
    Expired { lease: LeaseId },
    /// The strategy's operation waits in the lock service's queue.
    Queued,
    /// A request in flight has landed. In a box, since it is rare and large.
    Landed(Box<(Flight, Outcome)>),
}

/// The step cannot be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blocked {
    /// There is nothing that could meet this fate.
    Disabled,
    /// The operation has to wait.
    Waits,
    /// The strategy asks for more than the engines can tell apart: an error of the exploration.
    TooMany(&'static str),
}

/// The id of a lease by who asked for it: it does not depend on who asked first. Small, so that it is easy to read.
pub(crate) fn lease_id(lane: u8, attempt: u8, number: u8) -> LeaseId {
    LeaseId(1 + i64::from(number) + i64::from(MAX_LEASES) * (i64::from(attempt) + 16 * i64::from(lane)))
}

/// Who asked for a lease, and in which attempt.
pub(crate) fn owner(lease: LeaseId) -> (u8, u8, u8) {
    let number = u64::try_from(lease.0 - 1).unwrap_or(0);
    let part = |by: u64, of: u64| u8::try_from(number / by % of).unwrap_or(u8::MAX);
    (part(128, 256), part(8, 16), part(1, 8))
}

/// The same lease of another lane.
pub(super) fn of_lane(lease: LeaseId, lane: u8) -> LeaseId {
    let (_, attempt, number) = owner(lease);
    lease_id(lane, attempt, number)
}

/// A step about to be made: the rules, over a environment.
pub(crate) struct Rules<'s, S> {
    pub bound: &'s Bound,
    pub environment: &'s mut S,
    pub lanes: &'s mut Lanes,
    pub faults: &'s mut u8,
}

impl<S: Environment> Rules<'_, S> {
    /// Makes a step. `pending` is the operation that the lane's strategy is about to make, as the strategy knows it.
    pub fn step(&mut self, step: Step, pending: Option<Op>) -> Result<StepEffect, Blocked> {
        let Step { lane, fate } = step;
        if fate.is_fault() && (*self.faults >= self.bound.faults || !self.bound.kinds.contains(fate)) {
            return Err(Blocked::Disabled);
        }
        let effect = match (fate, pending) {
            (Fate::Lands, _) => return self.land(lane),
            (_, None) => return Err(Blocked::Disabled),
            (Fate::Queues, Some(local)) => return self.queue(lane, local),
            (Fate::Arrives | Fate::Expires, _) => self.go_on(lane, fate, pending)?,
            _ if self.lanes[usize::from(lane)].has(QUEUED) => return Err(Blocked::Disabled),
            _ => self.go_on(lane, fate, pending)?,
        };
        *self.faults += u8::from(fate.is_fault());
        Ok(effect)
    }

    /// Sends a request for a lock that must wait for others.
    fn queue(&mut self, lane: u8, local: Op) -> Result<StepEffect, Blocked> {
        let Op::Acquire(key) = self.globally(lane, local) else { return Err(Blocked::Disabled) };
        let may_be = self.bound.kinds.contains(Fate::Queues) && !self.lanes[usize::from(lane)].has(QUEUED);
        if !may_be || !self.environment.queue(Session(lane), key) {
            return Err(Blocked::Disabled);
        }
        self.lanes[usize::from(lane)].set(QUEUED, true);
        Ok(StepEffect::Queued)
    }

    fn go_on(&mut self, lane: u8, fate: Fate, pending: Option<Op>) -> Result<StepEffect, Blocked> {
        Ok(match (fate, pending) {
            (_, None) => return Err(Blocked::Disabled),
            (Fate::Expires, _) => {
                let me = self.lanes[usize::from(lane)];
                let lease = lease_id(lane, me.attempt, me.leases.saturating_sub(1));
                if !me.has(LEASED) || !self.environment.is_alive(lease) {
                    return Err(Blocked::Disabled);
                }
                self.environment.time_passes(false);
                self.environment.expire(lease);
                StepEffect::Expired { lease }
            }
            (Fate::Crashes, _) => {
                self.environment.crash(lane);
                StepEffect::Crashed
            }
            (_, Some(local)) => {
                let op = self.globally(lane, local);
                let learns = self.meet(lane, fate, op)?;
                StepEffect::Made { learns }
            }
        })
    }

    #[inline]
    fn meet(&mut self, lane: u8, fate: Fate, op: Op) -> Result<Outcome, Blocked> {
        // Whoever asks to leave has left, whatever becomes of the request.
        let outcome = match fate {
            Fate::RequestLost => {
                self.environment.lose_request(Session(lane), op, (lane, self.lanes[usize::from(lane)].attempt));
                Outcome::Unknown
            }
            Fate::TimesOut => {
                self.hold(lane, op);
                Outcome::Unknown
            }
            Fate::ReplyLost => {
                self.environment.lose_next_reply(Session(lane));
                self.execute(lane, op)?
            }
            _ => self.execute(lane, op)?,
        };
        let me = &mut self.lanes[usize::from(lane)];
        if matches!(op, Op::Release(_)) {
            me.set(INSIDE, false);
        }
        if fate != Fate::Arrives {
            self.disconnect(lane, op.leg());
            return Ok(Outcome::Unknown);
        }
        self.learn(lane, outcome)
    }

    /// Carries out an operation. A lost grant still uses up its number.
    #[inline]
    fn execute(&mut self, lane: u8, op: Op) -> Result<Outcome, Blocked> {
        let attempt = self.lanes[usize::from(lane)].attempt;
        let outcome = self.carry_out(Session(lane), (lane, attempt), op)?;
        let me = &mut self.lanes[usize::from(lane)];
        match (op, outcome) {
            (Op::Begin(_), Outcome::Ok(_)) => me.set(IN_TRANSACTION, true),
            (Op::Commit | Op::Rollback, _) => me.set(IN_TRANSACTION, false),
            _ => {}
        }
        Ok(outcome)
    }

    #[inline]
    fn carry_out(&mut self, session: Session, by: (u8, u8), op: Op) -> Result<Outcome, Blocked> {
        match op {
            Op::GrantLease => {
                // A request that lands late takes a number that nobody else has.
                let is_late = session != Session(by.0);
                let me = &mut self.lanes[usize::from(by.0)];
                let number = if is_late { MAX_LEASES - 1 } else { me.leases };
                if !is_late && number >= MAX_LEASES - 1 {
                    return Err(Blocked::TooMany("asks for more than 7 leases in one delivery"));
                }
                me.leases += u8::from(!is_late);
                let lease = lease_id(by.0, by.1, number);
                self.environment.grant(session, lease);
                Ok(Outcome::Ok(Response::Granted(lease)))
            }
            Op::Acquire(key) if session == Session(by.0) && self.lanes[usize::from(by.0)].has(QUEUED) => {
                match self.environment.take_turn(session, key) {
                    Acquired::Behind(_) => Err(Blocked::Waits),
                    acquired => {
                        self.lanes[usize::from(by.0)].set(QUEUED, false);
                        Ok(answer(&acquired))
                    }
                }
            }
            Op::Acquire(key) => self.acquire(session, key),
            Op::Release(key) => Ok(self.environment.release(session, key)),
            Op::Revoke(lease) => Ok(self.environment.revoke(session, lease)),
            _ => self.environment.store(session, op, by).map_err(|Waits(_)| Blocked::Waits),
        }
    }

    /// Waits for the lock as long as only leases are in the way whose handlers are gone: they expire meanwhile.
    fn acquire(&mut self, via: Session, key: LockKey) -> Result<Outcome, Blocked> {
        let ahead = match self.environment.acquire(via, key) {
            Acquired::Behind(leases) => leases,
            acquired => return Ok(answer(&acquired)),
        };
        if !ahead.iter().all(|lease| self.is_orphaned(*lease)) {
            return Err(Blocked::Waits);
        }
        self.environment.time_passes(true);
        for lease in ahead {
            self.environment.expire(lease);
        }
        match self.environment.acquire(via, key) {
            Acquired::Behind(_) => Err(Blocked::Waits),
            acquired => Ok(answer(&acquired)),
        }
    }

    /// Whether nobody keeps a lease any more: the attempt that asked for it is over.
    fn is_orphaned(&self, lease: LeaseId) -> bool {
        let (lane, attempt, _) = owner(lease);
        let of = self.lanes.get(usize::from(lane)).filter(|_| lane < self.bound.lanes);
        of.is_none_or(|of| of.attempt != attempt || of.is_ended())
    }

    /// Keeps an operation with its connection.
    fn hold(&mut self, lane: u8, op: Op) {
        let taken =
            |number: u8| self.environment.flights().iter().any(|flight| flight.session == Session(FLIGHTS + number));
        let number = (0..).find(|number| !taken(*number)).expect("there are fewer flights than sessions");
        let session = Session(FLIGHTS + number);
        if self.lanes[usize::from(lane)].has(IN_TRANSACTION) && op.leg() == Leg::Store {
            self.environment.move_session(Session(lane), session);
            self.lanes[usize::from(lane)].set(IN_TRANSACTION, false);
        }
        let attempt = self.lanes[usize::from(lane)].attempt;
        self.environment.add_flight(Flight { lane, attempt, op, session });
    }

    /// Lets the oldest request of a lane land that need not wait.
    fn land(&mut self, lane: u8) -> Result<StepEffect, Blocked> {
        let mut blocked = Blocked::Disabled;
        for at in 0..self.environment.flights().len() {
            let flight = self.environment.flights()[at];
            if flight.lane != lane {
                continue;
            }
            let landed = if self.environment.forgets_landings() {
                Ok(Outcome::Ok(Response::Done))
            } else {
                self.carry_out(flight.session, (flight.lane, flight.attempt), flight.op)
            };
            match landed {
                Ok(outcome) => {
                    self.environment.cut(flight.session);
                    self.environment.remove_flight(at);
                    return Ok(StepEffect::Landed(Box::new((flight, outcome))));
                }
                Err(why) => blocked = why,
            }
        }
        Err(blocked)
    }

    fn disconnect(&mut self, lane: u8, leg: Leg) {
        if leg == Leg::Store && self.lanes[usize::from(lane)].has(IN_TRANSACTION) {
            self.environment.cut(Session(lane));
            self.lanes[usize::from(lane)].set(IN_TRANSACTION, false);
        }
    }

    /// The operation as the backends know it. A strategy knows its leases and tokens by the order in which it got them, so
    /// that where it stands does not depend on the others.
    fn globally(&self, lane: u8, op: Op) -> Op {
        globally(self.lanes[usize::from(lane)], lane, op)
    }

    /// What the strategy learns of an outcome, in its own words.
    #[inline]
    fn learn(&mut self, lane: u8, outcome: Outcome) -> Result<Outcome, Blocked> {
        Ok(match outcome {
            Outcome::Ok(Response::Granted(id)) => {
                self.lanes[usize::from(lane)].set(LEASED, true);
                let (_, _, number) = owner(id);
                Outcome::Ok(Response::Granted(LeaseId(i64::from(number) + 1)))
            }
            Outcome::Ok(Response::Held(Token(revision))) => {
                if self.lanes.iter().enumerate().any(|(other, it)| other != usize::from(lane) && it.is_inside()) {
                    self.environment.overlap(lane);
                }
                let me = &mut self.lanes[usize::from(lane)];
                me.set(INSIDE, true);
                let place = me.tokens_given();
                if place >= MAX_TOKENS {
                    return Err(Blocked::TooMany("takes more than 3 locks in one delivery"));
                }
                me.tokens[place] =
                    u8::try_from(revision.get()).map_err(|_| Blocked::TooMany("is given a token higher than 255"))?;
                let local = i64::try_from(place + 1).ok().and_then(std::num::NonZeroI64::new);
                Outcome::Ok(Response::Held(Token(local.expect("it is at least 1"))))
            }
            outcome => outcome,
        })
    }

    /// When nothing else can move: the wait of this lane comes to an end all the same. A waiter gives up the lock, and a
    /// transaction becomes the victim of a deadlock.
    /// A request in flight that waits for another one is such a victim too.
    pub fn give_way(&mut self, lane: u8, pending: Option<Op>) -> Option<StepEffect> {
        let deadlock = Outcome::Failed(Failure::Deadlock);
        match pending {
            Some(op) if op.leg() == Leg::Lock => Some(StepEffect::Made { learns: Outcome::Unknown }),
            Some(_) => {
                self.environment.deadlock(Session(lane));
                Some(StepEffect::Made { learns: deadlock })
            }
            None => {
                let at = self.environment.flights().iter().position(|flight| flight.lane == lane)?;
                let flight = self.environment.flights()[at];
                self.environment.cut(flight.session);
                self.environment.remove_flight(at);
                Some(StepEffect::Landed(Box::new((flight, deadlock))))
            }
        }
    }

    /// A lane's attempt is over: with a reply, or without one. Says whether there is another attempt.
    pub fn end_attempt(&mut self, lane: u8, reply: Option<Reply>) -> bool {
        self.disconnect(lane, Leg::Store);
        end_lane(self.bound, &mut self.lanes[usize::from(lane)], reply)
    }
}

/// Ends the attempt of a lane that has no transaction open. Says whether there is another attempt.
pub(super) fn end_lane(bound: &Bound, lane: &mut Lane, reply: Option<Reply>) -> bool {
    let is_final = reply.is_some_and(|reply| reply.map_or_else(Trouble::is_final, |_| true));
    let again = !is_final && lane.attempt < bound.retries;
    *lane = match again {
        true => Lane { attempt: lane.attempt + 1, ..Lane::default() },
        false => Lane { flags: ENDED, ..Lane::default() },
    };
    again
}

fn answer(acquired: &Acquired) -> Outcome {
    match acquired {
        Acquired::Held(token) => Outcome::Ok(Response::Held(*token)),
        Acquired::Unheard => Outcome::Unknown,
        Acquired::Expired | Acquired::Behind(_) => Outcome::Failed(Failure::LeaseExpired),
    }
}

/// The name of the lock on an account.
pub(crate) fn lock_name(account: AccountId) -> Vec<u8> {
    account.0.to_string().into_bytes()
}

/// The message that a request carries.
pub(crate) fn message(request: u8) -> MessageId {
    MessageId(u32::from(request))
}

/// The operation of a lane as the backends know it.
pub(crate) fn globally(me: Lane, lane: u8, op: Op) -> Op {
    let lease = |LeaseId(local): LeaseId| lease_id(lane, me.attempt, u8::try_from(local - 1).unwrap_or(0));
    let token = |Token(local): Token| {
        let place = usize::try_from(local.get() - 1).unwrap_or(0);
        let revision = me.tokens.get(place).copied().unwrap_or(0).max(1);
        Token(std::num::NonZeroI64::from(std::num::NonZeroU8::new(revision).expect("it is at least 1")))
    };
    match op {
        Op::Acquire(key) => Op::Acquire(LockKey { lease: lease(key.lease), ..key }),
        Op::Release(key) => Op::Release(LockKey { lease: lease(key.lease), ..key }),
        Op::Revoke(id) => Op::Revoke(lease(id)),
        Op::Apply(request, Some(local)) => Op::Apply(request, Some(token(local))),
        Op::ApplyUnderLease(request, local) => Op::ApplyUnderLease(request, lease(local)),
        Op::CheckToken(account, local) => Op::CheckToken(account, token(local)),
        other => other,
    }
}
