//! Statements as data: what each does to which rows, one act after the other. Dialects print them, and what a statement reads and
//! writes follows from them.

use crate::service::{Footprint, Item, Op, Outcome, Response};
use crate::terms::{AccountId, Answer, Delivery, Failure, MessageId, Request};

/// A table of the lab's that strategies use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreTable {
    Account,
    Mark,
    Claim,
    Answer,
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
            StoreTable::Answer => ("answer", "message", Parameter::Message, Some("answer"), true, "answered"),
            StoreTable::Fence => ("fence", "account", Parameter::Account, Some("token"), false, "fenced"),
            StoreTable::Owner => ("owner", "account", Parameter::Account, Some("lease"), false, "owned"),
        };
        Columns { table, key, key_is, value, has_several, changed }
    }

    fn item(self, message: MessageId, account: AccountId) -> Item {
        match self {
            StoreTable::Account => Item::Account(account),
            StoreTable::Mark => Item::Mark(message),
            StoreTable::Claim => Item::Claim(message),
            StoreTable::Answer => Item::StoredAnswer(message),
            StoreTable::Fence => Item::Fence(account),
            StoreTable::Owner => Item::Owner(account),
        }
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
    /// The program of an operation; none if it is no statement on rows, or a strategy's own.
    #[must_use]
    pub fn of(op: Op) -> Option<&'static Program> {
        place(op).map(|place| &PROGRAMS[place])
    }
}

impl Gives {
    /// The outcome, by the first column of the first row that came back, or of the row that was changed.
    #[must_use]
    pub fn outcome(self, row: Option<Option<i64>>) -> Outcome {
        let value = row.flatten().map(Answer);
        Outcome::Ok(match (self, row) {
            (Gives::DoneOr(failure) | Gives::AppliedOr(failure), None) => return Outcome::Failed(failure),
            (Gives::Done | Gives::DoneOr(_), _) => Response::Done,
            (Gives::Found, _) => Response::Found(value),
            (Gives::Claimed, row) => Response::Claimed(row.is_some()),
            (Gives::Applied | Gives::AppliedOr(_), _) => Response::Applied(value),
        })
    }
}

/// What a statement is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    Message,
    Account,
    Amount,
    /// What the operation brings along: an answer, a token, a lease, a balance.
    Value,
    /// The token under which the effect is applied; none if there is none.
    Token,
    /// The delivery that applies the effect.
    Attempt,
    Copy,
}

/// The place of the program that does everything at once.
pub const CLAIM_AND_APPLY: usize = 10;

/// Every program, in the order of [`place`].
pub const PROGRAMS: [Program; 12] = {
    use Act::{AddAmount, Append, Insert, InsertBalance, Read, SetBalance};
    use OnConflict::{Another, KeepFirst, KeepHigher, Nothing};
    [
        Program { acts: &[Read(StoreTable::Mark)], gives: Gives::Found },
        Program { acts: &[Read(StoreTable::Answer)], gives: Gives::Found },
        Program { acts: &[Read(StoreTable::Account)], gives: Gives::Found },
        Program { acts: &[Insert(StoreTable::Mark, Another)], gives: Gives::Done },
        Program { acts: &[Insert(StoreTable::Answer, Another)], gives: Gives::Done },
        Program { acts: &[Insert(StoreTable::Claim, Nothing)], gives: Gives::Claimed },
        Program { acts: &[Insert(StoreTable::Fence, KeepHigher)], gives: Gives::DoneOr(Failure::StaleToken) },
        Program { acts: &[AddAmount, Append], gives: Gives::Applied },
        Program {
            acts: &[Insert(StoreTable::Fence, KeepHigher), AddAmount, Append],
            gives: Gives::AppliedOr(Failure::StaleToken),
        },
        Program {
            acts: &[Insert(StoreTable::Owner, KeepFirst), AddAmount, Append],
            gives: Gives::AppliedOr(Failure::OtherLease),
        },
        Program {
            acts: &[Insert(StoreTable::Claim, Nothing), AddAmount, Append, InsertBalance(StoreTable::Answer)],
            gives: Gives::Applied,
        },
        Program { acts: &[SetBalance, Append], gives: Gives::Applied },
    ]
};

