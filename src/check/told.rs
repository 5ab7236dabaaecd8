//! What a client was told, and what its handlers answered.

use crate::history::{Event, What};
use crate::terms::{Answer, Reply, Trouble};
use crate::world::Acts;

/// What the client of one request was told in the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// It received an answer.
    pub success: bool,
    /// When it was first told that it is refused for good.
    pub refused_at_ns: Option<u64>,
    /// When it stopped trying.
    pub gave_up_at_ns: Option<u64>,
    /// The reply to the fault-free retry after everything had settled.
    pub final_reply: Option<Reply>,
    /// The first answer that a handler gave, whether or not anybody heard it. "Try again" is no answer.
    pub(super) first_answer: Option<Reply>,
    /// Another answer differs from the first.
    pub(super) deviates: bool,
    /// The first answer that no entry of the message gave, where there are entries.
    pub(super) odd_answer: Option<Answer>,
}

impl Told {
    /// It stopped trying.
    #[must_use]
    pub fn gave_up(&self) -> bool {
        self.gave_up_at_ns.is_some()
    }

    /// Takes an event of the request into account. `given` are the answers that its effects gave. Says whether the event is an
    /// operation that is written over what others have done.
    #[inline]
    pub(super) fn hear<I: Iterator<Item = i64>>(&mut self, event: &Event, given: impl Fn() -> I) -> bool {
        match event.what {
            What::Called { op, .. } | What::Landed { op, .. } => return op.acts().any(Acts::OVERWRITES),
            What::Answered { reply, .. } => self.answered(reply, given),
            What::Received { reply } => {
                self.success |= reply.is_ok();
                if event.delivery.is_final() {
                    self.final_reply = Some(reply);
                }
                if reply == Err(Trouble::Refused) {
                    self.refused_at_ns.get_or_insert(event.at_ns);
                }
            }
            What::GaveUp => {
                self.gave_up_at_ns.get_or_insert(event.at_ns);
            }
            What::Sent { .. }
            | What::Arrived
            | What::Repeated { .. }
            | What::Paused { .. }
            | What::Cancelled
            | What::Crashed
            | What::TimedOut => {}
        }
        false
    }

    fn answered<I: Iterator<Item = i64>>(&mut self, reply: Reply, given: impl Fn() -> I) {
        if !is_answer(&reply) {
            return;
        }
        match self.first_answer {
            None => self.first_answer = Some(reply),
            Some(first) => self.deviates |= first != reply,
        }
        if let Ok(answer) = reply {
            let is_odd = given().next().is_some() && given().all(|balance| balance != answer.0);
            if is_odd {
                self.odd_answer.get_or_insert(answer);
            }
        }
    }
}

/// Whether a reply settles the request: a result, or a refusal for good.
pub(super) fn is_answer(reply: &Reply) -> bool {
    reply.as_ref().map_or_else(|trouble| trouble.is_final(), |_| true)
}
