//! The network between clients and handlers: loses, repeats and delays deliveries, as the plan says.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use tokio::sync::mpsc::UnboundedSender;
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
    pub reply_to: UnboundedSender<Answered>,
}

/// A handler's answer as a client receives it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answered {
    pub message: MessageId,
    pub delivery: Delivery,
    pub handler: u16,
    pub reply: Reply,
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
        let fate = self.send_copy(request, Delivery { attempt, copy: 0 }, reply_to, recorder);
        if fate == MessageFate::Duplicated {
            self.send_copy(request, Delivery { attempt, copy: 1 }, reply_to, recorder);
        }
    }

    fn send_copy(
        &self,
        request: &Request,
        delivery: Delivery,
        reply_to: &UnboundedSender<Answered>,
        recorder: &mut Recorder,
    ) -> MessageFate {
        let verdict = self.plan.delivery(request.id, delivery);
        let is_copy = verdict.fate == MessageFate::Duplicated && delivery.copy > 0;
        let fate = if is_copy { MessageFate::Arrives } else { verdict.fate };
        let handler = self.handler(request.id, delivery);
        // A duplicate is another delivery: the message itself arrives as if nothing had happened.
        let fault = fate.fault().filter(|fault| *fault != FaultKind::Duplicated);
        let what = What::Sent { fault, delayed: verdict.delay.is_some() };
        recorder.record(Event { at_ns: recorder.clock().now_ns(), message: request.id, delivery, handler, what });

        if !fate.arrives() {
            return fate;
        }
        let late = fate.late().map(|after| self.client_timeout + after);
        let parcel = Parcel {
            request: *request,
            delivery,
            loses_reply: fate == MessageFate::ReplyLost,
            reply_to: reply_to.clone(),
        };
        self.deliver(parcel, handler, late.into_iter().chain(verdict.delay).reduce(|a, b| a + b));
        fate
    }

    fn deliver(&self, parcel: Parcel, handler: u16, after: Option<Duration>) {
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
