//! Causes: what the history shows to have led to a violation.

use super::{Case, forgotten, late};
use crate::history::{Event, What};
use crate::terms::{Cause, Entry, FaultKind, Leg, MessageId, Retries, Role};
use crate::world::{Acts, Op, Outcome};

/// What happened to one delivery, in short.
#[derive(Debug, Default, Clone, Copy)]
struct Span {
    arrived_ns: Option<u64>,
    /// The handler crashed or was cancelled.
    broke_off: bool,
    /// An operation that may apply an effect at the store in question landed after its time-out, or the delivery itself did.
    landed_late: bool,
    /// An operation's outcome was unknown, or the answer never reached the client.
    unheard: bool,
    /// When it asked whether the message had been seen, and was told no.
    checked_ns: Option<u64>,
    /// When the mark that it left could be seen.
    marked_ns: Option<u64>,
    /// When its last operation on what keeps effects or marks was over: after that it leaves no mark any more.
    stored_ns: Option<u64>,
    /// An operation on a store ended when the lease of the delivery's lock had run out.
    past_lease: bool,
    granted_ns: Option<u64>,
    /// It asked for the effect in a step that takes the message id for a time, and does nothing if somebody has it.
    took_with_effect: bool,
    /// How many operations it made that apply an effect for certain, at the store in question.
    applications: u8,
}

impl Span {
    /// What happened to the delivery that made an entry.
    fn of(case: &Case<'_>, &Entry { role, message, by: delivery, .. }: &Entry) -> Span {
        let lease_ns = u64::try_from(case.evidence.lease.as_nanos()).unwrap_or(u64::MAX);
        let mut span = Span::default();
        for event in case.events_of(message).filter(|event| event.delivery == delivery) {
            match event.what {
                What::Sent { fault, .. } => span.landed_late |= fault == Some(FaultKind::LateLanding),
                What::Arrived => span.arrived_ns = Some(event.at_ns),
                What::Called { op, outcome, .. } => span.call(event, (&op, role), outcome, lease_ns),
                What::Landed { op, .. } if op.role == role => {
                    span.landed_late |= op.acts().may_apply();
                    span.took_with_effect |= takes_with_effect(&op);
                }
                What::Landed { op, .. } => span.landed_late |= op.acts().any(Acts::ARRIVES),
                What::Answered { heard, .. } => span.unheard |= !heard,
                What::Cancelled | What::Crashed => span.broke_off = true,
                What::Repeated { .. } | What::Paused { .. } | What::Received { .. } | What::TimedOut | What::GaveUp => {
                }
            }
        }
        span
    }

    fn call(&mut self, event: &Event, (op, role): (&Op, Role), outcome: Option<Outcome>, lease_ns: u64) {
        let (acts, is_ok) = (op.acts(), matches!(outcome, Some(Outcome::Ok(_))));
        if let Some(Outcome::Ok(response)) = outcome
            && acts.any(Acts::TAKES)
            && !response.changes_nothing()
        {
            self.granted_ns = Some(event.at_ns);
        }
        self.took_with_effect |= takes_with_effect(op);
        if acts.any(Acts::LEASES) && is_ok {
            self.granted_ns = Some(event.lives_from_ns());
            return;
        }
        if acts.any(Acts::SIGNS) && !acts.any(Acts::LEAVES) && is_ok {
            self.granted_ns = Some(event.at_ns);
            return;
        }
        self.unheard |= outcome.is_none_or(|outcome| outcome == Outcome::Unknown);
        if [Leg::LOCK, Leg::Client].contains(&op.leg()) && op.role != role {
            return;
        }
        let is_past = |granted: u64| event.ended_ns() >= granted.saturating_add(lease_ns);
        self.past_lease |= self.granted_ns.is_some_and(is_past);
        self.stored_ns = Some(event.ended_ns());
        if !is_ok {
            return;
        }
        self.applications += u8::from(op.role == role && acts.any(Acts::APPLIES) && !acts.any(Acts::UNKNOWN));
        if acts.any(Acts::LOOKS) {
            // Of statements that nobody knows the first may be the look; of those that are looks the last decided.
            let first = self.checked_ns.filter(|_| acts.any(Acts::UNKNOWN));
            self.checked_ns = first.or(Some(event.at_ns));
        }
        if acts.any(Acts::MARKS) || acts.any(Acts::COMMITS) {
            self.marked_ns = Some(event.ended_ns());
        }
    }

