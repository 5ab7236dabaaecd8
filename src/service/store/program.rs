//! Statements as data: what each does to which rows, one act after the other. Dialects print them, and what a statement reads and
//! writes follows from them.

use super::op::StoreOp;
use super::response::StoreResponse;
use crate::service::{Footprint, Item, Whose};
use crate::terms::{AccountId, Answer, Delivery, Failure, MessageId, OutcomeOf};

/// A table of the lab's that strategies use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreTable {
    Account,
    Mark,
    Claim,
    StoredAnswer,
    Fence,
    Owner,
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
        };
        Columns { table, key, key_is, value, has_several, changed }
    }

    /// The rows of a message or of an account in it.
    fn item(self, message: MessageId, account: AccountId) -> Item {
        let Columns { table, key_is, .. } = self.columns();
        let which = if key_is == Parameter::Account { Whose::Account(account) } else { Whose::Message(message) };
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
}

impl OnConflict {
    /// How the value that is there must stand to the new one for the row to be changed; none if the row is left alone.
    #[must_use]
    pub const fn compares(self) -> Option<&'static str> {
        match self {
            OnConflict::KeepHigher => Some("<="),
            OnConflict::KeepFirst => Some("="),
            OnConflict::Another | OnConflict::Nothing => None,
        }
    }
}

impl Columns {
    /// What both dialects say for it behind an insertion. With `blindly`, which is a mistake on purpose, nothing is compared.
    #[must_use]
    pub fn on_conflict(&self, conflict: OnConflict, blindly: bool) -> String {
        let Columns { table, key, value, .. } = self;
        match (conflict, conflict.compares(), value) {
            (OnConflict::Another, ..) => String::new(),
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
    /// Appends to the ledger.
    Append,
    /// Inserts the key with the new balance.
    InsertBalance(StoreTable),
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
}

/// The ledger.
pub const LEDGER: &str = "ledger";

impl StoreOp {
    /// The value of a parameter.
    #[must_use]
    pub(super) fn value_of(self, parameter: Parameter, by: Delivery) -> Option<i64> {
        match parameter {
            Parameter::Message => Some(self.message.into()),
            Parameter::Account => Some(self.account.into()),
            Parameter::Amount => Some(self.amount.into()),
            Parameter::Value => Some(self.value),
            Parameter::Balance => Some(self.balance()),
            Parameter::Token => self.token().map(|token| token.0.get()),
            Parameter::Attempt => Some(by.attempt.into()),
            Parameter::Copy => Some(by.copy.into()),
        }
    }
}

/// What a program reads and writes.
#[must_use]
pub(super) fn footprint(program: &Program, op: StoreOp) -> Footprint {
    let (message, account) = (op.message(), AccountId(op.account));
    let mut footprint = Footprint::default();
    for act in program.acts {
        match act {
            Act::Read(table) => footprint.reads.push(table.item(message, account)),
            Act::Insert(table, _) | Act::InsertBalance(table) => footprint.writes.push(table.item(message, account)),
            Act::AddAmount | Act::SetBalance => footprint.writes.push(StoreTable::Account.item(message, account)),
            Act::Append => footprint.writes.push(Item { place: LEDGER, which: Whose::Message(message) }),
        }
    }
    footprint
}
