//! What a trial's requests cost: how often clients asked, what handlers asked of the backends, and what they told.

use crate::history::{Event, What};
use crate::terms::{ByRole, Delivery, Leg, MessageId, Trouble};
use crate::world::{Acts, Op};

/// Counts of a trial's work, which add up over trials.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// Deliveries that clients sent; the network's duplicates are not among them.
    pub attempts: u64,
    /// Operations asked of stores.
    pub store_operations: u64,
    /// Operations asked of the lock service.
    pub lock_operations: u64,
    /// Transactions with a write in them that a store was asked to commit; a writing statement outside a transaction is one.
    pub commits: u64,
    /// Operations that the lock service puts into its log: a lease granted or revoked, a lock asked for or released. On etcd each
    /// of them is one entry that a majority agrees on.
    pub raft_writes: u64,
    /// Handlers told "somebody is at work on it" (HTTP 409).
    pub told_in_progress: u64,
    /// Handlers told "refused for good" (HTTP 412, 422).
    pub told_refused: u64,
    /// Handlers told "certainly not done".
    pub told_failed: u64,
    /// Handlers told "may have been done".
    pub told_unknown: u64,
}

impl Work {
    /// The names of the counts in files.
    pub const NAMES: [&'static str; 9] = [
        "attempts",
        "store_operations",
        "lock_operations",
        "commits",
        "raft_writes",
        "told_in_progress",
        "told_refused",
        "told_failed",
        "told_unknown",
    ];

    /// The counts in the order of their names.
    #[must_use]
    pub fn counts(&self) -> [u64; 9] {
        [
            self.attempts,
            self.store_operations,
            self.lock_operations,
            self.commits,
            self.raft_writes,
            self.told_in_progress,
            self.told_refused,
            self.told_failed,
            self.told_unknown,
        ]
    }

    /// From counts in the order of their names.
    #[must_use]
    pub fn from_counts(counts: [u64; 9]) -> Self {
        let [attempts, store_operations, lock_operations, commits, raft_writes, in_progress, refused, failed, unknown] =
            counts;
        Work {
            attempts,
            store_operations,
            lock_operations,
            commits,
            raft_writes,
            told_in_progress: in_progress,
            told_refused: refused,
            told_failed: failed,
            told_unknown: unknown,
        }
    }
}

/// Counts the work of a trial, event by event in the order of time.
#[derive(Default)]
pub(super) struct Counting {
    pub work: Work,
    /// By handler and role: the delivery that has a transaction open there, and whether it has written. A handler works on one at a
    /// time.
    open: Vec<ByRole<Option<(MessageId, Delivery, bool)>>>,
}

impl Counting {
    #[inline]
    pub fn count(&mut self, event: &Event) {
        match event.what {
            What::Sent { .. } => self.work.attempts += u64::from(event.delivery.copy == 0),
            What::Called { op, .. } => self.call(&op, event),
            What::Answered { reply: Err(trouble), .. } => match trouble {
                Trouble::InProgress => self.work.told_in_progress += 1,
                Trouble::Refused => self.work.told_refused += 1,
                Trouble::Failed(_) => self.work.told_failed += 1,
                Trouble::Unknown => self.work.told_unknown += 1,
            },
            What::Answered { reply: Ok(_), .. }
            | What::Arrived
            | What::Repeated { .. }
            | What::Landed { .. }
            | What::Paused { .. }
            | What::Cancelled
            | What::Crashed
            | What::Received { .. }
            | What::TimedOut
            | What::GaveUp => {}
        }
    }

    /// Whether the delivery of an event has a transaction open at the service that it asks: an operation of it belongs to the
    /// transaction.
    #[inline]
    pub fn is_in_transaction(&self, event: &Event) -> bool {
        let What::Called { op, .. } = event.what else { return false };
        let open = self.open.get(usize::from(event.handler)).and_then(|open| open[op.role]);
        open.is_some_and(|(message, delivery, _)| message == event.message && delivery == event.delivery)
    }

    fn call(&mut self, op: &Op, event: &Event) {
        let acts = op.acts();
        if op.leg() == Leg::LOCK {
            self.work.lock_operations += 1;
            self.work.raft_writes += 1;
            return;
        }
        // What crosses between client and handler is no work of a store.
        if op.leg() == Leg::Client {
            return;
        }
        self.work.store_operations += 1;
        let place = usize::from(event.handler);
        if place >= self.open.len() {
            self.open.resize(place + 1, ByRole::default());
        }
        let by = (event.message, event.delivery);
        let open = &mut self.open[place][op.role];
        let own = open.filter(|(message, delivery, _)| (*message, *delivery) == by);
        if acts.any(Acts::BEGINS) {
            *open = Some((by.0, by.1, false));
        } else if acts.any(Acts::COMMITS) {
            self.work.commits += u64::from(own.is_some_and(|(.., has_written)| has_written));
            *open = None;
        } else if acts.any(Acts::UNDOES) {
            *open = None;
        } else if !acts.any(Acts::READS) {
            match own {
                Some(_) => *open = Some((by.0, by.1, true)),
                None => self.work.commits += 1,
            }
        }
    }
}