    /// Whether the other delivery looked for the mark while this one was between its effect and the mark.
    fn races(&self, other: &Span) -> bool {
        let (Some(arrived), Some(looked)) = (self.arrived_ns, other.checked_ns) else { return false };
        let until = self.marked_ns.or(self.stored_ns).unwrap_or(u64::MAX);
        arrived < looked && looked < until
    }
}

/// Whether something has forgotten the message after the first delivery came, and before the second was done with the store.
fn was_forgotten(case: &Case<'_>, second: &Entry, one: &Span, two: &Span) -> bool {
    let until = two.stored_ns.filter(|_| !two.landed_late).unwrap_or(u64::MAX);
    let from = one.arrived_ns.unwrap_or(0);
    let was_done = |what: What| {
        !matches!(
            what,
            What::Called { fault: Some(FaultKind::RequestLost), .. }
                | What::Called { outcome: Some(Outcome::Failed(_)), .. }
        )
    };
    case.events_of(second.message).any(|event| {
        let forgets = event.what.op().is_some_and(|op| op.role == second.role && op.acts().any(Acts::FORGETS));
        forgets && was_done(event.what) && (from..=until).contains(&event.at_ns)
    })
}

/// Whether an operation takes a message id for a time, and applies the effect if it could.
fn takes_with_effect(op: &Op) -> bool {
    op.acts().any(Acts::TAKES) && op.acts().any(Acts::APPLIES)
}

/// Why an effect that had been applied by the first entry was applied again by the second.
pub(super) fn of_second_application(case: &Case<'_>, first: &Entry, second: &Entry) -> Cause {
    if case.has_stray_end(second.role, second.message) {
        return Cause::LateLanding;
    }
    let one = Span::of(case, first);
    if first.by == second.by && one.applications > 1 {
        return if one.unheard { Cause::RetryAfterLostReply } else { Cause::AppliedTwice };
    }
    if case.evidence.retries == Retries::Never {
        return Cause::RepeatedOnTheWay;
    }
    if first.by == second.by {
        // Within one delivery: an operation that landed after the strategy had made it again, or that was repeated.
        return if one.landed_late { Cause::LateLanding } else { Cause::Redelivery };
    }
    let two = Span::of(case, second);
    let from = one.granted_ns.or(one.arrived_ns).unwrap_or(0);
    if forgotten::between(case, second.message, from..=two.granted_ns.or(two.stored_ns).unwrap_or(u64::MAX)) {
        Cause::ServerForgot
    } else if two.took_with_effect || was_forgotten(case, second, &one, &two) {
        // The id was remembered together with the first effect: whatever came between, it was forgotten before the second.
        Cause::WindowExpired
    } else if one.landed_late || two.landed_late {
        Cause::LateLanding
    } else if one.past_lease || two.past_lease {
        Cause::ZombiePastLease
    } else if one.broke_off {
        Cause::CrashBetweenStores
    } else if one.races(&two) || two.races(&one) {
        Cause::CheckThenActRace
    } else if one.unheard {
        Cause::RetryAfterLostReply
    } else {
        Cause::Redelivery
    }
}

/// Why a client was told that its request is refused for good, which this entry had applied or applied later.
pub(super) fn of_denial(case: &Case<'_>, entry: &Entry, refused_at_ns: u64) -> Cause {
    let is_refusal = |event: &&Event| matches!(event.what, What::Received { .. }) && event.at_ns == refused_at_ns;
    let refused_by = case.events_of(entry.message).find(is_refusal).map(|event| event.delivery);
    let span = Span::of(case, entry);
    if late::began_after(case, entry.message, entry, refused_at_ns).is_some() {
        Cause::LateLanding
    } else if refused_by == Some(entry.by) {
        let is_repeated = |event: &Event| {
            event.delivery == entry.by && matches!(event.what, What::Called { fault: Some(FaultKind::Duplicated), .. })
        };
        if span.unheard {
            Cause::UnknownTakenForFailure
        } else if case.events_of(entry.message).any(is_repeated) {
            // Something on the way made the operation twice, and the answer to the second is what the handler heard.
            Cause::Redelivery
        } else {
            Cause::Unexplained
        }
    } else if span.broke_off {
        Cause::CrashBetweenStores
    } else if span.unheard {
        Cause::RetryAfterLostReply
    } else {
        // The request was done and answered, and another delivery of it was refused.
        Cause::Redelivery
    }
}

