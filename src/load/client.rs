//! Clients: each sends its requests, waits, and retries what is not answered.

use std::time::Duration;

use rand::RngExt;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep, timeout_at};

use super::hop::HopLane;
use super::network::{Answered, Network};
use super::setting::{Finished, Resolution};
use crate::experiment::{DOUBLINGS, LoadSettings};
use crate::fault::{Dice, Question};
use crate::history::{Event, Recorder, What};
use crate::terms::{Delivery, Reply, Request, Retries};

/// One client, at work on one request at a time.
pub(super) struct Client {
    pub network: Network,
    pub dice: Dice,
    pub load: LoadSettings,
    pub retries: Retries,
    pub recorder: Recorder,
    way: Reach,
}

/// How a client reaches the handlers.
enum Reach {
    /// Inside the process. The answers to all of its attempts come the same way.
    Inside(UnboundedSender<Answered>, UnboundedReceiver<Answered>),
    Http(Box<HopLane>),
}

impl Client {
    /// A client that reaches the handlers over a lane of the hop, or without one inside the process.
    pub fn new(
        network: Network,
        lane: Option<HopLane>,
        load: LoadSettings,
        retries: Retries,
        recorder: Recorder,
    ) -> Self {
        let dice = network.dice.clone();
        let inside = || {
            let (sender, receiver) = unbounded_channel();
            Reach::Inside(sender, receiver)
        };
        Client {
            network,
            dice,
            load,
            retries,
            recorder,
            way: lane.map_or_else(inside, |lane| Reach::Http(Box::new(lane))),
        }
    }

    /// Gets a request done, or gives up. `started_ns` is when it should have started: latency counts from there.
    pub async fn get_done(&mut self, request: &Request, started_ns: u64) -> Finished {
        let (resolution, attempts) = self.resolve(request).await;
        let ended_ns = self.recorder.clock().now_ns();
        Finished { message: request.id, started_ns, ended_ns, resolution, attempts }
    }

    async fn resolve(&mut self, request: &Request) -> (Resolution, u8) {
        let attempts = match self.retries {
            Retries::Never => 1,
            Retries::UntilAcknowledged => self.load.attempts.get(),
        };
        for attempt in 0..attempts {
            if attempt > 0 {
                sleep(self.backoff(request, attempt)).await;
            }
            match self.ask(request, attempt).await {
                Some(Ok(_)) => return (Resolution::Acknowledged, attempt + 1),
                Some(Err(trouble)) if trouble.is_final() => return (Resolution::Refused, attempt + 1),
                Some(Err(_)) => {}
                None => self.note(request, Delivery { attempt, copy: 0 }, 0, What::TimedOut),
            }
        }
        self.note(request, Delivery { attempt: attempts - 1, copy: 0 }, 0, What::GaveUp);
        (Resolution::GaveUp, attempts)
    }

    /// Sends an attempt, and waits for its answer.
    async fn ask(&mut self, request: &Request, attempt: u8) -> Option<Reply> {
        let answered = match &mut self.way {
            Reach::Inside(reply_to, replies) => {
                self.network.send(request, attempt, reply_to, &mut self.recorder);
                let deadline = Instant::now() + self.load.timeout();
                answer(replies, request, attempt, deadline).await
            }
            Reach::Http(lane) => {
                // What the network makes of it, the network writes on the wire.
                let announced = self.network.announce(request.id, attempt, &mut self.recorder);
                if announced.iter().flatten().any(|(delivery, _)| delivery.has_other_body()) {
                    self.network.under_way.spawn(lane.beside().send_other_body(*request, attempt, self.load.timeout()));
                }
                lane.ask(request, attempt, Instant::now() + self.load.timeout()).await
            }
        };
        let Answered { delivery, handler, reply, .. } = answered?;
        self.note(request, delivery, handler, What::Received { reply });
        Some(reply)
    }

    /// Exponential back-off with full range jitter, drawn for this request and attempt.
    fn backoff(&self, request: &Request, attempt: u8) -> Duration {
        let fraction: f64 = self.dice.roll(Question::Backoff(request.id, attempt)).random();
        let doubled = 1_u32 << (attempt - 1).min(DOUBLINGS);
        self.load.backoff_ms.at(fraction) * doubled
    }

    fn note(&mut self, request: &Request, delivery: Delivery, handler: u16, what: What) {
        let at_ns = self.recorder.clock().now_ns();
        self.recorder.record(Event { at_ns, message: request.id, delivery, handler, what });
    }
}

/// Waits for an answer to this attempt, or for the answer to an earlier one that is good.
async fn answer(
    replies: &mut UnboundedReceiver<Answered>,
    request: &Request,
    attempt: u8,
    deadline: Instant,
) -> Option<Answered> {
    loop {
        let answered = timeout_at(deadline, replies.recv()).await.ok().flatten()?;
        let is_current = answered.delivery.attempt == attempt || answered.reply.is_ok();
        if answered.message == request.id && is_current {
            return Some(answered);
        }
    }
}
