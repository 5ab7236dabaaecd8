//! One step of one lane: what its operation meets, what becomes of it, and what the lane learns.
//!
//! The rules are the same for every engine; an engine says only where the state of the backends is kept ([`Environment`]).

mod hop;
mod lane;
mod waits;

use lane::{ASKED, ENDED, HELD, INSIDE, LEASED, QUEUED, UNHEARD};
pub(crate) use lane::{FINAL_ATTEMPT, Lane};

use crate::service::contract::{MAX_ASKED, asked_id, asker_of};
use crate::service::modelled::{Asker, Holder, Timer, Waits};
use crate::service::{HasIds, IdKind};
use crate::terms::{Reply, Role, Session, Trouble};
use crate::world::{Acts, Op, Outcome};

use super::bound::{Bound, MAX_LANES};
use super::environment::{Environment, Flight};
use super::schedule::{Fate, Step};

/// The lanes of a state. Lanes beyond the bound stay as they are.
pub(crate) type Lanes = [Lane; MAX_LANES as usize];

/// Where the sessions of requests in flight begin.
const FLIGHTS: u8 = 16;

/// What a step came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StepEffect {
    /// The strategy made its operation, and learns this.
    Made { learns: Outcome },
    /// The attempt is over; its operation was not made.
    Crashed,
    /// A timer has run out.
    Expired { role: Role, timer: Timer },
    /// The strategy's operation has begun, and waits.
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

/// A step about to be made: the rules, over a environment.
pub(crate) struct Rules<'s, S> {
    pub bound: &'s Bound,
    pub environment: &'s mut S,
    pub lanes: &'s mut Lanes,
    pub faults: &'s mut u8,
}

