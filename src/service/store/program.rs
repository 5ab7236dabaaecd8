//! Statements as data: what each does to which rows, one act after the other. Dialects print them, and what a statement reads and
//! writes follows from them.

use super::op::StoreOp;
use super::response::StoreResponse;
use crate::service::{Footprint, Item, Whose};
use crate::terms::{AccountId, Answer, Delivery, Failure, OutcomeOf};

/// A table of the lab's that strategies use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoreTable {
    Account,
    Mark,
    Claim,
    StoredAnswer,
    Fence,
    Owner,
    /// The number of the last request that each client got done.
    Sequence,
    /// The answer to it.
    LastAnswer,
    /// How often each account was set.
    Version,
    /// Ids that somebody has taken for a time.
    Claimed,
    /// Ids by the day on which they came: the same id is taken once a day.
    Daily,
    /// How far the work on a message has come.
    Phase,
    /// The body that each message id is bound to.
    Body,
    /// Messages that are to be handed on, and whether they were.
    Outbox,
}

/// What a statement needs to know of a table.
#[derive(Debug, Clone, Copy)]
pub struct Columns {
    pub table: &'static str,
    pub key: &'static str,
    /// What the key is.
    pub key_is: Parameter,
    /// The column beside the key, if there is one.
    pub value: Option<&'static str>,
    /// Whether there can be several rows with one key.
    pub has_several: bool,
    /// What the rows that were changed are called in a statement that goes on with them.
    pub changed: &'static str,
}

impl StoreTable {
    /// Every table, in the order of their declaration.
    pub const ALL: [StoreTable; 14] = [
        StoreTable::Account,
        StoreTable::Mark,
        StoreTable::Claim,
        StoreTable::StoredAnswer,
        StoreTable::Fence,
        StoreTable::Owner,
        StoreTable::Sequence,
        StoreTable::LastAnswer,
        StoreTable::Version,
        StoreTable::Claimed,
        StoreTable::Daily,
        StoreTable::Phase,
        StoreTable::Body,
        StoreTable::Outbox,
    ];

    /// What makes it, in a dialect whose whole numbers are of this type. With `keyless`, which is a mistake on purpose, nothing
    /// prevents a second row with one key.
    #[must_use]
    pub fn definition(self, number: &str, keyless: bool) -> Vec<String> {
        let Columns { table, key, value, has_several, .. } = self.columns();
        let value = value.map(|value| format!(", {value} {number} NOT NULL")).unwrap_or_default();
        let is_key = if has_several || keyless || self == StoreTable::Daily { "NOT NULL" } else { "PRIMARY KEY" };
        let value = if self == StoreTable::Daily { value + &format!(", PRIMARY KEY ({key}, day)") } else { value };
        let index = has_several.then(|| format!("CREATE INDEX {table}_by_{key} ON {table} ({key})"));
        std::iter::once(format!("CREATE TABLE {table} ({key} {number} {is_key}{value})")).chain(index).collect()
    }

    /// The names of all tables that hold something besides balances and the ledger.
    pub fn kept() -> impl Iterator<Item = &'static str> {
        StoreTable::ALL.into_iter().filter(|table| *table != StoreTable::Account).map(|table| table.columns().table)
    }

    /// The names of all tables, the ledger's too.
    pub fn names() -> impl Iterator<Item = &'static str> {
        StoreTable::ALL.into_iter().map(|table| table.columns().table).chain([LEDGER])
    }

    /// Its names.
    #[must_use]
    pub const fn columns(self) -> Columns {
        let (table, key, key_is, value, has_several, changed) = match self {
            StoreTable::Account => ("account", "id", Parameter::Account, Some("balance"), false, "changed"),
            StoreTable::Mark => ("mark", "message", Parameter::Message, Some("answer"), true, "marked"),
            StoreTable::Claim => ("claim", "message", Parameter::Message, None, false, "fresh"),
            StoreTable::StoredAnswer => ("answer", "message", Parameter::Message, Some("answer"), true, "answered"),
            StoreTable::Fence => ("fence", "account", Parameter::Account, Some("token"), false, "fenced"),
            StoreTable::Owner => ("owner", "account", Parameter::Account, Some("lease"), false, "owned"),
            StoreTable::Sequence => ("sequence", "client", Parameter::Client, Some("number"), false, "newer"),
            StoreTable::LastAnswer => ("last_answer", "client", Parameter::Client, Some("answer"), false, "kept"),
            StoreTable::Version => ("version", "account", Parameter::Account, Some("number"), false, "matched"),
            StoreTable::Claimed => ("claimed", "message", Parameter::Message, Some("expires"), false, "taken"),
            StoreTable::Daily => ("daily", "message", Parameter::Message, Some("day"), false, "taken"),
            StoreTable::Phase => ("phase", "message", Parameter::Message, Some("number"), false, "advanced"),
            StoreTable::Body => ("body", "message", Parameter::Message, Some("digest"), false, "bound"),
            StoreTable::Outbox => ("outbox", "message", Parameter::Message, Some("sent"), false, "put"),
        };
        Columns { table, key, key_is, value, has_several, changed }
    }

    /// The rows in it that an operation is about.
    fn item(self, of: StoreOp) -> Item {
        let Columns { table, key_is, .. } = self.columns();
        let which = match key_is {
            Parameter::Account => Whose::Account(AccountId(of.account)),
            Parameter::Client => Whose::Client(of.client()),
            _ => Whose::Message(of.message()),
        };
        Item { place: table, which }
    }
}

