//! overlap: two handlers inside the critical section at once.

use rustc_hash::FxHashMap;

use super::{Case, Finding};
use crate::history::{Event, What};
use crate::terms::{AccountId, Cause, ClientId, Delivery, FaultKind, MessageId, Role, Violation};
use crate::world::{Acts, Op, Outcome};

/// Somebody who believes to be inside.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Insider {
    message: MessageId,
    delivery: Delivery,
}

/// An insider, and when it came.
struct Stay {
    who: Insider,
    entered_ns: u64,
    leased_ns: u64,
    first_ns: u64,
}

impl Stay {
    /// Whether its lease had run out when it was told that it holds the lock. The answer takes its time, and an expiry is
    /// noticed late: a quarter of the lease is left to both.
    fn was_dead_on_entry(&self, lease_ns: u64) -> bool {
        self.entered_ns.saturating_sub(self.leased_ns) >= lease_ns.saturating_add(lease_ns / 4)
    }
}

/// A critical section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum CriticalSection {
    Account(AccountId),
    /// The records of a client, which one consumer works on at a time.
    Records(ClientId),
}

impl std::fmt::Display for CriticalSection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CriticalSection::Account(account) => write!(f, "the section of account {}", account.0),
            CriticalSection::Records(client) => write!(f, "the records of client {}", client.0),
        }
    }
}

impl CriticalSection {
    /// The section that an operation enters.
    fn of(op: Op) -> Option<Self> {
        op.account().map(CriticalSection::Account).or_else(|| op.client().map(CriticalSection::Records))
    }
}

/// A step over the threshold of a critical section.
struct ThresholdStep {
    at_ns: u64,
    who: Insider,
    /// The section entered; none for whoever leaves the one that it is in.
    enters: Option<CriticalSection>,
    /// When the lease of whoever enters was asked for.
    leased_ns: u64,
    /// When it asked for anything first under the name that it has given itself, or else the same.
    first_ns: u64,
    /// The service that keeps the lock.
    role: Role,
}

/// One finding per message whose handler entered a critical section while another handler was inside.
///
/// Inside is, as a handler sees it, the time from the moment at which it learns that it holds the lock until it asks for
/// its release, or until its delivery ends. Both ends are the inner ones, so that an overlap found is one.
pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let lease_ns = u64::try_from(case.evidence.lease.as_nanos()).unwrap_or(u64::MAX);
    let mut inside: FxHashMap<CriticalSection, Vec<Stay>> = FxHashMap::default();
    let mut sections: FxHashMap<(MessageId, Delivery), CriticalSection> = FxHashMap::default();
    let mut findings: Vec<Finding> = Vec::new();
    let ThresholdWatch { steps, unlocked, forgotten, .. } = case.thresholds();
    for &ThresholdStep { at_ns, who, enters, leased_ns, first_ns, role } in steps {
        let key = (who.message, who.delivery);
        if let Some(left) = sections.remove(&key)
            && let Some(insiders) = inside.get_mut(&left)
        {
            insiders.retain(|stay| stay.who != who);
        }
        let Some(section) = enters else { continue };
        let insiders = inside.entry(section).or_default();
        let entering = Stay { who, entered_ns: at_ns, leased_ns, first_ns };
        if let Some(other) = insiders.first() {
            // Either's unlock can be the late one: that of whoever is inside lets others in, and that of whoever waits takes it
            // out of the queue, which lets it in when it has joined again.
            let late = |stay: &Stay| {
                let landed = unlocked.get(&(stay.who.message, stay.who.delivery)).into_iter().flatten();
                landed.into_iter().any(|landed_ns| (stay.leased_ns..at_ns).contains(landed_ns))
            };
            let cause = if late(other) || late(&entering) {
                Cause::StaleUnlock
            } else if entering.was_dead_on_entry(lease_ns) || other.was_dead_on_entry(lease_ns) {
                Cause::DeadWaiter
            } else if at_ns.saturating_sub(other.leased_ns) >= lease_ns {
                Cause::ZombiePastLease
            } else if case
                .forgettings(role)
                .chain(forgotten.iter().filter(|(its, _)| *its == role).map(|(_, at)| *at))
                .any(|forgot_ns| (first_ns.min(other.first_ns)..=at_ns).contains(&forgot_ns))
            {
                Cause::ServerForgot
            } else {
                Cause::Unexplained
            };
            findings.push(Finding {
                violation: Violation::Overlap,
                message: who.message,
                cause,
                at: None,
                detail: format!(
                    "delivery {} entered {section} while delivery {} of m{} was inside",
                    who.delivery, other.who.delivery, other.who.message.0
                ),
            });
        }
        insiders.push(entering);
        sections.insert(key, section);
    }
    findings.sort_by_key(|finding| finding.message);
    findings.dedup_by_key(|finding| finding.message);
    findings
}