impl<S: Environment> Rules<'_, S> {
    /// Makes a step. `pending` is the operation that the lane's strategy is about to make, as the strategy knows it.
    pub fn step(&mut self, step: Step, pending: Option<&Op>) -> Result<StepEffect, Blocked> {
        let Step { lane, fate } = step;
        if fate.is_fault() && (*self.faults >= self.bound.faults || !self.bound.kinds.contains(fate)) {
            return Err(Blocked::Disabled);
        }
        match (fate, pending) {
            (Fate::Lands, _) => return self.land(lane),
            (_, None) => return Err(Blocked::Disabled),
            (Fate::Queues, Some(local)) => return self.queue(lane, *local),
            (Fate::Arrives | Fate::Expires, _) => {}
            (Fate::RequestLost | Fate::ReplyLost | Fate::TimesOut | Fate::Crashes, Some(local)) => {
                if self.lanes[usize::from(lane)].has(QUEUED) || !self.meets_on_the_hop(lane, fate, local.acts()) {
                    return Err(Blocked::Disabled);
                }
            }
        }
        let effect = self.go_on(lane, fate, pending);
        *self.faults += u8::from(fate.is_fault() && effect.is_ok());
        effect
    }

    fn go_on(&mut self, lane: u8, fate: Fate, pending: Option<&Op>) -> Result<StepEffect, Blocked> {
        Ok(match (fate, pending) {
            (_, None) => return Err(Blocked::Disabled),
            (Fate::Expires, _) => {
                let me = self.lanes[usize::from(lane)];
                let message = self.bound.message_of(self.bound.request_of(lane));
                let holder = Holder { lane, attempt: me.attempt, session: Session(lane), message };
                // A strategy that was told of nothing has nothing that it could lose, but what is in its way may go.
                let meets_one = me.has(LEASED) || pending.is_some_and(|op| op.acts().any(Acts::TAKES));
                let timer = if meets_one { self.environment.timer(holder) } else { None };
                let (role, timer) = timer.ok_or(Blocked::Disabled)?;
                self.environment.time_passes(false);
                self.environment.fire(role, timer);
                StepEffect::Expired { role, timer }
            }
            (Fate::Crashes, _) => {
                self.environment.crash(lane);
                if !self.bound.has_no_delivery(lane) {
                    self.bound.actors_of(lane).for_each(|actor| self.environment.crash(actor));
                }
                StepEffect::Crashed
            }
            (_, Some(local)) => {
                // Most operations name nothing that the services know by another name.
                let global;
                let op = if local.acts().any(Acts::NAMES) {
                    global = self.globally(lane, *local);
                    &global
                } else {
                    local
                };
                let learns = self.meet(lane, fate, op)?;
                StepEffect::Made { learns }
            }
        })
    }

    #[inline]
    fn meet(&mut self, lane: u8, fate: Fate, op: &Op) -> Result<Outcome, Blocked> {
        let outcome = match fate {
            Fate::RequestLost => {
                let by = self.asker(op.role, lane, self.lanes[usize::from(lane)].attempt, 0);
                self.environment.lose_request(Session(lane), *op, by);
                Outcome::Unknown
            }
            Fate::TimesOut => {
                self.hold(lane, *op);
                Outcome::Unknown
            }
            Fate::ReplyLost => {
                self.environment.lose_next_reply();
                self.execute(lane, op)?
            }
            Fate::Arrives | Fate::Lands | Fate::Crashes | Fate::Expires | Fate::Queues => self.execute(lane, op)?,
        };
        let acts = op.acts();
        // Whoever asks to leave has left, whatever becomes of the request.
        if acts.any(Acts::LEAVES) {
            self.lanes[usize::from(lane)].set(INSIDE, false);
        }
        if fate != Fate::Arrives || self.is_unheard_answer(lane, acts) {
            self.disconnect(lane, op.role);
            return Ok(Outcome::Unknown);
        }
        self.learn(lane, outcome, acts)
    }

    fn asker(&self, role: Role, lane: u8, attempt: u8, number: u8) -> Asker {
        Asker { by: self.bound.delivery(lane, attempt), role, id: asked_id(lane, attempt, number) }
    }

    /// Carries out an operation. What was asked for uses up its number, also if nobody hears of it.
    #[inline]
    fn execute(&mut self, lane: u8, op: &Op) -> Result<Outcome, Blocked> {
        let me = self.lanes[usize::from(lane)];
        let (attempt, asked) = (me.attempt, me.asked());
        let acts = op.acts();
        // A request that lands late takes the last number, which nobody else has.
        if acts.any(Acts::LEASES) && self.bound.has_no_delivery(lane) {
            return Err(Blocked::TooMany("has an actor that asks for a lease"));
        }
        if acts.any(Acts::LEASES) && asked >= MAX_ASKED - 1 {
            return Err(Blocked::TooMany("asks for more than 7 leases in one delivery"));
        }
        let outcome = if self.lanes[usize::from(lane)].has(QUEUED) {
            let outcome = self.environment.take_turn(Session(lane), *op).map_err(|_| Blocked::Waits)?;
            self.lanes[usize::from(lane)].set(QUEUED, false);
            outcome
        } else {
            self.carry_out(Session(lane), self.asker(op.role, lane, attempt, asked), op)?
        };
        let me = &mut self.lanes[usize::from(lane)];
        if acts.any(Acts::LEASES) {
            me.flags += ASKED;
        } else if acts.any(Acts::BEGINS) && matches!(outcome, Outcome::Ok(_)) {
            me.open |= op.role.bit();
        } else if acts.any(Acts::HOLDS) && matches!(outcome, Outcome::Ok(_)) {
            me.open |= op.role.bit() << HELD;
        } else if acts.any(Acts::ENDS) {
            me.open &= !op.role.bit();
        } else if acts.any(Acts::FREES) {
            me.open &= !(op.role.bit() << HELD);
        }
        Ok(outcome)
    }

    /// Waits as long as only timers are in the way whose holders are gone: they run out meanwhile.
    #[inline]
    fn carry_out(&mut self, on: Session, by: Asker, op: &Op) -> Result<Outcome, Blocked> {
        match self.environment.call(on, op, by) {
            Ok(outcome) => Ok(outcome),
            Err(Waits::For(_) | Waits::WithSnapshot(_)) => Err(Blocked::Waits),
            Err(Waits::ForTimers) => self.wait_for_timers(on, by, *op),
        }
    }

    /// Keeps an operation with its connection.
    fn hold(&mut self, lane: u8, op: Op) {
        let taken =
            |number: u8| self.environment.flights().iter().any(|flight| flight.session == Session(FLIGHTS + number));
        let number = (0..).find(|number| !taken(*number)).expect("there are fewer flights than sessions");
        let session = Session(FLIGHTS + number);
        if self.lanes[usize::from(lane)].is_open(op.role) {
            self.environment.move_session(op.role, Session(lane), session);
            self.lanes[usize::from(lane)].close(op.role);
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
            // A handler begins with it when the lane's own deliveries are over; what comes between them another lane shows.
            if flight.op.acts().any(Acts::ARRIVES) && !self.lanes[usize::from(lane)].is_ended() {
                continue;
            }
            let landed = if self.environment.forgets_landings() {
                Ok(Outcome::Unknown)
            } else {
                let by = self.asker(flight.op.role, flight.lane, flight.attempt, MAX_ASKED - 1);
                self.carry_out(flight.session, by, &flight.op)
            };
            match landed {
                Ok(outcome) => {
                    let effect = StepEffect::Landed(Box::new((flight, outcome)));
                    match effect.begins() {
                        Some(_) => self.begin_unheard(flight),
                        None => self.environment.cut(flight.op.role, flight.session),
                    }
                    self.environment.remove_flight(at);
                    return Ok(effect);
                }
                Err(why) => blocked = why,
            }
        }
        Err(blocked)
    }

    fn disconnect(&mut self, lane: u8, role: Role) {
        if self.lanes[usize::from(lane)].is_open(role) {
            self.environment.cut(role, Session(lane));
            self.lanes[usize::from(lane)].close(role);
        }
    }

    /// The operation as the services know it.
    #[inline]
    fn globally(&self, lane: u8, op: Op) -> Op {
        if !op.acts().any(Acts::NAMES) {
            return op;
        }
        globally(self.lanes[usize::from(lane)], self.bound.host_of(lane), op)
    }

    /// What the strategy learns of an outcome, in its own words: it knows ids by the order in which it got them, so that where it
    /// stands does not depend on the others.
    #[inline]
    fn learn(&mut self, lane: u8, outcome: Outcome, acts: Acts) -> Result<Outcome, Blocked> {
        let Outcome::Ok(response) = outcome else { return Ok(outcome) };
        if acts.any(Acts::ENTERS) && !response.changes_nothing() {
            if self.lanes.iter().enumerate().any(|(other, it)| other != usize::from(lane) && it.is_inside()) {
                self.environment.overlap(lane);
            }
            self.lanes[usize::from(lane)].set(INSIDE, true);
        }
        let is_given = acts.any(Acts::LEASES.and(Acts::TAKES)) || acts.any(Acts::SIGNS) && response.has_ids();
        if is_given && !response.changes_nothing() {
            self.lanes[usize::from(lane)].set(LEASED, true);
        }
        if !response.has_ids() {
            return Ok(outcome);
        }
        let (me, mut too_many) = (&mut self.lanes[usize::from(lane)], None);
        let local = response.map_ids(&mut |kind, id| match kind {
            IdKind::Message | IdKind::Account | IdKind::Client => id,
            IdKind::Asked => i64::from(asker_of(id).2) + 1,
            IdKind::Ranked => {
                let place = me.times_given();
                match (me.given.get_mut(place), u8::try_from(id)) {
                    (None, _) => too_many = Some("takes more than 3 locks in one delivery"),
                    (_, Err(_)) => too_many = Some("is given a token higher than 255"),
                    (Some(given), Ok(id)) => *given = id,
                }
                i64::try_from(place).unwrap_or(0) + 1
            }
        });
        too_many.map_or(Ok(Outcome::Ok(local)), |what| Err(Blocked::TooMany(what)))
    }

    /// A lane's attempt is over: with a reply, or without one. Says whether there is another attempt.
    pub fn end_attempt(&mut self, lane: u8, reply: Option<Reply>) -> bool {
        self.lanes[usize::from(lane)].open_roles().for_each(|role| self.disconnect(lane, role));
        if self.bound.is_actor(lane) {
            self.lanes[usize::from(lane)].sleep();
            return false;
        }
        if self.bound.is_resident(lane) {
            self.lanes[usize::from(lane)] = Lane::after_turn(reply);
            return false;
        }
        // What works beside it goes with it.
        for actor in self.bound.actors_of(lane) {
            self.lanes[usize::from(actor)].open_roles().for_each(|role| self.disconnect(actor, role));
            self.lanes[usize::from(actor)] = Lane::ASLEEP;
        }
        end_lane(self.bound, &mut self.lanes[usize::from(lane)], reply)
    }
}

/// Ends the attempt of a lane that has no transaction open. Says whether there is another attempt.
pub(super) fn end_lane(bound: &Bound, lane: &mut Lane, reply: Option<Reply>) -> bool {
    let is_final = reply.is_some_and(|reply| reply.map_or_else(Trouble::is_final, |_| true));
    let again = !is_final && lane.attempt < bound.retries && !lane.is_unheard();
    *lane = match again {
        true => Lane { attempt: lane.attempt + 1, ..Lane::default() },
        false => Lane { flags: ENDED, ..Lane::default() },
    };
    again
}

/// An operation or a response of a lane as the services know it. A strategy knows what it asked for and its tokens by the order in
/// which it got them.
#[inline]
pub(crate) fn globally<T: HasIds>(me: Lane, lane: u8, local: T) -> T {
    let place = |id: i64| usize::try_from(id - 1).unwrap_or(0);
    local.map_ids(&mut |kind, id| match kind {
        IdKind::Message | IdKind::Account | IdKind::Client => id,
        IdKind::Asked => asked_id(lane, me.attempt, u8::try_from(id - 1).unwrap_or(0)),
        IdKind::Ranked => me.given.get(place(id)).copied().unwrap_or(0).max(1).into(),
    })
}
