//! An event as a line of a history.

use serde::{Deserialize, Serialize};

use super::text::{parse_delivery, parse_outcome, parse_reply, show_outcome, show_reply};
use crate::history::{Event, What};
use crate::terms::{FaultKind, Request};
use crate::world::Op;

/// An event. Keys are short, since there are millions of them: `t` nanoseconds since the trial began, `m` message id, `d`
/// delivery, `h` handler, `e` what happened, `us` microseconds that it took, `requests` how many a driver made of one operation.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventLine {
    pub t: u64,
    pub m: u32,
    d: String,
    h: u16,
    e: EventKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    op: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    delayed: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unheard: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    us: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    requests: Option<u32>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EventKind {
    Sent,
    Arrived,
    Called,
    Repeated,
    Landed,
    Paused,
    Cancelled,
    Crashed,
    Answered,
    Received,
    TimedOut,
    GaveUp,
}

impl From<&Event> for EventLine {
    fn from(event: &Event) -> Self {
        let mut line = EventLine {
            t: event.at_ns,
            m: event.message.0,
            d: event.delivery.to_string(),
            h: event.handler,
            e: EventKind::Arrived,
            op: None,
            outcome: None,
            reply: None,
            fault: None,
            delayed: event.is_delayed(),
            unheard: false,
            us: None,
            requests: None,
        };
        line.e = match event.what {
            What::Arrived => EventKind::Arrived,
            What::Cancelled => EventKind::Cancelled,
            What::Crashed => EventKind::Crashed,
            What::TimedOut => EventKind::TimedOut,
            What::GaveUp => EventKind::GaveUp,
            What::Sent { fault, .. } => {
                line.fault = fault.map(|fault| fault.name().to_owned());
                EventKind::Sent
            }
            What::Called { op, outcome, fault, took_us, .. } => {
                line.op = Some(op.to_string());
                line.outcome = outcome.as_ref().map(show_outcome);
                line.fault = fault.map(|fault| fault.name().to_owned());
                line.us = Some(took_us);
                EventKind::Called
            }
            What::Repeated { op, requests } => {
                line.op = Some(op.to_string());
                line.requests = Some(requests);
                EventKind::Repeated
            }
            What::Landed { op, outcome } => {
                line.op = Some(op.to_string());
                line.outcome = outcome.as_ref().map(show_outcome);
                EventKind::Landed
            }
            What::Paused { for_us } => {
                line.us = Some(for_us);
                EventKind::Paused
            }
            What::Answered { reply, heard } => {
                line.reply = Some(show_reply(&reply));
                line.unheard = !heard;
                EventKind::Answered
            }
            What::Received { reply } => {
                line.reply = Some(show_reply(&reply));
                EventKind::Received
            }
        };
        line
    }
}

impl EventLine {
    pub fn event(&self, request: &Request) -> Option<Event> {
        let op = || Op::parse(self.op.as_deref()?, request);
        let reply = || parse_reply(self.reply.as_deref()?);
        // Absent is a value; present and unreadable is an error.
        let fault = self.fault.as_deref().map_or(Some(None), |name| FaultKind::from_name(name).map(Some))?;
        let outcome = |op| self.outcome.as_deref().map_or(Some(None), |text| parse_outcome(text, op).map(Some));
        let what = match self.e {
            EventKind::Arrived => What::Arrived,
            EventKind::Cancelled => What::Cancelled,
            EventKind::Crashed => What::Crashed,
            EventKind::TimedOut => What::TimedOut,
            EventKind::GaveUp => What::GaveUp,
            EventKind::Sent => What::Sent { fault, delayed: self.delayed },
            EventKind::Called => {
                let op = op()?;
                What::Called { op, outcome: outcome(&op)?, fault, delayed: self.delayed, took_us: self.us? }
            }
            EventKind::Repeated => What::Repeated { op: op()?, requests: self.requests? },
            EventKind::Landed => {
                let op = op()?;
                What::Landed { op, outcome: outcome(&op)? }
            }
            EventKind::Paused => What::Paused { for_us: self.us? },
            EventKind::Answered => What::Answered { reply: reply()?, heard: !self.unheard },
            EventKind::Received => What::Received { reply: reply()? },
        };
        Some(Event { at_ns: self.t, message: request.id, delivery: parse_delivery(&self.d)?, handler: self.h, what })
    }
}
