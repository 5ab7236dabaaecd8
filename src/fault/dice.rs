//! Dice: every random decision of a trial, as a function of the seed and of what the decision is about.
//!
//! No decision depends on the order in which tasks happen to run, nor on the strategy: the same request, attempt and
//! operation meet the same fault whoever makes it. Each decision has a ChaCha8 stream of its own, whose number is packed
//! from what identifies it, so no two share one.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use crate::terms::{Delivery, MessageId};
use crate::world::OpKind;

/// What a decision is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Question {
    /// Which account and amount a request has.
    Request(MessageId),
    /// Which handlers an attempt and its duplicate go to.
    Attempt(MessageId, u8),
    /// How long a client waits before this attempt.
    Backoff(MessageId, u8),
    /// What the network does to a delivery.
    Delivery(MessageId, Delivery),
    /// What happens to an operation: the n-th of its kind within its delivery.
    Operation(MessageId, Delivery, OpKind, u8),
    /// When the n-th request of an open loop is due.
    Arrival(u32),
}

impl Question {
    /// A number of its own for every question: 32 bits of message, 8 of attempt, 4 of copy, 8 of kind, 8 of count and 4
    /// of purpose.
    fn stream(self) -> u64 {
        let pack = |purpose: u64, message: u32, attempt: u8, copy: u8, kind: u8, nth: u8| {
            let copy = u64::from(copy.min(15));
            u64::from(message)
                | u64::from(attempt) << 32
                | copy << 40
                | u64::from(kind) << 44
                | u64::from(nth) << 52
                | purpose << 60
        };
        match self {
            Question::Request(id) => pack(0, id.0, 0, 0, 0, 0),
            Question::Attempt(id, attempt) => pack(1, id.0, attempt, 0, 0, 0),
            Question::Delivery(id, Delivery { attempt, copy }) => pack(2, id.0, attempt, copy, 0, 0),
            Question::Operation(id, Delivery { attempt, copy }, kind, nth) => {
                // A kind in another role than its usual one has streams of its own.
                let purpose = if kind.is_usual() { 3 } else { 8 + kind.role().number() as u64 };
                pack(purpose, id.0, attempt, copy, kind.number(), nth)
            }
            Question::Arrival(n) => pack(4, n, 0, 0, 0, 0),
            Question::Backoff(id, attempt) => pack(5, id.0, attempt, 0, 0, 0),
        }
    }
}

/// The dice of one trial.
#[derive(Debug, Clone)]
pub struct Dice {
    seed: [u8; 32],
}

impl Dice {
    /// The dice for a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Dice { seed: ChaCha8Rng::seed_from_u64(seed).get_seed() }
    }

    /// A generator that gives the same numbers for the same seed and question, always.
    #[must_use]
    pub fn roll(&self, question: Question) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::from_seed(self.seed);
        rng.set_stream(question.stream());
        rng
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    #[test]
    fn every_question_has_a_stream_of_its_own() {
        let mut seen = std::collections::HashSet::new();
        for message in [0, 1, u32::MAX].map(MessageId) {
            assert!(seen.insert(Question::Request(message).stream()));
            assert!(seen.insert(Question::Arrival(message.0).stream()));
            for attempt in [0, 1, 255] {
                assert!(seen.insert(Question::Attempt(message, attempt).stream()));
                assert!(seen.insert(Question::Backoff(message, attempt).stream()));
                for copy in [0, 1] {
                    let delivery = Delivery { attempt, copy };
                    assert!(seen.insert(Question::Delivery(message, delivery).stream()));
                    for kind in OpKind::everywhere() {
                        for nth in [0, 1, 255] {
                            assert!(seen.insert(Question::Operation(message, delivery, kind, nth).stream()));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_same_seed_and_question_give_the_same_numbers_and_another_seed_gives_others() {
        let question = Question::Operation(MessageId(7), Delivery::FIRST, OpKind::named("apply"), 0);
        let draw = |seed| Dice::new(seed).roll(question).random::<[u64; 4]>();
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
