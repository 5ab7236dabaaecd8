//! What each delivery of a message did, and which of them is whose retry.

use crate::check::Case;
use crate::explore::{Fate, Kinds};
use crate::history::{Event, What};
use crate::terms::{Delivery, FaultKind, Leg, MessageId};
use crate::world::{Acts, Op, OpKind, Outcome};

use super::writes_effects;

/// One delivery, from its arrival at a handler on.
pub(super) struct Visit {
    pub delivery: Delivery,
    pub arrived_ns: u64,
    /// When it ended in a way after which its client tries again.
    pub failed_ns: Option<u64>,
    /// It crashed, or was cancelled, when an operation was done: it may have been the last, with nothing left but the answer.
    pub broke_off: bool,
    /// In the order of time.
    pub items: Vec<VisitItem>,
    /// Its operations that landed after they had timed out.
    pub landings: Vec<VisitItem>,
    /// An operation of it may have changed something in the store.
    pub left_trace: bool,
    /// The first operation that something carried out twice, and when it began.
    pub repeated: Option<(u64, OpKind)>,
}

/// Something that happened to a delivery, and what a schedule may say for it.
#[derive(Debug, Clone)]
pub(super) struct VisitItem {
    pub by: Delivery,
    pub began_ns: u64,
    pub ended_ns: u64,
    /// The operation; none for a crash.
    pub kind: Option<OpKind>,
    /// What came back, where it is known.
    pub outcome: Option<Outcome>,
    /// The fates of the steps that it may be, the likeliest first.
    pub ways: Vec<Vec<Fate>>,
}

/// The deliveries of a message in the order of their arrival.
pub(super) fn visits(case: &Case<'_>, message: MessageId) -> Vec<Visit> {
    let mut visits: Vec<Visit> = Vec::new();
    for event in case.events_of(message) {
        if event.what == What::Arrived {
            // The fault-free retry may come several times.
            if let Some(before) = of(&mut visits, event.delivery) {
                before.failed_ns.get_or_insert(event.at_ns);
            }
            visits.push(Visit {
                delivery: event.delivery,
                arrived_ns: event.at_ns,
                failed_ns: None,
                broke_off: false,
                left_trace: false,
                items: Vec::new(),
                landings: Vec::new(),
                repeated: None,
            });
        } else if let Some(visit) = of(&mut visits, event.delivery) {
            let has_effect = case.entries_of(message).any(|entry| entry.by == event.delivery);
            visit.follow(event, has_effect);
        }
    }
    visits
}

fn of(visits: &mut [Visit], delivery: Delivery) -> Option<&mut Visit> {
    visits.iter_mut().rev().find(|visit| visit.delivery == delivery)
}

impl Visit {
    /// `has_effect` says whether the ledger holds an effect of this delivery.
    fn follow(&mut self, event: &Event, has_effect: bool) {
        match event.what {
            What::Called { op, outcome, fault, .. } => {
                if fault == Some(FaultKind::Duplicated) && !op.footprint().writes.is_empty() {
                    self.repeated.get_or_insert((event.at_ns, op.kind()));
                }
                self.left_trace |= may_leave_trace(op, outcome, fault);
                self.items.push(VisitItem {
                    by: event.delivery,
                    began_ns: event.at_ns,
                    ended_ns: event.ended_ns(),
                    kind: Some(op.kind()),
                    outcome,
                    ways: ways(op.kind(), outcome, fault, has_effect),
                });
            }
            // A driver that repeats a read changes nothing.
            What::Repeated { op, .. } if !op.footprint().writes.is_empty() => {
                self.repeated.get_or_insert((event.at_ns, op.kind()));
            }
            What::Landed { op, outcome } => self.landings.push(VisitItem {
                by: event.delivery,
                began_ns: event.at_ns,
                // When it was done is not written down.
                ended_ns: u64::MAX,
                kind: Some(op.kind()),
                outcome,
                ways: vec![vec![Fate::Lands]],
            }),
            What::Cancelled | What::Crashed => self.end_abruptly(event, has_effect),
            What::Answered { reply: Err(trouble), .. } if !trouble.is_final() => self.failed_ns = Some(event.at_ns),
            _ => {}
        }
    }

