//! What the model of a service is asked, and by whom: its semantics, without I/O.

use std::fmt::Debug;
use std::hash::Hash;

use super::contract::{Service, asked_id, asker_of};
use super::ids::Ids;
use super::touched::Touched;
use crate::service::etcd::model::LockModelFlaw;
use crate::service::kafka::KafkaModelFlaw;
use crate::service::redis::RedisModelFlaw;
use crate::service::store::model::StoreModelFlaw;
use crate::terms::{Balances, Delivery, Entry, MessageId, OutcomeOf, Profile, Role, Session, Sessions};

/// Who asks, and for what role of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Asker {
    /// The delivery, as the ledger names it.
    pub by: Delivery,
    /// The role that the service is asked in.
    pub role: Role,
    /// The id that whatever the operation makes will bear ([`IdKind::Asked`](super::IdKind::Asked)). An exploration names things
    /// by who asked for them, and not by who asked first.
    pub id: i64,
}

/// Whoever holds something: a lane, with the attempt that it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Holder {
    pub lane: u8,
    pub attempt: u8,
    /// Its connection.
    pub session: Session,
    /// The message that it is at work on.
    pub message: MessageId,
}

/// A lane as the services know it, for those who look at some lanes only: by its connections, and by the ids of what it asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Party {
    pub lane: u8,
    /// Its own, and those of its requests in flight.
    pub sessions: Sessions,
}

impl Party {
    /// Whether it asked for what bears this id.
    #[must_use]
    pub fn asked_for(self, id: i64) -> bool {
        id > 0 && asker_of(id).0 == self.lane
    }

    /// Whether it is any of these connections.
    #[must_use]
    pub fn is_on(self, session: Session) -> bool {
        self.sessions.contains(session)
    }
}

/// In whose name stays what a party leaves behind that is out of sight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Heir {
    /// Who has what the party asked for.
    pub lane: u8,
    /// The connection that holds what the party's connections do.
    pub session: Session,
}

impl Heir {
    /// A lane that has all of it.
    #[must_use]
    pub const fn of_all(lane: u8) -> Self {
        Heir { lane, session: Session(lane) }
    }

    /// The id of the only thing that it has asked for.
    #[must_use]
    pub fn id(self) -> i64 {
        asked_id(self.lane, 0, 0)
    }
}

/// Why the state of a service says too little, seen without some of the lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{0}")]
pub struct OutOfSight(pub &'static str);

/// A timer that runs, e.g. a lease's, by the id of what it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timer(pub i64);

/// An operation cannot go yet, and has changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// Before one of these connections has let go.
    For(Sessions),
    /// The same. But on a server the operation has begun: it has taken a snapshot, and goes on with that one after the wait. In a model
    /// it begins after the wait, and takes a newer one.
    WithSnapshot(Sessions),
    /// Before these timers have run out, or their holders have let go: whoever says this is asked for them.
    ForTimers,
}

/// What an operation comes to in a model.
pub type Called<R> = Result<OutcomeOf<R>, Waits>;

/// What models are made with.
#[derive(Debug, Clone, Copy)]
pub struct ModelSettings {
    /// Whose store is modelled.
    pub profile: Profile,
    /// How many accounts there are, and how many there can be.
    pub accounts: (u8, u8),
    /// The deliberate mistakes.
    pub store_flaw: Option<StoreModelFlaw>,
    pub lock_flaw: Option<LockModelFlaw>,
    pub redis_flaw: Option<RedisModelFlaw>,
    pub kafka_flaw: Option<KafkaModelFlaw>,
}

/// Of a model that is only ever seen as a whole.
const NOT_SEEN_IN_PART: &str = "the model of a service that it asks is only ever seen as a whole";

/// The semantics of a service.
pub trait Model: Clone + Eq + Hash + Debug {
    type Op;
    type Response;

    /// Carries out an operation on a connection. Committed effects go to the end of the ledger.
    ///
    /// # Errors
    /// [`Waits`] if it has to wait; then nothing has changed.
    fn call(&mut self, on: Session, op: &Self::Op, by: &Asker, ledger: &mut Vec<Entry>) -> Called<Self::Response>;

    /// Makes it as it was in the beginning, if possible in the same memory.
    fn begin_again(&mut self);

    /// Cuts a connection.
    fn cut(&mut self, _on: Session) {}

    /// Nothing else can move: the wait of this connection ends all the same, and it comes to this.
    fn victim(&mut self, _on: Session) -> OutcomeOf<Self::Response> {
        OutcomeOf::Unknown
    }

    /// Whether the name of a connection, or the id of what somebody asked for, stands anywhere in it.
    fn has_names(&self) -> bool {
        true
    }

