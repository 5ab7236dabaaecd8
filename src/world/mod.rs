//! What a strategy may ask for, in the words of the trade, and the port that carries it.
//!
//! Each method of [`World`] makes exactly one [`Op`], except [`World::enter`] and [`World::leave`], which make two each.
//! Invariant: a strategy's only inputs are its request and the responses to its own operations.

mod hand_over;
mod port;

pub use crate::service::{Acts, Footprint, Item, Op, OpKind, Outcome, Response, Sql};
pub use hand_over::HandOver;
pub use port::{Call, Port};

use std::pin::Pin;
use std::task::{Context, Poll};

use crate::terms::{AccountId, Answer, Failure, Isolation, LeaseId, LockKey, MessageId, Request, Token, Trouble};

/// A lock that is held, as far as its holder knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lock {
    pub key: LockKey,
    pub token: Token,
}

/// Everything outside a strategy: a store, a lock service, and nothing else. No clock, no randomness, no tasks.
pub struct World<'p> {
    port: &'p mut dyn Port,
}

/// Declares a method of [`World`] that makes one operation and expects one kind of response.
macro_rules! operation {
    ($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) -> $result:ty, $op:expr, $response:pat => $value:expr) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// [`Trouble::Failed`] if it was certainly not done, [`Trouble::Unknown`] if nobody can tell.
        pub async fn $name(&mut self, $($arg: $type),*) -> Result<$result, Trouble> {
            match self.call($op).await? {
                $response => Ok($value),
                other => Err(without_account($op, other)),
            }
        }
    };
}

impl<'p> World<'p> {
    /// A world behind this port.
    pub fn new(port: &'p mut dyn Port) -> Self {
        World { port }
    }

