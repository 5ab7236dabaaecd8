//! The tally of a trial: how many requests, what became of them, which faults fired, which violations there were.

use std::collections::{BTreeMap, BTreeSet};

use super::work::Counting;
use super::{Case, Finding, Fired, Made, Work};
use crate::history::{Event, What};
use crate::terms::{Cause, Role, Trouble, Violation};
use crate::world::Acts;

/// Counts, which add up over trials.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub requests: u64,
    /// Told success, by the fault-free retry at the latest.
    pub acknowledged: u64,
    /// Told that they are refused for good.
    pub refused: u64,
    /// Neither, although their client would have retried, and not in the ledger: nobody can tell what will become of them.
    pub undecided: u64,
    /// Deliveries that a client sent, the duplicates of the network included.
    pub deliveries: u64,
    /// Operations made.
    pub operations: u64,
    /// Entries in the ledgers.
    pub effects: u64,
    pub events: u64,
    pub work: Work,
    pub fired: Fired,
    /// How often each kind of operation was made.
    pub made: Made,
    pub violations: BTreeMap<(Violation, Cause), u64>,
    /// Those of them that are at a store, where the strategy keeps effects elsewhere than in the first store alone.
    pub at_stores: BTreeMap<(Role, Violation, Cause), u64>,
    /// The violations that were not looked for: a run that was saved before the lab knew them says nothing of them.
    pub not_judged: BTreeSet<Violation>,
}

/// What is counted event by event, in the order of time.
#[derive(Default)]
pub(super) struct Counted {
    deliveries: u64,
    operations: u64,
    fired: Fired,
    made: Made,
    counting: Counting,
}

impl Counted {
    #[inline]
    pub fn see(&mut self, event: &Event) {
        let in_transaction = self.counting.is_in_transaction(event);
        self.counting.count(event);
        self.fired.count(event);
        match event.what {
            What::Sent { .. } => self.deliveries += 1,
            What::Called { op, .. } => {
                self.operations += 1;
                let alone = !op.acts().any(Acts::BOUNDS) && !in_transaction;
                self.made.count(op.kind(), alone);
            }
            What::Arrived
            | What::Repeated { .. }
            | What::Landed { .. }
            | What::Paused { .. }
            | What::Cancelled
            | What::Crashed
            | What::Answered { .. }
            | What::Received { .. }
            | What::TimedOut
            | What::GaveUp => {}
        }
    }
}

impl Tally {
    /// Counts a trial.
    #[must_use]
    pub fn new(case: &Case<'_>, findings: &[Finding]) -> Self {
        let Counted { deliveries, operations, fired, made, counting } = case.counted();
        let mut tally = Tally {
            requests: case.evidence.requests.len() as u64,
            effects: case.evidence.ledger.len() as u64,
            events: case.evidence.events.len() as u64,
            deliveries: *deliveries,
            operations: *operations,
            fired: fired.clone(),
            made: made.clone(),
            work: counting.work,
            ..Tally::default()
        };
        for disturbed in case.evidence.disturbed {
            tally.fired.add(disturbed.disturbed.kind(), Some(disturbed.target.leg()), 1);
        }
        for message in case.messages() {
            let told = case.told(message);
            let refused = !told.success && told.refused_at_ns.is_some();
            let is_unknown = matches!(told.final_reply, Some(Err(Trouble::Unknown)));
            tally.acknowledged += u64::from(told.success);
            tally.refused += u64::from(refused);
            tally.undecided += u64::from(is_unknown && !case.is_applied(message));
        }
        for finding in findings {
            *tally.violations.entry((finding.violation, finding.cause)).or_default() += 1;
            if let Some(role) = finding.at {
                *tally.at_stores.entry((role, finding.violation, finding.cause)).or_default() += 1;
            }
        }
        tally
    }

    /// Adds another trial's counts.
    pub fn add(&mut self, other: &Tally) {
        self.requests += other.requests;
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.undecided += other.undecided;
        self.deliveries += other.deliveries;
        self.operations += other.operations;
        self.effects += other.effects;
        self.events += other.events;
        self.work += other.work;
        self.fired.add_all(&other.fired);
        self.made.add_all(&other.made);
        self.not_judged.extend(&other.not_judged);
        for (violation, count) in &other.violations {
            *self.violations.entry(*violation).or_default() += count;
        }
        for (violation, count) in &other.at_stores {
            *self.at_stores.entry(*violation).or_default() += count;
        }
    }

