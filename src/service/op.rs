//! Operations and responses: everything that passes between a strategy and the backends, as plain data.

use super::sql::Sql;
use super::store::program::{self, About, Program};
use crate::terms::{AccountId, Answer, Isolation, LeaseId, Leg, LockKey, MessageId, Request, Token};

/// What a strategy can know of an operation that it made.
pub type Outcome = crate::terms::OutcomeOf<Response>;

/// One call that a strategy makes to a backend.
///
/// Plain data: it can be hashed, compared, printed and recorded. Inside a transaction an operation belongs to it;
/// outside, it is a transaction of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// Begins a transaction.
    Begin(Isolation),
    Commit,
    Rollback,
    /// `[read K]`: reads the answer in the mark of a message, if it is there.
    ReadMark(MessageId),
    /// `[write K]`: writes a mark with its answer. Nothing prevents a second mark for the same message.
    WriteMark(MessageId, Answer),
    /// Inserts a message id under a unique constraint; on conflict it does nothing and says so.
    Claim(MessageId),
    /// Stores the answer `R` beside a claim.
    StoreAnswer(MessageId, Answer),
    /// Reads the answer stored beside a claim.
    ReadAnswer(MessageId),
    /// `[X]`: adds the amount to the account and appends to the ledger, both or neither. With a token, the store
    /// refuses if it has seen a higher one for the account.
    Apply(Request, Option<Token>),
    /// `[X]` under a lease: the store remembers the first lease that it sees for an account, and refuses every other one.
    ApplyUnderLease(Request, LeaseId),
    /// `Claim`, `Apply` and `StoreAnswer` in one statement.
    ClaimAndApply(Request),
    /// A statement of the strategy's own.
    Sql(Sql),
    /// `[read B]`: reads the balance of an account.
    ReadBalance(AccountId),
    /// `[write B]`: sets the account's balance to this one plus the amount, whatever it is by now, and appends to the ledger,
    /// both or neither. An effect that was applied since the balance was read is lost.
    Overwrite(Request, Answer),
    /// Compares a token with the highest seen for the account: refuses a lower one, remembers a higher one.
    CheckToken(AccountId, Token),
    /// Asks the lock service for a lease of the experiment's length.
    GrantLease,
    /// Queues for the lock on an account, and waits until it is held.
    Acquire(LockKey),
    /// Deletes the lock's key.
    Release(LockKey),
    /// Ends a lease, and deletes the keys attached to it.
    Revoke(LeaseId),
}

/// What came back from an operation that was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Response {
    /// It was done; there is nothing to tell.
    Done,
    /// To `ReadMark` and `ReadAnswer`: the answer found, if any. To `ReadBalance`: the balance. To `Sql`: the first value, if any.
    Found(Option<Answer>),
    /// To `Claim`: whether the message id is new.
    Claimed(bool),
    /// To `Apply`, `ApplyUnderLease` and `Overwrite`: the balance after it. To `ClaimAndApply`: the same, or nothing if the message id was there already.
    Applied(Option<Answer>),
    /// To `GrantLease`.
    Granted(LeaseId),
    /// To `Acquire`: the lock is held, and this is its token.
    Held(Token),
}

/// The kind of an operation, without its data: what faults and reports select by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OpKind {
    Begin,
    Commit,
    Rollback,
    ReadMark,
    WriteMark,
    Claim,
    StoreAnswer,
    ReadAnswer,
    Apply,
    ClaimAndApply,
    Sql,
    ReadBalance,
    Overwrite,
    CheckToken,
    GrantLease,
    Acquire,
    Release,
    Revoke,
    // New kinds go to the end: a kind's number decides what a seed does to it.
    ApplyUnderLease,
}

/// What an operation is, for whoever judges or counts it without knowing it: a set of the acts below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Acts(u16);

