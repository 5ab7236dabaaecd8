//! One schedule from beginning to end: the strategy's own futures, the model behind them, and the history that is judged.

mod actors;
mod batch;
mod executed;
mod grounds;
mod hop;
mod made;
mod modelled;
mod names;

pub use executed::Executed;
pub(crate) use grounds::Grounds;
pub use made::{Did, MadeStep};

use std::time::Duration;

use crate::history::{Event, What};
use crate::service::contract::asker_of;
use crate::strategy::{Resident, Strategy, residents_of};
use crate::terms::{FaultKind, Reply, Request, Retries, Role};
use crate::world::{Acts, Op};

use super::attempt::{Attempt, LaneWork, Next};
use super::bound::{Bound, MAX_LANES};
use super::model_environment::ModelEnvironment;
use super::rules::{Blocked, FINAL_ATTEMPT, Lane, Lanes, Rules, StepEffect};
use super::schedule::{Fate, Step};
use super::{ExploreError, Flaws, Reason, require_store, too_many_lanes};

/// How long a lease lives, in the time of an execution.
const LEASE: Duration = Duration::from_nanos(LEASE_NS);
const LEASE_NS: u64 = 1_000_000_000;
/// How long a step takes.
const STEP_NS: u64 = 1_000;

/// What is needed to execute schedules of a strategy.
pub(crate) struct Executor<'a> {
    pub strategy: &'a dyn Strategy,
    pub bound: Bound,
    pub retries: Retries,
    /// The roles of the stores that keep the strategy's effects.
    pub effects: &'static [Role],
    pub flaws: Flaws,
    /// What works for the system.
    residents: Vec<&'static dyn Resident>,
    requests: Vec<Request>,
    /// Those of them that are in a batch, if there is one.
    batch: Option<[Request; 2]>,
}

impl<'a> Executor<'a> {
    /// An executor within a bound.
    pub fn new(strategy: &'a dyn Strategy, bound: Bound, flaws: Flaws) -> Self {
        let requests = bound.all_requests();
        Executor {
            strategy,
            bound,
            retries: bound.claim_of(strategy).retries,
            effects: strategy.effects_in(),
            flaws,
            residents: residents_of(strategy, bound.reaps),
            batch: bound.batched(&requests),
            requests,
        }
    }

    /// Begins: every lane stands before its first operation.
    ///
    /// # Errors
    /// [`ExploreError`] if the strategy awaits anything else than its operations, or panics.
    pub fn begin(&self) -> Result<Execution<'_>, ExploreError> {
        let mut execution = self.execution();
        execution.begin_again()?;
        Ok(execution)
    }

    /// An execution that has not begun yet.
    pub fn execution(&self) -> Execution<'_> {
        self.execution_on(ModelEnvironment::new(self.bound, self.flaws, self.strategy.needs()))
    }

    /// An execution on these backends that has not begun yet.
    pub fn execution_on<S: Grounds>(&self, backends: S) -> Execution<'_, S> {
        Execution {
            of: self,
            records: true,
            backends,
            lanes: Lanes::default(),
            attempts: [const { None }; MAX_LANES as usize],
            pending: [None; MAX_LANES as usize],
            faults: 0,
            steps: 0,
            last: None,
            made: Vec::new(),
            events: Vec::new(),
            success: 0,
            gave_up: 0,
        }
    }
}

/// A schedule on its way.
pub(crate) struct Execution<'e, S = ModelEnvironment> {
    of: &'e Executor<'e>,
    /// Whether a history is kept.
    pub records: bool,
    pub backends: S,
    lanes: Lanes,
    attempts: [Option<Attempt<'e>>; MAX_LANES as usize],
    pending: [Option<Op>; MAX_LANES as usize],
    faults: u8,
    steps: u64,
    /// The lane that moved last.
    last: Option<u8>,
    made: Vec<MadeStep>,
    events: Vec<Event>,
    /// The requests, as bits, whose clients have an answer.
    success: u8,
    gave_up: u8,
}