    /// The strategy went no further. If the operation before was its last, the crash is what keeps it from answering: then it is
    /// as if the reply to that operation had been lost.
    fn end_abruptly(&mut self, event: &Event, has_effect: bool) {
        self.failed_ns = Some(event.at_ns);
        let Some(last) = self.items.last_mut() else { return };
        if last.outcome.is_some() {
            self.broke_off = true;
            if last.ways.first() == Some(&vec![Fate::Arrives]) {
                last.ways.push(vec![Fate::ReplyLost]);
            }
        } else {
            // It was under way: done, or not.
            let mut ways = vec![vec![Fate::Arrives], vec![Fate::ReplyLost], vec![]];
            if !is_likely_done(last.kind, has_effect) {
                ways.rotate_right(1);
            }
            last.ways = ways;
        }
        self.items.push(VisitItem {
            by: event.delivery,
            began_ns: event.at_ns,
            ended_ns: event.at_ns,
            kind: None,
            outcome: None,
            ways: vec![vec![Fate::Crashes], vec![]],
        });
    }
}

/// What a schedule may say for an operation that a strategy learned an outcome of.
fn ways(kind: OpKind, outcome: Option<Outcome>, fault: Option<FaultKind>, has_effect: bool) -> Vec<Vec<Fate>> {
    let one = |fate: Fate| vec![fate];
    match (fault, outcome) {
        (Some(fault), _) if is_request_lost(fault) => vec![one(Fate::RequestLost)],
        (Some(FaultKind::LateLanding), _) => vec![one(Fate::TimesOut)],
        // The reply that was lost may have said that it was not done. Nobody knows either what becomes of an operation that is
        // given up.
        (Some(FaultKind::ReplyLost), _) | (_, Some(Outcome::Unknown)) => {
            let mut ways = vec![one(Fate::ReplyLost), one(Fate::RequestLost)];
            if !is_likely_done(Some(kind), has_effect) && fault != Some(FaultKind::ReplyLost) {
                ways.reverse();
            }
            ways
        }
        // It was certainly not done: if the model knows no reason, somebody else's message was one.
        (_, Some(Outcome::Failed(_))) => vec![one(Fate::Arrives), one(Fate::RequestLost)],
        (_, Some(Outcome::Ok(_)) | None) => vec![one(Fate::Arrives)],
    }
}

/// Whether a request that met this fault never came to the other side: in a schedule it is lost.
fn is_request_lost(fault: FaultKind) -> bool {
    Kinds::of(fault).contains(Fate::RequestLost)
}

/// Whether an operation may have changed something in the store.
fn may_leave_trace(op: Op, outcome: Option<Outcome>, fault: Option<FaultKind>) -> bool {
    let bound = op.acts().any(Acts::BOUNDS);
    let changed_nothing = match outcome {
        Some(Outcome::Failed(_)) => true,
        Some(Outcome::Ok(response)) => response.changes_nothing(),
        Some(Outcome::Unknown) | None => false,
    };
    let was_lost = fault.is_some_and(is_request_lost);
    op.leg() == Leg::STORE && !bound && !op.footprint().writes.is_empty() && !changed_nothing && !was_lost
}

/// Whether an operation whose outcome nobody knows is more likely to have been done. The ledger tells of those that write effects;
/// one that queues for a lock for long does not get it.
fn is_likely_done(kind: Option<OpKind>, has_effect: bool) -> bool {
    match kind {
        None => false,
        Some(kind) if kind.acts().any(Acts::QUEUES) => false,
        Some(kind) if writes_effects(kind) => has_effect,
        Some(_) => true,
    }
}

/// Deals the deliveries out to lanes. A later attempt that arrives when the one before has failed is its retry; everything else
/// is a lane of its own. With `answered`, whoever broke off had an answer that was lost: then its retry is another lane too.
pub(super) fn lanes<'v>(visits: &[&'v Visit], answered: bool) -> Vec<Vec<&'v Visit>> {
    let mut lanes: Vec<Vec<&Visit>> = Vec::new();
    for visit in visits {
        let is_retry_of = |last: &Visit| {
            let is_later = visit.delivery.attempt > last.delivery.attempt || visit.delivery == Delivery::FINAL;
            let has_failed = !(answered && last.broke_off);
            is_later && has_failed && last.failed_ns.is_some_and(|failed| failed <= visit.arrived_ns)
        };
        match lanes.iter_mut().find(|lane| lane.last().is_some_and(|last| is_retry_of(last))) {
            Some(lane) => lane.push(visit),
            None => lanes.push(vec![visit]),
        }
    }
    lanes
}
