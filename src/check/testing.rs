//! Evidence for tests, a line each.

use std::num::NonZeroI64;
use std::time::Duration;

use super::{Case, Evidence, findings};
use crate::history::{Event, What};
use crate::service::store::{StoreOp, StoreResponse};
use crate::terms::{
    AccountId, Answer, Balances, ByRole, Cause, ClientId, Delivery, Disturbance, Disturbed, Effect, Entry, FaultKind,
    LeaseId, LockKey, MessageId, Reply, Request, Retries, Role, Shape, Target, Token, Violation,
};
use crate::world::{Op, Outcome, Response};

/// How long a lease lives in these stories: 100 µs.
pub(crate) const LEASE_US: u64 = 100;

/// The first attempt, the second, and the duplicate of the first.
pub(crate) const FIRST: Delivery = Delivery::FIRST;
pub(crate) const RETRY: Delivery = Delivery { attempt: 1, copy: 0 };
pub(crate) const COPY: Delivery = Delivery { attempt: 0, copy: 1 };

/// What happened in a trial whose messages all add 10 to account 0.
pub(crate) struct Story {
    requests: Vec<Request>,
    events: Vec<Event>,
    ledger: Vec<Entry>,
    balances: Option<ByRole<Balances>>,
    disturbed: Vec<Disturbed>,
    /// The roles of the stores that keep effects.
    pub(crate) effects: &'static [Role],
    pub(crate) retries: Retries,
    pub(crate) shape: Shape,
}

impl Story {
    /// A trial of this many messages in which nothing has happened yet.
    pub(crate) fn of(messages: u32) -> Self {
        Story {
            requests: (0..messages).map(request).collect(),
            events: Vec::new(),
            ledger: Vec::new(),
            balances: None,
            disturbed: Vec::new(),
            effects: &[Role::STORE],
            retries: Retries::UntilAcknowledged,
            shape: Shape::Account,
        }
    }

    /// Something happens at this microsecond. Events are told in the order of time.
    pub(crate) fn at(&mut self, us: u64, message: u32, delivery: Delivery, what: What) -> &mut Self {
        self.events.push(Event { at_ns: us * 1_000, message: MessageId(message), delivery, handler: 0, what });
        self
    }

    /// An operation that takes a microsecond succeeds.
    pub(crate) fn done(&mut self, us: u64, message: u32, by: Delivery, op: Op, response: Response) -> &mut Self {
        self.at(us, message, by, called(op, Some(Outcome::Ok(response))))
    }

    /// An operation's outcome remains unknown.
    pub(crate) fn unknown(&mut self, us: u64, message: u32, by: Delivery, op: Op) -> &mut Self {
        self.at(us, message, by, called(op, Some(Outcome::Unknown)))
    }

    /// The ledger gets an entry, without a token.
    pub(crate) fn entry(&mut self, message: u32, by: Delivery) -> &mut Self {
        self.fenced_entry(message, by, None)
    }

    /// The ledger gets an entry with a token.
    pub(crate) fn fenced_entry(&mut self, message: u32, by: Delivery, token: Option<i64>) -> &mut Self {
        let balance = self.ledger.last().map_or(0, |entry| entry.balance) + 10;
        let token = token.and_then(NonZeroI64::new).map(Token);
        self.entry_with(message, by, token, balance)
    }

    /// The ledger gets an entry that leaves this balance.
    pub(crate) fn entry_with(&mut self, message: u32, by: Delivery, token: Option<Token>, balance: i64) -> &mut Self {
        let number = self.ledger.len() as u64 + 1;
        let entry = Entry {
            role: Role::STORE,
            number,
            message: MessageId(message),
            account: AccountId(0),
            amount: 10,
            balance,
            token,
            by,
        };
        self.ledger.push(entry);
        self
    }

    /// The ledger gets an entry with this account, amount and balance.
    pub(crate) fn raw_entry(&mut self, message: u32, by: Delivery, of: (u32, i64, i64)) -> &mut Self {
        let number = self.ledger.len() as u64 + 1;
        let (account, amount, balance) = of;
        let (message, account) = (MessageId(message), AccountId(account));
        self.ledger.push(Entry { role: Role::STORE, number, message, account, amount, balance, token: None, by });
        self
    }