    /// How many messages show this violation at the store in a role.
    #[must_use]
    pub fn count_at(&self, role: Role, violation: Violation) -> u64 {
        let of_kind = self.at_stores.iter().filter(|((at, kind, _), _)| (*at, *kind) == (role, violation));
        of_kind.map(|(_, count)| count).sum()
    }

    /// How often this violation was found: once per message, and at each store.
    #[must_use]
    pub fn count(&self, violation: Violation) -> u64 {
        self.causes(violation).map(|(_, count)| count).sum()
    }

    /// The causes of a violation, with their counts.
    pub fn causes(&self, violation: Violation) -> impl Iterator<Item = (Cause, u64)> + '_ {
        let of_kind = self.violations.iter().filter(move |((kind, _), _)| *kind == violation);
        of_kind.map(|((_, cause), count)| (*cause, *count))
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::{COPY, FIRST, RETRY, Story, apply, lock, sent, token};
    use crate::check::{Case, Evidence, Tally, Work, findings};
    use crate::history::What;
    use crate::service::etcd::{LockOp, LockResponse};
    use crate::service::store::{StoreOp, StoreResponse};
    use crate::terms::{
        Answer, Cause, Delivery, Disturbance, Disturbed, FaultKind, Isolation, Leg, Role, Target, Trouble, Violation,
    };
    use crate::world::{OpKind, Response};

    fn tally(story: &Story) -> Tally {
        let case = Case::new(story.evidence());
        Tally::new(&case, &findings(&case))
    }

    #[test]
    fn counts_what_happened() {
        let mut story = Story::of(4);
        story.at(0, 0, FIRST, sent(None)).smooth(1, 0, FIRST);
        story.at(10, 1, FIRST, sent(Some(FaultKind::RequestLost))).at(20, 1, RETRY, sent(None)).smooth(21, 1, RETRY);
        story.at(30, 2, FIRST, What::Sent { fault: None, delayed: true }).answer(31, 2, FIRST, Err(Trouble::Refused));
        story.at(40, 3, FIRST, What::GaveUp).answer(41, 3, Delivery::FINAL, Err(Trouble::Unknown));
        story
            .done(50, 0, COPY, apply(0), Response::Store(StoreResponse::Applied(Some(Answer(30)))))
            .at(51, 0, COPY, What::Crashed)
            .entry(0, COPY);
        let tally = tally(&story);
        assert_eq!((tally.requests, tally.acknowledged, tally.refused, tally.undecided), (4, 2, 1, 1));
        assert_eq!((tally.deliveries, tally.operations, tally.effects), (4, 3, 3));
        for (fault, leg) in [
            (FaultKind::RequestLost, Some(Leg::Client)),
            (FaultKind::Delayed, Some(Leg::Client)),
            (FaultKind::Crash, None),
        ] {
            assert_eq!(tally.fired.on(fault, leg), 1, "{fault}");
        }
        assert_eq!(tally.fired.total(), 3);
        assert_eq!(tally.count(Violation::Duplicate), 1);
    }

    #[test]
    fn adds_up() {
        let mut story = Story::of(1);
        story.smooth(0, 0, FIRST).smooth(10, 0, RETRY);
        let one = tally(&story);
        let mut sum = one.clone();
        sum.add(&one);
        assert_eq!((sum.requests, sum.acknowledged, sum.effects), (2, 2, 4));
        assert_eq!(sum.count(Violation::Duplicate), 2);
    }