impl Acts {
    /// It changes nothing.
    pub const READS: Acts = Acts(1);
    /// It may apply an effect.
    pub const APPLIES: Acts = Acts(1 << 1);
    /// It sets a balance to a value that was read before, whatever the balance is by now.
    pub const OVERWRITES: Acts = Acts(1 << 2);
    /// It begins a transaction.
    pub const BEGINS: Acts = Acts(1 << 3);
    /// It commits the open transaction.
    pub const COMMITS: Acts = Acts(1 << 4);
    /// It undoes the open transaction.
    pub const UNDOES: Acts = Acts(1 << 5);
    /// It asks whether the message has been seen. A claim is not a look: it asks and marks at once.
    pub const LOOKS: Acts = Acts(1 << 6);
    /// It leaves a mark that a look finds.
    pub const MARKS: Acts = Acts(1 << 7);
    /// It is given a lease, under which its delivery holds locks.
    pub const LEASES: Acts = Acts(1 << 8);
    /// It enters a critical section.
    pub const ENTERS: Acts = Acts(1 << 9);
    /// It leaves a critical section.
    pub const LEAVES: Acts = Acts(1 << 10);
    /// Nobody knows what it does: a statement of a strategy's own. It has every act that it may have.
    pub const UNKNOWN: Acts = Acts(1 << 11);

    /// It may have to wait in a queue for what others hold.
    pub const QUEUES: Acts = Acts(1 << 12);

    /// It ends a transaction, in one way or the other.
    pub const ENDS: Acts = Acts::COMMITS.and(Acts::UNDOES);
    /// It begins or ends a transaction.
    pub const BOUNDS: Acts = Acts::BEGINS.and(Acts::ENDS);

    const fn and(self, other: Acts) -> Acts {
        Acts(self.0 | other.0)
    }

    /// Whether any of these acts is among them.
    #[must_use]
    #[inline]
    pub const fn any(self, of: Acts) -> bool {
        self.0 & of.0 != 0
    }

    /// Whether an effect may be there after it that was not there before: it applies one, or commits one.
    #[must_use]
    #[inline]
    pub const fn may_apply(self) -> bool {
        self.any(Acts::APPLIES.and(Acts::COMMITS))
    }
}

/// What is known of a kind of operation.
struct KindRow {
    kind: OpKind,
    name: &'static str,
    leg: Leg,
    acts: Acts,
}

const fn on(leg: Leg, kind: OpKind, name: &'static str, acts: Acts) -> KindRow {
    KindRow { kind, name, leg, acts }
}

/// The one place that says what each kind of operation is: its name, its leg, and its acts.
const KINDS: [KindRow; 19] = {
    use Leg::{Lock, Store};
    let nothing = Acts(0);
    [
        on(Store, OpKind::Begin, "begin", Acts::BEGINS),
        on(Store, OpKind::Commit, "commit", Acts::COMMITS),
        on(Store, OpKind::Rollback, "rollback", Acts::UNDOES),
        on(Store, OpKind::ReadMark, "read-mark", Acts::READS.and(Acts::LOOKS)),
        on(Store, OpKind::WriteMark, "write-mark", Acts::MARKS),
        on(Store, OpKind::Claim, "claim", nothing),
        on(Store, OpKind::StoreAnswer, "store-answer", Acts::MARKS),
        on(Store, OpKind::ReadAnswer, "read-answer", Acts::READS.and(Acts::LOOKS)),
        on(Store, OpKind::Apply, "apply", Acts::APPLIES),
        on(Store, OpKind::ClaimAndApply, "claim-and-apply", Acts::APPLIES),
        on(Store, OpKind::Sql, "sql", Acts::UNKNOWN.and(Acts::APPLIES).and(Acts::LOOKS).and(Acts::MARKS)),
        on(Store, OpKind::ReadBalance, "read-balance", Acts::READS),
        on(Store, OpKind::Overwrite, "overwrite", Acts::APPLIES.and(Acts::OVERWRITES)),
        on(Store, OpKind::CheckToken, "check-token", nothing),
        on(Lock, OpKind::GrantLease, "grant-lease", Acts::LEASES),
        on(Lock, OpKind::Acquire, "acquire", Acts::ENTERS.and(Acts::QUEUES)),
        on(Lock, OpKind::Release, "release", Acts::LEAVES),
        on(Lock, OpKind::Revoke, "revoke", nothing),
        on(Store, OpKind::ApplyUnderLease, "apply-under-lease", Acts::APPLIES),
    ]
};

// Each row stands at its kind's number.
const _: () = {
    let mut n = 0;
    while n < KINDS.len() {
        assert!(KINDS[n].kind as usize == n);
        n += 1;
    }
};