/// Why a message is not applied, or not finished, although somebody was at work on it.
pub(super) fn of_unfinished(case: &Case<'_>, message: MessageId) -> Cause {
    if let Some(cause) = of_standing_back(case, message) {
        return cause;
    }
    if case.stores().any(|role| case.has_stray_end(role, message)) {
        return Cause::LateLanding;
    }
    let mut events = case.events_of(message);
    if events.any(|event| matches!(event.what, What::Cancelled | What::Crashed)) {
        return Cause::CrashBetweenStores;
    }
    let is_unheard = |event: &Event| matches!(event.what, What::Called { outcome: None | Some(Outcome::Unknown), .. });
    if case.events_of(message).any(is_unheard) { Cause::RetryAfterLostReply } else { Cause::Unexplained }
}

/// Why a message was not applied although the store was asked to and nothing went wrong: the store compared it with what had been done
/// before.
pub(super) fn of_standing_back(case: &Case<'_>, message: MessageId) -> Option<Cause> {
    if case.is_applied(message) {
        return None;
    }
    let has_marked = || {
        case.events_of(message).any(|event| matches!(event.what, What::Called { op, .. } if op.acts().any(Acts::MARKS)))
    };
    case.events_of(message).find_map(|event| match event.what {
        // Whoever only looks has found what another message has left, if none of its own left anything.
        What::Called { op, .. } if op.acts().any(Acts::READS) && has_marked() => None,
        What::Called { op, outcome: Some(Outcome::Ok(response)), .. } if response.changes_nothing() => {
            let of = [(Acts::ORDERS, Cause::OutOfOrder), (Acts::CONDITIONS, Cause::Precondition)];
            of.into_iter().find(|(acts, _)| op.acts().any(*acts)).map(|(_, cause)| cause)
        }
        _ => None,
    })
}

/// Whether a delivery of a message came to its handler after its client had gone.
pub(super) fn came_late(case: &Case<'_>, message: MessageId) -> bool {
    let lands = |event: &Event| matches!(event.what, What::Landed { op, .. } if op.acts().any(Acts::ARRIVES));
    case.events_of(message).any(lands)
}