/// What is seen of thresholds, event by event in the order of time.
#[derive(Default)]
pub(super) struct ThresholdWatch {
    /// The deliveries that are at work under a lease, and when they asked for it. There are as many as handlers, about.
    leased: FxHashMap<(MessageId, Delivery), u64>,
    /// When a delivery asked for anything first under the name that it has given itself.
    signed: FxHashMap<(MessageId, Delivery), u64>,
    steps: Vec<ThresholdStep>,
    /// When a service was made to forget what it kept.
    forgotten: Vec<(Role, u64)>,
    /// When unlocks landed that had timed out, by the delivery that had sent them.
    unlocked: FxHashMap<(MessageId, Delivery), Vec<u64>>,
}

impl ThresholdWatch {
    #[inline]
    pub fn see(&mut self, event: &Event) {
        let who = Insider { message: event.message, delivery: event.delivery };
        let key = (event.message, event.delivery);
        let leaves = match event.what {
            What::Called { op, outcome, fault, .. } => {
                let acts = op.acts();
                if acts.any(Acts::FORGETS) && outcome.is_some() && fault != Some(FaultKind::RequestLost) {
                    self.forgotten.push((op.role, event.at_ns));
                }
                let signs = acts.any(Acts::SIGNS) && !acts.any(Acts::LEAVES);
                if signs {
                    self.signed.entry(key).or_insert(event.at_ns);
                }
                if acts.any(Acts::LEASES) || signs && acts.any(Acts::ENTERS) {
                    self.leased.insert(key, event.lives_from_ns());
                }
                if acts.any(Acts::ENTERS)
                    && matches!(outcome, Some(Outcome::Ok(response)) if !response.changes_nothing())
                {
                    let leased_ns = self.leased.get(&key).copied().unwrap_or(event.at_ns);
                    self.steps.push(ThresholdStep {
                        at_ns: event.ended_ns(),
                        who,
                        enters: CriticalSection::of(op),
                        leased_ns,
                        first_ns: self.signed.get(&key).copied().unwrap_or(leased_ns),
                        role: op.role,
                    });
                }
                acts.any(Acts::LEAVES) && self.leased.contains_key(&key)
            }
            What::Landed { op, .. } => {
                if op.acts().any(Acts::FORGETS) {
                    self.forgotten.push((op.role, event.at_ns));
                }
                if op.acts().any(Acts::LEAVES) {
                    self.unlocked.entry(key).or_default().push(event.at_ns);
                }
                false
            }
            What::Answered { .. } | What::Cancelled | What::Crashed => {
                !self.leased.is_empty() && self.leased.remove(&key).is_some()
            }
            What::Sent { .. }
            | What::Arrived
            | What::Repeated { .. }
            | What::Paused { .. }
            | What::Received { .. }
            | What::TimedOut
            | What::GaveUp => false,
        };
        if leaves {
            self.steps.push(ThresholdStep {
                at_ns: event.at_ns,
                who,
                enters: None,
                leased_ns: 0,
                first_ns: 0,
                role: Role::STORE,
            });
        }
    }