    #[test]
    fn every_count_adds_up() {
        let mut one = Tally {
            requests: 20,
            acknowledged: 21,
            refused: 22,
            undecided: 23,
            deliveries: 24,
            operations: 25,
            effects: 26,
            events: 27,
            work: Work::from_counts([31, 32, 33, 34, 35, 36, 37, 38, 39]),
            ..Tally::default()
        };
        one.fired.add(FaultKind::Crash, None, 4);
        one.made.add(OpKind::named("claim"), 5, 2);
        one.violations.insert((Violation::Lost, Cause::Unexplained), 6);
        one.at_stores.insert((Role::SECOND, Violation::Lost, Cause::Unexplained), 5);
        let mut other = Tally {
            requests: 1,
            acknowledged: 2,
            refused: 3,
            undecided: 4,
            deliveries: 5,
            operations: 6,
            effects: 7,
            events: 8,
            work: Work::from_counts([1, 2, 3, 4, 5, 6, 7, 8, 9]),
            ..Tally::default()
        };
        other.fired.add(FaultKind::Crash, None, 1);
        other.made.add(OpKind::named("claim"), 1, 1);
        other.violations.insert((Violation::Lost, Cause::Unexplained), 3);
        other.at_stores.insert((Role::SECOND, Violation::Lost, Cause::Unexplained), 2);
        other.violations.insert((Violation::Lost, Cause::LostUpdate), 1);
        other.not_judged.insert(Violation::Wrong);
        let mut sum = Tally {
            requests: 21,
            acknowledged: 23,
            refused: 25,
            undecided: 27,
            deliveries: 29,
            operations: 31,
            effects: 33,
            events: 35,
            work: Work::from_counts([32, 34, 36, 38, 40, 42, 44, 46, 48]),
            ..Tally::default()
        };
        sum.fired.add(FaultKind::Crash, None, 5);
        sum.made.add(OpKind::named("claim"), 6, 3);
        sum.violations.insert((Violation::Lost, Cause::Unexplained), 9);
        sum.at_stores.insert((Role::SECOND, Violation::Lost, Cause::Unexplained), 7);
        sum.violations.insert((Violation::Lost, Cause::LostUpdate), 1);
        sum.not_judged.insert(Violation::Wrong);
        one.add(&other);
        assert_eq!(one, sum);
        // The causes are those of the violation that is asked for, and it is their sum.
        one.violations.insert((Violation::Duplicate, Cause::Redelivery), 100);
        assert_eq!(one.causes(Violation::Lost).collect::<Vec<_>>(), [(Cause::LostUpdate, 1), (Cause::Unexplained, 9)]);
        assert_eq!((one.count(Violation::Lost), one.count(Violation::Stuck)), (10, 0));
        assert_eq!([Role::STORE, Role::SECOND].map(|role| one.count_at(role, Violation::Lost)), [0, 7]);
    }

    #[test]
    fn an_operation_is_alone_unless_its_own_delivery_has_a_transaction_open() {
        let begin = StoreOp::begin(Isolation::ReadCommitted).into();
        let applied = Response::Store(StoreResponse::Applied(Some(Answer(10))));
        let mut story = Story::of(2);
        story.done(0, 0, FIRST, begin, Response::Store(StoreResponse::Done));
        story.done(1, 0, FIRST, apply(0), applied).done(1, 0, FIRST, apply(0), applied);
        // Inside a transaction the lock service is asked outside of it.
        story.done(2, 0, FIRST, LockOp::acquire(lock(1)).into(), Response::Etcd(LockResponse::Held(token(1))));
        // The same handler, with another delivery of the message and with another message: both alone.
        story.done(3, 0, RETRY, apply(0), applied).done(4, 1, FIRST, apply(1), applied);
        story.done(5, 0, FIRST, StoreOp::commit().into(), Response::Store(StoreResponse::Done)).done(
            6,
            0,
            FIRST,
            apply(0),
            applied,
        );
        let made = tally(&story).made;
        let expected = [
            (OpKind::named("begin"), 1, 0),
            (OpKind::named("commit"), 1, 0),
            (OpKind::named("apply"), 5, 3),
            (OpKind::named("acquire"), 1, 1),
        ];
        assert_eq!(made.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_was_done_to_servers_has_fired() {
        let paused = |target: Target| Disturbed {
            disturbed: Disturbance::Pause,
            target,
            server: "a server".to_owned(),
            from_ns: 0,
            until_ns: 1,
        };
        let disturbed = [paused(Target::Store), paused(Target::Lock), paused(Target::Lock)];
        let story = Story::of(1);
        let case = Case::new(Evidence { disturbed: &disturbed, ..story.evidence() });
        let fired = Tally::new(&case, &[]).fired;
        let kind = FaultKind::ServerPaused;
        assert_eq!((fired.on(kind, Some(Leg::STORE)), fired.on(kind, Some(Leg::LOCK))), (1, 2));
    }
}
