//! What a step touches of a store. It depends only on what the step's own lane has done before, so that it stays the same when
//! others change places.

use super::program::StoreTable;
use super::{StoreOp, StoreResponse};
use crate::service::contract::Operation;
use crate::service::modelled::Past;
use crate::service::touched::Touched;
use crate::service::{Acts, Item, Whose};
use crate::terms::{Isolation, OutcomeOf, Profile};

/// Whatever there is.
const EVERYTHING: u64 = u64::MAX;
/// SQLite's place for a writer.
const WRITER: u64 = 1 << 30;
/// The watch over serializable transactions.
const WATCH: u64 = 1 << 31;

/// The tables that have a row for each message, then those that have one for each account.
const BY_MESSAGE: [StoreTable; 3] = [StoreTable::Mark, StoreTable::Claim, StoreTable::StoredAnswer];
const BY_ACCOUNT: [StoreTable; 3] = [StoreTable::Account, StoreTable::Fence, StoreTable::Owner];

fn bit(item: &Item) -> u64 {
    if *item == Item::ANYTHING {
        return EVERYTHING;
    }
    let place = |tables: [StoreTable; 3]| (0..).zip(tables).find(|(_, table)| table.columns().table == item.place);
    match item.which {
        Whose::Message(id) => place(BY_MESSAGE).map_or(0, |(table, _): (u32, _)| 1 << (6 * table + id.0.min(5))),
        Whose::Account(id) => place(BY_ACCOUNT).map_or(0, |(table, _): (u32, _)| 1 << (18 + 4 * table + id.0 % 4)),
        // The ledger's order is the account's.
        Whose::Asked(_) | Whose::Any => 0,
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

impl Past for StorePast {
    type Op = StoreOp;
    type Response = StoreResponse;

    fn follow(mut self, op: StoreOp, outcome: OutcomeOf<StoreResponse>) -> Self {
        let is_unknown = outcome == OutcomeOf::Unknown;
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

    fn touch(self, op: StoreOp, profile: Profile) -> Touched {
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
            (Profile::Postgres | Profile::Mariadb, Some(Isolation::RepeatableRead)) => Touched::reads(EVERYTHING),
            (Profile::Postgres | Profile::Mariadb, Some(Isolation::Serializable)) => {
                Touched { reads: EVERYTHING, writes: WATCH }
            }
            (Profile::Postgres | Profile::Mariadb, None | Some(Isolation::ReadCommitted))
            | (Profile::Sqlite, Some(_)) => Touched::NOTHING,
        })
    }

    fn cut(self, profile: Profile) -> Touched {
        let Some(isolation) = self.transaction else { return Touched::NOTHING };
        let watch = match (profile, isolation) {
            (Profile::Sqlite, _) => WRITER,
            (Profile::Postgres | Profile::Mariadb, Isolation::Serializable) => WATCH,
            (Profile::Postgres | Profile::Mariadb, Isolation::ReadCommitted | Isolation::RepeatableRead) => 0,
        };
        Touched::writes(self.written | watch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::{AccountId, Answer, MessageId};

    const DONE: OutcomeOf<StoreResponse> = OutcomeOf::Ok(StoreResponse::Done);

    fn read() -> StoreOp {
        StoreOp::read_mark(MessageId(0))
    }

    fn write() -> StoreOp {
        StoreOp::write_mark(MessageId(0), Answer(1))
    }

    fn begun(isolation: Isolation) -> StorePast {
        StorePast::default().follow(StoreOp::begin(isolation), DONE)
    }

    #[test]
    fn a_commit_touches_what_was_written_since_the_transaction_began_and_not_before() {
        let read = StorePast::default().touch(read(), Profile::Postgres);
        let commit = |past: StorePast| past.touch(StoreOp::commit(), Profile::Postgres);
        let open = begun(Isolation::ReadCommitted);
        assert!(commit(open.follow(write(), DONE)).conflicts_with(read));
        assert!(open.follow(write(), DONE).cut(Profile::Postgres).conflicts_with(read), "a cut frees its rows");
        assert!(!commit(open).conflicts_with(read));
        assert!(!commit(StorePast::default().follow(write(), DONE)).conflicts_with(read), "nothing is open");
        assert!(!commit(open.follow(write(), OutcomeOf::Unknown)).conflicts_with(read), "the connection is gone");
    }

    #[test]
    fn a_snapshot_is_of_everything_and_serializable_transactions_watch_each_other() {
        let elsewhere = StorePast::default().touch(StoreOp::claim(MessageId(3)), Profile::Postgres);
        let reads = |isolation| begun(isolation).touch(StoreOp::read_balance(AccountId(0)), Profile::Postgres);
        assert!(!reads(Isolation::ReadCommitted).conflicts_with(elsewhere));
        assert!(reads(Isolation::RepeatableRead).conflicts_with(elsewhere));
        let serializable = reads(Isolation::Serializable);
        assert!(serializable.conflicts_with(serializable));
        assert!(begun(Isolation::Serializable).cut(Profile::Postgres).conflicts_with(serializable));
    }

    #[test]
    fn sqlite_has_one_place_for_a_writer() {
        let begin = StorePast::default().touch(StoreOp::begin(Isolation::Serializable), Profile::Sqlite);
        let elsewhere = StorePast::default().touch(StoreOp::claim(MessageId(3)), Profile::Sqlite);
        assert!(begin.conflicts_with(elsewhere) && begin.conflicts_with(begin));
        assert!(begun(Isolation::Serializable).cut(Profile::Sqlite).conflicts_with(elsewhere));
        assert!(!StorePast::default().touch(read(), Profile::Sqlite).conflicts_with(elsewhere));
    }
}