    /// No more events come. The steps are nearly in order already, since events are: the sort takes about linear time. Whoever leaves
    /// at the same nanosecond leaves first.
    pub fn ended(mut self) -> Self {
        self.steps.sort_by_key(|step| (step.at_ns, step.enters.is_some()));
        self
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::{FIRST, LEASE_US, Story, apply, lock, token};
    use crate::history::What;
    use crate::service::etcd::{LockOp, LockResponse};
    use crate::service::kafka::{KafkaOp, KafkaResponse};
    use crate::service::redis::{RedisOp, RedisResponse};
    use crate::service::store::StoreResponse;
    use crate::terms::{AccountId, Answer, Cause, ClientId, LeaseId, MemberId, Membership, Target, Violation};
    use crate::world::{Outcome, Response};

    /// Message `n` takes the lock under lease `n`: it is asked for at this time, and known to be held 11 µs later.
    fn enter(story: &mut Story, us: u64, n: u32) {
        let key = lock(i64::from(n) + 1);
        story.done(us, n, FIRST, LockOp::GrantLease.into(), Response::Etcd(LockResponse::Granted(key.lease)));
        story.done(
            us + 10,
            n,
            FIRST,
            LockOp::acquire(key).into(),
            Response::Etcd(LockResponse::Held(token(i64::from(n) + 1))),
        );
    }

    /// Message `n` of a client has waited so long to become a member of the group, and is given the records.
    fn join(story: &mut Story, us: u64, waited_us: u32, (n, client): (u32, u32)) {
        let (client, member) = (ClientId(client), MemberId(n + 1));
        let joined = Outcome::Ok(Response::Kafka(KafkaResponse::Joined(member)));
        let op = KafkaOp::join_group(client).into();
        let joins = What::Called { op, outcome: Some(joined), fault: None, delayed: false, took_us: waited_us };
        story.at(us, n, FIRST, joins);
        let sync = KafkaOp::sync_group(Membership { client, member }).into();
        story.done(us + u64::from(waited_us), n, FIRST, sync, Response::Kafka(KafkaResponse::Noted));
    }

    #[test]
    fn a_session_lives_from_the_answer_that_was_waited_for() {
        let waited = u32::try_from(2 * LEASE_US).unwrap();
        let mut story = Story::of(2);
        join(&mut story, 0, waited, (0, 0));
        join(&mut story, 2 * LEASE_US + 5, 1, (1, 0));
        // Neither was dead when it entered, and nobody's session has run out.
        assert_eq!(story.found(Violation::Overlap), [(1, Cause::Unexplained)]);
        // Those who work on the records of different clients do not meet.
        let mut story = Story::of(2);
        join(&mut story, 0, 1, (0, 0));
        join(&mut story, 5, 1, (1, 1));
        assert_eq!(story.found(Violation::Overlap), []);
    }

    fn leave(story: &mut Story, us: u64, n: u32) {
        story.done(us, n, FIRST, LockOp::release(lock(i64::from(n) + 1)).into(), Response::Store(StoreResponse::Done));
    }

    #[test]
    fn accepts_handlers_that_take_turns() {
        let mut story = Story::of(2);
        enter(&mut story, 0, 0);
        leave(&mut story, 21, 0);
        enter(&mut story, 22, 1);
        leave(&mut story, 50, 1);
        assert_eq!(story.found(Violation::Overlap), []);
    }

    #[test]
    fn rejects_a_planted_overlap() {
        let mut story = Story::of(2);
        enter(&mut story, 0, 0);
        // Inside from 22 + 11 = 33 µs on, and the other leaves at 34 µs.
        enter(&mut story, 22, 1);
        leave(&mut story, 34, 0);
        assert_eq!(story.found(Violation::Overlap), [(1, Cause::Unexplained)]);
    }

    #[test]
    fn an_overlap_after_the_lease_is_a_zombies() {
        let mut story = Story::of(2);
        enter(&mut story, 0, 0);
        enter(&mut story, LEASE_US, 1);
        leave(&mut story, 2 * LEASE_US, 0);
        assert_eq!(story.found(Violation::Overlap), [(1, Cause::ZombiePastLease)]);
    }

    #[test]
    fn an_overlap_with_whom_a_killed_redis_has_forgotten_is_the_servers() {
        let found = |killed_us: u64| {
            let mut story = Story::of(2);
            for (us, n) in [(0, 0), (22, 1)] {
                let held = Response::Redis(RedisResponse::Locked(LeaseId(i64::from(n) + 1)));
                story.done(us, n, FIRST, RedisOp::SetLock(AccountId(0)).into(), held);
            }
            story.kill(Target::Cache, killed_us);
            story.found(Violation::Overlap)
        };
        assert_eq!(found(10), [(1, Cause::ServerForgot)]);
        assert_eq!(found(50), [(1, Cause::Unexplained)]);
    }

    #[test]
    fn an_overlap_after_a_late_unlock_is_the_unlocks() {
        let mut story = Story::of(2);
        enter(&mut story, 0, 0);
        story.at(15, 0, FIRST, What::Landed { op: LockOp::release(lock(1)).into(), outcome: None });
        enter(&mut story, 22, 1);
        assert_eq!(story.found(Violation::Overlap), [(1, Cause::StaleUnlock)]);
    }

    #[test]
    fn an_overlap_with_a_waiter_whose_lease_has_run_out_is_the_waiters() {
        let mut story = Story::of(2);
        let dead = lock(1);
        story.done(0, 0, FIRST, LockOp::GrantLease.into(), Response::Etcd(LockResponse::Granted(dead.lease)));
        story.done(2 * LEASE_US, 0, FIRST, LockOp::acquire(dead).into(), Response::Etcd(LockResponse::Held(token(1))));
        enter(&mut story, 2 * LEASE_US + 5, 1);
        assert_eq!(story.found(Violation::Overlap), [(1, Cause::DeadWaiter)]);
    }

    #[test]
    fn whoever_crashes_is_inside_no_longer() {
        let mut story = Story::of(2);
        enter(&mut story, 0, 0);
        story.at(20, 0, FIRST, What::Crashed);
        enter(&mut story, 22, 1);
        assert_eq!(story.found(Violation::Overlap), []);
    }

    #[test]
    fn whoever_works_inside_stays_inside() {
        let mut story = Story::of(2);
        enter(&mut story, 0, 0);
        story.done(20, 0, FIRST, apply(0), Response::Store(StoreResponse::Applied(Some(Answer(10)))));
        enter(&mut story, 22, 1);
        assert_eq!(story.found(Violation::Overlap), [(1, Cause::Unexplained)]);
    }

    #[test]
    fn a_waiter_is_dead_from_a_quarter_past_its_lease() {
        // The lock is known to be held 1 µs after it is asked for. Up to 125 µs the answer may have been under way.
        for (asked_us, cause) in [(123, Cause::ZombiePastLease), (124, Cause::DeadWaiter)] {
            let mut story = Story::of(2);
            let key = lock(1);
            story.done(0, 0, FIRST, LockOp::GrantLease.into(), Response::Etcd(LockResponse::Granted(key.lease)));
            story.done(asked_us, 0, FIRST, LockOp::acquire(key).into(), Response::Etcd(LockResponse::Held(token(1))));
            enter(&mut story, 126, 1);
            assert_eq!(story.found(Violation::Overlap), [(1, cause)], "{asked_us}");
        }
    }

    #[test]
    fn a_section_is_left_by_whoever_entered_it_and_by_nobody_else() {
        let mut story = Story::of(3);
        enter(&mut story, 0, 0);
        enter(&mut story, 12, 1);
        leave(&mut story, 30, 1);
        enter(&mut story, 40, 2);
        assert_eq!(story.found(Violation::Overlap), [(1, Cause::Unexplained), (2, Cause::Unexplained)]);
    }
}
