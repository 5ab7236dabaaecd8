//! The port of a load run: the fault plan in front of the real backends.

mod batch;
mod on_the_wire;

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use super::Outage;
use super::alarm::Alarm;
use super::beside::{ActorPanic, Beside};
use super::plan::{MessageFate, Mishap, Plan, When};
use crate::history::{Event, Recorder, Recorders, SHORT, What};
use crate::service::{Backend, BackendError, Connection, Timeouts};
use crate::strategy::Actor;
use crate::terms::{ByRole, Delivery, Failure, FaultKind, Layer, LeaseId, MessageId, Role};
use crate::world::{Acts, Call, Calls, Op, OpKind, Outcome, Port};

/// How long this operation may be under way. The last retry is patient: what stands in its way is a lease that runs out.
fn limit_of(limits: &Timeouts, op: &Op, by: Delivery) -> Duration {
    if op.acts().any(Acts::QUEUES) && !by.is_last() { limits.lock } else { limits.operation }
}

/// What the ports of a trial share.
pub struct Surroundings {
    pub plan: Plan,
    /// Where messages to backends meet their faults.
    pub layer: Layer,
    pub limits: Timeouts,
    /// The services; none in a role that no strategy of the trial needs.
    pub backends: ByRole<Option<Arc<dyn Backend>>>,
    pub recorders: Recorders,
    /// The operations that have timed out and will land later.
    pub landings: TaskTracker,
    /// Raised when a backend breaks down.
    pub alarm: Alarm,
    /// Whether the services can be reached.
    pub outages: ByRole<Outage>,
}

/// Tells a handler that its delivery has come to an end that the strategy will not see.
#[derive(Default)]
pub struct Downfall {
    kind: AtomicU8,
    happened: Notify,
}

impl Downfall {
    /// Waits for a crash or a cancellation, and says which.
    pub async fn wait(&self) -> FaultKind {
        self.happened.notified().await;
        match self.kind.load(Ordering::Acquire) {
            0 => FaultKind::Crash,
            _ => FaultKind::Cancel,
        }
    }

    fn announce(&self, kind: FaultKind) {
        self.kind.store(u8::from(kind == FaultKind::Cancel), Ordering::Release);
        self.happened.notify_one();
    }
}

/// A handler's connection to one backend, opened when it is needed.
struct Link {
    session: Option<Box<dyn Connection>>,
    in_transaction: bool,
}

impl Link {
    const CLOSED: Link = Link { session: None, in_transaction: false };

    fn cut(&mut self) {
        *self = Link::CLOSED;
    }
}

/// One handler's port: decides with the plan what happens to each operation, makes it happen, and writes it down.
pub struct FaultyPort {
    around: Arc<Surroundings>,
    downfall: Arc<Downfall>,
    recorder: Recorder,
    handler: u16,
    links: ByRole<Link>,
    at_hand: AtHand,
    /// The deliveries of a batch besides the first.
    others: Vec<(MessageId, Delivery)>,
    /// What works beside each delivery.
    actors: &'static [&'static dyn Actor],
    /// What works beside the delivery at hand.
    beside: Vec<Beside>,
    panicked: ActorPanic,
    /// It is an actor's own: what happens to handlers happens to its delivery's port.
    is_actors: bool,
}

/// The delivery that a port is carrying operations for.
#[derive(Clone, Copy)]
struct AtHand {
    message: MessageId,
    delivery: Delivery,
    /// How many operations of each kind have been made.
    made: [u8; OpKind::PLACES],
}

impl FaultyPort {
    /// The port of a handler, without any connection yet.
    #[must_use]
    pub fn new(around: Arc<Surroundings>, handler: u16, recorder: Recorder) -> Self {
        let at_hand = AtHand { message: MessageId(0), delivery: Delivery::FIRST, made: [0; OpKind::PLACES] };
        FaultyPort {
            around,
            downfall: Arc::default(),
            recorder,
            handler,
            links: ByRole::new(|_| Link::CLOSED),
            at_hand,
            others: Vec::new(),
            actors: &[],
            beside: Vec::new(),
            panicked: ActorPanic::default(),
            is_actors: false,
        }
    }