/// What happens if a row with the key is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConflict {
    /// Nothing prevents a second row.
    Another,
    /// Nothing is inserted.
    Nothing,
    /// The value is replaced, unless it is higher than the new one.
    KeepHigher,
    /// The value stays. Another one than it is refused.
    KeepFirst,
    /// The value is replaced, unless it is as high as the new one, or higher.
    Raise,
    /// The value is replaced.
    Replace,
    /// The value is replaced, if the new one is the next after it. Nothing is inserted but the first.
    Next,
    /// The row is taken for a time, unless somebody has it whose time has not run out. The value is the end of that time.
    Take,
}

impl OnConflict {
    /// How the value that is there must stand to the new one for the row to be changed; none if the row is left alone.
    #[must_use]
    pub const fn compares(self) -> Option<&'static str> {
        match self {
            OnConflict::KeepHigher => Some("<="),
            OnConflict::KeepFirst => Some("="),
            OnConflict::Raise => Some("<"),
            OnConflict::Next => Some("+ 1 ="),
            OnConflict::Another | OnConflict::Nothing | OnConflict::Replace | OnConflict::Take => None,
        }
    }

    /// Whether a new value takes the place of the one that is there.
    #[must_use]
    pub const fn accepts(self, there: i64, new: i64) -> bool {
        match self {
            OnConflict::KeepHigher => there <= new,
            OnConflict::KeepFirst => there == new,
            OnConflict::Raise => there < new,
            OnConflict::Next => there + 1 == new,
            OnConflict::Another | OnConflict::Replace => true,
            OnConflict::Nothing => false,
            OnConflict::Take => there == EXPIRED,
        }
    }
}

/// What the model knows of the end of a time for which a row was taken: it has come, it will come, it never comes.
pub const EXPIRED: i64 = 0;
/// See [`EXPIRED`].
pub const TAKEN: i64 = 1;
/// See [`EXPIRED`].
pub const KEPT: i64 = 2;

/// The end of a time that never comes, in SQL.
pub const FOREVER: i64 = i64::MAX;

impl Columns {
    /// What both dialects say for it behind an insertion. With `blindly`, which is a mistake on purpose, nothing is compared.
    #[must_use]
    pub fn on_conflict(&self, conflict: OnConflict, blindly: bool) -> String {
        let Columns { table, key, value, .. } = self;
        match (conflict, conflict.compares(), value) {
            (OnConflict::Another, ..) => String::new(),
            (OnConflict::Replace, _, Some(value)) => {
                format!(" ON CONFLICT ({key}) DO UPDATE SET {value} = excluded.{value}")
            }
            (_, Some(compares), Some(value)) => {
                let set = format!(" ON CONFLICT ({key}) DO UPDATE SET {value} = excluded.{value}");
                if blindly { set } else { format!("{set} WHERE {table}.{value} {compares} excluded.{value}") }
            }
            (_, None, _) | (_, _, None) => " ON CONFLICT DO NOTHING".to_owned(),
        }
    }
}

/// One thing that a statement does. It happens only if what stands before it has changed a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Reads the value of the first row with the key.
    Read(StoreTable),
    /// Inserts the key with the operation's value.
    Insert(StoreTable, OnConflict),
    /// Adds the amount to the account's balance.
    AddAmount,
    /// Sets the account's balance, whatever it is by now.
    SetBalance,
    /// Sets the account's balance to the amount.
    PutAmount,
    /// Sets the account's balance to 0.
    Clear,
    /// Appends to the ledger.
    Append,
    /// Appends to the ledger, where no account is changed: the balance is 0.
    Record,
    /// Inserts the key with the new balance.
    InsertBalance(StoreTable),
    /// Reads the value of the row with the key, and locks the row until the transaction ends (SELECT … FOR UPDATE).
    Lock(StoreTable),
    /// What was taken for a time is kept for good.
    Keep(StoreTable),
    /// Sets the value of the row with the key to the operation's value, if the row is there.
    Set(StoreTable),
    /// Deletes the rows with the key, if there are any. It happens whatever stands before it has changed.
    Delete(StoreTable),
    /// Takes or releases the lock that has the message's id for a name, and guards no row.
    Advisory(Advisory),
}

/// What is done to a lock that guards no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advisory {
    /// It is taken until the transaction ends.
    ForTransaction,
    /// It is taken until it is released, or its connection ends.
    ForSession,
    /// It is released.
    Release,
}

