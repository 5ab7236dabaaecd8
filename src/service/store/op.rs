//! An operation of a store: flat and small, since an explorer copies millions of them a second.

use std::fmt;

use super::argument::{AlsoRequest, ISOLATIONS, OpArgument, Word};
use super::operations::for_each_operation;
use super::program::Act::{
    AddAmount, Advisory, Append, Clear, Delete, Insert, InsertBalance, Keep, Lock, PutAmount, Read, Record, Set,
    SetBalance,
};
use super::program::Advisory::{ForSession, ForTransaction, Release};
use super::program::OnConflict::{Another, KeepFirst, KeepHigher, Next, Nothing, Raise, Replace};
use super::program::StoreTable::{
    Account, Body, Claim, Claimed, Daily, Fence, LastAnswer, Mark, Outbox, Owner, Phase, Sequence, StoredAnswer,
    Version,
};
use super::program::{self, Gives, OnConflict, Program};
use crate::service::contract::{Operation, asker_of, lane_name};
use crate::service::{Acts, Footprint, HasIds, IdKind, Ids, Item, Kind, Sql};
use crate::terms::{
    AccountId, Answer, BodyDigest, ClientId, Effect, Failure, Isolation, LeaseId, MessageId, Request, Token,
};

/// What is known of an operation.
struct OpRow {
    kind: Kind,
    /// What it is called in a story.
    says: &'static str,
    words: &'static [Word],
    does: Does,
    has_message: bool,
    has_account: bool,
    has_client: bool,
    /// What sort of id the value is, if it is one.
    value_is: Option<IdKind>,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    Begin,
    Commit,
    Rollback,
    /// What a statement of the strategy's own says.
    Own,
    /// Something to rows.
    Rows(Program),
    /// Each of its two parts, in one transaction.
    Both,
}

const fn rows(acts: &'static [Act], gives: Gives) -> Does {
    Does::Rows(Program { acts, gives })
}

use program::Act;

const fn row(mut kind: Kind, says: &'static str, words: &'static [Word], does: Does) -> OpRow {
    let (mut has_message, mut has_account, mut has_client, mut value_is, mut n) = (false, false, false, None, 0);
    while n < words.len() {
        has_message |= words[n].has_message();
        has_account |= words[n].has_account();
        has_client |= words[n].has_client();
        if let Some(kind) = words[n].id_kind() {
            value_is = Some(kind);
        }
        n += 1;
    }
    if value_is.is_some() {
        kind.acts = kind.acts.and(Acts::NAMES);
    }
    OpRow { kind, says, words, does, has_message, has_account, has_client, value_is }
}

