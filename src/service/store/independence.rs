//! What a step touches of a store. It depends only on what the step's own lane has done before, so that it stays the same when
//! others change places.

use crate::service::touched::Touched;
use crate::service::{Acts, Item, Op, Outcome};
use crate::terms::{Isolation, Profile};

/// Whatever there is.
const EVERYTHING: u64 = u64::MAX;
/// SQLite's place for a writer.
const WRITER: u64 = 1 << 26;
/// The watch over serializable transactions.
const WATCH: u64 = 1 << 27;

fn bit(item: &Item) -> u64 {
    let message = |from: u32, id: u32| 1 << (from + id.min(5));
    match item {
        Item::Mark(id) => message(0, id.0),
        Item::Claim(id) => message(6, id.0),
        Item::StoredAnswer(id) => message(12, id.0),
        Item::Account(account) => 1 << (18 + account.0 % 4),
        Item::Fence(account) => 1 << (22 + account.0 % 4),
        Item::Owner(account) => 1 << (28 + account.0 % 4),
        Item::Store => EVERYTHING,
        // The ledger's order is the account's; a transaction is its lane's own.
        Item::Ledger(_) | Item::Transaction => 0,
        Item::LockQueue(_) | Item::AllLockQueues | Item::Lease(_) | Item::LeaseCounter => 0,
    }
}

fn bits(items: &[Item]) -> u64 {
    items.iter().map(bit).fold(0, |a, b| a | b)
}

/// What a lane has done in its present attempt, as far as its next step depends on it.
#[derive(Debug, Clone, Copy, Default)]
pub struct StorePast {
    /// The transaction that is open.
    transaction: Option<Isolation>,
    /// What has been written in it.
    written: u64,
}

impl StorePast {
    /// After another operation, and what came of it.
    #[must_use]
    pub fn follow(mut self, op: Op, outcome: Outcome) -> Self {
        let is_unknown = outcome == Outcome::Unknown;
        if let Some(isolation) = op.isolation().filter(|_| !is_unknown) {
            self = StorePast { transaction: Some(isolation), written: 0 };
        } else if op.acts().any(Acts::ENDS) {
            self.transaction = None;
        }
        self.written |= bits(&op.footprint().writes);
        if is_unknown {
            self.transaction = None;
        }
        self
    }

    /// What an operation touches.
    #[must_use]
    pub fn touch(self, op: Op, profile: Profile) -> Touched {
        let footprint = op.footprint();
        let touched = Touched { reads: bits(&footprint.reads), writes: bits(&footprint.writes) };
        let acts = op.acts();
        if acts.any(Acts::BEGINS) {
            return touched.and(if profile == Profile::Sqlite { Touched::writes(WRITER) } else { Touched::NOTHING });
        }
        if acts.any(Acts::ENDS) {
            return touched.and(self.cut(profile));
        }
        touched.and(match (profile, self.transaction) {
            (Profile::Sqlite, None) => Touched::reads(WRITER),
            (Profile::Postgres, Some(Isolation::RepeatableRead)) => Touched::reads(EVERYTHING),
            (Profile::Postgres, Some(Isolation::Serializable)) => Touched { reads: EVERYTHING, writes: WATCH },
            (Profile::Postgres, None | Some(Isolation::ReadCommitted)) | (Profile::Sqlite, Some(_)) => Touched::NOTHING,
        })
    }

    /// What the end of the open transaction touches, if one is open.
    #[must_use]
    pub fn cut(self, profile: Profile) -> Touched {
        let Some(isolation) = self.transaction else { return Touched::NOTHING };
        let watch = match (profile, isolation) {
            (Profile::Sqlite, _) => WRITER,
            (Profile::Postgres, Isolation::Serializable) => WATCH,
            (Profile::Postgres, Isolation::ReadCommitted | Isolation::RepeatableRead) => 0,
        };
        Touched::writes(self.written | watch)
    }

    /// What a request touches that lands late: it was held back with its transaction, and can touch whatever that has.
    #[must_use]
    pub fn landing() -> Touched {
        Touched::writes(EVERYTHING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Response;
    use crate::terms::{AccountId, Answer, MessageId};

    const DONE: Outcome = Outcome::Ok(Response::Done);
    const READ: Op = Op::ReadMark(MessageId(0));
    const WRITE: Op = Op::WriteMark(MessageId(0), Answer(1));

    fn begun(isolation: Isolation) -> StorePast {
        StorePast::default().follow(Op::Begin(isolation), DONE)
    }

    #[test]
    fn a_commit_touches_what_was_written_since_the_transaction_began_and_not_before() {
        let read = StorePast::default().touch(READ, Profile::Postgres);
        let commit = |past: StorePast| past.touch(Op::Commit, Profile::Postgres);
        let open = begun(Isolation::ReadCommitted);
        assert!(commit(open.follow(WRITE, DONE)).conflicts_with(read));
        assert!(open.follow(WRITE, DONE).cut(Profile::Postgres).conflicts_with(read), "a cut frees its rows");
        assert!(!commit(open).conflicts_with(read));
        assert!(!commit(StorePast::default().follow(WRITE, DONE)).conflicts_with(read), "nothing is open");
        assert!(!commit(open.follow(WRITE, Outcome::Unknown)).conflicts_with(read), "the connection is gone");
    }

    #[test]
    fn a_snapshot_is_of_everything_and_serializable_transactions_watch_each_other() {
        let elsewhere = StorePast::default().touch(Op::Claim(MessageId(3)), Profile::Postgres);
        let reads = |isolation| begun(isolation).touch(Op::ReadBalance(AccountId(0)), Profile::Postgres);
        assert!(!reads(Isolation::ReadCommitted).conflicts_with(elsewhere));
        assert!(reads(Isolation::RepeatableRead).conflicts_with(elsewhere));
        let serializable = reads(Isolation::Serializable);
        assert!(serializable.conflicts_with(serializable));
        assert!(begun(Isolation::Serializable).cut(Profile::Postgres).conflicts_with(serializable));
    }

    #[test]
    fn sqlite_has_one_place_for_a_writer() {
        let begin = StorePast::default().touch(Op::Begin(Isolation::Serializable), Profile::Sqlite);
        let elsewhere = StorePast::default().touch(Op::Claim(MessageId(3)), Profile::Sqlite);
        assert!(begin.conflicts_with(elsewhere) && begin.conflicts_with(begin));
        assert!(begun(Isolation::Serializable).cut(Profile::Sqlite).conflicts_with(elsewhere));
        assert!(!StorePast::default().touch(READ, Profile::Sqlite).conflicts_with(elsewhere));
    }
}