    /// The same with what works beside each delivery.
    #[must_use]
    pub fn with_actors(self, actors: &'static [&'static dyn Actor]) -> Self {
        FaultyPort { actors, ..self }
    }

    /// The same for something that works for the system: what happens to handlers does not happen to it.
    #[must_use]
    pub fn of_an_actor(self) -> Self {
        FaultyPort { is_actors: true, ..self }
    }

    /// The actors begin their work for a lease that the delivery was given. Those of an earlier one are done.
    fn begin_actors(&mut self, lease: LeaseId) {
        let AtHand { message, delivery, .. } = self.at_hand;
        // Three times in the life of a lease, as etcd's own client does.
        let every = self.around.plan.lease() / 3;
        let begin = |actor: &&'static dyn Actor| {
            let recorder = self.around.recorders.recorder(SHORT);
            let mut port = FaultyPort::new(Arc::clone(&self.around), self.handler, recorder);
            port.at_hand = AtHand { message, delivery, ..port.at_hand };
            port.is_actors = true;
            Beside::start(*actor, port, lease, every, self.panicked.clone())
        };
        self.beside = self.actors.iter().map(begin).collect();
    }

    /// What the handler waits for beside its strategy.
    #[must_use]
    pub fn downfall(&self) -> Arc<Downfall> {
        Arc::clone(&self.downfall)
    }

    /// Turns to a new delivery.
    pub fn begin(&mut self, message: MessageId, delivery: Delivery) {
        self.at_hand = AtHand { message, delivery, made: [0; OpKind::PLACES] };
        self.note(What::Arrived);
    }

    /// Turns to a request that is no delivery, with what the ledger and the history call the turn.
    pub fn turn_to(&mut self, message: MessageId, turn: Delivery) {
        self.at_hand = AtHand { message, delivery: turn, made: [0; OpKind::PLACES] };
    }

    /// Ends the delivery. A transaction that was left open ends with its connection.
    pub fn end(&mut self) {
        self.beside.clear();
        self.others.clear();
        for link in self.links.0.iter_mut().filter(|link| link.in_transaction) {
            link.cut();
        }
    }

    /// What an actor beside a delivery panicked with, if one did since it was asked last.
    pub(crate) fn take_panic(&mut self) -> Option<Box<dyn Any + Send>> {
        self.panicked.take()
    }

    /// Drops every connection, as a crash does.
    pub fn disconnect(&mut self) {
        self.beside.clear();
        self.links.0.iter_mut().for_each(Link::cut);
    }

    /// Writes down something that happens now to the delivery at hand.
    pub fn note(&mut self, what: What) {
        let at_ns = self.recorder.clock().now_ns();
        self.note_at(at_ns, what);
    }

    fn note_at(&mut self, at_ns: u64, what: What) {
        let (message, delivery) = match what {
            What::Called { op, .. } | What::Repeated { op, .. } => self.member_of(op),
            _ => (self.at_hand.message, self.at_hand.delivery),
        };
        self.recorder.record(Event { at_ns, message, delivery, handler: self.handler, what });
    }

    async fn carry(&mut self, op: Op) -> Outcome {
        let kind = op.kind();
        let nth = self.at_hand.made[kind.place()];
        self.at_hand.made[kind.place()] = nth.saturating_add(1);
        let (message, delivery) = self.member_of(op);
        let mut verdict = self.around.plan.operation(message, delivery, kind, nth);
        if self.is_actors {
            verdict.mishap = None;
        }

        if let Some(Mishap::Crash { when: When::Before }) = verdict.mishap {
            self.crash().await;
        }
        if let Some(delay) = verdict.delay {
            sleep(delay).await;
        }
        match verdict.mishap {
            Some(Mishap::Pause { when: When::Before, lasting }) => self.pause(lasting).await,
            Some(Mishap::Cancel { after }) => self.cancel(op, verdict.delay.is_some(), after).await,
            _ => {}
        }

        let at_ns = self.recorder.clock().now_ns();
        let is_once = verdict.fate == MessageFate::Duplicated && !self.is_repeatable(op);
        let fate = if is_once { MessageFate::Arrives } else { verdict.fate };
        let (outcome, fault) = match self.around.layer {
            Layer::Port => (self.meet(fate, op).await, fate.fault()),
            Layer::Wire => self.meet_on_the_wire(fate, op).await,
        };
        let took_us = took_us(self.recorder.clock().now_ns() - at_ns);
        let delayed = verdict.delay.is_some();
        self.note_at(at_ns, What::Called { op, outcome: Some(outcome), fault, delayed, took_us });
        if let Outcome::Ok(response) = outcome
            && !self.actors.is_empty()
            && op.acts().any(Acts::LEASES)
        {
            response.asked().into_iter().for_each(|lease| self.begin_actors(LeaseId(lease)));
        }

        match verdict.mishap {
            Some(Mishap::Pause { when: When::After, lasting }) => self.pause(lasting).await,
            Some(Mishap::Crash { when: When::After }) => self.crash().await,
            _ => {}
        }
        outcome
    }

    /// Lets an operation meet its fate.
    async fn meet(&mut self, fate: MessageFate, op: Op) -> Outcome {
        match fate {
            // An operation has no body of a client's: no level says that it has.
            MessageFate::Arrives | MessageFate::OtherBody => return self.execute(op).await,
            // The first answer is lost to whoever repeats the operation.
            MessageFate::Duplicated => {
                self.execute(op).await;
                return self.execute(op).await;
            }
            MessageFate::RequestLost => self.links[op.role].cut(),
            MessageFate::ReplyLost => {
                self.execute(op).await;
                self.links[op.role].cut();
            }
            MessageFate::Late(after) => self.land_later(op, after).await,
        }
        sleep(self.around.limits.loss_noticed).await;
        Outcome::Unknown
    }

    /// Writes down that the driver has retried an operation by itself, if it has.
    fn note_requests(&mut self, op: Op, requests: u64) {
        if requests > 1 {
            self.note(What::Repeated { op, requests: u32::try_from(requests).unwrap_or(u32::MAX) });
        }
    }

    /// Sends an operation to its backend. If this is dropped in the middle, so is the connection.
    async fn execute(&mut self, op: Op) -> Outcome {
        let role = op.role;
        let in_transaction = self.links[role].in_transaction;
        let mut session = match self.session(role).await {
            Ok(session) => session,
            Err(error) => return self.raise(role, error),
        };
        let limit = limit_of(&self.around.limits, &op, self.at_hand.delivery);
        let wire = session.wire(op.of);
        let before = wire.as_ref().map_or(0, |wire| wire.requests());
        let ended = timeout(limit, session.execute(op.of, self.member_of(op).1)).await;
        if let Some(wire) = wire {
            self.note_requests(op, wire.requests() - before);
        }
        match ended {
            Err(_elapsed) => Outcome::Unknown,
            Ok(Err(error)) => self.raise(role, error),
            // Whatever made the outcome unknown, nobody knows the state of the connection either.
            Ok(Ok(Outcome::Unknown)) => Outcome::Unknown,
            // And a backend that could not be reached is asked for a new connection the next time.
            Ok(Ok(unavailable @ Outcome::Failed(Failure::Unavailable))) => self.miss(role, unavailable),
            Ok(Ok(outcome)) => {
                self.around.outages[role].is_over();
                let acts = op.acts();
                let begins = acts.any(Acts::BEGINS.and(Acts::HOLDS)) && matches!(outcome, Outcome::Ok(_));
                let in_transaction = begins || in_transaction && !acts.any(Acts::ENDS.and(Acts::FREES));
                self.links[role] = Link { session: Some(session), in_transaction };
                outcome
            }
        }
    }

    /// Takes the connection to the service in a role out of its place, or opens one.
    async fn session(&mut self, role: Role) -> Result<Box<dyn Connection>, BackendError> {
        let link = std::mem::replace(&mut self.links[role], Link::CLOSED);
        match (link.session, &self.around.backends[role]) {
            (Some(session), _) => Ok(session),
            (None, Some(backend)) => backend.connect().await,
            (None, None) => Err(BackendError {
                backend: role.name(),
                what: "the strategy asks a service in this role, and its `needs` name none".to_owned(),
                remedy: Some("add it to the strategy's `needs`".to_owned()),
            }),
        }
    }

    /// Keeps the operation with its connection, and lets it land when the sender has long stopped waiting.
    async fn land_later(&mut self, op: Op, after: Duration) {
        let mut session = match self.session(op.role).await {
            Ok(session) => session,
            Err(error) => {
                self.raise(op.role, error);
                return;
            }
        };
        let (_, by) = self.member_of(op);
        let alarm = self.around.alarm.clone();
        self.land(op, self.around.limits.loss_noticed + after, move |limit| async move {
            match timeout(limit, session.execute(op.of, by)).await {
                Ok(Ok(outcome)) => Some(outcome),
                Ok(Err(error)) => {
                    alarm.raise(op.role, error);
                    None
                }
                Err(_elapsed) => None,
            }
        });
    }

    /// Lets an operation land after a while, and writes down when it did.
    fn land<F: Future<Output = Option<Outcome>> + Send>(
        &mut self,
        op: Op,
        wait: Duration,
        landing: impl FnOnce(Duration) -> F + Send + 'static,
    ) {
        let (around, handler) = (Arc::clone(&self.around), self.handler);
        let (message, delivery) = self.member_of(op);
        self.around.landings.spawn(async move {
            sleep(wait).await;
            let mut recorder = around.recorders.recorder(SHORT);
            let at_ns = recorder.clock().now_ns();
            let outcome = landing(limit_of(&around.limits, &op, delivery)).await;
            recorder.record(Event { at_ns, message, delivery, handler, what: What::Landed { op, outcome } });
        });
    }

    /// Whether a driver or a proxy could repeat this operation by itself: not within a transaction, which is bound to
    /// its connection.
    fn is_repeatable(&mut self, op: Op) -> bool {
        !op.acts().any(Acts::BOUNDS) && !self.links[op.role].in_transaction
    }

    async fn pause(&mut self, lasting: Duration) {
        let for_us = u32::try_from(lasting.as_micros()).unwrap_or(u32::MAX);
        self.note_of_all(What::Paused { for_us });
        self.stand_still(true);
        sleep(lasting).await;
        self.stand_still(false);
    }

    fn stand_still(&mut self, still: bool) {
        for session in self.links.0.iter_mut().filter_map(|link| link.session.as_mut()) {
            session.stand_still(still);
        }
        self.beside.iter().for_each(|beside| beside.stand_still(still));
    }

    async fn crash(&mut self) {
        self.note_of_all(What::Crashed);
        self.disconnect();
        self.downfall.announce(FaultKind::Crash);
        std::future::pending().await
    }

    async fn cancel(&mut self, op: Op, delayed: bool, after: Duration) {
        let at_ns = self.recorder.clock().now_ns();
        let outcome = {
            let under_way = self.execute(op);
            tokio::pin!(under_way);
            tokio::select! {
                biased;
                outcome = &mut under_way => Some(outcome),
                () = sleep_or_yield(after) => None,
            }
        };
        let took_us = took_us(self.recorder.clock().now_ns() - at_ns);
        self.note_at(at_ns, What::Called { op, outcome, fault: None, delayed, took_us });
        self.note_of_all(What::Cancelled);
        self.downfall.announce(FaultKind::Cancel);
        std::future::pending().await
    }

    /// A backend cannot be reached: if that goes on for too long, the trial is stopped.
    fn miss(&self, role: Role, outcome: Outcome) -> Outcome {
        let Some(lasting) = self.around.outages[role].goes_on(self.recorder.clock().now_ns()) else { return outcome };
        let error = BackendError {
            backend: role.title(),
            what: format!("it has been out of reach for {} s", lasting.as_secs()),
            remedy: Some("see whether the server still runs, and finish the run with --resume".to_owned()),
        };
        self.raise(role, error)
    }

    /// A backend has broken down: the trial is stopped, and until then nobody can tell what became of the operation.
    fn raise(&self, role: Role, error: BackendError) -> Outcome {
        self.around.alarm.raise(role, error);
        Outcome::Unknown
    }
}

impl Port for FaultyPort {
    fn call(&mut self, op: Op) -> Call<'_> {
        Call::Carried(Box::pin(self.carry(op)))
    }

    fn call_all(&mut self, ops: Vec<Op>) -> Calls<'_> {
        Box::pin(self.carry_all(ops))
    }
}

async fn sleep_or_yield(duration: Duration) {
    if !duration.is_zero() {
        sleep(duration).await;
    }
}

fn took_us(nanoseconds: u64) -> u32 {
    u32::try_from(nanoseconds / 1_000).unwrap_or(u32::MAX)
}