    /// Gives connections and the ids of what was asked for other names. No two may get the same.
    fn rename(&mut self, _sessions: &dyn Fn(Session) -> Session, _ids: &mut impl Ids) {}

    /// The same state with ranked ids that say nothing but their order, for those who never look at one.
    #[must_use]
    fn without_ranks(self) -> Self {
        self
    }

    /// The newest timer that somebody has running.
    fn timer(&self, _of: Holder) -> Option<Timer> {
        None
    }

    /// A timer runs out. One that is gone already need not go again.
    fn fire(&mut self, _timer: Timer) {}

    /// Everything has settled, and every timer has run out that nobody waits for.
    fn settle(&mut self) {}

    /// The timers that an operation would have to wait for.
    fn timers_ahead(&self, _op: Self::Op) -> Vec<Timer> {
        Vec::new()
    }

    /// Begins an operation that has to wait for what others hold; false, and nothing has changed, if it would not have to wait, or
    /// if it changes nothing whether it begins before its wait or after it.
    fn queue(&mut self, _on: Session, _op: Self::Op, _by: &Asker) -> bool {
        false
    }

    /// What an operation has come to that has begun and had to wait.
    ///
    /// # Errors
    /// [`Waits`] if it still waits.
    fn take_turn(&mut self, _on: Session) -> Called<Self::Response> {
        Err(Waits::ForTimers)
    }

    /// Seen without a party. What only one can have stays taken, by the heir; what is of no use to others is dropped, and so is a place in
    /// a queue: more can happen then than really can.
    ///
    /// # Errors
    /// [`OutOfSight`] if what the others can do depends on more than that.
    fn forget(&mut self, _party: Party, _heir: Heir) -> Result<(), OutOfSight> {
        if self.has_names() { Err(OutOfSight(NOT_SEEN_IN_PART)) } else { Ok(()) }
    }

    /// The other way: every state that looks like this one without a party, and where the party has what it has in another view. Where
    /// that cannot be, whatever comes of it looks like something else.
    ///
    /// # Errors
    /// As [`forget`](Model::forget).
    fn adopt(&self, _from: &Self, _party: Party, _heir: Heir) -> Result<Vec<Self>, OutOfSight> {
        if self.has_names() { Err(OutOfSight(NOT_SEEN_IN_PART)) } else { Ok(vec![self.clone()]) }
    }

    /// What an operation in flight over a connection can come to where nobody hears of it: itself, another one that does the same, or nothing.
    fn unheard(&self, _on: Session, op: Self::Op) -> Option<Self::Op> {
        Some(op)
    }

    /// Gives every number that stands in an order of its own and was told to somebody, e.g. a fencing token, another one. The order stays.
    fn map_ranks(&mut self, _ranks: &mut dyn FnMut(i64) -> i64) {}

    /// Such numbers are counted on from this one, which is above all that were told. What is only ever compared within the service is numbered
    /// anew, in its order.
    fn count_on_from(&mut self, _rank: i64) {}

    /// The committed balances of the accounts that there are, where there are any.
    fn balances(&self) -> Balances {
        Balances::default()
    }
}

/// What a lane has done in its present attempt, as far as it says what the lane's next step touches of a service. It depends on
/// nothing but the lane's own operations, so that it stays the same when others change places.
pub trait Past: Copy + Default {
    type Op;
    type Response;

    /// After another operation, and what came of it.
    #[must_use]
    fn follow(self, op: Self::Op, outcome: OutcomeOf<Self::Response>) -> Self;

    /// What an operation touches.
    #[must_use]
    fn touch(self, op: Self::Op, profile: Profile) -> Touched;

    /// What an operation touches whose request is lost or late.
    #[must_use]
    fn unmade(_op: Self::Op) -> Touched {
        Touched::NOTHING
    }

    /// What the end of the connection touches.
    #[must_use]
    fn cut(self, _profile: Profile) -> Touched {
        Touched::NOTHING
    }

    /// What the end of the attempt touches, besides that of its connections.
    #[must_use]
    fn over(self) -> Touched {
        Touched::NOTHING
    }

    /// What a request touches that lands late.
    #[must_use]
    fn later() -> Touched {
        Touched::ANYTHING
    }

    /// What a timer touches that runs out while its lane is about to make an operation of this service, or of another; nothing where
    /// there are none.
    #[must_use]
    fn expiry(self, _before: Option<Self::Op>) -> Touched {
        Touched::NOTHING
    }
}

/// A service with a model.
pub trait Modelled: Service {
    type Model: Model<Op = Self::Op, Response = Self::Response>;
    type Past: Past<Op = Self::Op, Response = Self::Response>;

    /// The service before anything happened.
    fn model(settings: &ModelSettings) -> Self::Model;
}