impl<S: Grounds> Execution<'_, S> {
    /// Begins again, in the same memory.
    ///
    /// # Errors
    /// As [`Executor::begin`].
    pub fn begin_again(&mut self) -> Result<(), ExploreError> {
        self.backends.begin_again();
        self.lanes = Lanes::default();
        self.faults = self.of.bound.copies;
        self.steps = 0;
        self.last = None;
        self.made.clear();
        self.events.clear();
        self.success = 0;
        self.gave_up = 0;
        let bound = &self.of.bound;
        if bound.lanes > MAX_LANES {
            return Err(too_many_lanes(bound).into());
        }
        require_store(self.of.strategy, bound.store_kind())?;
        for lane in 0..bound.lanes {
            match bound.is_actor(lane) {
                true => {
                    self.lanes[usize::from(lane)] = Lane::ASLEEP;
                    self.pending[usize::from(lane)] = None;
                }
                false if bound.is_carried(lane, 0) => self.pending[usize::from(lane)] = None,
                false => self.begin_attempt(lane)?,
            }
        }
        Ok(())
    }

    /// Whether every lane has ended and nothing is in flight.
    pub fn is_over(&self) -> bool {
        self.backends.flights().is_empty() && self.lanes().iter().all(|lane| lane.is_ended())
    }

    /// The last step that was made.
    pub fn last_made(&self) -> Option<&MadeStep> {
        self.made.last()
    }

    /// The operation that a lane is about to make, as its strategy knows it.
    pub fn pending(&self, lane: u8) -> Option<Op> {
        self.pending.get(usize::from(lane)).copied().flatten()
    }

    /// Whether there is something that a step could be made of, whether or not it has to wait.
    pub fn has_cause_for(&self, step: Step) -> bool {
        let has_operation = self.pending[usize::from(step.lane)].is_some();
        match step.fate {
            Fate::Arrives => has_operation,
            Fate::Queues => has_operation && self.of.bound.kinds.contains(Fate::Queues),
            Fate::Lands => self.backends.flights().iter().any(|flight| flight.lane == step.lane),
            fault @ (Fate::RequestLost | Fate::ReplyLost | Fate::TimesOut | Fate::Crashes | Fate::Expires) => {
                has_operation && self.faults < self.of.bound.faults && self.of.bound.kinds.contains(fault)
            }
        }
    }

    fn rules(&mut self) -> Rules<'_, S> {
        Rules {
            bound: &self.of.bound,
            environment: &mut self.backends,
            lanes: &mut self.lanes,
            faults: &mut self.faults,
        }
    }

    fn lanes(&self) -> &[Lane] {
        &self.lanes[..usize::from(self.of.bound.lanes)]
    }

    /// Makes a step; false, and nothing has changed, if it cannot be made now.
    ///
    /// # Errors
    /// As [`Executor::begin`].
    #[inline]
    pub fn step(&mut self, step: Step) -> Result<bool, ExploreError> {
        let pending = self.pending.get(usize::from(step.lane)).and_then(Option::as_ref);
        let waits = self.backends.waits();
        let mut rules = Rules {
            bound: &self.of.bound,
            environment: &mut self.backends,
            lanes: &mut self.lanes,
            faults: &mut self.faults,
        };
        // An effect is looked at where it was written: to copy it right away is slow.
        let effect = rules.step(step, pending);
        let effect = match &effect {
            Ok(effect) => effect,
            Err(Blocked::Disabled | Blocked::Waits) => return Ok(false),
            Err(Blocked::TooMany(what)) => {
                return Err(Reason::TooMany { strategy: self.of.strategy.name(), what }.into());
            }
        };
        let waited = self.backends.waits() > waits;
        self.follow(step, effect, waited, false)?;
        Ok(true)
    }

    /// When nothing else can move: the wait of a lane comes to an end all the same. The step that this is; none if it has none.
    ///
    /// # Errors
    /// As [`Executor::begin`].
    pub fn give_way(&mut self, lane: u8) -> Result<Option<Step>, ExploreError> {
        let pending = self.pending[usize::from(lane)];
        let mut rules = Rules {
            bound: &self.of.bound,
            environment: &mut self.backends,
            lanes: &mut self.lanes,
            faults: &mut self.faults,
        };
        let Some(effect) = rules.give_way(lane, pending) else { return Ok(None) };
        let fate = if pending.is_some() { Fate::Arrives } else { Fate::Lands };
        self.follow(Step { lane, fate }, &effect, false, true)?;
        Ok(Some(Step { lane, fate }))
    }

    fn follow(&mut self, step: Step, effect: &StepEffect, waited: bool, gave_way: bool) -> Result<(), ExploreError> {
        let lane = step.lane;
        self.steps += 1;
        let place = usize::from(lane);
        self.last = Some(lane);
        let at = self.made.len();
        if self.records {
            self.write_down(step, effect, (waited, gave_way));
            self.note_effect(step, effect);
        }
        match effect {
            StepEffect::Made { learns } => {
                if self.of.bound.actors > 0 {
                    self.wake_actors(lane, *learns)?;
                }
                let attempt = self.attempts[place].as_mut().expect("whoever made an operation is at work");
                let next = attempt.go_on(self.of.strategy, learns)?;
                self.go_on(lane, next)?;
            }
            StepEffect::Crashed => {
                let carries_batch = self.of.bound.carries_batch(lane, self.lanes[place].attempt);
                self.end_attempt(lane, None)?;
                if carries_batch {
                    self.end_attempt(Bound::IN_BATCH, None)?;
                }
            }
            StepEffect::Landed(_) => {
                if let Some(learns) = effect.begins() {
                    self.begin_unheard(lane, &learns)?;
                }
            }
            StepEffect::Expired { .. } | StepEffect::Queued => {}
        }
        if let Some(made) = self.made.get_mut(at) {
            made.ended = self.lanes[place].is_ended();
        }
        Ok(())
    }

    /// Writes a step into the history.
    fn note_effect(&mut self, step: Step, effect: &StepEffect) {
        let place = usize::from(step.lane);
        let attempt = self.lanes[place].attempt;
        match effect {
            StepEffect::Made { learns } => {
                let fault = match step.fate {
                    Fate::RequestLost => Some(FaultKind::RequestLost),
                    Fate::ReplyLost => Some(FaultKind::ReplyLost),
                    Fate::TimesOut => Some(FaultKind::LateLanding),
                    Fate::Arrives | Fate::Lands | Fate::Crashes | Fate::Expires | Fate::Queues => None,
                };
                let (op, outcome) = (self.operation_of(step.lane), self.globally(step.lane, *learns));
                self.note_call((step.lane, attempt), op, outcome, |op, outcome| What::Called {
                    op,
                    outcome,
                    fault,
                    delayed: false,
                    took_us: 0,
                });
                self.note_arrival(step.lane, op, *learns);
            }
            // With an actor the delivery goes on.
            StepEffect::Crashed if self.of.bound.is_actor(step.lane) => {}
            StepEffect::Crashed => self.note_for_all(step.lane, attempt, What::Crashed),
            StepEffect::Expired { .. } | StepEffect::Queued => {}
            StepEffect::Landed(landed) => {
                let (flight, outcome) = **landed;
                self.note_landing(flight, outcome);
                self.note_arrival(flight.lane, flight.op, outcome);
            }
        }
    }

    fn write_down(&mut self, step: Step, effect: &StepEffect, (waited, gave_way): (bool, bool)) {
        let place = usize::from(step.lane);
        let attempt = self.lanes[place].attempt;
        let did = match effect {
            StepEffect::Made { learns } => {
                Did::Made { op: self.operation_of(step.lane), learned: self.globally(step.lane, *learns) }
            }
            StepEffect::Crashed => Did::Crashed { op: self.operation_of(step.lane) },
            StepEffect::Expired { role, timer } => {
                let which = (self.lanes[place].asked() > 1).then(|| asker_of(timer.0).2);
                Did::Expired { role: *role, which }
            }
            StepEffect::Queued => Did::Queued { op: self.operation_of(step.lane) },
            StepEffect::Landed(landed) => Did::Landed { op: landed.0.op, outcome: landed.1 },
        };
        let has_client = !self.of.bound.has_no_delivery(step.lane) && !self.lanes[place].is_unheard();
        self.made.push(MadeStep { step, did, attempt, replied: None, ended: false, waited, gave_way, has_client });
    }

    fn begin_attempt(&mut self, lane: u8) -> Result<(), ExploreError> {
        let place = usize::from(lane);
        let attempt = self.lanes[place].attempt;
        let work = self.work_of(lane);
        let is_delivery = matches!(work, LaneWork::Delivery(_) | LaneWork::Batch(_));
        if is_delivery {
            self.note_for_all(lane, attempt, What::Sent { fault: None, delayed: false });
        }
        let sent = self.events.len();
        if is_delivery {
            self.note_for_all(lane, attempt, What::Arrived);
        }
        let next = match &mut self.attempts[place] {
            Some(attempt) => attempt.begin_another(self.of.strategy, work)?,
            none => {
                let (begun, next) = Attempt::begin(self.of.strategy, work, S::IS_REAL)?;
                *none = Some(begun);
                next
            }
        };
        // Where the hop is a real one, arriving is a step.
        if let Next::Asks(op) = next
            && op.acts().any(Acts::ARRIVES)
        {
            self.events.truncate(sent);
        }
        self.go_on(lane, next)
    }

    fn end_attempt(&mut self, lane: u8, reply: Option<Reply>) -> Result<(), ExploreError> {
        let place = usize::from(lane);
        let attempt = self.lanes[place].attempt;
        let asked = self.pending[place].take();
        if self.of.bound.actors > 0 {
            if self.of.bound.is_actor(lane) {
                self.rules().end_attempt(lane, reply);
                return Ok(());
            }
            for actor in self.of.bound.actors_of(lane) {
                self.pending[usize::from(actor)] = None;
            }
        }
        if self.of.bound.is_resident(lane) {
            self.rules().end_attempt(lane, reply);
            return Ok(());
        }
        let request = self.of.bound.request_of(lane);
        let heard = self.of.bound.has_client(lane) && !self.lanes[place].is_unheard();
        if let Some(reply) = reply {
            self.note_reply((lane, attempt), asked, (reply, heard));
            if heard {
                self.success |= u8::from(reply.is_ok()) << request;
            }
            if let Some(made) = self.made.last_mut() {
                made.replied = Some(reply);
            }
        }
        if attempt == FINAL_ATTEMPT {
            return Ok(());
        }
        if self.rules().end_attempt(lane, reply) {
            return self.begin_attempt(lane);
        }
        let bound = &self.of.bound;
        if !heard {
            return Ok(());
        }
        let has_client = |other: &u8| bound.has_client(*other) && bound.request_of(*other) == request;
        let mut of_request = (0..bound.lanes).filter(has_client);
        let is_over = of_request.all(|other| self.lanes[usize::from(other)].has_no_client_left());
        let refused = reply.is_some_and(|reply| reply.err().is_some_and(|trouble| trouble.is_final()));
        if is_over && !refused && self.success & 1 << request == 0 {
            self.gave_up |= 1 << request;
            self.note(lane, attempt, What::GaveUp);
        }
        Ok(())
    }

    #[inline]
    fn note(&mut self, lane: u8, attempt: u8, what: What) {
        if !self.records {
            return;
        }
        // What the client notices comes after what the backends did in the same step.
        let is_later = matches!(what, What::Answered { .. } | What::Received { .. } | What::TimedOut | What::GaveUp);
        let at_ns = self.steps * STEP_NS + u64::from(is_later) * (STEP_NS / 2) + self.backends.expired() * 2 * LEASE_NS;
        let bound = &self.of.bound;
        let message = bound.message_of(bound.request_of(lane));
        self.events.push(Event { at_ns, message, delivery: bound.delivery(lane, attempt), handler: lane.into(), what });
    }

    /// Whether this lane's request is still without an answer although it would be retried.
    fn is_unresolved(&self, request: u8) -> bool {
        self.of.retries != Retries::Never && self.gave_up & 1 << request != 0
    }
}