impl OpKind {
    /// Every kind, in the order of the declaration.
    pub const ALL: [OpKind; KINDS.len()] = {
        let mut all = [OpKind::Begin; KINDS.len()];
        let mut n = 0;
        while n < KINDS.len() {
            all[n] = KINDS[n].kind;
            n += 1;
        }
        all
    };

    /// The name of this kind in experiments, files and tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        KINDS[self as usize].name
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<OpKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The leg that operations of this kind cross.
    #[must_use]
    #[inline]
    pub fn leg(self) -> Leg {
        KINDS[self as usize].leg
    }

    /// What operations of this kind are.
    #[must_use]
    #[inline]
    pub fn acts(self) -> Acts {
        KINDS[self as usize].acts
    }
}

/// Something that operations read and write, as fine as two operations need to be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    Mark(MessageId),
    Claim(MessageId),
    StoredAnswer(MessageId),
    Account(AccountId),
    /// The ledger's entries of one message.
    Ledger(MessageId),
    /// The highest fencing token seen for an account.
    Fence(AccountId),
    /// The first lease seen for an account.
    Owner(AccountId),
    /// Everything the open transaction has read and written so far: only its port knows what that is.
    Transaction,
    /// The queue for the lock on an account.
    LockQueue(AccountId),
    /// Every lock queue at once: a lease that ends takes its keys out of queues that the operation cannot name.
    AllLockQueues,
    Lease(LeaseId),
    /// The counter that gives leases their ids.
    LeaseCounter,
    /// Whatever there is in the store: nobody knows what a statement of a strategy's own touches.
    Store,
}

impl Item {
    /// The table of the store that it lies in, and the message whose rows it is if it is one message's; no name if it may lie in any
    /// table, and nothing if it lies in none.
    #[must_use]
    pub fn table(&self) -> Option<(Option<&'static str>, Option<MessageId>)> {
        match self {
            Item::Mark(id) => Some((Some("mark"), Some(*id))),
            Item::Claim(id) => Some((Some("claim"), Some(*id))),
            Item::StoredAnswer(id) => Some((Some("answer"), Some(*id))),
            Item::Ledger(id) => Some((Some("ledger"), Some(*id))),
            Item::Account(_) => Some((Some("account"), None)),
            Item::Fence(_) => Some((Some("fence"), None)),
            Item::Owner(_) => Some((Some("owner"), None)),
            Item::Transaction => None,
            Item::Store | Item::LockQueue(_) | Item::AllLockQueues | Item::Lease(_) | Item::LeaseCounter => {
                Some((None, None))
            }
        }
    }
}

/// What an operation reads and writes. Two operations of different lanes commute if neither writes what the other
/// reads or writes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Footprint {
    pub reads: Vec<Item>,
    pub writes: Vec<Item>,
}

impl Footprint {
    /// Whether the order of two operations with these footprints can matter.
    #[must_use]
    pub fn conflicts_with(&self, other: &Footprint) -> bool {
        let meets = |one: &Item, other: &Item| one == other || [one, other].contains(&&Item::Store);
        let touches = |writes: &[Item], it: &Footprint| {
            writes.iter().any(|w| it.reads.iter().chain(&it.writes).any(|item| meets(w, item)))
        };
        touches(&self.writes, other) || touches(&other.writes, self)
    }
}

impl Op {
    /// The kind of this operation.
    #[must_use]
    pub fn kind(&self) -> OpKind {
        match self {
            Op::Begin(_) => OpKind::Begin,
            Op::Commit => OpKind::Commit,
            Op::Rollback => OpKind::Rollback,
            Op::ReadMark(_) => OpKind::ReadMark,
            Op::WriteMark(..) => OpKind::WriteMark,
            Op::Claim(_) => OpKind::Claim,
            Op::StoreAnswer(..) => OpKind::StoreAnswer,
            Op::ReadAnswer(_) => OpKind::ReadAnswer,
            Op::Apply(..) => OpKind::Apply,
            Op::ApplyUnderLease(..) => OpKind::ApplyUnderLease,
            Op::ClaimAndApply(_) => OpKind::ClaimAndApply,
            Op::Sql(_) => OpKind::Sql,
            Op::ReadBalance(_) => OpKind::ReadBalance,
            Op::Overwrite(..) => OpKind::Overwrite,
            Op::CheckToken(..) => OpKind::CheckToken,
            Op::GrantLease => OpKind::GrantLease,
            Op::Acquire(_) => OpKind::Acquire,
            Op::Release(_) => OpKind::Release,
            Op::Revoke(_) => OpKind::Revoke,
        }
    }

