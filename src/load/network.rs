//! The network between clients and handlers: loses, repeats and delays deliveries, as the plan says.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::fault::{Dice, MessageFate, Plan, Question};
use crate::history::{Event, Recorder, What};
use crate::terms::{Delivery, FaultKind, MessageId, Reply, Request};

/// A delivery as a handler receives it.
pub(super) struct Parcel {
    pub request: Request,
    pub delivery: Delivery,
    /// Whether the answer will be lost on its way back.
    pub loses_reply: bool,
    pub reply_to: ReplyTo,
}

/// Where the answer goes.
pub(super) enum ReplyTo {
    /// To the client. An answer that is lost is not sent.
    Client(UnboundedSender<Answered>),
    /// Into an exchange of HTTP. An answer that is lost is lost behind the server.
    Exchange(HttpExchange),
}

/// An exchange of HTTP, as a handler knows it.
pub(super) struct HttpExchange {
    pub reply: oneshot::Sender<Answered>,
    /// Lets whoever has sent the request close its connection. Nobody, if no fault can let it.
    pub hang_up: Option<CancellationToken>,
    /// Cancelled when the server has seen that its client has left, and has dropped what it had of the exchange.
    pub left: CancellationToken,
}

impl Parcel {
    /// Hands over the handler's answer.
    pub fn answer(self, handler: u16, reply: Reply) {
        let Parcel { request, delivery, loses_reply, reply_to } = self;
        let answered = Answered { message: request.id, delivery, handler, reply };
        // A client that has ended, or has left, no longer listens.
        match reply_to {
            ReplyTo::Client(_) if loses_reply => {}
            ReplyTo::Client(client) => drop(client.send(answered)),
            ReplyTo::Exchange(exchange) => drop(exchange.reply.send(answered)),
        }
    }

    /// Over HTTP: the client leaves, and the server sees that. Inside the process there is nothing to be seen.
    pub async fn client_leaves(&self) {
        if let ReplyTo::Exchange(HttpExchange { hang_up: Some(hang_up), left, .. }) = &self.reply_to {
            hang_up.cancel();
            left.cancelled().await;
        }
    }
}

/// A handler's answer as a client receives it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answered {
    pub message: MessageId,
    pub delivery: Delivery,
    pub handler: u16,
    pub reply: Reply,
}

/// What becomes of a delivery on its way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passage {
    pub fate: MessageFate,
    /// The handler that it goes to.
    pub handler: u16,
    /// How much later it goes on from where it meets its fate.
    pub after: Option<Duration>,
    is_delayed: bool,
}

/// The way to the handlers.
#[derive(Clone)]
pub(super) struct Network {
    pub plan: Arc<Plan>,
    pub dice: Dice,
    pub inboxes: Arc<[UnboundedSender<Parcel>]>,
    /// Deliveries that are still on their way.
    pub under_way: TaskTracker,
    /// How long a client waits for an answer: a late request lands after that.
    pub client_timeout: Duration,
}

impl Network {
    /// Sends one attempt of a request on its way, and what the network makes of it.
    pub fn send(&self, request: &Request, attempt: u8, reply_to: &UnboundedSender<Answered>, recorder: &mut Recorder) {
        for (delivery, course) in self.announce(request.id, attempt, recorder).into_iter().flatten() {
            if !course.fate.arrives() {
                continue;
            }
            let loses_reply = course.fate == MessageFate::ReplyLost;
            let (request, reply_to) = match delivery.has_other_body() {
                false => (*request, reply_to.clone()),
                // Whoever has used the id for it does not ask again.
                true => (request.with_other_body(), unbounded_channel().0),
            };
            let parcel = Parcel { request, delivery, loses_reply, reply_to: ReplyTo::Client(reply_to) };
            self.deliver(parcel, course.handler, course.after);
        }
    }

    /// Writes down that an attempt is sent, and what the network makes of it, or its client with another body: these deliveries.
    pub fn announce(
        &self,
        message: MessageId,
        attempt: u8,
        recorder: &mut Recorder,
    ) -> [Option<(Delivery, Passage)>; 2] {
        let mut announced = |delivery: Delivery| {
            let course = self.course(message, delivery);
            Self::note_sent(message, delivery, course, recorder);
            (delivery, course)
        };
        let itself = Delivery { attempt, copy: 0 };
        let first = announced(itself);
        let second = match first.1.fate {
            MessageFate::Duplicated => Some(announced(Delivery { copy: 1, ..itself })),
            MessageFate::OtherBody => Some(announced(itself.of_other_body())),
            MessageFate::Arrives | MessageFate::RequestLost | MessageFate::ReplyLost | MessageFate::Late(_) => None,
        };
        [Some(first), second]
    }

    /// Writes down that a delivery is sent.
    pub fn note_sent(message: MessageId, delivery: Delivery, course: Passage, recorder: &mut Recorder) {
        // A duplicate is another delivery, and so is another body: the message itself arrives as if nothing had happened.
        let is_another = |fault: FaultKind| [FaultKind::Duplicated, FaultKind::OtherBody].contains(&fault);
        let fault = course.fate.fault().filter(|fault| !is_another(*fault));
        let what = What::Sent { fault, delayed: course.is_delayed };
        let at_ns = recorder.clock().now_ns();
        recorder.record(Event { at_ns, message, delivery, handler: course.handler, what });
    }

    /// What becomes of a delivery: the same whoever asks.
    pub fn course(&self, message: MessageId, delivery: Delivery) -> Passage {
        let verdict = self.plan.delivery(message, delivery);
        // What was made of a message makes nothing more of itself.
        let is_made = delivery.copy > 0 && [MessageFate::Duplicated, MessageFate::OtherBody].contains(&verdict.fate);
        let fate = if is_made { MessageFate::Arrives } else { verdict.fate };
        let late = fate.late().map(|after| self.client_timeout + after);
        let after = late.into_iter().chain(verdict.delay).reduce(|a, b| a + b);
        Passage { fate, handler: self.handler(message, delivery), after, is_delayed: verdict.delay.is_some() }
    }

    /// Puts a parcel into its handler's inbox, at once or later.
    pub fn deliver(&self, parcel: Parcel, handler: u16, after: Option<Duration>) {
        // A handler whose inbox is closed has ended with its trial.
        let inbox = self.inboxes[usize::from(handler)].clone();
        match after {
            None => drop(inbox.send(parcel)),
            Some(after) => {
                self.under_way.spawn(async move {
                    tokio::time::sleep(after).await;
                    drop(inbox.send(parcel));
                });
            }
        }
    }

    /// The handler that this delivery goes to: any of them, possibly another one than the last time.
    fn handler(&self, message: MessageId, delivery: Delivery) -> u16 {
        let mut rng = self.dice.roll(Question::Attempt(message, delivery.attempt));
        let [first, other]: [u32; 2] = rng.random();
        let chosen = if delivery.copy == 0 { first } else { other };
        u16::try_from(chosen as usize % self.inboxes.len()).unwrap_or(0)
    }
}
