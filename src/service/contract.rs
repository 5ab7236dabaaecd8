//! What a service brings along: operations as plain data with what is known of them, and the words that a strategy has for them.

use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Acts, Footprint, HasIds, Kind, Outcome, Response, Sql};
use crate::terms::{Isolation, OutcomeOf, Reply, Request, Role, Trouble};

/// An operation: one call to a service, as plain data. It can be hashed, compared, printed and recorded.
pub trait Operation: Copy + Eq + Hash + Debug + Display + HasIds + Send + 'static {
    /// Its kind.
    fn kind(self) -> &'static Kind;

    /// What it is.
    #[inline]
    fn acts(self) -> Acts {
        self.kind().acts
    }

    /// What it reads and writes.
    fn footprint(self) -> Footprint;

    /// It in the notation of the strategies' steps. `several` says whether there are several requests to be told apart.
    fn in_words(self, several: bool) -> String;

    /// An operation of one of these kinds from what its `Display` prints, without the kind's name. The delivered request gives what
    /// the text leaves out; what the text has may differ from it, since a strategy may ask for something else.
    fn parse(kind: &str, rest: &str, delivered: &Request) -> Option<Self>;

    /// The isolation level of the transaction that it begins.
    fn isolation(self) -> Option<Isolation> {
        None
    }

    /// The balance that it sets an account to, whatever the balance is by now.
    fn overwrites_with(self) -> Option<i64> {
        None
    }

    /// The statement of a strategy's own that it is.
    fn own_sql(self) -> Option<Sql> {
        None
    }

    /// What a handler has said, if it is the answer that crosses to a client.
    fn said(self) -> Option<Reply> {
        None
    }

    /// The operation that does what this one and another one do, in one step; none where there is no such operation.
    fn joined_with(self, _other: Self) -> Option<Self> {
        None
    }

    /// The two operations whose work it does in one step, if it is one that does.
    fn parts(self) -> Option<[Self; 2]> {
        None
    }
}

/// What comes back from an operation that was done.
pub trait Returned: Copy + Eq + Hash + Debug + Display + HasIds + Send + 'static {
    type Op: Operation;

    /// A response from what its `Display` prints. Its operation's kind tells apart what prints alike.
    fn parse(text: &str, kind: &str) -> Option<Self>;

    /// It as the answer to an operation, in the notation of the strategies' steps.
    fn in_words(self, to: Self::Op) -> String;

    /// Whether it says that its operation has changed nothing.
    fn changes_nothing(self) -> bool {
        false
    }

    /// Whether another response is of the same form: values may differ.
    fn is_like(self, other: Self) -> bool;

    /// What each of two operations comes to that were made in one step.
    fn parts(self) -> [Self; 2] {
        [self, self]
    }
}

/// One service: a folder, and a line in the list (`list.rs`).
pub trait Service: Sized + 'static {
    /// Its name in reasons and errors.
    const NAME: &'static str;
    /// Every kind of operation that it knows.
    const KINDS: &'static [Kind];
    type Op: Operation;
    type Response: Returned<Op = Self::Op>;
    /// The words that a strategy has for it.
    type Client<'w, C: CarriesAll<Self> + 'w>;

    /// A client that asks in a role.
    fn client<'w, C: CarriesAll<Self>>(carrier: &'w mut C, role: Role) -> Self::Client<'w, C>;
}

/// Something that carries operations of a service: the world. It stands here, below the world, so that a service's client can be in
/// the service's folder.
///
/// The lifetime is a parameter of the trait. As an associated type with a lifetime (`type Call<'c> where Self: 'c`) it would read
/// better, but then the future of an `async fn` is not known to be `Send` (error E0477).
pub trait Carries<'c, S: Service> {
    type Call: Future<Output = Outcome> + Unpin + Send;

    /// Carries an operation to the service in a role.
    fn carry(&'c mut self, role: Role, op: S::Op) -> Self::Call;

    /// Carries several operations to the service in a role at once.
    fn carry_all(&'c mut self, role: Role, ops: Vec<S::Op>) -> AllCarried<'c>;
}

/// Several operations on their way: what becomes of each, in their order.
pub type AllCarried<'c> = Pin<Box<dyn Future<Output = Vec<Outcome>> + Send + 'c>>;

/// Something that carries one operation after the other.
pub trait CarriesAll<S: Service>: for<'c> Carries<'c, S> + Send {}

impl<S: Service, C: for<'c> Carries<'c, S> + Send> CarriesAll<S> for C {}

/// An operation on its way: what it gives, or the trouble that there is instead. Not an `async fn`, which would copy the operation
/// once more: an explorer makes millions of them a second.
#[must_use = "nothing is asked before it is awaited"]
pub struct Asked<C, R, T> {
    call: C,
    gives: PhantomData<fn(R) -> T>,
}

impl<C, R, T> Asked<C, R, T> {
    /// An operation that is carried by this call.
    #[inline]
    pub fn by(call: C) -> Self {
        Asked { call, gives: PhantomData }
    }
}

impl<C: Future<Output = Outcome> + Unpin, R: OneOf, T: Given<R>> Future for Asked<C, R, T> {
    type Output = Result<T, Trouble>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.call).poll(context).map(|outcome| given::<R, T>(&outcome))
    }
}

/// What an outcome gives to a strategy, or the trouble that there is instead.
///
/// # Errors
/// The trouble.
#[inline]
pub fn given<R: OneOf, T: Given<R>>(outcome: &Outcome) -> Result<T, Trouble> {
    match outcome {
        OutcomeOf::Ok(response) => T::of(R::one_of(response)),
        OutcomeOf::Failed(failure) => Err(Trouble::Failed(*failure)),
        OutcomeOf::Unknown => Err(Trouble::Unknown),
    }
}

/// A response of one service, among those of all.
pub trait OneOf: Sized {
    /// A response as one of this service's. It is looked at where it lies: taken out of it and put together again, the parts would be
    /// written one by one and read as a whole, which processors do slowly.
    ///
    /// # Panics
    /// If it is another service's.
    fn one_of(response: &Response) -> &Self;
}

/// What an operation gives to its strategy.
pub trait Given<R>: Sized {
    /// Out of what came back.
    ///
    /// # Errors
    /// The trouble that there is, where a response has not what the operation needs.
    fn of(response: &R) -> Result<Self, Trouble>;
}

/// A service that answers a question with the answer to another is a bug of the lab's, never the world's trouble.
///
/// # Panics
/// Always.
#[cold]
pub fn another<T>(response: impl Display) -> T {
    panic!("a service answered with `{response}`, which is an answer to another operation")
}

/// The things that one attempt can ask for are numbered below this.
pub const MAX_ASKED: u8 = 8;

/// The id of something by who asked for it: a lane, in an attempt, as its so many-th. Small, so that it is easy to read.
#[must_use]
pub fn asked_id(lane: u8, attempt: u8, number: u8) -> i64 {
    1 + i64::from(number) + i64::from(MAX_ASKED) * (i64::from(attempt) + 16 * i64::from(lane))
}

/// Who asked for something, in which attempt, and as which, by its id: the lane, the attempt, the number.
#[must_use]
pub fn asker_of(id: i64) -> (u8, u8, u8) {
    let number = u64::try_from(id - 1).unwrap_or(0);
    let part = |by: u64, of: u64| u8::try_from(number / by % of).unwrap_or(u8::MAX);
    (part(128, 256), part(8, 16), part(1, 8))
}

/// The letter of a lane.
#[must_use]
pub fn lane_name(lane: u8) -> char {
    char::from(b'a' + lane.min(25))
}