impl<S: Grounds> Execution<'_, S> {
    /// After everything has settled: retries each request once, without faults, whose client gave up. Then what works for the system
    /// takes a last turn where it has left something to do.
    ///
    /// # Errors
    /// As [`Executor::begin`].
    pub fn settle(&mut self) -> Result<Executed, ExploreError> {
        let made = std::mem::take(&mut self.made);
        let mut retried = Vec::new();
        let has_turn_left = self.of.bound.turns().any(|lane| self.lanes[usize::from(lane)].has_turn_left());
        if has_turn_left || (0..self.of.bound.requests).any(|request| self.is_unresolved(request)) {
            self.backends.settle();
        }
        for request in 0..self.of.bound.requests.min(self.of.bound.requesting()) {
            if !self.is_unresolved(request) {
                continue;
            }
            let lane = request * self.of.bound.stride();
            self.last_attempt(lane)?;
            let reply = self.events.iter().rev().find_map(|event| match event.what {
                What::Received { reply } => Some(reply),
                _ => None,
            });
            retried.extend(reply.map(|reply| (self.of.bound.message_of(request), reply)));
            self.lanes[usize::from(lane)] = Lane { attempt: FINAL_ATTEMPT, flags: 1, ..Lane::default() };
        }
        let mut turned = Vec::new();
        for lane in self.of.bound.turns() {
            if self.lanes[usize::from(lane)].has_turn_left() {
                self.last_attempt(lane)?;
                turned.push(self.of.residents[usize::from(self.of.bound.resident_of(lane))].name());
            }
        }
        Ok(Executed {
            requests: self.of.bound.requests_by_id(),
            events: std::mem::take(&mut self.events),
            balances: Some(self.backends.balances()),
            ledger: self.backends.take_ledger(),
            effects: self.of.effects,
            retries: self.of.retries,
            shape: self.of.strategy.shape(),
            made,
            retried,
            turned,
        })
    }

    /// Makes an attempt of a lane after everything has settled, without faults.
    fn last_attempt(&mut self, lane: u8) -> Result<(), ExploreError> {
        let place = usize::from(lane);
        self.steps += 1;
        self.lanes[place] = Lane { attempt: FINAL_ATTEMPT, ..Lane::default() };
        self.begin_attempt(lane)?;
        while self.pending[place].is_some() {
            if !self.step(Step { lane, fate: Fate::Arrives })? {
                self.give_way(lane)?;
            }
        }
        Ok(())
    }
}