/// The place of an operation's program; none if it is no statement on rows, or a strategy's own.
#[must_use]
pub fn place(op: Op) -> Option<usize> {
    Some(match op {
        Op::ReadMark(_) => 0,
        Op::ReadAnswer(_) => 1,
        Op::ReadBalance(_) => 2,
        Op::WriteMark(..) => 3,
        Op::StoreAnswer(..) => 4,
        Op::Claim(_) => 5,
        Op::CheckToken(..) => 6,
        Op::Apply(_, None) => 7,
        Op::Apply(_, Some(_)) => 8,
        Op::ApplyUnderLease(..) => 9,
        Op::ClaimAndApply(_) => CLAIM_AND_APPLY,
        Op::Overwrite(..) => 11,
        Op::Begin(_) | Op::Commit | Op::Rollback | Op::Sql(_) => return None,
        Op::GrantLease | Op::Acquire(_) | Op::Release(_) | Op::Revoke(_) => return None,
    })
}

/// What an operation is about, for the parameters of its statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct About {
    pub message: u32,
    pub account: u32,
    pub amount: i32,
    pub value: Option<i64>,
    pub token: Option<i64>,
}

impl About {
    /// What an operation is about.
    #[must_use]
    pub fn of(op: Op) -> About {
        let about = |request: Request| About {
            message: request.id.0,
            account: request.effect.account.0,
            amount: request.effect.amount,
            ..About::default()
        };
        match op {
            Op::ReadMark(id) | Op::ReadAnswer(id) | Op::Claim(id) => About { message: id.0, ..About::default() },
            Op::WriteMark(id, answer) | Op::StoreAnswer(id, answer) => {
                About { message: id.0, value: Some(answer.0), ..About::default() }
            }
            Op::ReadBalance(account) => About { account: account.0, ..About::default() },
            Op::CheckToken(account, token) => {
                About { account: account.0, value: Some(token.0.get()), ..About::default() }
            }
            Op::Apply(request, token) => {
                let token = token.map(|token| token.0.get());
                About { value: token, token, ..about(request) }
            }
            Op::ApplyUnderLease(request, lease) => About { value: Some(lease.0), ..about(request) },
            Op::ClaimAndApply(request) => about(request),
            Op::Overwrite(request, base) => {
                let balance = base.0.saturating_add(request.effect.amount.into());
                About { value: Some(balance), ..about(request) }
            }
            Op::Sql(sql) => About { value: Some(sql.value), ..about(sql.request) },
            Op::Begin(_) | Op::Commit | Op::Rollback => About::default(),
            Op::GrantLease | Op::Acquire(_) | Op::Release(_) | Op::Revoke(_) => About::default(),
        }
    }

    /// The value of a parameter.
    #[must_use]
    pub fn value_of(&self, parameter: Parameter, by: Delivery) -> Option<i64> {
        match parameter {
            Parameter::Message => Some(self.message.into()),
            Parameter::Account => Some(self.account.into()),
            Parameter::Amount => Some(self.amount.into()),
            Parameter::Value => self.value,
            Parameter::Token => self.token,
            Parameter::Attempt => Some(by.attempt.into()),
            Parameter::Copy => Some(by.copy.into()),
        }
    }
}

/// What a program reads and writes.
#[must_use]
pub fn footprint(program: &Program, about: About) -> Footprint {
    let (message, account) = (MessageId(about.message), AccountId(about.account));
    let mut footprint = Footprint::default();
    for act in program.acts {
        match act {
            Act::Read(table) => footprint.reads.push(table.item(message, account)),
            Act::Insert(table, _) | Act::InsertBalance(table) => footprint.writes.push(table.item(message, account)),
            Act::AddAmount | Act::SetBalance => footprint.writes.push(Item::Account(account)),
            Act::Append => footprint.writes.push(Item::Ledger(message)),
        }
    }
    footprint
}