    /// The ledger of the store in a role gets an entry that leaves this balance. Those of the first store come first.
    pub(crate) fn entry_at(&mut self, role: Role, message: u32, by: Delivery, balance: i64) -> &mut Self {
        let number = self.ledger.iter().filter(|entry| entry.role == role).count() as u64 + 1;
        let message = MessageId(message);
        self.ledger.push(Entry { role, number, message, account: AccountId(0), amount: 10, balance, token: None, by });
        self
    }

    /// The accounts' balances in the end.
    pub(crate) fn balances(&mut self, balances: &[(u32, i64)]) -> &mut Self {
        self.balances_at(Role::STORE, balances)
    }

    /// The accounts' balances at the store in a role in the end.
    pub(crate) fn balances_at(&mut self, role: Role, balances: &[(u32, i64)]) -> &mut Self {
        let of_store = self.balances.get_or_insert_default();
        of_store[role] = balances.iter().map(|(account, balance)| (AccountId(*account), *balance)).collect();
        self
    }

    /// A delivery that arrives, applies in a microsecond, and is answered and heard in another, from this time on.
    pub(crate) fn smooth(&mut self, us: u64, message: u32, by: Delivery) -> &mut Self {
        let balance = self.ledger.last().map_or(0, |entry| entry.balance) + 10;
        self.at(us, message, by, What::Arrived)
            .done(us + 1, message, by, apply(message), Response::Store(StoreResponse::Applied(Some(Answer(balance)))))
            .entry(message, by)
            .answer(us + 3, message, by, Ok(Answer(balance)))
    }

    /// The handler answers, and the client hears it.
    pub(crate) fn answer(&mut self, us: u64, message: u32, by: Delivery, reply: Reply) -> &mut Self {
        self.at(us, message, by, What::Answered { reply, heard: true }).at(us, message, by, What::Received { reply })
    }

    /// A server is killed at this microsecond.
    pub(crate) fn kill(&mut self, target: Target, us: u64) {
        let (from_ns, until_ns) = (us * 1_000, us * 1_000 + 1);
        let server = "a server".to_owned();
        self.disturbed.push(Disturbed { disturbed: Disturbance::Kill, target, server, from_ns, until_ns });
    }

    /// The trial's evidence.
    pub(crate) fn evidence(&self) -> Evidence<'_> {
        Evidence {
            requests: &self.requests,
            events: &self.events,
            ledger: &self.ledger,
            balances: self.balances.as_ref(),
            effects: self.effects,
            disturbed: &self.disturbed,
            retries: self.retries,
            shape: self.shape,
            lease: Duration::from_micros(LEASE_US),
        }
    }

    /// The messages that show a violation, with the causes found.
    pub(crate) fn found(&self, violation: Violation) -> Vec<(u32, Cause)> {
        let found = findings(&Case::new(self.evidence()));
        let of_kind = found.into_iter().filter(|finding| finding.violation == violation);
        of_kind.map(|finding| (finding.message.0, finding.cause)).collect()
    }
}

/// The account, the amount and the balance of an entry for the other body of a request for so much, where the balance before was this.
pub(crate) fn other_body(amount: i32, before: i64) -> (u32, i64, i64) {
    let effect = Effect { account: AccountId(0), amount };
    let other = Request { effect, ..request(0) }.with_other_body().effect.amount;
    (0, other.into(), before + i64::from(other))
}

/// A request for ten.
pub(crate) fn request(n: u32) -> Request {
    let effect = Effect { account: AccountId(0), amount: 10 };
    Request { id: MessageId(n), client: ClientId(0), sequence: n, effect }
}

/// `apply` of a message.
pub(crate) fn apply(message: u32) -> Op {
    StoreOp::apply(&request(message)).into()
}

/// The lock on account 0 under this lease.
pub(crate) fn lock(lease: i64) -> LockKey {
    LockKey { account: AccountId(0), lease: LeaseId(lease) }
}

/// A token.
pub(crate) fn token(value: i64) -> Token {
    Token(NonZeroI64::new(value).expect("a token is not zero"))
}

/// An operation that takes a microsecond.
pub(crate) fn called(op: Op, outcome: Option<Outcome>) -> What {
    What::Called { op, outcome, fault: None, delayed: false, took_us: 1 }
}

/// A delivery is sent, with this fault in store for it.
pub(crate) fn sent(fault: Option<FaultKind>) -> What {
    What::Sent { fault, delayed: false }
}
