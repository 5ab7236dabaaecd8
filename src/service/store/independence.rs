//! What a step touches of a store. It depends only on what the step's own lane has done before, so that it stays the same when
//! others change places.

use super::program::{ADVISORY, Act, Advisory, StoreTable};
use super::{Does, StoreOp, StoreResponse};
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
const BY_ACCOUNT: [StoreTable; 4] = [StoreTable::Account, StoreTable::Fence, StoreTable::Owner, StoreTable::Version];
/// Then those whose rows are taken for a time, and what goes with them.
const TIMED: [StoreTable; 3] = [StoreTable::Claimed, StoreTable::Daily, StoreTable::Phase];
/// The bits of those whose time runs out.
const TAKEN: u64 = 0xfff << 42;
/// Behind all others, the bodies that ids are bound to and the outbox. There is room for four messages only: the later ones share the
/// last place, and the two tables share all of them. So more seems to depend on the order than does.
const LAST: ([StoreTable; 2], u32) = ([StoreTable::Body, StoreTable::Outbox], 60);
/// Then those that have one for each client.
const BY_CLIENT: [StoreTable; 2] = [StoreTable::Sequence, StoreTable::LastAnswer];

fn bit(item: &Item) -> u64 {
    if *item == Item::ANYTHING {
        return EVERYTHING;
    }
    let is_there = |(_, table): &(u32, &StoreTable)| table.columns().table == item.place;
    let place = |tables: &'static [StoreTable]| (0..).zip(tables).find(is_there);
    match item.which {
        Whose::Message(id) if item.place == ADVISORY => 1 << (36 + id.0.min(5)),
        Whose::Message(id) if LAST.0.iter().any(|table| item.place == table.columns().table) => {
            1 << (LAST.1 + id.0.min(3))
        }
        Whose::Message(id) => {
            let timed = place(&TIMED).map_or(0, |(table, _)| 1 << (42 + 6 * table + id.0.min(5)));
            place(&BY_MESSAGE).map_or(timed, |(table, _)| 1 << (6 * table + id.0.min(5)))
        }
        Whose::Client(id) => place(&BY_CLIENT).map_or(0, |(table, _)| 1 << (32 + 2 * table + id.0 % 2)),
        Whose::Account(id) => place(&BY_ACCOUNT).map_or(0, |(table, _)| 1 << (18 + 3 * table + id.0 % 3)),
        // The ledger's order is the account's.
        Whose::Asked(_) | Whose::Any => 0,
    }
}

fn bits(items: &[Item]) -> u64 {
    items.iter().map(bit).fold(0, |a, b| a | b)
}

/// What an operation does to a lock that guards no row, if that is what it does.
fn advisory(op: StoreOp) -> Option<Advisory> {
    let Does::Rows(program) = op.does() else { return None };
    program.acts.iter().find_map(|act| if let Act::Advisory(how) = act { Some(*how) } else { None })
}

/// What a lane has done in its present attempt, as far as its next step depends on it.
#[derive(Debug, Clone, Copy, Default)]
pub struct StorePast {
    /// The transaction that is open.
    transaction: Option<Isolation>,
    /// What has been written in it.
    written: u64,
    /// The locks that the connection holds, whatever becomes of the transaction.
    held: u64,
    /// The message was taken for a time.
    took: bool,
}

impl Past for StorePast {
    type Op = StoreOp;
    type Response = StoreResponse;

    fn follow(mut self, op: StoreOp, outcome: OutcomeOf<StoreResponse>) -> Self {
        let is_unknown = outcome == OutcomeOf::Unknown;
        if let Some(isolation) = op.isolation().filter(|_| !is_unknown) {
            self = StorePast { transaction: Some(isolation), written: 0, ..self };
        } else if op.acts().any(Acts::ENDS) {
            self.transaction = None;
        }
        let writes = bits(&op.footprint().writes);
        self.written |= writes;
        match advisory(op) {
            Some(Advisory::ForSession) => self.held |= writes,
            Some(Advisory::Release) => self.held &= !writes,
            Some(Advisory::ForTransaction) | None => {}
        }
        self.took |= op.acts().any(Acts::TAKES);
        if is_unknown {
            (self.transaction, self.held) = (None, 0);
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

    fn expiry(self, before: Option<StoreOp>) -> Touched {
        let is_its = self.took || before.is_some_and(|op| op.acts().any(Acts::TAKES));
        if is_its { Touched { reads: WRITER, writes: TAKEN } } else { Touched::NOTHING }
    }

    fn cut(self, profile: Profile) -> Touched {
        let Some(isolation) = self.transaction else { return Touched::writes(self.held) };
        let watch = match (profile, isolation) {
            (Profile::Sqlite, _) => WRITER,
            (Profile::Postgres | Profile::Mariadb, Isolation::Serializable) => WATCH,
            (Profile::Postgres | Profile::Mariadb, Isolation::ReadCommitted | Isolation::RepeatableRead) => 0,
        };
        Touched::writes(self.written | self.held | watch)
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