/// Why an effect was applied under conditions that had passed.
pub(super) fn of_outdated(case: &Case<'_>, entry: &Entry) -> Cause {
    let span = Span::of(case, entry);
    if span.landed_late {
        Cause::LateLanding
    } else if span.past_lease {
        Cause::ZombiePastLease
    } else {
        Cause::Unexplained
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::{COPY, FIRST, LEASE_US, RETRY, Story, apply, lock, request, sent};
    use crate::history::What;
    use crate::service::etcd::{LockOp, LockResponse};
    use crate::service::hop::{HopOp, HopResponse};
    use crate::service::store::{StoreOp, StoreResponse};
    use crate::terms::{Answer, Cause, Delivery, FaultKind, HttpForm, MessageId, Retries, Violation};
    use crate::world::{Op, Outcome, Response, Sql};

    const APPLIED: Response = Response::Store(StoreResponse::Applied(Some(Answer(10))));
    fn read() -> Op {
        StoreOp::read_mark(MessageId(0)).into()
    }
    fn mark() -> Op {
        StoreOp::write_mark(MessageId(0), Answer(10)).into()
    }

    /// The cause of the one duplicate of message 0 that a story tells, with an entry by each of two deliveries.
    fn cause(second: Delivery, tell: impl FnOnce(&mut Story)) -> Cause {
        let mut story = Story::of(1);
        tell(&mut story);
        story.entry(0, FIRST).entry(0, second);
        let found = story.found(Violation::Duplicate);
        assert_eq!(found.len(), 1);
        found[0].1
    }

    /// A delivery that looks at this time, finds nothing, and applies.
    fn look_and_apply(story: &mut Story, us: u64, by: Delivery) {
        story.at(us, 0, by, What::Arrived).done(us + 1, 0, by, read(), Response::Store(StoreResponse::Found(None)));
        story.done(us + 3, 0, by, apply(0), APPLIED);
    }

    #[test]
    fn looking_before_the_other_has_marked_is_a_race() {
        let race = |story: &mut Story| {
            story.at(0, 0, FIRST, What::Arrived).done(1, 0, FIRST, read(), Response::Store(StoreResponse::Found(None)));
            look_and_apply(story, 2, COPY);
            story.done(6, 0, FIRST, apply(0), APPLIED).done(8, 0, FIRST, mark(), Response::Store(StoreResponse::Done));
        };
        assert_eq!(cause(COPY, race), Cause::CheckThenActRace);
    }

    #[test]
    fn an_effect_whose_reply_was_lost_is_repeated_by_the_retry() {
        let lost = |story: &mut Story| {
            story.at(0, 0, FIRST, What::Arrived).done(1, 0, FIRST, read(), Response::Store(StoreResponse::Found(None)));
            story.unknown(3, 0, FIRST, apply(0));
            look_and_apply(story, 10, RETRY);
        };
        assert_eq!(cause(RETRY, lost), Cause::RetryAfterLostReply);
    }

    #[test]
    fn a_crash_after_the_effect_comes_between_two_steps() {
        let crash = |story: &mut Story| {
            look_and_apply(story, 0, FIRST);
            story.at(5, 0, FIRST, What::Crashed);
            look_and_apply(story, 10, RETRY);
        };
        assert_eq!(cause(RETRY, crash), Cause::CrashBetweenStores);
    }

    #[test]
    fn whoever_applies_after_its_lease_is_a_zombie() {
        let zombie = |story: &mut Story| {
            story.done(0, 0, FIRST, LockOp::GrantLease.into(), Response::Etcd(LockResponse::Granted(lock(1).lease)));
            look_and_apply(story, LEASE_US / 2, COPY);
            story.done(LEASE_US + 1, 0, FIRST, apply(0), APPLIED);
        };
        assert_eq!(cause(COPY, zombie), Cause::ZombiePastLease);
    }

    #[test]
    fn an_operation_or_a_delivery_that_lands_late_is_the_cause() {
        let operation = |story: &mut Story| {
            story.unknown(0, 0, FIRST, apply(0));
            look_and_apply(story, 10, RETRY);
            story.at(20, 0, FIRST, What::Landed { op: apply(0), outcome: Some(Outcome::Ok(APPLIED)) });
        };
        assert_eq!(cause(RETRY, operation), Cause::LateLanding);
        let over_a_hop = |story: &mut Story| {
            let arrives = Op::from(HopOp::arrive(&request(0), HttpForm::Post));
            let arrived = Some(Outcome::Ok(HopResponse::Arrived.into()));
            story.unknown(0, 0, FIRST, arrives).done(5, 0, RETRY, apply(0), APPLIED);
            story.at(20, 0, FIRST, What::Landed { op: arrives, outcome: arrived }).done(
                30,
                0,
                FIRST,
                apply(0),
                APPLIED,
            );
        };
        assert_eq!(cause(RETRY, over_a_hop), Cause::LateLanding);
        let delivery = |story: &mut Story| {
            story.at(0, 0, FIRST, sent(Some(FaultKind::LateLanding)));
            story.done(5, 0, RETRY, apply(0), APPLIED).done(30, 0, FIRST, apply(0), APPLIED);
        };
        assert_eq!(cause(RETRY, delivery), Cause::LateLanding);
    }

    #[test]
    fn what_was_done_and_answered_and_comes_again_is_a_redelivery() {
        let again = |story: &mut Story| {
            story.done(0, 0, FIRST, apply(0), APPLIED).answer(2, 0, FIRST, Ok(Answer(10)));
            story.done(5, 0, COPY, apply(0), APPLIED);
        };
        assert_eq!(cause(COPY, again), Cause::Redelivery);
        // Within one delivery, a driver that repeats the operation.
        let repeated = |story: &mut Story| {
            story.done(0, 0, FIRST, apply(0), APPLIED);
        };
        assert_eq!(cause(FIRST, repeated), Cause::Redelivery);
    }

    #[test]
    fn whoever_looks_when_the_mark_is_there_does_not_race() {
        // The mark is written from 5 to 6 µs; what its delivery reads later does not hide it again.
        let marked = |looks_us: u64| {
            move |story: &mut Story| {
                story.at(0, 0, FIRST, What::Arrived).done(
                    1,
                    0,
                    FIRST,
                    read(),
                    Response::Store(StoreResponse::Found(None)),
                );
                story.done(3, 0, FIRST, apply(0), APPLIED).done(
                    5,
                    0,
                    FIRST,
                    mark(),
                    Response::Store(StoreResponse::Done),
                );
                look_and_apply(story, looks_us - 1, COPY);
                story.done(
                    20,
                    0,
                    FIRST,
                    StoreOp::read_answer(MessageId(0)).into(),
                    Response::Store(StoreResponse::Found(None)),
                );
            }
        };
        assert_eq!([6, 8].map(|looks_us| cause(COPY, marked(looks_us))), [Cause::Redelivery; 2]);
        assert_eq!(cause(COPY, marked(5)), Cause::CheckThenActRace);
    }

    #[test]
    fn whoever_looks_no_later_than_the_other_arrives_does_not_race() {
        let at_once = |story: &mut Story| {
            story.at(2, 0, COPY, What::Arrived).done(3, 0, COPY, read(), Response::Store(StoreResponse::Found(None)));
            story.at(3, 0, FIRST, What::Arrived).done(4, 0, FIRST, apply(0), APPLIED);
            story.done(5, 0, COPY, apply(0), APPLIED);
        };
        assert_eq!(cause(COPY, at_once), Cause::Redelivery);
    }

    #[test]
    fn an_answer_that_nobody_heard_is_a_lost_reply() {
        let unheard = |story: &mut Story| {
            let answered = What::Answered { reply: Ok(Answer(10)), heard: false };
            story.done(0, 0, FIRST, apply(0), APPLIED).at(2, 0, FIRST, answered);
            story.done(5, 0, RETRY, apply(0), APPLIED);
        };
        assert_eq!(cause(RETRY, unheard), Cause::RetryAfterLostReply);
    }

    #[test]
    fn a_client_that_sends_once_is_repeated_on_the_way() {
        let once = |story: &mut Story| {
            story.retries = Retries::Never;
            story.done(0, 0, FIRST, apply(0), APPLIED).done(5, 0, COPY, apply(0), APPLIED);
        };
        assert_eq!(cause(COPY, once), Cause::RepeatedOnTheWay);
    }

    #[test]
    fn a_delivery_that_applies_twice_does_so_itself() {
        let twice = |story: &mut Story| {
            story.done(0, 0, FIRST, apply(0), APPLIED).done(2, 0, FIRST, apply(0), APPLIED);
        };
        assert_eq!(cause(FIRST, twice), Cause::AppliedTwice);
        let unknown = |story: &mut Story| {
            story.unknown(0, 0, FIRST, apply(0));
            twice(story);
        };
        assert_eq!(cause(FIRST, unknown), Cause::RetryAfterLostReply);
        // Two entries by two deliveries are not one's, whatever the first did.
        let two = |story: &mut Story| {
            twice(story);
            story.done(5, 0, RETRY, apply(0), APPLIED);
        };
        assert_eq!(cause(RETRY, two), Cause::Redelivery);
    }

    #[test]
    fn a_look_and_a_statement_that_nobody_knows_are_no_second_application() {
        let looks = |story: &mut Story| look_and_apply(story, 0, FIRST);
        assert_eq!(cause(FIRST, looks), Cause::Redelivery);
        let own = StoreOp::sql(Sql::new("SELECT 1", &request(0), 0)).into();
        let statements = |story: &mut Story| {
            story.done(0, 0, FIRST, own, Response::Store(StoreResponse::Found(None))).done(
                2,
                0,
                FIRST,
                own,
                Response::Store(StoreResponse::Found(None)),
            );
        };
        assert_eq!(cause(FIRST, statements), Cause::Redelivery);
    }

    #[test]
    fn what_one_delivery_sent_again_before_it_landed_is_a_late_landing() {
        let late = |story: &mut Story| {
            story.unknown(0, 0, FIRST, apply(0)).done(2, 0, FIRST, apply(0), APPLIED);
            story.at(9, 0, FIRST, What::Landed { op: apply(0), outcome: Some(Outcome::Ok(APPLIED)) });
        };
        assert_eq!(cause(FIRST, late), Cause::LateLanding);
    }

    #[test]
    fn an_id_that_was_taken_again_with_the_effect_had_been_forgotten() {
        let take = |story: &mut Story, us, by| {
            story.done(us, 0, by, StoreOp::take_and_apply(&request(0)).into(), APPLIED);
        };
        let took = cause(RETRY, |story| {
            take(story, 1, FIRST);
            take(story, 50, RETRY);
        });
        assert_eq!(took, Cause::WindowExpired);
    }
}