macro_rules! operations {
    ($($(#[$doc:meta])* $number:literal $kind:literal [$($act:ident),*] $says:literal
       $name:ident $method:ident($($arg:ident: $type:ty),*) -> $gives:ty = $does:expr;)*) => {
        /// What an operation says, without its data.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        enum Statement { $($name),* }

        const STATEMENTS: &[Statement] = &[$(Statement::$name),*];

        /// Every operation, by the number of its statement.
        static ROWS: [OpRow; STATEMENTS.len()] = [$(row(
            Kind { number: $number, name: $kind, acts: Acts::NONE$(.and(Acts::$act))* },
            $says,
            &[$(<$type as OpArgument>::WORD),*],
            $does,
        )),*];

        /// What the operations are, by the number of their statements.
        static ACTS: [Acts; STATEMENTS.len()] = {
            let mut acts = [Acts::NONE; STATEMENTS.len()];
            let mut n = 0;
            while n < acts.len() {
                acts[n] = ROWS[n].kind.acts;
                n += 1;
            }
            acts
        };

        /// The kinds of operations.
        pub(super) const KINDS: &[Kind] = &[$(Kind { number: $number, name: $kind, acts: Acts::NONE$(.and(Acts::$act))* }),*];

        impl StoreOp {
            $(
                $(#[$doc])*
                #[must_use]
                #[inline]
                pub fn $method($($arg: $type),*) -> Self {
                    #[allow(unused_mut)]
                    let mut op = StoreOp::of(Statement::$name);
                    $($arg.put(&mut op);)*
                    op
                }
            )*
        }
    };
}
for_each_operation!(operations);

/// An operation of a store. It is made by the method that bears its name, e.g. [`StoreOp::claim`].
///
/// Inside a transaction an operation belongs to it; outside, it is a transaction of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StoreOp {
    statement: Statement,
    /// The number of the text of a statement of the strategy's own, or the number of a client.
    pub(super) text: u16,
    pub(super) message: u32,
    pub(super) account: u32,
    pub(super) amount: i32,
    /// What it brings along: an answer, a token, a lease, a balance, an isolation level.
    pub(super) value: i64,
}

const _: () = assert!(size_of::<StoreOp>() == 24);

impl StoreOp {
    #[inline]
    const fn of(statement: Statement) -> Self {
        StoreOp { statement, text: 0, message: 0, account: 0, amount: 0, value: 0 }
    }

    #[inline]
    fn row(self) -> &'static OpRow {
        &ROWS[self.statement as usize]
    }

    /// The number of its statement: below [`StoreOp::programs`]' length.
    #[must_use]
    pub(super) fn place(self) -> usize {
        self.statement as usize
    }

    /// Whether it is one that a server may do for many messages in one statement.
    #[must_use]
    pub(super) fn is_claim_and_apply(self) -> bool {
        self.statement == Statement::ClaimAndApply
    }

    /// The number of the first statement of this kind.
    pub(super) fn place_of(kind: &str) -> Option<usize> {
        ROWS.iter().position(|row| row.kind.name == kind)
    }

    /// What every operation does, by the number of its statement.
    pub(super) fn programs() -> impl Iterator<Item = Does> {
        ROWS.iter().map(|row| row.does)
    }

    /// What it does.
    #[must_use]
    #[inline]
    pub fn does(self) -> &'static Does {
        &self.row().does
    }

    /// The message that it is about; some number if it is about none.
    #[must_use]
    pub const fn message(self) -> MessageId {
        MessageId(self.message)
    }

    /// The account that it is about, if it is about one.
    #[must_use]
    #[inline]
    pub fn account(self) -> Option<AccountId> {
        self.row().has_account.then_some(AccountId(self.account))
    }

    /// The client that it is about; some number if it is about none.
    #[must_use]
    pub const fn client(self) -> ClientId {
        ClientId(self.text as u32)
    }

    /// What it brings along, e.g. an answer or a token.
    #[must_use]
    pub const fn value(self) -> i64 {
        self.value
    }

    /// The effect that it applies, if it applies one.
    #[must_use]
    pub const fn effect(self) -> Effect {
        Effect { account: AccountId(self.account), amount: self.amount }
    }

    /// The balance that it sets an account to, if it sets one.
    #[must_use]
    pub fn balance(self) -> i64 {
        self.value.saturating_add(self.amount.into())
    }

    /// The token that it brings along.
    #[must_use]
    #[inline]
    pub fn token(self) -> Option<Token> {
        let token = std::num::NonZeroI64::new(self.value).map(Token);
        token.filter(|_| self.row().value_is == Some(IdKind::Ranked))
    }

    /// The second request that it is about, if it is about two.
    pub(super) const fn also(self) -> AlsoRequest {
        let [a, b, c, d, e, f, g, h] = self.value.to_be_bytes();
        AlsoRequest { id: MessageId(u32::from_be_bytes([a, b, c, d])), amount: i32::from_be_bytes([e, f, g, h]) }
    }

    pub(super) fn level(self) -> Isolation {
        ISOLATIONS[usize::try_from(self.value).unwrap_or(0).min(ISOLATIONS.len() - 1)]
    }

    /// The statement of the strategy's own that it is, if it is one.
    pub(super) fn own(self) -> Sql {
        let request = Request { id: self.message(), client: ClientId(0), sequence: 0, effect: self.effect() };
        Sql::numbered(self.text, &request, self.value)
    }
}