    /// The leg that this operation crosses.
    #[must_use]
    pub fn leg(&self) -> Leg {
        self.kind().leg()
    }

    /// What this operation is.
    #[must_use]
    #[inline]
    pub fn acts(&self) -> Acts {
        self.kind().acts()
    }

    /// What this operation reads and writes.
    #[must_use]
    pub fn footprint(&self) -> Footprint {
        if let Some(program) = Program::of(*self) {
            return program::footprint(program, About::of(*self));
        }
        let (reads, writes): (Vec<Item>, Vec<Item>) = match *self {
            Op::Begin(_) | Op::Commit | Op::Rollback => (vec![], vec![Item::Transaction]),
            Op::Sql(_) => (vec![], vec![Item::Store]),
            Op::GrantLease => (vec![], vec![Item::LeaseCounter]),
            Op::Acquire(key) => (vec![Item::Lease(key.lease), Item::AllLockQueues], vec![Item::LockQueue(key.account)]),
            Op::Release(key) => (vec![Item::AllLockQueues], vec![Item::LockQueue(key.account)]),
            Op::Revoke(lease) => (vec![], vec![Item::Lease(lease), Item::AllLockQueues]),
            op => unreachable!("`{op}` has a program"),
        };
        Footprint { reads, writes }
    }
}

impl std::fmt::Display for Op {
    /// Prints the operation on one short line, e.g. `apply m7 +10 to 3 token 42`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.kind().name();
        match self {
            Op::Commit | Op::Rollback | Op::GrantLease => f.write_str(name),
            Op::Begin(isolation) => write!(f, "{name} {isolation}"),
            Op::ReadMark(id) | Op::Claim(id) | Op::ReadAnswer(id) => write!(f, "{name} m{}", id.0),
            Op::WriteMark(id, answer) | Op::StoreAnswer(id, answer) => write!(f, "{name} m{} = {}", id.0, answer.0),
            Op::Apply(request, token) => {
                write!(f, "{name} m{} {:+} to {}", request.id.0, request.effect.amount, request.effect.account.0)?;
                token.map_or(Ok(()), |token| write!(f, " token {}", token.0))
            }
            Op::ApplyUnderLease(request, lease) => write!(
                f,
                "{name} m{} {:+} to {} lease {:x}",
                request.id.0, request.effect.amount, request.effect.account.0, lease.0
            ),
            Op::ClaimAndApply(request) => {
                write!(f, "{name} m{} {:+} to {}", request.id.0, request.effect.amount, request.effect.account.0)
            }
            Op::Sql(sql) => write!(f, "{name} m{} with {}: {}", sql.request.id.0, sql.value, sql.text()),
            Op::ReadBalance(account) => write!(f, "{name} {}", account.0),
            Op::Overwrite(request, base) => write!(
                f,
                "{name} m{} {:+} to {} = {}",
                request.id.0, request.effect.amount, request.effect.account.0, base.0
            ),
            Op::CheckToken(account, token) => write!(f, "{name} {} token {}", account.0, token.0),
            Op::Acquire(key) | Op::Release(key) => write!(f, "{name} {key}"),
            Op::Revoke(lease) => write!(f, "{name} {:x}", lease.0),
        }
    }
}

impl std::fmt::Display for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Response::Done => f.write_str("done"),
            Response::Found(Some(answer)) => write!(f, "found {}", answer.0),
            Response::Found(None) => f.write_str("nothing"),
            Response::Claimed(true) => f.write_str("fresh"),
            Response::Claimed(false) | Response::Applied(None) => f.write_str("taken"),
            Response::Applied(Some(answer)) => write!(f, "applied {}", answer.0),
            Response::Granted(lease) => write!(f, "lease {:x}", lease.0),
            Response::Held(token) => write!(f, "held {}", token.0),
        }
    }
}