impl std::ops::AddAssign for Work {
    fn add_assign(&mut self, other: Work) {
        let mut sum = self.counts();
        sum.iter_mut().zip(other.counts()).for_each(|(count, more)| *count += more);
        *self = Work::from_counts(sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::testing::{COPY, FIRST, RETRY, Story, apply, lock, sent};
    use crate::service::etcd::{LockOp, LockResponse};
    use crate::service::store::{StoreOp, StoreResponse};
    use crate::terms::{Answer, Failure, Isolation};
    use crate::world::Response;

    const APPLIED: Response = Response::Store(StoreResponse::Applied(Some(Answer(10))));
    fn mark() -> Op {
        StoreOp::write_mark(MessageId(0), Answer(10)).into()
    }

    fn work(tell: impl FnOnce(&mut Story)) -> Work {
        let mut story = Story::of(1);
        tell(&mut story);
        let mut counting = Counting::default();
        story.evidence().events.iter().for_each(|event| counting.count(event));
        counting.work
    }

    #[test]
    fn a_writing_statement_outside_a_transaction_is_a_commit_and_a_transaction_is_one() {
        // [read K] [X] [write K]: two commits. T{X; write K}: one. T{read K}: none.
        let alone = work(|story| {
            story.done(
                0,
                0,
                FIRST,
                StoreOp::read_mark(MessageId(0)).into(),
                Response::Store(StoreResponse::Found(None)),
            );
            story.done(1, 0, FIRST, apply(0), APPLIED).done(2, 0, FIRST, mark(), Response::Store(StoreResponse::Done));
        });
        assert_eq!((alone.commits, alone.store_operations), (2, 3));
        let begin = StoreOp::begin(Isolation::ReadCommitted).into();
        let together = work(|story| {
            story.done(0, 0, FIRST, begin, Response::Store(StoreResponse::Done)).done(1, 0, FIRST, apply(0), APPLIED);
            story.done(2, 0, FIRST, mark(), Response::Store(StoreResponse::Done)).done(
                3,
                0,
                FIRST,
                StoreOp::commit().into(),
                Response::Store(StoreResponse::Done),
            );
            story.done(4, 0, RETRY, begin, Response::Store(StoreResponse::Done));
            story.done(
                5,
                0,
                RETRY,
                StoreOp::read_mark(MessageId(0)).into(),
                Response::Store(StoreResponse::Found(None)),
            );
            story.done(6, 0, RETRY, StoreOp::commit().into(), Response::Store(StoreResponse::Done));
        });
        assert_eq!((together.commits, together.store_operations), (1, 7));
    }

    #[test]
    fn attempts_locks_and_answers_are_counted_apart() {
        let all = work(|story| {
            story.at(0, 0, FIRST, sent(None)).at(1, 0, COPY, sent(None)).at(2, 0, RETRY, sent(None));
            story.done(3, 0, FIRST, LockOp::GrantLease.into(), Response::Etcd(LockResponse::Granted(lock(1).lease)));
            story.done(4, 0, FIRST, LockOp::release(lock(1)).into(), Response::Store(StoreResponse::Done));
            story.answer(5, 0, FIRST, Err(Trouble::InProgress)).answer(6, 0, RETRY, Err(Trouble::Unknown));
        });
        let expected = Work {
            attempts: 2,
            lock_operations: 2,
            raft_writes: 2,
            told_in_progress: 1,
            told_unknown: 1,
            ..Work::default()
        };
        assert_eq!(all, expected);
        let mut twice = all;
        twice += all;
        assert_eq!(twice.counts(), all.counts().map(|count| 2 * count));
        assert_eq!(Work::from_counts(all.counts()), all);
    }

    #[test]
    fn every_trouble_that_is_told_has_its_own_count() {
        let all = work(|story| {
            let told = [
                (Trouble::InProgress, 4),
                (Trouble::Refused, 3),
                (Trouble::Failed(Failure::Busy), 2),
                (Trouble::Unknown, 5),
            ];
            let each = told.into_iter().flat_map(|(trouble, times)| std::iter::repeat_n(trouble, times));
            for (us, trouble) in (0..).zip(each) {
                story.answer(us, 0, FIRST, Err(trouble));
            }
        });
        assert_eq!((all.told_in_progress, all.told_refused, all.told_failed, all.told_unknown), (4, 3, 2, 5));
    }

    #[test]
    fn a_transaction_is_its_deliverys_own_and_one_that_is_undone_commits_nothing() {
        let begin = StoreOp::begin(Isolation::ReadCommitted).into();
        // The first writes and is left open; the retry writes alone, and its commit is of nothing.
        let left_open = work(|story| {
            story.done(0, 0, FIRST, begin, Response::Store(StoreResponse::Done)).done(1, 0, FIRST, apply(0), APPLIED);
            story.done(2, 0, RETRY, apply(0), APPLIED).done(
                3,
                0,
                RETRY,
                StoreOp::commit().into(),
                Response::Store(StoreResponse::Done),
            );
        });
        assert_eq!(left_open.commits, 1);
        let undone = work(|story| {
            story.done(0, 0, FIRST, begin, Response::Store(StoreResponse::Done)).done(1, 0, FIRST, apply(0), APPLIED);
            story.done(2, 0, FIRST, StoreOp::rollback().into(), Response::Store(StoreResponse::Done)).done(
                3,
                0,
                FIRST,
                StoreOp::commit().into(),
                Response::Store(StoreResponse::Done),
            );
        });
        assert_eq!((undone.commits, undone.store_operations), (0, 4));
    }
}