    #[inline]
    fn call(&mut self, op: Op) -> Asked<'_> {
        Asked(self.port.call(op))
    }

    operation! {
        /// Begins a transaction: the operations that follow belong to it until it is committed or rolled back.
        begin(isolation: Isolation) -> (), Op::Begin(isolation), Response::Done => ()
    }
    operation! {
        /// Commits the open transaction.
        commit() -> (), Op::Commit, Response::Done => ()
    }
    operation! {
        /// Undoes the open transaction.
        rollback() -> (), Op::Rollback, Response::Done => ()
    }
    operation! {
        /// `[read K]`: the answer in the mark of this message, if there is a mark.
        read_mark(id: MessageId) -> Option<Answer>, Op::ReadMark(id), Response::Found(answer) => answer
    }
    operation! {
        /// `[write K]`: marks this message as seen, with its answer. No constraint prevents a second mark.
        write_mark(id: MessageId, answer: Answer) -> (), Op::WriteMark(id, answer), Response::Done => ()
    }
    operation! {
        /// Inserts the message id under a unique constraint; true if it was not there.
        claim(id: MessageId) -> bool, Op::Claim(id), Response::Claimed(fresh) => fresh
    }
    operation! {
        /// Stores the answer beside a claim.
        store_answer(id: MessageId, answer: Answer) -> (), Op::StoreAnswer(id, answer), Response::Done => ()
    }
    operation! {
        /// The answer stored beside a claim, if there is one.
        read_answer(id: MessageId) -> Option<Answer>, Op::ReadAnswer(id), Response::Found(answer) => answer
    }
    operation! {
        /// `[X]`: applies the effect of a request, and gives the balance after it.
        apply(request: &Request) -> Answer, Op::Apply(*request, None), Response::Applied(Some(answer)) => answer
    }
    operation! {
        /// `[X]` with a fencing token: the store refuses with [`Failure::StaleToken`] if it has seen a higher one.
        apply_fenced(request: &Request, token: Token) -> Answer,
        Op::Apply(*request, Some(token)), Response::Applied(Some(answer)) => answer
    }
    operation! {
        /// `[X]` under a lease: the store refuses with [`Failure::OtherLease`] if the first lease that it saw for the account is
        /// another one.
        apply_under_lease(request: &Request, lease: LeaseId) -> Answer,
        Op::ApplyUnderLease(*request, lease), Response::Applied(Some(answer)) => answer
    }
    operation! {
        /// Claim, effect and stored answer in one statement; nothing if the message id was there already.
        claim_and_apply(request: &Request) -> Option<Answer>, Op::ClaimAndApply(*request), Response::Applied(answer) => answer
    }
    operation! {
        /// A statement of the strategy's own, inside the open transaction or else as one of its own: the first column of the first
        /// row that it gives, if it gives any. No model knows what it does: `explore` rejects a strategy that uses it.
        sql(statement: Sql) -> Option<Answer>, Op::Sql(statement), Response::Found(value) => value
    }
    operation! {
        /// `[read B]`: the balance of an account.
        read_balance(account: AccountId) -> Answer, Op::ReadBalance(account), Response::Found(Some(balance)) => balance
    }
    operation! {
        /// `[write B]`: sets the account's balance to `base` plus the request's amount, whatever it is by now.
        overwrite(request: &Request, base: Answer) -> Answer,
        Op::Overwrite(*request, base), Response::Applied(Some(answer)) => answer
    }
    operation! {
        /// Fails with [`Failure::StaleToken`] if the store has seen a higher token for the account, else remembers this one.
        check_token(account: AccountId, token: Token) -> (), Op::CheckToken(account, token), Response::Done => ()
    }
    operation! {
        /// A new lease of the lock service, as long as the experiment says.
        grant_lease() -> LeaseId, Op::GrantLease, Response::Granted(lease) => lease
    }
    operation! {
        /// Waits for the lock on an account, and gives its fencing token.
        acquire(key: LockKey) -> Token, Op::Acquire(key), Response::Held(token) => token
    }
    operation! {
        /// Deletes the lock's key.
        release(key: LockKey) -> (), Op::Release(key), Response::Done => ()
    }
    operation! {
        /// Ends a lease, and deletes the keys attached to it.
        revoke(lease: LeaseId) -> (), Op::Revoke(lease), Response::Done => ()
    }

    /// Enters the critical section of an account: `grant lease; acquire`. If the lock cannot be had, the lease is
    /// revoked, as far as that is possible, so that what was queued does not stand in the way of others.
    ///
    /// # Errors
    /// The trouble of the operation that did not succeed.
    pub async fn enter(&mut self, account: AccountId) -> Result<Lock, Trouble> {
        let lease = self.grant_lease().await?;
        let key = LockKey { account, lease };
        match self.acquire(key).await {
            Ok(token) => Ok(Lock { key, token }),
            Err(trouble) => {
                let _ = self.revoke(lease).await;
                Err(trouble)
            }
        }
    }

    /// Leaves the critical section: `release; revoke`. Trouble is ignored: what was done inside is done, and a lease
    /// that could not be revoked expires.
    pub async fn leave(&mut self, lock: Lock) {
        let _ = self.release(lock.key).await;
        let _ = self.revoke(lock.key.lease).await;
    }
}

/// An operation on its way: a response, or the trouble that there is instead. Not an `async fn`, which would copy the operation
/// once more: an explorer makes millions of them a second.
struct Asked<'a>(Call<'a>);

impl Future for Asked<'_> {
    type Output = Result<Response, Trouble>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|outcome| match outcome {
            Outcome::Ok(response) => Ok(response),
            Outcome::Failed(failure) => Err(Trouble::Failed(failure)),
            Outcome::Unknown => Err(Trouble::Unknown),
        })
    }
}

/// Where an operation needs an account, a response without a balance says that there is none. A backend that answers a question
/// with the answer to another is a bug of the lab's, never the world's trouble.
fn without_account(op: Op, response: Response) -> Trouble {
    match response {
        Response::Applied(None) | Response::Found(None) => Trouble::Failed(Failure::NoAccount),
        other => panic!("the backend answered `{op}` with `{other}`, which is an answer to another operation"),
    }
}
