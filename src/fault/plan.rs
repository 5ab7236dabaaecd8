//! The fault plan: decides the fate of each message and of each handler, from the seed alone.

use std::time::Duration;

use rand::{Rng, RngExt};

use super::dice::{Dice, Question};
use super::level::{HandlerFaults, Level, MessageFaults, Probability};
use crate::terms::{Delivery, FaultKind, MessageId};
use crate::world::OpKind;

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageFate {
    Arrives,
    RequestLost,
    ReplyLost,
    /// Its sender times out, and this much later it lands.
    Late(Duration),
    Duplicated,
    /// It arrives, and its client uses the id for a request with another body too.
    OtherBody,
}

/// What becomes of a handler at one of its operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    Pause {
        when: When,
        lasting: Duration,
    },
    /// Dropped in the middle of the operation, this long after it was sent off; at once if zero.
    Cancel {
        after: Duration,
    },
    Crash {
        when: When,
    },
}

/// On which side of an operation something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Before,
    After,
}

/// The verdict on one message, or on one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    pub fate: MessageFate,
    /// How much longer the message takes.
    pub delay: Option<Duration>,
    /// What happens to the handler that sends it.
    pub mishap: Option<Mishap>,
}

impl Decision {
    /// Nothing happens.
    pub const NOTHING: Decision = Decision { fate: MessageFate::Arrives, delay: None, mishap: None };
}

impl MessageFate {
    /// The fault that this fate is, if it is one.
    #[must_use]
    pub fn fault(self) -> Option<FaultKind> {
        match self {
            MessageFate::Arrives => None,
            MessageFate::RequestLost => Some(FaultKind::RequestLost),
            MessageFate::ReplyLost => Some(FaultKind::ReplyLost),
            MessageFate::Late(_) => Some(FaultKind::LateLanding),
            MessageFate::Duplicated => Some(FaultKind::Duplicated),
            MessageFate::OtherBody => Some(FaultKind::OtherBody),
        }
    }

    /// Whether the message comes to the other side.
    #[must_use]
    pub fn arrives(self) -> bool {
        match self {
            MessageFate::RequestLost => false,
            MessageFate::Arrives
            | MessageFate::ReplyLost
            | MessageFate::Late(_)
            | MessageFate::Duplicated
            | MessageFate::OtherBody => true,
        }
    }

    /// How long after its sender's time-out the message lands, if it does so that late.
    #[must_use]
    pub fn late(self) -> Option<Duration> {
        if let MessageFate::Late(after) = self { Some(after) } else { None }
    }
}

/// Decides what happens to each message and each operation of a trial.
#[derive(Debug, Clone)]
pub struct Plan {
    dice: Dice,
    level: Level,
    lease: Duration,
    quiet: bool,
}

/// Longest time between sending an operation off and dropping its future. The operations take about as long.
const CANCEL_WITHIN: Duration = Duration::from_millis(1);

impl Plan {
    /// The plan for a seed and a fault level; `lease` is how long a lease lives, and pauses are counted in it.
    #[must_use]
    pub fn new(seed: u64, level: Level, lease: Duration) -> Self {
        let quiet = !level.has_faults();
        Plan { dice: Dice::new(seed), level, lease, quiet }
    }

    /// How long a lease lives.
    #[must_use]
    pub fn lease(&self) -> Duration {
        self.lease
    }

    /// Decides what the network does to a delivery on its way between client and handler.
    #[must_use]
    pub fn delivery(&self, message: MessageId, delivery: Delivery) -> Decision {
        if self.is_exempt(delivery) {
            return Decision::NOTHING;
        }
        let mut rng = self.dice.roll(Question::Delivery(message, delivery));
        let (fate, delay) = self.message(&self.level.client, &mut rng);
        Decision { fate, delay, mishap: None }
    }

    /// Decides what happens to the n-th operation of a kind within a delivery, and to its handler.
    #[must_use]
    pub fn operation(&self, message: MessageId, delivery: Delivery, op: OpKind, nth: u8) -> Decision {
        if self.is_exempt(delivery) {
            return Decision::NOTHING;
        }
        let mut rng = self.dice.roll(Question::Operation(message, delivery, op, nth));
        let (fate, delay) = self.message(self.level.message_faults(op), &mut rng);
        let mishap = self.mishap(self.level.handler_faults(op), &mut rng);
        Decision { fate, delay, mishap }
    }

    /// The fault-free retry after everything has settled is what its name says.
    fn is_exempt(&self, delivery: Delivery) -> bool {
        self.quiet || delivery.is_last()
    }

    /// Every call draws the same number of times, so that one probability does not shift what another decides.
    fn message(&self, faults: &MessageFaults, rng: &mut impl Rng) -> (MessageFate, Option<Duration>) {
        let [which, is_delayed, late, delay]: [f64; 4] = rng.random();
        let late = self.level.late_ms.at(late);
        let fates = [
            (faults.request_lost, MessageFate::RequestLost),
            (faults.reply_lost, MessageFate::ReplyLost),
            (faults.late_landing, MessageFate::Late(late)),
            (faults.duplicated, MessageFate::Duplicated),
            (faults.other_body, MessageFate::OtherBody),
        ];
        let fate = pick(which, fates).unwrap_or(MessageFate::Arrives);
        let delayed = is_delayed < faults.delayed.get();
        (fate, delayed.then(|| self.level.delay_ms.at(delay)))
    }

    fn mishap(&self, faults: &HandlerFaults, rng: &mut impl Rng) -> Option<Mishap> {
        let [which, side, after]: [f64; 3] = rng.random();
        let when = if side < 0.5 { When::Before } else { When::After };
        let lasting = self.lease.mul_f64(self.level.pause_leases);
        // Half of the cancellations come as soon as the operation is off, when it is surest to be under way.
        let after = CANCEL_WITHIN.mul_f64((2.0 * after - 1.0).max(0.0));
        let mishaps = [
            (faults.pause, Mishap::Pause { when, lasting }),
            (faults.cancel, Mishap::Cancel { after }),
            (faults.crash, Mishap::Crash { when }),
        ];
        pick(which, mishaps)
    }
}

/// The alternative that a number from 0 to 1 falls on, if it falls on any.
fn pick<T: Copy>(number: f64, alternatives: impl IntoIterator<Item = (Probability, T)>) -> Option<T> {
    let mut rest = number;
    alternatives.into_iter().find_map(|(probability, it)| {
        let hit = rest < probability.get();
        rest -= probability.get();
        hit.then_some(it)
    })
}