/// How a statement answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    Done,
    /// The value that it found, if it found one.
    Found,
    /// The same, where the value is a balance.
    Balance,
    /// Whether the row is new.
    Claimed,
    /// The new balance, if it changed one.
    Applied,
    /// Nothing; this failure if a row stood in the way.
    DoneOr(Failure),
    /// The new balance; this failure if a row stood in the way.
    AppliedOr(Failure),
}

/// A statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    pub acts: &'static [Act],
    pub gives: Gives,
}

impl Program {
    /// Whether it changes nothing.
    #[must_use]
    #[inline]
    pub fn only_reads(&self) -> bool {
        matches!(self.acts, [Act::Read(_)])
    }
}

impl Gives {
    /// The outcome where there is no such account: no row is changed.
    #[must_use]
    pub fn without_account(self) -> OutcomeOf<StoreResponse> {
        OutcomeOf::Ok(match self {
            Gives::Done | Gives::DoneOr(_) => StoreResponse::Done,
            Gives::Found | Gives::Balance => StoreResponse::Found(None),
            Gives::Claimed => StoreResponse::Claimed(false),
            Gives::Applied | Gives::AppliedOr(_) => StoreResponse::Applied(None),
        })
    }

    /// The outcome, by the first column of the first row that came back, or of the row that was changed.
    #[must_use]
    pub fn outcome(self, row: Option<Option<i64>>) -> OutcomeOf<StoreResponse> {
        let value = row.flatten().map(Answer);
        OutcomeOf::Ok(match (self, row) {
            (Gives::DoneOr(failure) | Gives::AppliedOr(failure), None) => return OutcomeOf::Failed(failure),
            (Gives::Done | Gives::DoneOr(_), _) => StoreResponse::Done,
            (Gives::Found | Gives::Balance, _) => StoreResponse::Found(value),
            (Gives::Claimed, row) => StoreResponse::Claimed(row.is_some()),
            (Gives::Applied | Gives::AppliedOr(_), _) => StoreResponse::Applied(value),
        })
    }
}

/// What a statement is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    Message,
    Account,
    Amount,
    /// What the operation brings along: an answer, a token, a lease.
    Value,
    /// The balance that an account is set to.
    Balance,
    /// The token under which the effect is applied; none if there is none.
    Token,
    /// The delivery that applies the effect.
    Attempt,
    Copy,
    /// Who sent the request.
    Client,
    /// The time of the handler's clock, in microseconds since 1970.
    Now,
    /// The end of the time for which a row is taken that is taken now.
    Expires,
    /// The day by the handler's clock. A day is as long as a row is taken for.
    Day,
}

/// For how long rows are taken, in microseconds, where nothing else is said: thirty years, so that no time runs out by itself
/// while schedules are made step by step.
pub const LONG_US: i64 = 1_000_000_000_000_000;

/// The time of this machine's clock, in microseconds since 1970.
#[must_use]
pub fn now_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Where the locks are that guard no row.
pub const ADVISORY: &str = "advisory lock";

/// The ledger.
pub const LEDGER: &str = "ledger";

impl StoreOp {
    /// The value of a parameter, where rows are taken for so long.
    #[must_use]
    pub(super) fn value_of(self, parameter: Parameter, by: Delivery, ttl_us: i64) -> Option<i64> {
        match parameter {
            Parameter::Message => Some(self.message.into()),
            Parameter::Account => Some(self.account.into()),
            Parameter::Amount => Some(self.amount.into()),
            Parameter::Value => Some(self.value),
            Parameter::Balance => Some(self.balance()),
            Parameter::Token => self.token().map(|token| token.0.get()),
            Parameter::Attempt => Some(by.attempt.into()),
            Parameter::Copy => Some(by.copy.into()),
            Parameter::Client => Some(self.client().0.into()),
            Parameter::Now => Some(now_us()),
            Parameter::Expires => Some(now_us().saturating_add(ttl_us)),
            Parameter::Day => Some(now_us() / ttl_us.max(1)),
        }
    }
}

/// What a program reads and writes.
#[must_use]
pub(super) fn footprint(program: &Program, op: StoreOp) -> Footprint {
    let mut footprint = Footprint::default();
    for act in program.acts {
        match act {
            Act::Read(table) => footprint.reads.push(table.item(op)),
            Act::Insert(table, _) | Act::InsertBalance(table) => footprint.writes.push(table.item(op)),
            Act::AddAmount | Act::SetBalance | Act::PutAmount | Act::Clear => {
                footprint.writes.push(StoreTable::Account.item(op))
            }
            Act::Append | Act::Record => {
                footprint.writes.push(Item { place: LEDGER, which: Whose::Message(op.message()) })
            }
            Act::Lock(table) | Act::Keep(table) | Act::Set(table) | Act::Delete(table) => {
                footprint.writes.push(table.item(op))
            }
            Act::Advisory(_) => footprint.writes.push(Item { place: ADVISORY, which: Whose::Message(op.message()) }),
        }
    }
    footprint
}