impl Operation for StoreOp {
    #[inline]
    fn kind(self) -> &'static Kind {
        &self.row().kind
    }

    #[inline]
    fn acts(self) -> Acts {
        ACTS[self.statement as usize]
    }

    fn footprint(self) -> Footprint {
        match self.does() {
            // A transaction is its lane's own.
            Does::Begin | Does::Commit | Does::Rollback => Footprint::default(),
            Does::Own => Footprint { reads: Vec::new(), writes: vec![Item::ANYTHING] },
            Does::Both => {
                let parts = self.parts().into_iter().flatten().map(StoreOp::footprint);
                parts.fold(Footprint::default(), |mut all, mut part| {
                    all.reads.append(&mut part.reads);
                    all.writes.append(&mut part.writes);
                    all
                })
            }
            Does::Rows(program) => program::footprint(program, self),
        }
    }

    fn in_words(self, several: bool) -> String {
        let number = if several { (self.message + 1).to_string() } else { String::new() };
        let value = match (self.does(), self.row().value_is) {
            (Does::Begin, _) if self.level() == Isolation::ReadCommitted => return self.row().says.to_owned(),
            (Does::Begin, _) => return format!("{} {}", self.row().says, self.level()),
            (Does::Own, _) => shortened(self.own().text()),
            (_, Some(IdKind::Asked)) => {
                let (lane, attempt, _) = asker_of(self.value);
                format!("lease {}{}", lane_name(lane), attempt + 1)
            }
            (_, Some(IdKind::Ranked | IdKind::Message | IdKind::Account | IdKind::Client) | None) => {
                self.value.to_string()
            }
        };
        let also = (self.also().id.0 + 1).to_string();
        self.row().says.replace('#', &number).replace('&', &also).replace('$', &value)
    }

    fn parse(kind: &str, rest: &str, delivered: &Request) -> Option<Self> {
        let read = |statement: &Statement| {
            let mut op = StoreOp::of(*statement);
            let mut words = op.row().words.iter();
            let left = words.try_fold(rest, |rest, word| word.read(rest, &mut op, delivered))?;
            left.is_empty().then_some(op)
        };
        STATEMENTS.iter().filter(|statement| StoreOp::of(**statement).kind().name == kind).find_map(read)
    }

    fn isolation(self) -> Option<Isolation> {
        (*self.does() == Does::Begin).then(|| self.level())
    }

    fn overwrites_with(self) -> Option<i64> {
        let overwrites = self.acts().any(Acts::OVERWRITES);
        self.value.checked_add(self.amount.into()).filter(|_| overwrites)
    }

    fn own_sql(self) -> Option<Sql> {
        (*self.does() == Does::Own).then(|| self.own())
    }

    fn joined_with(self, other: Self) -> Option<Self> {
        let are_such = self.is_claim_and_apply() && other.is_claim_and_apply();
        let also = AlsoRequest { id: other.message(), amount: other.amount };
        (are_such && self.account == other.account).then(|| {
            let mut both = StoreOp { statement: Statement::ClaimAndApplyBoth, ..self };
            also.put(&mut both);
            both
        })
    }

    fn parts(self) -> Option<[Self; 2]> {
        let AlsoRequest { id, amount } = self.also();
        let part = StoreOp { statement: Statement::ClaimAndApply, value: 0, ..self };
        if *self.does() == Does::Both { Some([part, StoreOp { message: id.0, amount, ..part }]) } else { None }
    }
}

impl HasIds for StoreOp {
    #[inline]
    fn map_ids(mut self, ids: &mut impl Ids) -> Self {
        let row = self.row();
        if row.has_message {
            self.message = self.message().map_ids(ids).0;
        }
        if row.has_account {
            self.account = AccountId(self.account).map_ids(ids).0;
        }
        if row.has_client {
            self.text = u16::try_from(self.client().map_ids(ids).0).unwrap_or(u16::MAX);
        }
        if row.does == Does::Both {
            let also = self.also();
            AlsoRequest { id: also.id.map_ids(ids), ..also }.put(&mut self);
        }
        match row.value_is {
            Some(IdKind::Asked) => self.value = LeaseId(self.value).map_ids(ids).0,
            Some(IdKind::Ranked) => self.value = self.token().map_or(0, |token| token.map_ids(ids).0.get()),
            Some(IdKind::Message | IdKind::Account | IdKind::Client) | None => {}
        }
        self
    }
}

impl fmt::Display for StoreOp {
    /// Prints the operation on one short line, e.g. `apply m7 +10 to 3 token 42`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().name)?;
        self.row().words.iter().try_for_each(|word| word.print(self, f))
    }
}

/// A statement on a part of a line.
fn shortened(statement: &str) -> String {
    let flat = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    match flat.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", flat[..at].trim_end()),
        None => flat,
    }
}
