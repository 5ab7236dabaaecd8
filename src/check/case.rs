//! The case: history and ledger of one trial, arranged so that each check is one pass over it.

use std::time::Duration;

use crate::backend::Entry;
use crate::fault::Disturbed;
use crate::history::{Event, What};
use crate::strategy::Retries;
use crate::world::{Delivery, MessageId, Reply, Request, Trouble};

/// What was recorded of a trial.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// By message id: request `n` has the id `n`.
    pub requests: &'a [Request],
    /// In the order of time.
    pub events: &'a [Event],
    /// In the order of its numbers.
    pub ledger: &'a [Entry],
    /// What was done to backends.
    pub disturbed: &'a [Disturbed],
    /// What clients of the strategy do without an answer.
    pub retries: Retries,
    /// How long a lease lives.
    pub lease: Duration,
}

/// Evidence, grouped by message.
pub struct Case<'a> {
    pub evidence: Evidence<'a>,
    events: Groups,
    entries: Groups,
    told: Vec<Told>,
}

/// What the client of one request was told in the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// It received an answer.
    pub success: bool,
    /// When it had to take the request to have failed: it was refused for good, or gave up and never retries.
    pub failed_at_ns: Option<u64>,
    /// It stopped trying.
    pub gave_up: bool,
    /// The reply to the fault-free retry after everything had settled.
    pub final_reply: Option<Reply>,
}

impl<'a> Case<'a> {
    /// Arranges the evidence. Linear in its size.
    #[must_use]
    pub fn new(evidence: Evidence<'a>) -> Self {
        let messages = evidence.requests.len();
        let events = Groups::new(messages, evidence.events.iter().map(|event| event.message));
        let entries = Groups::new(messages, evidence.ledger.iter().map(|entry| entry.message));
        let mut told = vec![Told::default(); messages];
        for event in evidence.events {
            told[event.message.0 as usize].hear(event, evidence.retries);
        }
        Case { evidence, events, entries, told }
    }

    /// Every message id of the trial.
    pub fn messages(&self) -> impl Iterator<Item = MessageId> + use<> {
        (0..u32::try_from(self.told.len()).unwrap_or(u32::MAX)).map(MessageId)
    }

    /// What happened to a message, in the order of time.
    pub fn events_of(&self, message: MessageId) -> impl Iterator<Item = &'a Event> + '_ {
        self.events.of(message).iter().map(|index| &self.evidence.events[*index as usize])
    }

    /// The effects of a message, in the order of the ledger.
    pub fn entries_of(&self, message: MessageId) -> impl ExactSizeIterator<Item = &'a Entry> + '_ {
        self.entries.of(message).iter().map(|index| &self.evidence.ledger[*index as usize])
    }

    /// Whether the ledger holds the effect of a message.
    #[must_use]
    pub fn is_applied(&self, message: MessageId) -> bool {
        !self.entries.of(message).is_empty()
    }

    /// What the client was told in the end.
    #[must_use]
    pub fn told(&self, message: MessageId) -> Told {
        self.told[message.0 as usize]
    }
}

impl Told {
    fn hear(&mut self, event: &Event, retries: Retries) {
        match event.what {
            What::Received { reply } => {
                self.success |= reply.is_ok();
                if event.delivery == Delivery::FINAL {
                    self.final_reply = Some(reply);
                }
                if reply == Err(Trouble::Refused) {
                    self.failed_at_ns.get_or_insert(event.at_ns);
                }
            }
            What::GaveUp => {
                self.gave_up = true;
                // A client that would retry has not been told anything yet: the fault-free retry is still to come.
                if retries == Retries::Never {
                    self.failed_at_ns.get_or_insert(event.at_ns);
                }
            }
            _ => {}
        }
    }
}

/// Indices grouped by message, each group in the order of the indices: a counting sort.
struct Groups {
    /// Where the group of each message begins, and where the last one ends.
    starts: Vec<u32>,
    indices: Vec<u32>,
}

impl Groups {
    fn new(messages: usize, of: impl Iterator<Item = MessageId> + Clone) -> Self {
        let mut starts = vec![0_u32; messages + 1];
        for message in of.clone() {
            starts[message.0 as usize + 1] += 1;
        }
        for n in 0..messages {
            starts[n + 1] += starts[n];
        }
        let mut next = starts.clone();
        let mut indices = vec![0_u32; starts[messages] as usize];
        for (index, message) in (0..).zip(of) {
            let place = &mut next[message.0 as usize];
            indices[*place as usize] = index;
            *place += 1;
        }
        Groups { starts, indices }
    }

    fn of(&self, message: MessageId) -> &[u32] {
        let n = message.0 as usize;
        &self.indices[self.starts[n] as usize..self.starts[n + 1] as usize]
    }
}
