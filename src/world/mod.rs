//! What a strategy may ask for, in the words of the trade, and the port that carries it.
//!
//! Each method of [`World`] makes exactly one [`Op`], except [`World::enter`] and [`World::leave`], which make two each.
//! Invariant: a strategy's only inputs are its request and the responses to its own operations.

mod hand_over;
mod port;

pub use crate::service::{Acts, Footprint, Item, Op, OpKind, Outcome, Response, Sql};
pub use hand_over::HandOver;
pub use port::{Call, Port};

use std::marker::PhantomData;
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

/// Declares a method of [`World`] that makes one operation and gives one kind of response.
macro_rules! operation {
    ($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) -> $result:ty, $op:expr) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// [`Trouble::Failed`] if it was certainly not done, [`Trouble::Unknown`] if nobody can tell.
        #[inline]
        pub fn $name(&mut self, $($arg: $type),*) -> Asked<'_, $result> {
            Asked { call: self.port.call($op), gives: PhantomData }
        }
    };
}

impl<'p> World<'p> {
    /// A world behind this port.
    pub fn new(port: &'p mut dyn Port) -> Self {
        World { port }
    }

    operation! {
        /// Begins a transaction: the operations that follow belong to it until it is committed or rolled back.
        begin(isolation: Isolation) -> (), Op::Begin(isolation)
    }
    operation! {
        /// Commits the open transaction.
        commit() -> (), Op::Commit
    }
    operation! {
        /// Undoes the open transaction.
        rollback() -> (), Op::Rollback
    }
    operation! {
        /// `[read K]`: the answer in the mark of this message, if there is a mark.
        read_mark(id: MessageId) -> Option<Answer>, Op::ReadMark(id)
    }
    operation! {
        /// `[write K]`: marks this message as seen, with its answer. No constraint prevents a second mark.
        write_mark(id: MessageId, answer: Answer) -> (), Op::WriteMark(id, answer)
    }
    operation! {
        /// Inserts the message id under a unique constraint; true if it was not there.
        claim(id: MessageId) -> bool, Op::Claim(id)
    }
    operation! {
        /// Stores the answer beside a claim.
        store_answer(id: MessageId, answer: Answer) -> (), Op::StoreAnswer(id, answer)
    }
    operation! {
        /// The answer stored beside a claim, if there is one.
        read_answer(id: MessageId) -> Option<Answer>, Op::ReadAnswer(id)
    }
    operation! {
        /// `[X]`: applies the effect of a request, and gives the balance after it.
        apply(request: &Request) -> Answer, Op::Apply(*request, None)
    }
    operation! {
        /// `[X]` with a fencing token: the store refuses with [`Failure::StaleToken`] if it has seen a higher one.
        apply_fenced(request: &Request, token: Token) -> Answer,
        Op::Apply(*request, Some(token))
    }
    operation! {
        /// `[X]` under a lease: the store refuses with [`Failure::OtherLease`] if the first lease that it saw for the account is
        /// another one.
        apply_under_lease(request: &Request, lease: LeaseId) -> Answer,
        Op::ApplyUnderLease(*request, lease)
    }
    operation! {
        /// Claim, effect and stored answer in one statement; nothing if the message id was there already.
        claim_and_apply(request: &Request) -> Option<Answer>, Op::ClaimAndApply(*request)
    }
    operation! {
        /// A statement of the strategy's own, inside the open transaction or else as one of its own: the first column of the first
        /// row that it gives, if it gives any. No model knows what it does: `explore` rejects a strategy that uses it.
        sql(statement: Sql) -> Option<Answer>, Op::Sql(statement)
    }
    operation! {
        /// `[read B]`: the balance of an account.
        read_balance(account: AccountId) -> Answer, Op::ReadBalance(account)
    }
    operation! {
        /// `[write B]`: sets the account's balance to `base` plus the request's amount, whatever it is by now.
        overwrite(request: &Request, base: Answer) -> Answer,
        Op::Overwrite(*request, base)
    }
    operation! {
        /// Fails with [`Failure::StaleToken`] if the store has seen a higher token for the account, else remembers this one.
        check_token(account: AccountId, token: Token) -> (), Op::CheckToken(account, token)
    }
    operation! {
        /// A new lease of the lock service, as long as the experiment says.
        grant_lease() -> LeaseId, Op::GrantLease
    }
    operation! {
        /// Waits for the lock on an account, and gives its fencing token.
        acquire(key: LockKey) -> Token, Op::Acquire(key)
    }
    operation! {
        /// Deletes the lock's key.
        release(key: LockKey) -> (), Op::Release(key)
    }
    operation! {
        /// Ends a lease, and deletes the keys attached to it.
        revoke(lease: LeaseId) -> (), Op::Revoke(lease)
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

/// An operation on its way: what it gives, or the trouble that there is instead. Not an `async fn`, which would copy the operation
/// once more: an explorer makes millions of them a second.
#[must_use = "nothing is asked before it is awaited"]
pub struct Asked<'a, T> {
    call: Call<'a>,
    gives: PhantomData<fn() -> T>,
}

impl<T: Given> Future for Asked<'_, T> {
    type Output = Result<T, Trouble>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.call).poll(context).map(|outcome| match outcome {
            Outcome::Ok(response) => T::of(response),
            Outcome::Failed(failure) => Err(Trouble::Failed(failure)),
            Outcome::Unknown => Err(Trouble::Unknown),
        })
    }
}

/// What an operation gives to its strategy.
pub trait Given: Sized {
    /// Out of what came back.
    ///
    /// # Errors
    /// That there is no such account, where an operation needs one and the response has no balance.
    fn of(response: Response) -> Result<Self, Trouble>;
}

macro_rules! given {
    ($($type:ty: $($response:pat => $value:expr),+;)*) => {$(
        impl Given for $type {
            #[inline]
            fn of(response: Response) -> Result<Self, Trouble> {
                match response {
                    $($response => $value,)+
                    other => another(other),
                }
            }
        }
    )*};
}
given! {
    (): Response::Done => Ok(());
    bool: Response::Claimed(fresh) => Ok(fresh);
    Option<Answer>: Response::Found(answer) | Response::Applied(answer) => Ok(answer);
    Answer:
        Response::Found(Some(answer)) | Response::Applied(Some(answer)) => Ok(answer),
        Response::Found(None) | Response::Applied(None) => Err(Trouble::Failed(Failure::NoAccount));
    LeaseId: Response::Granted(lease) => Ok(lease);
    Token: Response::Held(token) => Ok(token);
}

/// A service that answers a question with the answer to another is a bug of the lab's, never the world's trouble.
#[cold]
fn another<T>(response: Response) -> T {
    panic!("a service answered with `{response}`, which is an answer to another operation")
}
